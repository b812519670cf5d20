"""Links by which a member joins a channel that they alone can open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from sqlalchemy import text
from yarl import URL

from channels.telegram.adapter import TelegramChannel
from channels.webpush.adapter import WebPushChannel
from channels.webpush.vapid import new_private_key
from router.core.channel import Channel
from router.core.errors import NotFound
from router.core.join_links import read_join_token
from router.joining import join_links
from router.runtime import Runtime
from router.store.engine import Store
from router.wire import HttpWire
from tests.support.runtime import Clock, running_runtime

ABOUT = {"account": "main", "webhook_url": "https://outreach.example.org/hooks", "organization": "T"}
TELEGRAM = {"OUTREACH_TELEGRAM_USERNAME": "@tenants_bot"}


@pytest.fixture
async def runtime(sqlite_url: str) -> AsyncIterator[Runtime]:
    """Member 1 is a person, 2 a group, 3 was erased."""
    store = Store(sqlite_url)
    async with store.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO member (id, kind, joined_at, created_at, updated_at, erased_at)"
                " VALUES (1, 'person', 0, 0, 0, NULL), (2, 'group', 0, 0, 0, NULL), (3, 'person', 0, 0, 0, 7)"
            )
        )
    async with HttpWire() as wire:
        webpush = {"vapid_private_key": new_private_key(), "vapid_subject": "mailto:office@example.org"}
        channels: Mapping[str, Mapping[str, Channel]] = {
            "webpush": {"main": WebPushChannel(webpush | ABOUT, wire)},
            "telegram": {"main": TelegramChannel({"token": "12345:token", "webhook_secret": "s"} | ABOUT, wire)},
        }
        async with running_runtime(store, clock=Clock(), channels=channels) as runtime:
            yield runtime
    await store.aclose()


async def links(runtime: Runtime, member: int = 1, **options: Any) -> dict[str, URL]:
    given = {"days": 7, "now": runtime.clock(), "environment": TELEGRAM} | options
    return {channel: URL(link) for channel, link in (await join_links(runtime, member, **given)).items()}


async def test_a_link_names_the_member_for_a_while(runtime: Runtime) -> None:
    found = await links(runtime, days=2)
    page, chat = found["webpush"], found["telegram"]
    assert (page.host, page.parts[1]) == ("outreach.example.org", "push")
    assert (chat.host, chat.path) == ("t.me", "/tenants_bot")
    clock = runtime.clock
    assert isinstance(clock, Clock)
    for token in (page.parts[2], chat.query["start"]):
        assert read_join_token(runtime.key, token, clock()) == 1
    clock.advance(days=2)
    assert read_join_token(runtime.key, page.parts[2], clock()) is None


async def test_a_bot_without_a_name_has_no_link(runtime: Runtime) -> None:
    assert set(await links(runtime, environment={})) == {"webpush"}


@pytest.mark.parametrize("member", [2, 3, 4])
async def test_only_people_that_there_are_get_links(runtime: Runtime, member: int) -> None:
    with pytest.raises(NotFound):
        await links(runtime, member)
