"""Replies before urgent asks before everything else, while a blast fills a channel that is rate-limited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from rich.console import Console

from router.core.rates import ChannelRules
from tests.support.movement import UNPACED, Movement, everywhere
from tests.support.settling import working

AIM = 2.0
"""Seconds in which an answer, or the first of an urgent ask, shall leave."""
MOST = 5 * AIM
"""What is asserted: tests share their machine."""
BLAST = 3_000
FAST, SLOW = 100.0, 30.0
"""Segments a second: a blast takes half a minute, or one batch of it a quarter."""


@pytest.fixture
def rate() -> float:
    """How fast the number may send."""
    return FAST


@pytest.fixture
async def movement(database_url: str, rate: float) -> AsyncIterator[Movement]:
    """A Twilio number that leaves the answers to HELP to us."""
    rules = UNPACED | {"sms": ChannelRules(rate=rate, burst=20, spare=5, concurrency=10)}
    environment = {"OUTREACH_SMS_PROVIDER_ANSWERS": "no"}
    async with everywhere(database_url, rules=rules, environment=environment) as movement:
        movement.sandbox.turn(latency=0.02)
        yield movement


async def test_help_is_answered_while_a_blast_runs(movement: Movement, request: pytest.FixtureRequest) -> None:
    await movement.add_members(BLAST)
    phones = [f"+3363998{place:04d}" for place in range(0, BLAST, 100)]
    campaign = await movement.launch()
    asked: dict[str, float] = {}
    async with working(movement):
        await movement.until(lambda: len(movement.sandbox.memory.accepted) > 100)
        for phone in phones:
            asked[phone] = movement.clock().timestamp()
            # Twilio itself answers the English word; another language's comes to us.
            movement.sandbox.phones.reply(phone, "AIDE")
            await asyncio.sleep(0.4)
        running = (await movement.statuses(campaign)).get("queued", 0)
        await movement.until(lambda: len(answers(movement)) == len(phones), 15)
    answered = answers(movement)
    waits = sorted(answered[phone] - asked[phone] for phone in phones)
    p95 = waits[int(0.95 * len(waits))]
    Console(width=120).print(
        f"\nHELP during a blast ({request.node.callspec.params['database_url']}): p50 {waits[len(waits) // 2]:.3f} s,"
        f" p95 {p95:.3f} s, longest {waits[-1]:.3f} s, of {len(waits)}; {running:,} of the blast were still to come"
    )
    assert running > BLAST / 4, "the blast must have run all the while"
    assert p95 < MOST
    assert max(movement.received().values()) <= 2, "the ask and the answer"


def answers(movement: Movement) -> dict[str, float]:
    """Phone → when the answer to its HELP was taken (what Twilio says to it has no delivery of ours)."""
    return {
        row.to: row.at for row in movement.sandbox.memory.accepted if row.delivery and "example.org/help" in row.text
    }


@pytest.mark.parametrize("rate", [SLOW])
async def test_an_urgent_ask_overtakes_a_blast(movement: Movement, request: pytest.FixtureRequest) -> None:
    members = await movement.add_members(BLAST)
    campaign = await movement.launch()
    async with working(movement):
        await movement.until(lambda: len(movement.sandbox.memory.accepted) > 30)
        began = time.monotonic()
        await movement.launch(
            title="The vote is tonight",
            urgent=True,
            audience={"op": "members", "ids": members[-40:]},
            texts={"en": {"default": {"text": "The vote is tonight, call now"}}},
        )
        await movement.until(lambda: overtaken(movement) > 0, 20)
        took = time.monotonic() - began
        waiting = (await movement.statuses(campaign)).get("queued", 0)
    Console(width=120).print(
        f"\nAn urgent ask during a blast ({request.node.callspec.params['database_url']}): its first left after"
        f" {took:.3f} s, {waiting:,} of the blast were still to come"
    )
    assert waiting > BLAST / 4
    assert took < MOST


def overtaken(movement: Movement) -> int:
    """How many of the urgent ask were taken."""
    return sum("vote is tonight" in row.text for row in movement.sandbox.memory.accepted)
