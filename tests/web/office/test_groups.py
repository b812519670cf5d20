"""Groups in the office: entered, changed, left in peace; not for those who see a part of the members."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from aiohttp.test_utils import TestClient

from channels.telegram.adapter import TelegramChannel
from router.core.audience import Tagged
from router.core.roles import Role
from router.group_list import list_groups
from router.office.audit import read_audit
from router.runtime import Runtime
from router.wire import HttpWire
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock
from tests.web.office.test_asks import HOSTILE, SHOWN, read
from tests.web.office.test_members import enter, post

ABOUT = {"account": "main", "webhook_url": "https://outreach.example.org/hooks", "organization": "T"}
ROOM = "/office/groups"
BOARD = {"channel": "telegram", "address": "-1001234567890", "title": "The board", "tags": "Board\ntenants\nboard"}


@pytest.fixture
async def runtime(runtime: Runtime) -> Runtime:
    """With a bot."""
    telegram = TelegramChannel({"token": "12345:token", "webhook_secret": "s"} | ABOUT, HttpWire())
    return dataclasses.replace(runtime, channels={**runtime.channels, "telegram": {"main": telegram}})


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.AUTHOR, name="Ada", now=clock())


async def test_a_group_is_entered_once_and_changed(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    path = await post(client, ada, ROOM, **BOARD)
    assert "It is already entered" in await post(client, ada, ROOM, 422, **BOARD)
    steward = await enter(runtime, first_name="Zoe", email="zoe@example.org")
    about = {"title": HOSTILE, "tags": HOSTILE, "locale": "es", "country": "de", "place": HOSTILE}
    assert await post(client, ada, path, steward=str(steward), **about) == path
    [group] = await list_groups(runtime)
    assert (group.title, group.tags, group.locale, group.country) == (HOSTILE, [HOSTILE.lower()], "es", "DE")
    assert group.steward == steward
    for page in (await read(client, ada, path), await read(client, ada, ROOM)):
        assert SHOWN in page
        assert HOSTILE not in page
        assert f"/office/members/{steward}" in page


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("title", "", "It is needed."),
        ("country", "Germany", "Write the two letters"),
        ("steward", "999", "There is no member 999."),
        ("steward", "Zoe", "Write a whole number"),
        ("tags", "x" * 201, "at most 100 tags of 200 characters"),
    ],
)
async def test_what_cannot_be_is_said_beside_its_field(
    client: TestClient, ada: Entered, field: str, value: str, sentence: str
) -> None:
    path = await post(client, ada, ROOM, **BOARD)
    page = await post(client, ada, path, 422, **{"title": "The board", field: value})
    assert sentence in page.partition(f'id="{field}-wrong"')[2][:200]


async def test_a_group_is_left_in_peace_for_days(
    client: TestClient, runtime: Runtime, ada: Entered, clock: Clock
) -> None:
    path = await post(client, ada, ROOM, **BOARD)
    await post(client, ada, f"{path}/quiet", days="3")
    assert (await list_groups(runtime))[0].quiet_until == clock() + timedelta(days=3)
    await post(client, ada, f"{path}/quiet", days="0")
    assert (await list_groups(runtime))[0].quiet_until is None
    for wrong in ("", "soon", "-1", "9999999"):
        await post(client, ada, f"{path}/quiet", 422, days=wrong)
    quiet = await read_audit(runtime, what="group.quiet")
    assert [(entry.who, entry.detail["days"]) for entry in quiet.entries] == [("Ada", 0), ("Ada", 3)]


async def test_groups_are_for_those_who_see_all_members(
    client: TestClient, runtime: Runtime, ada: Entered, clock: Clock
) -> None:
    path = await post(client, ada, ROOM, **BOARD)
    part = Tagged(op="tag", tag="block 3")
    captain = await come_in(runtime, Role.AUTHOR, name="Cap", audience=part, now=clock())
    await read(client, captain, ROOM, 403)
    await read(client, captain, path, 403)
    await post(client, captain, path, 403, title="Mine")
    await post(client, captain, f"{path}/quiet", 403, days="3")
    assert (await list_groups(runtime))[0].title == "The board"
