"""STOP, one click and the member's door at any moment of a blast: after the 200 nothing leaves for that address.

Also not after the ledger has come back from a backup that was made in the middle of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
from sqlalchemy import text

from router.core.links import unsubscribe_token
from router.core.model import DeliveryRef
from router.door import door_link
from router.erasing import erase_member
from router.records.merge import merge_records
from tests.chaos.house import Breakable, open_breakable, phones
from tests.chaos.places import Missing, database, redis
from tests.chaos.report import Row, Size, tell
from tests.support.postgres import execute, url_of

LOAD = """
[sms]
rate = 0
concurrency = 36
[email]
rate = 0
concurrency = 36
"""
"""Two workers have as much under way as eight have with the nine of the shipped file."""

TEXTS, MAILS = 3_000, 3_000
LATENCY = 0.8
DURING = 30.0
"""Seconds in which they say it: 72 at once, each taking 0.8 s, send 3,000 in 33 s."""
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
    """Two hundred people say it while they and others are being asked, and the ledger is backed up meanwhile.

    It comes back from there, those who said it since are told to it as docs/backups.md says, and all are asked again.
    """
    began, draw, runs = time.monotonic(), random.Random(size.seed), size.of(200)
    if not (shutil.which("pg_dump") and shutil.which("pg_restore")):
        raise Missing("pg_dump and pg_restore")
    with database() as url, redis() as memory, tempfile.TemporaryDirectory() as folder:
        async with open_breakable(url, memory, Path(folder), channels=("sms", "email")) as house:
            (Path(house.environment["OUTREACH_CONFIG"]) / "channels.toml").write_text(LOAD, "utf-8")
            _generous(Path(house.environment["OUTREACH_CONFIG"]) / "policy.toml")
            await house.web()
            await asyncio.gather(house.worker(), house.worker())
            said, backup = await _blast(house, draw, runs)
            tell(f"{len(said)} have said it, {sum(one.at < backup for one in said)} of them before the backup")
            late = _late(house, said)
            ways = Counter(one.way for one in said)
            told = ", ".join(f"{count} {way}" for way, count in sorted(ways.items()))
            row = await house.row("STOP is final", len(said), began, told)
            async with _restored(house, said, backup):
                again = await _ask_again(house, said)
            broken = ", ".join(f"{count} after {way}" for way, count in sorted(late.items())) or "none"
            kept = sum(one.at < backup for one in said)
            return replace(
                row,
                broken=late.total() + again.total(),
                seconds=time.monotonic() - began,
                remark=f"{row.remark}; sent after the 200: {broken}; sent after a restore (of a backup that knew of"
                f" {kept}), erasure, import and merge: {dict(again) or 'none'}",
            )


def _generous(policy: Path) -> None:
    """Nobody is spared a second ask, and the guard does not pause the blast because so many say STOP.

    Both would be right, and would hide what is tried here.
    """
    text, limits = re.subn(r"(?m)^opt_outs = .*$", "opt_outs = { default = 1.0 }", policy.read_text("utf-8"))
    assert limits == 1, "policy.toml has one limit of opt-outs"
    caps, urgent, rest = text.partition("[budget.urgent]")
    for name, value in (("day", 2), ("week", 2), ("gap_hours", 0)):
        caps, found = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", caps)
        assert found > 5, f"policy.toml has {name} for all and for each channel"
    policy.write_text(caps + urgent + rest, "utf-8")


async def _blast(house: Breakable, draw: random.Random, runs: int) -> tuple[list[Said], float]:
    """Ask everybody; at random moments some say that they want no more, and at half of them the ledger is backed up.

    Returns them, and when the backup began (Unix time).
    """
    await house.turn(latency=LATENCY)
    texts = await house.people_by(TEXTS, "sms")
    mails = await house.people_by(MAILS, "email")
    campaign = await house.ask_all(texts | mails)
    await house.until_accepted(20)
    by_text = draw.sample(list(texts.items()), len(texts))
    pools = {way: by_text[place::3] for place, way in enumerate(way for way in WAYS if way != "one-click")}
    pools["one-click"] = list(mails.items())
    said: list[Said] = []
    backup = 0.0
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:

        async def say(way: str, member: int, address: str) -> None:
            at = await _say(house, session, campaign, way, member, address)
            if at:
                said.append(Said(way, member, address, at))

        for number in range(runs):
            if number == runs // 2:
                backup = time.time()
                group.create_task(_run("pg_dump", "--format=custom", f"--file={_file(house)}", _ledger(house)))
            way = WAYS[number % len(WAYS)] if number % 5 else "stop"
            group.create_task(say(way, *pools[way].pop()))
            await asyncio.sleep(draw.expovariate(runs / DURING))
    await house.settle()
    # For the others the usual count holds; those who said it are counted by `_late`.
    house.people[campaign] = sorted((texts | mails).keys() - {one.member for one in said})
    return said, backup


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


@contextlib.asynccontextmanager
async def _restored(house: Breakable, said: list[Said], backup: float) -> AsyncIterator[None]:
    """The house on the ledger of the backup, brought back as docs/backups.md says, at work again."""
    await house.stop_all()
    name = f"outreach_chaos_{secrets.token_hex(4)}"
    await asyncio.to_thread(execute, f'CREATE DATABASE "{name}"')
    try:
        await _run("pg_restore", "--no-owner", f"--dbname={url_of(name)}", str(_file(house)))
        async with house.moved_to(url_of(name)):
            await _command(house, "migrate")
            await _command(house, "restore", "--after")
            since = house.folder / "since.csv"
            rows = [_row(one) for one in said if one.at >= backup]
            since.write_text("\n".join(["phone,email", *rows]), "utf-8")
            await _command(house, "import", str(since), "--suppress")
            tell(f"restored; {len(rows)} who said it since are imported with --suppress")
            await house.web()
            await asyncio.gather(house.worker(), house.worker())
            yield
            await house.stop_all()
    finally:
        await asyncio.to_thread(execute, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _ask_again(house: Breakable, said: list[Said]) -> Counter[str]:
    """Erase some of those who wrote STOP, merge others, enter all their telephones anew, and ask everybody once more.

    How many messages reach anybody who has `said` it, by the way.
    """
    runtime, before = house.movement.runtime, Counter(one["to"] for one in house.accepted_so_far())
    stopped = [one for one in said if one.way == "stop"]
    for place, one in enumerate(stopped):
        if place % 2:
            await erase_member(runtime, one.member, by="ana", now=runtime.clock())
    lines = [f"Ana,{one.address},yes,form,2026-01-02" for one in stopped]
    file = house.folder / "again.csv"
    file.write_text("\n".join(["first_name,phone,sms consent,consent source,consent date", *lines]), "utf-8")
    await _command(house, "import", str(file))
    others = await house.movement.add_members(len(stopped), values=[one.address for one in stopped])
    kept = phones(TEXTS, 1)
    await house.movement.add_members(1, values=kept)
    async with runtime.store.write() as connection:
        for other, one in zip(others[::3], stopped[::3], strict=True):
            alive = await connection.scalar(
                text("SELECT 1 FROM member WHERE id = :id AND erased_at IS NULL"), {"id": one.member}
            )
            if alive:
                await merge_records(connection, keep=other, lose=one.member)
    again = await house.movement.launch(title="Again")
    await house.until_finished(again, 600)
    after = Counter(one["to"] for one in house.accepted_so_far())
    assert after[kept[0]] == 1, "the second ask reached nobody at all"
    assert sum((after - before).values()) > TEXTS // 2, "the second ask reached few"
    return Counter({way: n for way, n in _reached(said, after - before).items() if n})


def _reached(said: list[Said], messages: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in said:
        found[one.way] += messages[one.address]
    return found


def _row(one: Said) -> str:
    return f",{one.address}" if "@" in one.address else f"{one.address},"


def _file(house: Breakable) -> Path:
    return house.folder / "ledger.backup"


def _ledger(house: Breakable) -> str:
    return house.environment["OUTREACH_DATABASE_URL"]


async def _command(house: Breakable, *words: str) -> None:
    """``outreach`` with these words, which must end well."""
    process = await house.start(*words)
    assert await process.ends() == 0, process.said()


async def _run(*command: str) -> None:
    """One of PostgreSQL's own tools, which must end well."""
    run = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, wrong = await run.communicate()
    assert run.returncode == 0, f"{command[0]} ended with {run.returncode}: {wrong.decode(errors='replace')}"
