"""PostgreSQL and Redis go away in the middle of a blast, in each way in which they do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg

from router.redis_client import open_redis
from router.store.engine import Store
from router.store.migrate import migrate
from tests.chaos.house import Breakable, open_breakable
from tests.chaos.places import Missing, database, redis
from tests.chaos.report import Row, Size
from tests.support.own_postgres import NONE, OwnPostgres
from tests.support.redis import OwnRedis

WAVE, FEW, LATENCY = 2_000, 300, 0.5

Deed = Callable[[], Coroutine[Any, Any, None]]


async def postgres(size: Size) -> Row:
    """Every connection cut, forty times; in between the server dies and comes back, ten times."""
    began, draw = time.monotonic(), random.Random(size.seed)
    async with own_postgres() as server:
        with redis() as memory, tempfile.TemporaryDirectory() as folder:
            async with open_breakable(server.url, memory, Path(folder)) as house:

                async def cut() -> None:
                    connection = await asyncpg.connect(server.url)
                    await connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                    )
                    await connection.close()

                async def restart() -> None:
                    await asyncio.to_thread(server.kill)
                    await asyncio.sleep(draw.uniform(0.0, 3.0))
                    await asyncio.to_thread(server.start)

                cuts, restarts = size.of(40), size.of(10)
                await _break(house, draw, [cut] * cuts + [restart] * restarts)
                said = f"{cuts} x all connections cut, {restarts} x killed and started again"
                return await house.row("PostgreSQL goes away", cuts + restarts, began, said)


async def memory(size: Size) -> Row:
    """Redis killed, so that it forgets everything, and emptied while it runs."""
    began, draw = time.monotonic(), random.Random(size.seed)
    if OwnRedis.program() is None:
        raise Missing("Redis of our own, which may be killed")
    with database() as url, tempfile.TemporaryDirectory() as folder:
        server = OwnRedis()
        try:
            await asyncio.to_thread(server.start)
            async with open_breakable(url, server.url, Path(folder)) as house:

                async def restart() -> None:
                    await asyncio.to_thread(server.kill)
                    await asyncio.sleep(draw.uniform(0.0, 3.0))
                    await asyncio.to_thread(server.start)

                async def flush() -> None:
                    async with open_redis(server.url) as client:
                        await client.flushall()

                kills, flushes = size.of(10), size.of(20)
                await _break(house, draw, [restart] * kills + [flush] * flushes)
                said = f"{kills} x killed and started again, {flushes} x emptied"
                return await house.row("Redis goes away", kills + flushes, began, said)
        finally:
            await asyncio.to_thread(server.close)


async def _break(house: Breakable, draw: random.Random, deeds: list[Deed]) -> None:
    """Do all of that in a random order while blasts run, then let them end."""
    draw.shuffle(deeds)
    await house.web()
    await asyncio.gather(house.worker(), house.worker())
    await house.turn(latency=LATENCY)
    for deed in deeds:
        if sum(len(ids) for ids in house.people.values()) - await house.accepted() < FEW:
            await house.blast(WAVE, title=f"Dinner {len(house.people)}")
        await asyncio.sleep(draw.uniform(0.2, 2.0))
        await deed()
    await house.settle()


@contextlib.asynccontextmanager
async def own_postgres() -> AsyncIterator[OwnPostgres]:
    """A migrated PostgreSQL of our own, which may be killed."""
    if OwnPostgres.program() is None:
        raise Missing(NONE)
    server = OwnPostgres()
    try:
        await asyncio.to_thread(server.start)
        store = Store(server.url)
        await migrate(store)
        await store.aclose()
        yield server
    finally:
        await asyncio.to_thread(server.close)
