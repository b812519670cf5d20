"""Real concurrency on PostgreSQL: workers that route competing asks to the same people while others send."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from router.competing import next_route
from router.core.channel import Inbound, OutboundMessage, Received, Sent
from router.core.errors import FailureClass, NotSent
from router.core.policy import read_policy
from router.fanout import route_range_of
from router.plans import Route
from router.settings import load_settings, load_toml
from router.store.engine import Store
from tests.support.attention import assert_nobody_is_over_budget, assert_slots_are_exact, reasons
from tests.support.ledger import Ledger
from tests.support.runtime import Clock

POLICY = read_policy(load_toml("policy", load_settings()))
MEMBERS = 2_000
WORKERS = 4

_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@contextlib.asynccontextmanager
async def workers(url: str, clock: Clock) -> AsyncIterator[list[Ledger]]:
    """So many workers with connections of their own, and one clock."""
    stores = [Store(url) for _ in range(WORKERS)]
    try:
        yield [Ledger(store, clock=clock, policy=POLICY) for store in stores]
    finally:
        for store in stores:
            await store.aclose()


async def route_parts(ledger: Ledger, draw: random.Random, done: asyncio.Event) -> None:
    """Route part after part, with pauses, until everything was launched and nothing is left."""
    known: dict[int, Route] = {}
    while True:
        over = done.is_set()
        prepared = await next_route(ledger.runtime, known)
        if prepared is not None:
            await route_range_of(ledger.runtime, prepared, now=ledger.clock())
        elif over:
            return
        await asyncio.sleep(draw.random() * 0.02)


async def send_parts(ledger: Ledger, channel: str, owner: str, done: asyncio.Event) -> None:
    """Send whatever may leave, until everything was routed and nothing is left."""
    dispatcher = ledger.dispatcher(channel, owner)
    while True:
        over = done.is_set()
        if not await dispatcher.send_one_batch() and over:
            return
        await asyncio.sleep(0.03)


async def stop_some(ledger: Ledger, members: list[int]) -> None:
    """STOP from one phone after the other: what waits for it is withdrawn and refunded meanwhile."""
    async with ledger.receiver.running():
        for number in members:
            sender = f"+3363998{number % 10_000:04d}"
            event = Inbound(event_id=f"stop-{number}", sender=sender, recipient="+1", text="STOP", at=ledger.clock())
            await ledger.receiver.submit("sms", "main", Received(events=(event,)), ledger.clock())


def hesitant(draw: random.Random, taken: Counter[str]) -> Any:
    """A provider that takes its time, and every now and then surely does not take a message."""

    async def send(message: OutboundMessage) -> Sent:
        await asyncio.sleep(draw.random() * 0.01)
        if draw.random() < 0.02:
            raise NotSent(FailureClass.TRANSPORT)
        taken[str(message.delivery)] += 1
        return Sent(f"SM{message.delivery.id}")

    return send


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nobody_is_over_budget_and_nothing_is_lost(postgresql_url: str, seed: int) -> None:
    """Asks of three priorities, each launched while the lesser one is being routed and sent."""
    draw, clock = random.Random(seed), Clock()
    routed, launched = asyncio.Event(), asyncio.Event()
    async with workers(postgresql_url, clock) as ledgers:
        first = ledgers[0]
        before = await first.execute(_DEADLOCKS)
        half = await first.add_members(MEMBERS // 2, channels=("sms", "email"))
        await first.add_members(MEMBERS // 2 - 200, channels=("email", "sms"))
        [household] = await first.store.take_ids(1)
        await first.add_members(200, channels=("email",))
        await first.execute(
            "UPDATE member SET household_id = :h + id / 3 WHERE id < :last", h=household * 1_000_000, last=half[300]
        )
        taken: Counter[str] = Counter()
        for ledger in ledgers:
            ledger.sms.script = ledger.email.script = hesitant(draw, taken)
        senders = [
            asyncio.create_task(send_parts(ledger, channel, f"{channel}-{place}", routed))
            for place, ledger in enumerate(ledgers[2:])
            for channel in ("sms", "email")
        ]
        stopping = asyncio.create_task(stop_some(first, draw.sample(half, 30)))
        routers = [asyncio.create_task(route_parts(ledger, draw, launched)) for ledger in ledgers]
        campaigns = []
        for priority, organizer in enumerate(("ana", "dan", "eve")):
            hours = 72 - 25 * priority - draw.randrange(10)
            deadline = clock() + timedelta(hours=hours)
            campaigns.append(await first.launch(priority=priority, by=organizer, deadline=deadline.isoformat()))
            await asyncio.sleep(0.1 + draw.random() * 0.3)
        launched.set()
        await asyncio.gather(*routers)
        routed.set()
        await asyncio.gather(*senders, stopping)
        await assert_slots_are_exact(first)
        await assert_nobody_is_over_budget(first, POLICY.budget)
        found: Counter[tuple[str, str | None]] = Counter()
        for campaign in campaigns:
            rows = await first.rows(campaign)
            assert Counter(Counter(row.member_id for row in rows if row.hop == 0).values()) == {1: MEMBERS}
            await first.assert_tally_is_right(campaign)
            found += await reasons(first, campaign)
        assert found["sent", None] > 0
        assert found["held", "outranked"] > 0, "somebody gave way"
        sent = await first.execute("SELECT month, id FROM delivery WHERE status = 'sent'")
        assert taken == {f"{month}-{number}": 1 for month, number in sent}, "what left kept its slot"
        assert await first.execute(_DEADLOCKS) == before
