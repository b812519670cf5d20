"""Reply smoothing: a paced ask leaves only as fast as the inbox can bear, with however many workers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from router.community.inbox_answers import answer, close
from router.core.ask import Ask
from router.core.channel import Inbound, Received
from router.core.inbox_policy import InboxPolicy
from router.core.model import CampaignStatus
from router.fanout_rows import PACED_BATCH
from router.launch import cancel_campaign, pause_campaign, resume_campaign
from router.preview import preview_campaign
from router.screens import campaign_table, preview_table
from router.smoothing import let_out
from router.stages import advance_stages
from router.stops import withdraw_batch
from router.store.engine import Store
from router.tending import tend
from router.views import view_campaign
from router.web.auth import create_token
from tests.support.ledger import Ledger
from tests.support.runtime import Clock, build_runtime

POLICY = InboxPolicy(alarm_minutes=60, claim_hours=4, threads_per_organizer=20, reply_share=0.1, answer_minutes=30)
MORNING = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
PART = 33
"""Messages that one organizer's inbox bears at a time: 20 conversations / 0.1 / 6 parts of half an hour."""


@pytest.fixture
def ledger(store: Store) -> Ledger:
    policy = build_runtime(store).policy
    return Ledger(store, clock=Clock(MORNING), policy=policy.model_copy(update={"inbox": POLICY}))


async def left(ledger: Ledger, campaign: int) -> int:
    """How many have left once everything that may leave has."""
    await ledger.send()
    return (await ledger.statuses(campaign)).count("sent")


async def look(ledger: Ledger, campaign: int, **delta: float) -> int:
    """Let time pass and look, as a worker does every second; returns how many have left then."""
    ledger.clock.advance(**delta)
    await let_out(ledger.runtime, now=ledger.clock())
    return await left(ledger, campaign)


async def write_back(ledger: Ledger, many: int) -> list[int]:
    """So many of those who got it write something that no rule understands; returns who they are."""
    rows = await ledger.execute(
        "SELECT d.member_id, a.value FROM delivery d JOIN address a ON a.id = d.address_id WHERE d.status = 'sent'"
        " AND NOT EXISTS (SELECT 1 FROM thread t WHERE t.member_id = d.member_id) ORDER BY d.member_id LIMIT :many",
        many=many,
    )
    events = [
        Inbound(
            event_id=f"in-{row.member_id}",
            sender=row.value,
            recipient="+1",
            text="is it far",
            at=ledger.clock(),
        )
        for row in rows
    ]
    await ledger.submit(Received(events=tuple(events)))
    assert len(events) == many
    return [row.member_id for row in rows]


async def pace(ledger: Ledger, campaign: int) -> str:
    return (await view_campaign(ledger.runtime, campaign)).pace


async def test_a_paced_ask_leaves_in_parts_no_larger_than_the_inbox_bears(ledger: Ledger) -> None:
    await ledger.add_members(600)
    campaign = await ledger.launch_and_route(paced=True)
    assert await left(ledger, campaign) == 0, "nothing leaves before somebody looked at the inbox"
    assert "600 messages are still to leave while it gets time to answer" in await pace(ledger, campaign)
    first = await look(ledger, campaign, seconds=1)
    assert PART <= first < PART + PACED_BATCH
    assert await look(ledger, campaign, minutes=4) == first, "the part is used up"
    seen = [first]
    for _ in range(5):
        seen.append(await look(ledger, campaign, minutes=5, seconds=1))
        assert seen[-1] - seen[-2] < PART + PACED_BATCH
    assert seen[-1] <= 200 + PACED_BATCH, "of whom 20 will write back, as many as one organizer bears"


async def test_an_ask_that_is_not_paced_leaves_at_once(ledger: Ledger) -> None:
    await ledger.add_members(100)
    assert await left(ledger, await ledger.launch_and_route()) == 100


async def test_it_waits_while_the_inbox_is_full_and_goes_on_once_people_are_answered(ledger: Ledger) -> None:
    await ledger.add_members(300)
    campaign = await ledger.launch_and_route(paced=True)
    first = await look(ledger, campaign, seconds=1)
    members = await write_back(ledger, 20)
    assert await look(ledger, campaign, hours=1) == first, "twenty wait, and there is one organizer"
    said = await pace(ledger, campaign)
    assert f"{300 - first} messages are still to leave while it is full" in said
    assert "20 conversations wait for an answer, one organizer can bear 20" in said
    for member in members[:10]:
        await answer(ledger.runtime, member, "We are your neighbours.", by="Bo", now=ledger.clock())
    for member in members[10:]:
        await close(ledger.runtime, member, by="Bo", now=ledger.clock())
    assert await look(ledger, campaign, seconds=1) > first


async def test_more_organizers_bear_more(ledger: Ledger) -> None:
    for name in ("Ana", "Bo", "ana ", "Cy"):
        await create_token(ledger.store, name, "campaigns:launch", ledger.clock())
    await create_token(ledger.store, "Reader", "inbox:read", ledger.clock())
    await ledger.add_members(300)
    campaign = await ledger.launch_and_route(paced=True)
    first = await look(ledger, campaign, seconds=1)
    assert 3 * PART <= first < 3 * PART + PACED_BATCH + 1
    assert "3 organizers can bear 60" in await pace(ledger, campaign)


async def test_many_who_look_and_send_at_once_let_out_no_more(ledger: Ledger) -> None:
    """Several tenders, whose lease was lost, and several workers at the same moment."""
    await ledger.add_members(400)
    campaign = await ledger.launch_and_route(paced=True)
    ledger.clock.advance(seconds=1)
    await asyncio.gather(*(let_out(ledger.runtime, now=ledger.clock()) for _ in range(8)))
    await asyncio.gather(*(ledger.send(owner=f"worker-{n}") for n in range(4)))
    assert PART <= (await ledger.statuses(campaign)).count("sent") < PART + PACED_BATCH


async def test_all_of_it_leaves_in_the_end(ledger: Ledger) -> None:
    await ledger.add_members(150)
    campaign = await ledger.launch_and_route(paced=True)
    for _ in range(12):
        done = await look(ledger, campaign, minutes=10)
    assert done == 150
    await ledger.finish()
    view = await view_campaign(ledger.runtime, campaign)
    assert (view.status, view.pace) == (CampaignStatus.FINISHED, "")


async def test_a_pause_and_a_cancel_hold_for_what_waits(ledger: Ledger) -> None:
    await ledger.add_members(100)
    campaign = await ledger.launch_and_route(paced=True)
    await pause_campaign(ledger.runtime, campaign, by="bo", reason="", now=ledger.clock())
    assert await look(ledger, campaign, seconds=1) == 0
    await resume_campaign(ledger.runtime, campaign, by="bo", now=ledger.clock())
    first = await look(ledger, campaign, seconds=1)
    assert first
    await cancel_campaign(ledger.runtime, campaign, by="bo", now=ledger.clock())
    while await withdraw_batch(ledger.runtime, "worker-1", now=ledger.clock()):
        pass
    statuses = await ledger.statuses(campaign)
    assert (statuses.count("sent"), statuses.count("cancelled")) == (first, 100 - first)
    await ledger.assert_tally_is_right(campaign)


async def test_what_is_over_before_its_turn_is_expired_not_sent(ledger: Ledger) -> None:
    await ledger.add_members(100)
    campaign = await ledger.launch_and_route(paced=True)
    first = await look(ledger, campaign, seconds=1)
    assert await look(ledger, campaign, hours=80) == first
    statuses = await ledger.statuses(campaign)
    assert statuses.count("expired") == 100 - first
    await ledger.finish()
    assert (await view_campaign(ledger.runtime, campaign)).status is CampaignStatus.FINISHED


async def test_a_canary_of_a_paced_ask_goes_first_and_is_waited_for(ledger: Ledger) -> None:
    guard = ledger.runtime.policy.guard
    canary = guard.canary.model_copy(update={"above": 50, "size": 40})
    policy = ledger.runtime.policy.model_copy(update={"guard": guard.model_copy(update={"canary": canary})})
    ledger = Ledger(ledger.store, clock=ledger.clock, policy=policy)
    await ledger.add_members(120)
    campaign = await ledger.launch_and_route(paced=True)
    for _ in range(3):
        await advance_stages(ledger.runtime, now=ledger.clock())
        ledger.clock.advance(hours=1)
    assert await view_stage(ledger, campaign) == 0, "a stage that has not left is not over"
    for _ in range(3):
        done = await look(ledger, campaign, minutes=10)
    assert 35 <= done <= 45
    await advance_stages(ledger.runtime, now=ledger.clock())
    ledger.clock.advance(minutes=31)
    await advance_stages(ledger.runtime, now=ledger.clock())
    assert await look(ledger, campaign, minutes=10) > done


async def view_stage(ledger: Ledger, campaign: int) -> int:
    [[stage]] = await ledger.execute("SELECT stage FROM campaign WHERE id = :id", id=campaign)
    return int(stage)


async def test_the_worker_looks_every_second(ledger: Ledger) -> None:
    await ledger.add_members(50)
    campaign = await ledger.launch_and_route(paced=True)
    assert await tend(ledger.runtime, "worker-1", now=ledger.clock())
    assert await left(ledger, campaign)


async def test_preview_and_status_say_that_it_is_paced(ledger: Ledger) -> None:
    await ledger.add_members(400)
    campaign = await ledger.launch_and_route(paced=True)
    preview = await preview_campaign(ledger.runtime, campaign, now=ledger.clock())
    assert preview.pace.startswith("one organizer can bear 20 conversations at a time, so about 400 messages leave")
    assert preview.seconds == pytest.approx(3600)
    assert preview_table(preview).row_count
    table = campaign_table(await view_campaign(ledger.runtime, campaign))
    assert "waits for the inbox" in str(table.caption)
    plain = await ledger.launch_and_route(title="Plain")
    assert (await preview_campaign(ledger.runtime, plain, now=ledger.clock())).pace == ""


@pytest.mark.parametrize("more", [{"urgent": True}, {"purpose": "ballot"}])
def test_what_is_urgent_or_owed_is_not_paced(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="paced"):
        Ask.model_validate({"title": "x", "texts": {"en": {"default": {"text": "x"}}}, "paced": True, **more})
