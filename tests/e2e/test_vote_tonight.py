"""The scenario ``vote-tonight`` as a person runs it, and a surge over real sockets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from router.core.rates import ChannelRules
from tests.e2e.test_commands import Office
from tests.support.movement import UNPACED, Movement, everywhere
from tests.support.settling import working


async def test_the_scenario_runs_to_its_end(tmp_path: Path) -> None:
    said = await Office(tmp_path, {}).run("demo", "--scenario", "vote-tonight", "--once", "--members", "150")
    assert "can be done" in said
    assert "nobody was asked twice" in said
    totals = re.search(r"│ all +│ +([\d,]+) │ +([\d,]+) │ +([\d,]+) │ +(\d+) │ +│\n└", said)
    assert totals is not None, said
    assert int(totals[1]) > 100
    assert int(totals[4]) == 0, "everybody who can be reached in time is"


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """A number that takes fifty seconds for a text."""
    rules = UNPACED | {"sms": ChannelRules(rate=0.02, burst=5, concurrency=10)}
    async with everywhere(database_url, rules=rules) as movement:
        yield movement


async def test_a_slow_channel_overflows_and_everybody_is_reached_once(movement: Movement) -> None:
    await movement.add_members(150, then="email", zone="Europe/Paris")
    deadline = movement.clock() + timedelta(hours=1)
    async with working(movement):
        campaign = await movement.launch(deadline=deadline, urgent=True)

        async def done() -> bool:
            statuses = await movement.statuses(campaign)
            texts = await movement.execute(
                "SELECT count(*) FROM delivery WHERE channel = 'sms' AND status = 'queued' AND campaign_id = :id",
                id=campaign,
            )
            return sum(statuses.values()) >= 150 and statuses.get("queued", 0) == texts[0][0]

        await movement.until(done, 30)
    rows = await movement.execute(
        "SELECT member_id, channel, status FROM delivery WHERE campaign_id = :id", id=campaign
    )
    live = [(row.member_id, row.channel) for row in rows if row.status != "cancelled"]
    assert len(live) == len({member for member, _ in live}) == 150
    by_channel = Counter(channel for _, channel in live)
    assert 55 <= by_channel["sms"] <= 60, "a text in fifty seconds, in the fifty minutes that are left"
    assert by_channel["email"] == 150 - by_channel["sms"]
    assert max(movement.received().values()) == 1
