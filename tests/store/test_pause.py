"""A pause takes effect although workers claim from the campaign without a gap, and nobody told them by signal."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from router.launch import pause_campaign
from router.store.campaigns import lock_campaign
from router.store.engine import Store
from tests.support.ledger import Ledger, soon

AIM = 1.0
"""Seconds within which a pause takes effect (issue 4, part 7); asserted at five times that."""

WORKERS = 8

_WAITING = (
    "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
    " WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted"
)


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Two installations on one ledger that do not hear each other's signals."""
    stores = [Store(url), Store(url)]
    try:
        yield Ledger(stores[0]), Ledger(stores[1])
    finally:
        for store in stores:
            await store.aclose()


@contextlib.asynccontextmanager
async def claiming(store: Store, campaign: int) -> AsyncIterator[list[float]]:
    """Workers that hold the campaign as an intent does, each beginning anew at once; when each began."""
    began: list[float] = []

    async def claim(hold: float) -> None:
        while True:
            async with store.write() as connection:
                row = await lock_campaign(connection, campaign, in_turn=True)
                assert row is not None
                if row.status.value == "running":
                    began.append(time.monotonic())
                await connection.execute(text("SELECT pg_sleep(:hold)"), {"hold": hold})

    tasks = [asyncio.create_task(claim(0.05 + 0.013 * place)) for place in range(WORKERS)]
    try:
        yield began
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_pause_is_not_starved_by_claims(postgresql_url: str) -> None:
    async with opened(postgresql_url) as (ledger, other):
        await ledger.add_members(10)
        campaign = await ledger.launch()
        async with claiming(other.store, campaign) as began:
            await soon(lambda: len(began) >= 4 * WORKERS)
            async with asyncio.timeout(5 * AIM):
                await pause_campaign(ledger.runtime, campaign, by="ana", reason="a typo", now=ledger.clock())
            count = len(began)
            await asyncio.sleep(0.3)
            assert began[count:] == [], "what is committed as paused is never claimed after"


@pytest.mark.parametrize("what", ["send", "route"])
async def test_workers_queue_behind_a_pause_that_waits(postgresql_url: str, what: str) -> None:
    """One worker holds the campaign, a pause waits for it, another worker comes: it finds the campaign paused."""
    async with opened(postgresql_url) as (ledger, other):
        await ledger.add_members(10)
        campaign = await ledger.launch()
        if what == "send":
            await ledger.route()
        async with ledger.store.write() as holding:
            await lock_campaign(holding, campaign, in_turn=True)
            pause = pause_campaign(ledger.runtime, campaign, by="ana", reason="a typo", now=ledger.clock())
            pausing = asyncio.create_task(pause)
            await waiting(other, 1)
            working = asyncio.create_task(other.send() if what == "send" else other.route())
            await waiting(other, 2, unless=working)
        await pausing
        assert not await working
        assert other.sms.handed == []
        assert await ledger.statuses(campaign) == (["queued"] * 10 if what == "send" else [])


async def waiting(ledger: Ledger, count: int, unless: asyncio.Task[object] | None = None) -> None:
    """Until so many wait in turn, or a task is done that should have."""
    for _ in range(1_000):
        if (unless and unless.done()) or (await ledger.execute(_WAITING))[0][0] >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits in turn")
