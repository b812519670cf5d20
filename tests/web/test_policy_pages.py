"""Announced changes of the rules, where members and everybody else see them, and what members say of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.core.roles import Role
from router.door import door_link
from router.erasing import erase_member
from router.policy_changes.keeping import Keeper, OwnRules
from router.runtime import Runtime
from router.settings import Settings
from router.store.tables import to_ms
from tests.support.office import come_in
from tests.support.runtime import Clock
from tests.support.settling import policy_with

ANA, LATE = 5, 6
NOW = datetime(2026, 11, 20, tzinfo=UTC)
SENTENCE = "one organizer alone may ask 9,000 people instead of 1,000 people"
SHOWN = f"{SENTENCE[0].upper()}{SENTENCE[1:]}."


class House:
    """An installation that has asked people and then changed its files."""

    def __init__(self, runtime: Runtime, clock: Clock, client: TestClient, folder: Path) -> None:
        self.runtime, self.clock, self.client, self.folder = runtime, clock, client, folder

    async def start(self, **files: Any) -> Keeper:
        """A process starts with these values in its files."""
        keeper = Keeper(self.runtime, OwnRules.read(Settings(config=policy_with(self.folder, **files))))
        await keeper.begin(now=self.clock())
        return keeper

    async def execute(self, statement: str, **values: Any) -> Any:
        async with self.runtime.store.write() as connection:
            found = await connection.execute(text(statement), values)
            return found.all() if found.returns_rows else None

    async def door(self, member: int) -> str:
        link = await door_link(self.runtime, member, now=self.clock())
        return link.removeprefix("https://outreach.example.org")

    async def page(self, path: str, **headers: str) -> str:
        async with self.client.get(path, headers={"Accept-Language": "en", **headers}) as response:
            assert response.status == 200, await response.text()
            return await response.text()

    async def say(self, door: str, stance: str, change: object) -> int:
        form = {"do": stance, "change": str(change)}
        async with self.client.post(f"{door}/rules", data=form, allow_redirects=False) as response:
            return response.status


@pytest.fixture
async def house(runtime: Runtime, clock: Clock, client: TestClient, tmp_path: Path) -> House:
    house = House(runtime, clock, client, tmp_path)
    await house.start()
    now = to_ms(clock())
    for member, joined in ((ANA, now - 10_000), (LATE, now + 1)):
        await house.execute(
            "INSERT INTO member (id, first_name, last_name, locale, zone, country, joined_at, created_at, updated_at,"
            " attributes) VALUES (:id, 'Ana', '', 'en', 'Europe/Paris', 'FR', :joined, :now, :now, '{}')",
            id=member, joined=joined, now=now,
        )  # fmt: skip
    await house.execute(
        "INSERT INTO campaign (id, month, title, kind, status, created_by, created_at, launched_at)"
        " VALUES (50, 202611, 'Dinner', 'action', 'finished', 'ana', :now, :now)", now=now,
    )  # fmt: skip
    await house.start(approval_above=9_000)
    return house


async def test_everybody_reads_what_will_change_and_from_when(house: House) -> None:
    for path in ("/open", "/open/embed"):
        page = await house.page(path)
        assert SHOWN in page
        assert "From 27 Nov 2026" in page
        assert "For it: 0. Against it: 0." in page
    german = await house.page("/open", **{"Accept-Language": "de"})
    assert "Eine Person aus der Organisation darf allein mehr Menschen fragen: 9.000 statt 1.000." in german
    assert 'lang="de" dir="auto"' in german
    async with house.client.get("/open/rules.json") as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        [change] = (await response.json())["changes"]
    assert (change["file"], change["key"], change["old"], change["new"]) == (
        "policy.toml", "launch.approval_above", 1_000, 9_000,
    )  # fmt: skip
    assert change["sentence"] == SENTENCE
    assert change["effective_at"] == "2026-11-27T18:00:00Z"


async def test_other_pages_may_frame_the_short_one_which_takes_nothing_in(house: House) -> None:
    async with house.client.get("/open/embed") as response:
        policy = response.headers["Content-Security-Policy"]
        assert "frame-ancestors *" in policy
        assert "form-action 'none'" in policy
        assert "script" not in policy
        assert "Set-Cookie" not in response.headers
        page = await response.text()
    assert "<form" not in page
    async with house.client.get("/open") as response:
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


async def test_a_member_seconds_or_objects_once_and_may_change_their_mind(house: House) -> None:
    door, [[change]] = await house.door(ANA), await house.execute("SELECT id FROM policy_change")
    page = await house.page(door)
    assert SHOWN in page
    assert "You objected to it." not in page
    assert await house.say(door, "object", change) == 303
    assert await house.say(door, "object", change) == 303
    assert "You objected to it." in await house.page(door)
    assert "For it: 0. Against it: 1." in await house.page("/open")
    assert await house.say(door, "second", change) == 303
    assert "You seconded it." in await house.page(door)
    assert "For it: 1. Against it: 0." in await house.page("/open")
    assert '"rule":"policy.launch.approval_above","stance":"second"' in re.sub(
        r"\s", "", await house.page(f"{door}/data.json")
    )
    for stance, number in (("shout", change), ("object", "9" * 40), ("object", "x"), ("object", "")):
        assert await house.say(door, stance, number) == 400
    assert await house.say(door, "object", 999) == 303
    assert await house.execute("SELECT change_id, member_id, stance FROM policy_voice") == [(change, ANA, "second")]
    await erase_member(house.runtime, ANA, by="ana", now=house.clock())
    assert "For it: 0. Against it: 0." in await house.page("/open")


async def test_who_joined_later_and_who_has_no_link_have_no_word(house: House) -> None:
    door, [[change]] = await house.door(LATE), await house.execute("SELECT id FROM policy_change")
    assert SHOWN not in await house.page(door)
    assert await house.say(door, "object", change) == 303
    assert await house.say(f"{door[:-2]}zz", "object", change) == 404
    assert not await house.execute("SELECT 1 FROM policy_voice")


async def test_organizers_read_how_it_stands_and_what_became_of_it(house: House) -> None:
    who = await come_in(house.runtime, Role.VIEWER, now=house.clock())
    page = await house.page("/office/policy", **who.headers)
    assert "launch.approval_above" in page
    assert "announced, holds from" in page
    house.clock.advance(days=7)
    keeper = Keeper(house.runtime, OwnRules.read(Settings(config=str(house.folder))))
    await keeper.look(now=house.clock())
    assert house.runtime.policy.launch.approval_above == 9_000
    who = await come_in(house.runtime, Role.VIEWER, name="Bo", now=house.clock())
    assert "in force since" in await house.page("/office/policy", **who.headers)
    assert "In force since 27 Nov 2026" in await house.page("/open")
    assert SHOWN not in await house.page(await house.door(ANA))
    house.clock.advance(days=31)
    assert "Nothing is announced." in await house.page("/open")
