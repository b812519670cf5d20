"""Browsers name their own push services: a host that fails on purpose must not silence notifications for all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.movement import DINNER, Movement, everywhere
from tests.support.settling import settle, working

HOSTILE, HONEST = 60, 60


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """All eight channels."""
    async with everywhere(database_url) as movement:
        yield movement


def at_nobody(address: str) -> str:
    """The same browser at a host where nobody listens."""
    endpoint, *keys = address.split(" ")
    return " ".join([f"http://localhost:1/{endpoint.rpartition('/')[2]}", *keys])


async def test_a_host_that_fails_rests_alone(movement: Movement) -> None:
    honest = await movement.add_members(1, channel="webpush")
    browsers = [movement.sandbox.new_address("webpush", f"hostile{number}") for number in range(HOSTILE)]
    hostile = await movement.add_members(HOSTILE, channel="webpush", values=[at_nobody(one) for one in browsers])
    honest += await movement.add_members(HONEST, channel="webpush")
    async with working(movement):
        campaign = await movement.launch(**DINNER)
        await settle(movement, campaign, until=timedelta(seconds=30))
    rows = await movement.execute("SELECT member_id, status FROM delivery WHERE campaign_id = :id", id=campaign)
    stood = {row.member_id: row.status for row in rows}
    assert {stood[member] for member in honest} == {"sent"}
    assert {stood[member] for member in hostile} <= {"queued", "failed"}
    opened = await movement.execute("SELECT state FROM sender WHERE channel = 'webpush' AND state = 'open'")
    assert opened == []
