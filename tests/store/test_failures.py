"""What each class of failure leads to: over real sockets, the shipped worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.accounts import Open, attempts, notices
from tests.support.movement import DINNER, Movement
from tests.support.settling import jump, settle, working


@pytest.mark.parametrize(("refused", "paused"), [(10, False), (11, True)])
async def test_a_campaign_whose_words_are_refused_too_often_pauses_itself(
    open_movement: Open, refused: int, paused: bool
) -> None:
    async with open_movement() as movement:
        await movement.add_members(60)
        values = [row.value for row in await movement.execute("SELECT value FROM address ORDER BY id")]
        movement.sandbox.turn(refuse=dict.fromkeys(values[:refused], 21617))
        campaign = await movement.launch()
        async with working(movement):
            await movement.until(lambda: _has(movement, campaign, "failed", refused))
            await settle(movement, campaign)
        view = await movement.view(campaign)
        [row] = await movement.execute("SELECT pause_reason FROM campaign WHERE id = :id", id=campaign)
        told = await notices(movement, "campaign")
        if not paused:
            assert (view.status.value, row.pause_reason, told) == ("finished", "", {})
            return
        assert view.status.value == "paused"
        assert "refused the words of 11" in row.pause_reason
        assert row.pause_reason in told[str(campaign)].sentence
        statuses = await movement.statuses(campaign)
        assert statuses["failed"] == 11, "the same body is never sent again"
        assert max(movement.received().values()) == 1


async def test_a_carriers_filter_pauses_a_campaign_too(open_movement: Open) -> None:
    """30007 comes by receipt, hours after the text was taken: for SMS that is how CONTENT is told at all."""
    async with open_movement() as movement:
        await movement.add_members(300)
        values = [row.value for row in await movement.execute("SELECT value FROM address ORDER BY id")]
        movement.sandbox.turn(fail=dict.fromkeys(values[:12], 30007), latency=0.2)
        campaign = await movement.launch()
        async with working(movement):
            await movement.until(lambda: _has(movement, campaign, "failed", 11))
            await movement.until(lambda: _status(movement, campaign, "paused"), 10)


async def _has(movement: Movement, campaign: int, status: str, count: int) -> bool:
    return (await movement.statuses(campaign)).get(status, 0) >= count


async def _status(movement: Movement, campaign: int, status: str) -> bool:
    return (await movement.view(campaign)).status.value == status


async def test_a_code_that_no_table_knows_is_tried_once_more_then_failed_and_shown(open_movement: Open) -> None:
    async with open_movement() as movement:
        await movement.add_members(3, then="email")
        [phone] = [
            row.value for row in await movement.execute("SELECT value FROM address WHERE channel = 'sms' LIMIT 1")
        ]
        movement.sandbox.turn(refuse={phone: 29_998})
        campaign = await movement.launch()
        async with working(movement):
            await settle(movement, campaign, until=timedelta(seconds=30))
            assert await movement.statuses(campaign) == {"delivered": 2, "queued": 1}, "a minute's wait"
            await settle(movement, campaign)
        assert await movement.statuses(campaign) == {"delivered": 2, "failed": 1}
        assert movement.sandbox.memory.counters["refused_29998"] == 2
        [(subject, told)] = (await notices(movement, "unknown_code")).items()
        assert subject == "sms/29998"
        assert told.count == 2
        assert "29998" in told.sentence


@pytest.mark.parametrize("wrote", [False, True], ids=["silent", "wrote meanwhile"])
async def test_out_of_reach_three_times_over_two_weeks_buries_an_address_unless_they_write(
    open_movement: Open, wrote: bool
) -> None:
    async with open_movement() as movement:
        await movement.add_members(1)
        [phone] = [row.value for row in await movement.execute("SELECT value FROM address")]
        movement.sandbox.turn(fail={phone: 30003})

        async def state() -> tuple[str, int]:
            [row] = await movement.execute("SELECT state, failures FROM address")
            return row.state, row.failures

        async with working(movement):
            await settle(movement, await movement.launch())
            assert await state() == ("active", 3), "three times in a day are no proof"
            if wrote:
                movement.sandbox.phones.reply(phone, "What was that?")
                await movement.until(lambda: _equal(state, ("active", 0)))
            jump(movement, timedelta(days=15))
            last = await movement.launch()
            await movement.until(lambda: _has(movement, last, "failed", 1))
            assert await state() == (("active", 1) if wrote else ("dead", 4))
            if not wrote:
                await settle(movement, last)
                assert len(movement.sandbox.memory.accepted) == 4, "a dead address is not tried again"


async def _equal(state: Callable[[], Any], wanted: object) -> bool:
    return bool(await state() == wanted)


async def test_a_group_that_moved_is_written_to_once_at_its_new_address(open_movement: Open) -> None:
    async with open_movement() as movement:
        [group] = await movement.add_groups(["-4711"], channel="telegram")
        movement.sandbox.telegram.people.moved[-4711] = -1004711  # and no update tells us
        campaign = await movement.launch(**DINNER)
        async with working(movement):
            await settle(movement, campaign)
            assert movement.received() == {"-1004711": 1}
            [row] = await movement.execute("SELECT member_id, value, state FROM address")
            assert tuple(row) == (group, "-1004711", "active")
            assert await movement.statuses(campaign) == {"sent": 1}
            assert (await attempts(movement, campaign))["main", "sent"] == 1, "what came of it is kept"
            await settle(movement, await movement.launch(**DINNER))
        assert movement.received() == {"-1004711": 2}, "the next ask knows the way"
