"""The contact budget under a thousand interleavings of campaigns and workers on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

from router.competing import next_route
from router.core.channel import Inbound, OutboundMessage, Received, Sent
from router.core.errors import OutcomeUnknown
from router.core.policy import read_policy
from router.fanout import route_range_of
from router.launch import cancel_campaign
from router.settings import load_settings, load_toml
from router.store.engine import Store
from tests.chaos.places import Missing
from tests.chaos.report import Row, Size, tell
from tests.support.attention import assert_nobody_is_over_budget, assert_slots_are_exact
from tests.support.databases import Databases
from tests.support.ledger import Ledger
from tests.support.postgres import admin_url
from tests.support.runtime import Clock

POLICY = read_policy(load_toml("policy", load_settings()))
MEMBERS, WORKERS, CAMPAIGNS = 8, 3, 4
PATIENCE = 60.0
"""Seconds that one run may take; usual is one."""


BLOCK, TOGETHER = 100, 20
"""Runs of one process, and those of them that share a ledger: an ask walks over the members of all earlier runs, so a
thousand on one ledger would cost a hundred times what they cost apart."""


@dataclass(slots=True)
class Found:
    """What came of some runs."""

    runs: int = 0
    twice: int = 0
    stuck: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    """Status → deliveries."""
    over: list[str] = field(default_factory=list)


async def budgets(size: Size) -> Row:
    """Each run: eight new members, four campaigns of different weight, three workers, a STOP and a cancel.

    They come in another order each time. At the end everybody's slots are held against what became of their messages.
    """
    if admin_url() is None:
        raise Missing("PostgreSQL")
    began, runs, found = time.monotonic(), size.of(1_000), Found()
    blocks = [range(first, min(first + BLOCK, runs)) for first in range(0, runs, BLOCK)]
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=get_context("spawn")) as pool:
        waiting = [loop.run_in_executor(pool, _block, [size.seed + number for number in block]) for block in blocks]
        for ended in asyncio.as_completed(waiting):
            one = await ended
            found.runs += one.runs
            found.twice += one.twice
            found.stuck += one.stuck
            found.seen += one.seen
            found.over += one.over
            seconds = time.monotonic() - began
            tell(
                f"{seconds:.0f} s: {found.runs:,} of {runs:,} runs, {found.twice} twice, {found.over or 'nobody over'}"
            )
    said = ", ".join(f"{count:,} {status}" for status, count in sorted(found.seen.items()))
    if found.stuck:
        found.over.append(f"{found.stuck} runs did not end in {PATIENCE:.0f} s")
    wrong = "; ".join(found.over) or "nobody over budget, every slot exact"
    return Row(
        fault="budget under concurrency",
        runs=found.runs,
        duplicates=found.twice,
        broken=len(found.over),
        unknown=found.seen["unknown"],
        seconds=time.monotonic() - began,
        remark=f"{wrong}; {said}",
    )


def _block(seeds: list[int]) -> Found:
    """Runs with these seeds, in a process of their own."""
    found = Found()
    with Databases() as databases:
        for first in range(0, len(seeds), TOGETHER):
            with databases.fresh() as url:
                asyncio.run(_on_one_ledger(url, seeds[first : first + TOGETHER], found))
    return found


async def _on_one_ledger(url: str, seeds: list[int], found: Found) -> None:
    clock = Clock()
    ledgers = [Ledger(Store(url), clock=clock, policy=POLICY) for _ in range(WORKERS)]
    try:
        for seed in seeds:
            found.runs += 1
            try:
                taken = await asyncio.wait_for(interleave(ledgers, random.Random(seed)), PATIENCE)
            except TimeoutError:
                found.stuck += 1
                continue
            found.twice += sum(count - 1 for count in taken.values())
        rows = await ledgers[0].execute("SELECT status, count(*) FROM delivery GROUP BY status")
        found.seen += Counter(dict(map(tuple, rows)))
        found.over += await broken(ledgers[0])
    finally:
        for ledger in ledgers:
            await ledger.store.aclose()


async def interleave(ledgers: list[Ledger], draw: random.Random) -> Counter[str]:
    """One run; what the provider took, by delivery."""
    first, taken = ledgers[0], Counter[str]()
    members = await first.add_members(MEMBERS, channels=("sms", "email"))
    for ledger in ledgers:
        ledger.sms.script = ledger.email.script = _moody(draw, taken)
    launched = asyncio.Event()

    async def launch() -> None:
        campaigns = []
        for number in range(CAMPAIGNS):
            await asyncio.sleep(draw.random() * 0.03)
            organizer, weight = f"organizer {number}", draw.randrange(3)
            about: dict[str, Any] = {
                "priority": weight,
                "title": f"Ask {number}",
                "audience": {"op": "members", "ids": members},
            }
            campaigns.append(await first.launch(by=organizer, **about))
        await asyncio.sleep(draw.random() * 0.03)
        await cancel_campaign(first.runtime, draw.choice(campaigns), by="ana", now=first.clock())
        launched.set()

    async def work(ledger: Ledger, owner: str) -> None:
        """Route and send in whatever order comes, until nothing is left."""
        dispatchers = [ledger.dispatcher(channel, f"{owner}-{channel}") for channel in ("sms", "email")]
        while True:
            over, busy = launched.is_set(), False
            ledger.clock.advance(seconds=2)  # so that what waits to be tried again is
            prepared = await next_route(ledger.runtime)
            if prepared is not None:
                busy = True
                await asyncio.sleep(draw.random() * 0.01)
                await route_range_of(ledger.runtime, prepared, now=ledger.clock())
            elif draw.random() < 0.7 or over:
                for dispatcher in draw.sample(dispatchers, 2):
                    busy |= await dispatcher.send_one_batch()
            if over and not busy:
                return
            await asyncio.sleep(draw.random() * 0.01)

    async def stop() -> None:
        await asyncio.sleep(draw.random() * 0.15)
        phone = f"+3363998{draw.choice(members) % 10_000:04d}"
        event = Inbound(event_id=f"stop {members[0]}", sender=phone, recipient="+1", text="STOP", at=first.clock())
        await first.submit(Received(events=(event,)))

    async with asyncio.TaskGroup() as group:
        group.create_task(launch())
        group.create_task(stop())
        for number, ledger in enumerate(ledgers):
            group.create_task(work(ledger, f"worker {number}"))
    await first.finish()
    return taken


async def broken(ledger: Ledger) -> list[str]:
    """What of the budget does not hold."""
    wrong = []
    try:
        await assert_nobody_is_over_budget(ledger, POLICY.budget)
    except AssertionError:
        wrong.append("somebody is over budget")
    try:
        await assert_slots_are_exact(ledger)
    except AssertionError:
        wrong.append("a slot too many or too few")
    return wrong


def _moody(draw: random.Random, taken: Counter[str]) -> Any:
    """A provider that takes its time, and sometimes takes a message and does not say so."""

    async def send(message: OutboundMessage) -> Sent:
        await asyncio.sleep(draw.random() * 0.01)
        mood = draw.random()
        taken[str(message.delivery)] += 1
        if mood < 0.03:
            raise OutcomeUnknown("timeout")
        return Sent(f"SM{message.delivery.id}")

    return send
