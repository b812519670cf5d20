"""STOP, one click and the member's door at any moment of a blast: after the 200 nothing leaves for that address."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from sqlalchemy import text

from router.core.links import unsubscribe_token
from router.core.model import DeliveryRef
from router.door import door_link
from router.erasing import erase_member
from router.records.merge import merge_records
from tests.chaos.house import Breakable, open_breakable, phones
from tests.chaos.places import database, redis
from tests.chaos.report import Row, Size

LOAD = """
[sms]
rate = 0
concurrency = 36
[email]
rate = 0
concurrency = 36
"""
"""Two workers have as much under way as eight have with the nine of the shipped file."""

TEXTS, MAILS = 3_000, 1_000
LATENCY = 0.8
WAYS = ("stop", "one-click", "door", "door, erased")


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody who has had our answer."""

    way: str
    member: int
    address: str
    at: float
    """When they had it, Unix time."""


async def stops(size: Size) -> Row:
    """Two hundred people say it while they and others are being asked."""
    began, draw, runs = time.monotonic(), random.Random(size.seed), size.of(200)
    with database() as url, redis() as memory, tempfile.TemporaryDirectory() as folder:
        async with open_breakable(url, memory, Path(folder), channels=("sms", "email")) as house:
            (Path(house.environment["OUTREACH_CONFIG"]) / "channels.toml").write_text(LOAD, "utf-8")
            await house.web()
            await asyncio.gather(house.worker(), house.worker())
            said = await _blast(house, draw, runs)
            late = _late(house, said)
            again = await _ask_again(house, [one for one in said if one.way == "stop"])
            ways = Counter(one.way for one in said)
            told = ", ".join(f"{count} {way}" for way, count in sorted(ways.items()))
            broken = ", ".join(f"{count} after {way}" for way, count in sorted(late.items())) or "none"
            return await house.row(
                "STOP is final", len(said), began,
                f"{told}; sent after the 200: {broken}; after erasure, import and merge: {again}",
                broken=late.total() + again,
            )  # fmt: skip


async def _blast(house: Breakable, draw: random.Random, runs: int) -> list[Said]:
    """Ask everybody; at random moments some say that they want no more."""
    await house.turn(latency=LATENCY)
    texts = await house.people_by(TEXTS, "sms")
    mails = await house.people_by(MAILS, "email")
    campaign = await house.ask_all(texts | mails)
    await house.until_accepted(20)
    pools = {way: list(mails.items() if way == "one-click" else texts.items()) for way in WAYS}
    draw.shuffle(pools["stop"])
    third = len(texts) // 3
    pools["door"], pools["door, erased"] = pools["stop"][third : 2 * third], pools["stop"][2 * third :]
    said: list[Said] = []
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:

        async def say(way: str, member: int, address: str) -> None:
            at = await _say(house, session, campaign, way, member, address)
            if at:
                said.append(Said(way, member, address, at))

        for number in range(runs):
            way = WAYS[number % len(WAYS)] if number % 5 else "stop"
            group.create_task(say(way, *pools[way].pop()))
            await asyncio.sleep(draw.expovariate(len(texts) / 2_000))
    await house.settle()
    # For the others the usual count holds; those who said it are counted by `_late`.
    house.people[campaign] = sorted((texts | mails).keys() - {one.member for one in said})
    return said


async def _say(
    house: Breakable, session: aiohttp.ClientSession, campaign: int, way: str, member: int, address: str
) -> float:
    """Say it that way, until it is taken; when that was, or 0.0 where there is nothing yet to press a button in."""
    if way == "stop":
        form = {"MessageSid": f"SM{member:032x}", "From": address, "To": "+12025550100", "Body": "STOP"}
        return await house.hook(session, form)
    runtime = house.movement.runtime
    if way == "one-click":
        found = await house.movement.execute(
            "SELECT month, id FROM delivery WHERE campaign_id = :id AND member_id = :member", id=campaign, member=member
        )
        if not found:
            return 0.0
        token = unsubscribe_token(runtime.key, DeliveryRef(*found[0]))
        return await house.press(session, f"{house.balancer.url}/u/{token}", {"List-Unsubscribe": "One-Click"})
    link = await door_link(runtime, member, now=runtime.clock())
    wishes = {"do": "wishes", "dial": "everything", "locale": "en", "zone": "Europe/Paris"}
    if way == "door":
        return await house.press(session, link, wishes)
    return await house.press(session, f"{link}/erase", {"word": "ERASE"})


def _late(house: Breakable, said: list[Said]) -> Counter[str]:
    """Messages that the provider took after the answer, by the way it was said."""
    until = {one.address: one for one in said}
    return Counter(
        until[one["to"]].way
        for one in house.accepted_so_far()
        if one["to"] in until and one["at"] > until[one["to"]].at
    )


async def _ask_again(house: Breakable, stopped: list[Said]) -> int:
    """Erase some of them, merge others, enter all their telephones anew, ask once more: how many that reaches."""
    runtime, before = house.movement.runtime, Counter(one["to"] for one in house.accepted_so_far())
    for place, one in enumerate(stopped):
        if place % 2:
            await erase_member(runtime, one.member, by="ana", now=runtime.clock())
    lines = [f"Ana,{one.address},yes,form,2026-01-02" for one in stopped]
    file = house.folder / "again.csv"
    file.write_text("\n".join(["first_name,phone,sms consent,consent source,consent date", *lines]), "utf-8")
    importing = await house.start("import", str(file))
    assert await importing.ends() == 0, importing.said()
    others = await house.movement.add_members(len(stopped), values=[one.address for one in stopped])
    kept = phones(TEXTS, 1)
    [free] = await house.movement.add_members(1, values=kept)
    async with runtime.store.write() as connection:
        for other, one in zip(others[::3], stopped[::3], strict=True):
            alive = await connection.scalar(
                text("SELECT 1 FROM member WHERE id = :id AND erased_at IS NULL"), {"id": one.member}
            )
            if alive:
                await merge_records(connection, keep=other, lose=one.member)
    again = await house.movement.launch(title="Again")
    house.people[again] = [free]
    await house.until_finished(again)
    after = Counter(one["to"] for one in house.accepted_so_far())
    assert after[kept[0]] == 1, "the second ask reached nobody at all"
    return sum(after[one.address] - before[one.address] for one in stopped)
