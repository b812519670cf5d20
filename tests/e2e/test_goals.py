"""A goal that is met by text message while the blast runs: the worker stops it, and the rest is left in peace."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from router.core.model import CampaignStatus
from router.core.rates import ChannelRules
from tests.support.movement import UNPACED, Movement, everywhere
from tests.support.settling import working

PEOPLE, TARGET = 400, 3


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """A number that takes about a quarter of a minute for everybody."""
    rules = UNPACED | {"sms": ChannelRules(rate=30, burst=20, spare=5, concurrency=10)}
    async with everywhere(database_url, rules=rules) as movement:
        yield movement


async def test_enough_answers_stop_a_blast(movement: Movement) -> None:
    await movement.add_members(PEOPLE)
    campaign = await movement.launch(goal={"measure": "yes", "target": TARGET}, stop_at_goal=True)
    async with working(movement):
        await movement.until(lambda: len(movement.received()) > 2 * TARGET, 30)
        for phone in list(movement.received())[:TARGET]:
            movement.sandbox.phones.reply(phone, "YES")
        await movement.until(lambda: _is_finished(movement, campaign), 30)
        await movement.sandbox.idle()
    view, statuses = await movement.view(campaign), await movement.statuses(campaign)
    reached = len(movement.received())
    assert set(movement.received().values()) == {1}
    assert view.goal is not None
    assert (view.goal.reached, view.goal.left_in_peace) == (TARGET, PEOPLE - reached)
    assert statuses.pop("cancelled") == PEOPLE - reached > 0
    assert sum(statuses.values()) == reached
    [(slots,)] = await movement.execute("SELECT count(*) FROM contact_budget WHERE slots <> '[]'")
    assert slots == reached, "what was reserved for the others is free again"


async def _is_finished(movement: Movement, campaign: int) -> bool:
    return (await movement.view(campaign)).status is CampaignStatus.FINISHED
