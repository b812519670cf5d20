"""Links by which people join a channel that they alone can open: notifications in a browser, a chat with a bot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text

from router.core.errors import NotFound
from router.core.group_links import group_token
from router.core.join_links import join_token
from router.runtime import Runtime
from router.settings import channel_settings


async def join_links(
    runtime: Runtime, member_id: int, *, days: int, now: datetime, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """channel → this member's link, good for so many `days`; only channels that are set up. Raises `NotFound`.

    Whoever has the link can have an address of their own written to in the member's name: it goes to the member only.
    """
    async with runtime.store.read() as connection:
        there = await connection.scalar(
            text("SELECT 1 FROM member WHERE id = :id AND erased_at IS NULL AND kind = 'person'"), {"id": member_id}
        )
    if there is None:
        raise NotFound(f"there is no member {member_id}")
    return links_of(runtime, member_id, days=days, now=now, environment=environment)


def links_of(
    runtime: Runtime, member_id: int, *, days: int = 7, now: datetime, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The same for a member that is known to be there."""
    token = join_token(runtime.key, member_id, now + timedelta(days=days))
    links = {}
    if "webpush" in runtime.channels:
        links["webpush"] = f"{runtime.settings.public_url.rstrip('/')}/push/{token}"
    for account in runtime.channels.get("telegram", {}):
        if link := _chat_with_bot(runtime, account, token, environment):
            links.setdefault("telegram", link)
    return links


def group_link(
    runtime: Runtime,
    channel: str,
    account: str,
    group_id: int,
    campaign_id: int = 0,
    *,
    environment: Mapping[str, str] | None = None,
) -> str:
    """A link for everybody in a group that opens a private chat with the bot, and says where they come from.

    "" where the channel has no such links, or the bot's name is not set.
    """
    if channel != "telegram":
        return ""
    return _chat_with_bot(runtime, account, group_token(runtime.key, group_id, campaign_id), environment)


def _chat_with_bot(runtime: Runtime, account: str, token: str, environment: Mapping[str, str] | None) -> str:
    """https://core.telegram.org/bots/features#deep-linking"""
    given = runtime.environment if environment is None else environment
    found = channel_settings(runtime.specs["telegram"], given, account=account)
    bot = found.get("username", "").strip().removeprefix("@")
    return f"https://t.me/{bot}?start={token}" if bot else ""
