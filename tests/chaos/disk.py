"""The disk is full in the middle of a blast: of SQLite and of PostgreSQL, on a small file system of their own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import asyncpg

from router.store.engine import Store
from router.store.migrate import migrate
from tests.chaos.house import Breakable, open_breakable
from tests.chaos.places import Missing, redis
from tests.chaos.report import Row, Size, tell
from tests.support.own_postgres import NONE, OwnPostgres

SMALL, LARGER = 48, 256
"""Megabytes of SQLite's disk and of PostgreSQL's, whose empty cluster and log have 90."""
MEMBERS = 2_000
LATENCY = 0.3
PAUSE = 0.2
"""Seconds between two people who write to us, and between two looks whether there is room for a byte again."""

Deed = Callable[[], Awaitable[None]]


async def disk(size: Size) -> Row:
    """Ten times there is no byte left on SQLite's disk for a few seconds, while web server and worker write."""
    with small_disk(SMALL) as room:
        url = f"sqlite:///{room}/ledger.sqlite3"
        await _migrated(url)
        return await _fill(size, "disk full (SQLite)", room, url, [_nothing] * size.of(10))


async def postgres_disk(size: Size) -> Row:
    """As `disk`, on PostgreSQL's. Every second time its log has no room either: then it ends, and is started again."""
    if OwnPostgres.program() is None:
        raise Missing(NONE)
    runs = size.of(10)
    with small_disk(LARGER) as room:
        server = SmallPostgres(room)
        try:
            await asyncio.to_thread(server.start)
            await _migrated(server.url)
            deeds = [server.use_up_log] * (runs // 2) + [_nothing] * (runs - runs // 2)
            row = await _fill(size, "disk full (PostgreSQL)", room, server.url, deeds, back=server.come_back)
            said = f"{server.panics} x no room for its log, {server.starts} x it had to be started again"
            return replace(row, remark=f"{row.remark}; {said}")
        finally:
            await asyncio.to_thread(server.close)


class SmallPostgres(OwnPostgres):
    """A cluster on that small disk, with as little of a log kept as PostgreSQL allows."""

    def __init__(self, room: Path) -> None:
        super().__init__("-c", "min_wal_size=32MB", "-c", "max_wal_size=32MB", "-c", "wal_recycle=off")
        self._folder.rmdir()
        self._folder = room / "cluster"
        self._folder.mkdir()
        self.panics = self.starts = 0

    async def use_up_log(self) -> None:
        """Write more into its log than its newest file has room for: without room for another, PostgreSQL ends."""
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            connection = await asyncpg.connect(self.url, timeout=5)
            try:
                await connection.execute("SELECT pg_logical_emit_message(true, 'chaos', repeat('x', 40000000))")
            except (asyncpg.PostgresConnectionError, OSError):
                self.panics += 1
            finally:
                connection.terminate()

    async def come_back(self) -> None:
        """Wait until it answers; where it has ended, start it, as whatever watches over a server does."""
        end = time.monotonic() + 60
        while True:
            assert self._server is not None
            assert time.monotonic() < end, "PostgreSQL does not come back"
            if self._server.poll() is not None:
                self.starts += 1
                await asyncio.to_thread(self.start)
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await (await asyncpg.connect(self.url, timeout=5)).close()
                return
            await asyncio.sleep(PAUSE)


async def _fill(size: Size, fault: str, room: Path, url: str, deeds: Sequence[Deed], back: Deed | None = None) -> Row:
    """Fill the disk, do one of the `deeds`, make room, wait until the database is `back`; as often as there are deeds.

    Meanwhile people are asked and write to us. `Row.broken`: webhooks that were answered neither 200 nor 503 or not at
    all, words that were taken and are not in the ledger once, and processes of ours that ended.
    """
    began, draw = time.monotonic(), random.Random(size.seed)
    deeds = draw.sample(deeds, len(deeds))
    with redis() as memory, tempfile.TemporaryDirectory() as folder:
        async with open_breakable(url, memory, Path(folder)) as house:
            ours = [await house.web(), await house.worker()]
            await house.turn(latency=LATENCY)
            people = await house.people_by(MEMBERS, "sms")
            await house.ask_all(people)
            await house.until_accepted(20)
            met = 0
            async with _writing(house, list(people.values())) as written:
                for deed in deeds:
                    await asyncio.sleep(draw.uniform(0.2, 2.0))
                    async with _full(room / "filler"):
                        await deed()
                        await asyncio.sleep(draw.uniform(1.0, 4.0))
                        met += await house.accepted() < MEMBERS
                    if back is not None:
                        await back()
            await house.settle()
            [(rows, events)] = await house.movement.execute(
                "SELECT count(*), count(DISTINCT event_id) FROM inbound WHERE text LIKE 'When does it begin%'"
            )
            odd = {status: n for status, n in written.statuses.items() if status not in (200, 503)}
            ended = [one.name for one in ours if one.child.returncode is not None]
            assert written.statuses[503], "the disk was never so full that a webhook could not be taken"
            said = (
                f"{met} x before the last message had left; {written.count:,} people wrote: {written.statuses[503]:,} x"
                f" 503, then {written.statuses[200]:,} x 200"
            )
            if odd or ended or not rows == events == written.count:
                said += f"; answers {odd}, ended {ended}, {rows:,} texts of {events:,} people in the ledger"
            broken = sum(odd.values()) + len(ended) + abs(rows - written.count)
            return await house.row(fault, len(deeds), began, said, broken=broken)


async def _nothing() -> None:
    """Only the disk is full."""


async def _migrated(url: str) -> None:
    store = Store(url)
    await migrate(store)
    await store.aclose()


@dataclass(slots=True)
class Written:
    """What people wrote, and how their provider was answered."""

    count: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


@contextlib.asynccontextmanager
async def _writing(house: Breakable, phones: list[str]) -> AsyncIterator[Written]:
    """One after the other writes to us; at the end everybody's words are taken."""
    written, over = Written(), asyncio.Event()

    async def write(session: aiohttp.ClientSession, group: asyncio.TaskGroup) -> None:
        while not over.is_set():
            number = written.count
            form = {"MessageSid": f"SM{number:032x}", "From": phones[number % len(phones)], "To": "+12025550100"}
            form["Body"] = f"When does it begin? {number}"
            group.create_task(house.hook(session, form, statuses=written.statuses))
            written.count += 1
            await asyncio.sleep(PAUSE)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        group.create_task(write(session, group))
        try:
            yield written
        finally:
            over.set()
    tell(f"{written.count:,} people wrote, answered {dict(written.statuses)}")


@contextlib.asynccontextmanager
async def _full(filler: Path) -> AsyncIterator[None]:
    """No byte is left meanwhile; what somebody else gives back is taken at once."""

    over = asyncio.Event()

    async def keep() -> None:
        while not over.is_set():
            await asyncio.sleep(PAUSE)
            await asyncio.to_thread(fill, filler)

    await asyncio.to_thread(fill, filler)
    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        over.set()
        await keeping
        await asyncio.to_thread(filler.unlink)


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system of a few megabytes in memory."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder]
        if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
            raise Missing("a small file system may only be made by root")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    """Write until there is no room for one byte more."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while True:  # the last write takes what there is room for
            os.write(file, bytes(1 << 16))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(file)
