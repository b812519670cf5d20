"""Goals in the ledger: once one is met nobody else is asked, what was reserved is free again, and the counts add up."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.actions import record_action
from router.competing import next_route
from router.core.channel import Inbound, OutboundMessage, Received, Sent
from router.core.errors import FailureClass, NotSent
from router.core.model import CampaignStatus, DeliveryRef, DeliveryStatus
from router.core.purse import decode
from router.fanout import route_range_of
from router.goals import AGAIN, stop_at_goals
from router.launch import pause_campaign, resume_campaign
from router.screens import goal_sentence
from router.stops import withdraw_batch
from router.store.batches import let_go
from router.store.engine import Store
from router.tending import tend
from router.views import CampaignView, view_campaign
from tests.support.claims import claim, lease_and_claim, record
from tests.support.ledger import Ledger
from tests.support.runtime import Clock

S = DeliveryStatus
TWO = {"goal": {"measure": "signed", "target": 2}, "stop_at_goal": True}
PLACES: dict[str, Any] = {"goal": {"measure": "host", "places": {"Lyon": 1, "Nîmes": 2}}, "stop_at_goal": True}


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A fresh installation, at ten in the morning in Paris."""
    return Ledger(store, clock=Clock(datetime(2026, 11, 20, 9, 0, tzinfo=UTC)))


async def acts(ledger: Ledger, member: int, campaign: int, kind: str = "signed", **more: Any) -> None:
    name, now = more.pop("external_id", f"{campaign}:{member}:{kind}"), ledger.clock()
    about: dict[str, Any] = {"phone": None, "email": None, "kind": kind, "campaign_id": campaign, "at": now, "now": now}
    await record_action(ledger.runtime, member_id=member, external_id=name, **about, **more)


async def stop(ledger: Ledger) -> int:
    """What the workers do every second, until nothing is left to do."""
    declared = await stop_at_goals(ledger.runtime, now=ledger.clock())
    while await withdraw_batch(ledger.runtime, "withdrawer", now=ledger.clock()):
        pass
    return declared


async def look(ledger: Ledger, campaign: int) -> CampaignView:
    return await view_campaign(ledger.runtime, campaign)


async def reasons(ledger: Ledger, campaign: int) -> Counter[tuple[str, str | None]]:
    return Counter((row.status, row.reason) for row in await ledger.rows(campaign))


async def assert_budgets_are_right(ledger: Ledger, campaign: int) -> None:
    """A slot for each message that may have reached somebody, and no other."""
    rows = await ledger.rows(campaign)
    kept = {S.QUEUED, S.SENDING, S.SENT, S.DELIVERED, S.READ, S.UNKNOWN}
    purses = [decode(slots) for (slots,) in await ledger.execute("SELECT slots FROM contact_budget")]
    reserved = sorted(slot.delivery for purse in purses for slot in purse.slots)
    assert reserved == sorted(row.id for row in rows if row.status in kept)


# ── a goal for all ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_goal_that_is_met_withdraws_what_waits_and_ends_the_campaign(ledger: Ledger) -> None:
    members = await ledger.add_members(6)
    campaign = await ledger.launch_and_route(**TWO)
    for member in [*members[:1], *members[:1]]:
        await acts(ledger, member, campaign)
        await acts(ledger, member, campaign, external_id="told twice in other words")
    assert await stop(ledger) == 0, "one member who signed twice is one"
    await acts(ledger, members[1], campaign)
    assert await stop_at_goals(ledger.runtime, now=ledger.clock()) == 1
    assert await ledger.dispatcher().send_one_batch() is False, "nobody leases what must not leave"
    assert await stop(ledger) == 0
    await ledger.send()
    assert ledger.sms.handed == []
    assert await reasons(ledger, campaign) == {("cancelled", "acted"): 2, ("cancelled", "goal_met"): 4}
    await assert_budgets_are_right(ledger, campaign)
    await ledger.assert_tally_is_right(campaign)
    await ledger.finish()
    view = await look(ledger, campaign)
    assert view.status is CampaignStatus.FINISHED
    assert view.goal is not None
    assert (view.goal.reached, view.goal.target, view.goal.left_in_peace) == (2, 2, 4)
    assert goal_sentence(view) == ("Goal: 2 of 2 signed, met at 2026-11-20 09:00 UTC. 4 people were left in peace.")
    [(who, what, subject)] = await ledger.execute("SELECT who, what, subject FROM audit WHERE what LIKE '%goal%'")
    assert (who, what, subject) == ("router", "campaign.goal_met", str(campaign))


async def test_what_people_do_after_the_goal_was_met_still_counts(ledger: Ledger) -> None:
    members = await ledger.add_members(3)
    campaign = await ledger.launch_and_route(**TWO)
    for member in members[:2]:
        await acts(ledger, member, campaign)
    await stop(ledger)
    await ledger.finish()
    await acts(ledger, members[2], campaign)
    await stop(ledger)
    view = await look(ledger, campaign)
    assert view.goal is not None
    assert (view.goal.reached, view.goal.left_in_peace) == (3, 1)


async def test_a_yes_by_text_counts(ledger: Ledger) -> None:
    await ledger.add_members(1, phone="+33639980001")
    await ledger.add_members(2)
    campaign = await ledger.launch_and_route(goal={"measure": "yes", "target": 1}, stop_at_goal=True)
    await ledger.send()
    later = await ledger.launch_and_route(follows=campaign, goal={"measure": "yes", "target": 1}, stop_at_goal=True)
    event = Inbound(event_id="SM1", sender="+33639980001", recipient="+1", text="Yes!", at=ledger.clock())
    await ledger.submit(Received(events=(event,)))
    await stop(ledger)
    assert await ledger.statuses(campaign) == ["sent"] * 3
    assert await ledger.statuses(later) == ["queued"] * 3, "a goal is met by actions on its own campaign"
    view = await look(ledger, campaign)
    assert view.goal is not None
    assert view.goal.met_at == ledger.clock()


@pytest.mark.parametrize(
    ("gifts", "met"),
    [
        ([(4_999, "EUR")], False),
        ([(2_500, "EUR"), (2_500, "EUR")], True),
        ([(4_999, "EUR"), (100_000, "USD")], False),
        ([(0, "")], False),
    ],
)
async def test_a_goal_in_money_adds_up_what_was_given(ledger: Ledger, gifts: list[tuple[int, str]], met: bool) -> None:
    giver, other = await ledger.add_members(2)
    goal = {"measure": "gave", "target": 50, "currency": "EUR"}
    campaign = await ledger.launch_and_route(goal=goal, stop_at_goal=True, purpose="fundraising")
    for number, (amount, currency) in enumerate(gifts):
        more = {"amount": amount, "currency": currency, "external_id": f"gift {number}"}
        for _ in range(2):  # told twice, it counts once
            await acts(ledger, giver, campaign, "gave", **more)
    await stop(ledger)
    status = {row.member_id: row.status for row in await ledger.rows(campaign)}
    assert status[other] == ("cancelled" if met else "queued")


async def test_a_goal_without_stop_stops_nothing(ledger: Ledger) -> None:
    [member, _] = await ledger.add_members(2)
    campaign = await ledger.launch_and_route(goal={"measure": "signed", "target": 1})
    await acts(ledger, member, campaign)
    assert await stop(ledger) == 0
    assert await reasons(ledger, campaign) == {("cancelled", "acted"): 1, ("queued", None): 1}
    view = await look(ledger, campaign)
    assert goal_sentence(view) == "Goal: 1 of 1 signed."


async def test_who_was_not_routed_yet_is_held_and_counted(ledger: Ledger) -> None:
    members = await ledger.add_members(5)
    await ledger.execute("UPDATE address SET consent = 'none' WHERE member_id = :id", id=members[4])
    campaign = await ledger.launch(**TWO)
    old = await next_route(ledger.runtime)
    for member in members[:2]:
        await acts(ledger, member, campaign)
    await stop(ledger)
    assert old is not None
    assert await route_range_of(ledger.runtime, old, now=ledger.clock()) is None, "that plan knows no goal"
    await ledger.route()
    assert await reasons(ledger, campaign) == {("held", "goal_met"): 4, ("held", "no_consent"): 1}
    await assert_budgets_are_right(ledger, campaign)
    await ledger.finish()
    view = await look(ledger, campaign)
    assert view.status is CampaignStatus.FINISHED
    assert view.goal is not None
    assert view.goal.left_in_peace == 4
    await ledger.assert_tally_is_right(campaign)


async def test_what_waits_for_a_later_hour_or_stage_is_withdrawn_at_once(ledger: Ledger) -> None:
    members = await ledger.add_members(4)
    start = ledger.clock() + timedelta(hours=5)
    campaign = await ledger.launch_and_route(**TWO, starts_at_local=start.replace(tzinfo=None))
    await ledger.execute("UPDATE batch SET stage = 3")
    await ledger.execute("UPDATE campaign SET stage = 0")
    for member in members[:2]:
        await acts(ledger, member, campaign)
    await stop(ledger)
    assert await reasons(ledger, campaign) == {("cancelled", "acted"): 2, ("cancelled", "goal_met"): 2}
    await ledger.finish()
    assert (await look(ledger, campaign)).status is CampaignStatus.FINISHED


async def test_a_paused_campaign_is_withdrawn_too_and_ends_when_it_is_resumed(ledger: Ledger) -> None:
    members = await ledger.add_members(4)
    campaign = await ledger.launch_and_route(**TWO)
    await pause_campaign(ledger.runtime, campaign, by="ana", reason="typo", now=ledger.clock())
    for member in members[:2]:
        await acts(ledger, member, campaign)
    await stop(ledger)
    assert await ledger.statuses(campaign) == ["cancelled"] * 4
    assert (await look(ledger, campaign)).status is CampaignStatus.PAUSED
    await resume_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    await ledger.finish()
    assert (await look(ledger, campaign)).status is CampaignStatus.FINISHED


async def test_what_is_in_the_air_is_left_alone_and_what_comes_back_is_withdrawn(ledger: Ledger) -> None:
    await ledger.add_members(20)
    campaign = await ledger.launch_and_route(**TWO)
    batch, work = await lease_and_claim(ledger, 2)
    for letter in work.letters:
        await acts(ledger, letter.member.id, campaign)
    await stop(ledger)
    found = Counter(await ledger.statuses(campaign))
    assert found["sending"] == 2
    assert found["queued"] == batch.last_id - batch.first_id - 1, "a worker has that batch"
    more = await claim(ledger, batch, 2)
    assert more is not None
    assert more.letters == [], "from the stop on nothing is claimed"
    await record(ledger, work, Sent("SM1"), NotSent(FailureClass.TRANSPORT, "connect"))
    await ledger.store.transact(lambda connection: let_go(connection, batch))
    await stop(ledger)
    assert await reasons(ledger, campaign) == {("sent", None): 1, ("cancelled", "goal_met"): 19}
    await assert_budgets_are_right(ledger, campaign)
    await ledger.assert_tally_is_right(campaign)


async def test_a_worker_that_died_does_not_keep_the_campaign_from_ending(ledger: Ledger) -> None:
    members = await ledger.add_members(4)
    campaign = await ledger.launch_and_route(**TWO)
    _, work = await lease_and_claim(ledger, 1)
    await ledger.execute("UPDATE batch SET leased_until = 1")
    asked = work.letters[0].member.id
    for member in (asked, next(other for other in members if other != asked)):
        await acts(ledger, member, campaign)
    await stop(ledger)
    await ledger.finish()
    left = {("cancelled", "acted"): 1, ("cancelled", "goal_met"): 2}
    assert await reasons(ledger, campaign) == {("unknown", None): 1, **left}
    assert (await look(ledger, campaign)).status is CampaignStatus.FINISHED
    await assert_budgets_are_right(ledger, campaign)


async def test_no_further_hop_is_taken_once_the_goal_is_met(ledger: Ledger) -> None:
    members = await ledger.add_members(2, channels=("sms", "email"))
    campaign = await ledger.launch_and_route(**TWO, waterfall=[{"channel": "sms", "success": "acted"}])
    await ledger.send()
    for member in members[:2]:
        await acts(ledger, member, campaign)
    await stop(ledger)
    await ledger.finish()
    await ledger.execute("DELETE FROM action")
    row = (await ledger.rows(campaign))[0]
    failed = {"code": "30005", "failure": FailureClass.ADDRESS_DEAD}
    await ledger.receipt(DeliveryRef(row.month, row.id), S.FAILED, **failed)
    ledger.clock.advance(hours=7)
    await tend(ledger.runtime, "a", now=ledger.clock())
    assert sorted(await ledger.statuses(campaign)) == ["failed", "sent"]
    assert (await look(ledger, campaign)).status is CampaignStatus.FINISHED


# ── goals by place ────────────────────────────────────────────────────────────────────────────────────────────────


async def people_in(ledger: Ledger, **places: int) -> dict[str, list[int]]:
    found = {}
    for place, count in places.items():
        found[place] = await ledger.add_members(count)
        await ledger.execute(
            "UPDATE member SET place = :place WHERE id BETWEEN :first AND :last",
            place=place, first=found[place][0], last=found[place][-1],
        )  # fmt: skip
    return found


async def test_a_place_that_met_its_goal_is_left_in_peace_and_the_others_are_asked(ledger: Ledger) -> None:
    people = await people_in(ledger, Lyon=3, Nîmes=3, Paris=2)
    campaign = await ledger.launch_and_route(**PLACES)
    await acts(ledger, people["Lyon"][0], campaign, "host")
    await stop(ledger)
    await ledger.send()
    spared = {row.member_id for row in await ledger.rows(campaign) if row.reason == "goal_met"}
    assert spared == set(people["Lyon"][1:])
    assert len(ledger.sms.handed) == 5
    await assert_budgets_are_right(ledger, campaign)
    await ledger.assert_tally_is_right(campaign)
    view = await look(ledger, campaign)
    assert view.goal is not None
    assert view.goal.places == {"Lyon": [1, 1], "Nîmes": [0, 2]}
    assert goal_sentence(view) == "Goal: 1 of 3 host, met in 1 of 2 places. 2 people were left in peace."
    assert view.status is CampaignStatus.RUNNING


async def test_when_every_place_met_its_goal_nobody_else_is_asked(ledger: Ledger) -> None:
    people = await people_in(ledger, Lyon=2, Nîmes=3, Paris=2)
    campaign = await ledger.launch_and_route(**PLACES)
    for member in (people["Lyon"][0], *people["Nîmes"][:2]):
        await acts(ledger, member, campaign, "host")
    await stop(ledger)
    assert await reasons(ledger, campaign) == {("cancelled", "acted"): 3, ("cancelled", "goal_met"): 4}
    await ledger.finish()
    assert (await look(ledger, campaign)).status is CampaignStatus.FINISHED


async def test_a_place_that_met_its_goal_while_others_are_routed(ledger: Ledger) -> None:
    """A plan made before knows nothing of it: it is made anew, and the place's people are held."""
    people = await people_in(ledger, Lyon=3, Nîmes=2)
    campaign = await ledger.launch(**PLACES)
    old = await next_route(ledger.runtime)
    assert old is not None
    await acts(ledger, people["Lyon"][0], campaign, "host")
    await stop(ledger)
    assert await route_range_of(ledger.runtime, old, now=ledger.clock()) is None
    await ledger.route()
    assert await reasons(ledger, campaign) == {("held", "goal_met"): 3, ("queued", None): 2}


async def test_what_comes_back_for_a_place_that_met_its_goal_is_withdrawn_soon(ledger: Ledger) -> None:
    people = await people_in(ledger, Lyon=2, Nîmes=1)
    campaign = await ledger.launch_and_route(**PLACES)
    batch, work = await lease_and_claim(ledger, 1)
    await acts(ledger, people["Lyon"][1], campaign, "host")
    await stop(ledger)
    await record(ledger, work, NotSent(FailureClass.TRANSPORT, "connect"))
    await ledger.store.transact(lambda connection: let_go(connection, batch))
    ledger.clock.now += AGAIN
    await stop(ledger)
    await ledger.send()
    assert await reasons(ledger, campaign) == {("cancelled", "goal_met"): 2, ("sent", None): 1}
    await assert_budgets_are_right(ledger, campaign)


async def test_a_batch_of_nobody_but_spared_people_is_closed(ledger: Ledger) -> None:
    await people_in(ledger, Lyon=2)
    start = ledger.clock() + timedelta(hours=5)
    campaign = await ledger.launch_and_route(**PLACES, starts_at_local=start.replace(tzinfo=None))
    later = await people_in(ledger, Lyon=1)
    await acts(ledger, later["Lyon"][0], campaign, "host")
    await stop(ledger)
    await ledger.finish()
    assert (await look(ledger, campaign)).status is CampaignStatus.FINISHED


# ── at full speed ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("by_place", [False, True])
async def test_a_goal_that_is_met_while_workers_send_at_full_speed(store: Store, by_place: bool) -> None:
    """Nothing is queued afterwards, nothing leaves after, every slot of what was withdrawn is free, the sums agree."""
    clock = Clock(datetime(2026, 11, 20, 9, 0, tzinfo=UTC))
    one, two = Ledger(store, clock=clock), Ledger(store, clock=clock)
    people = await people_in(one, Lyon=600, Nîmes=200)
    goal = PLACES if by_place else {"goal": {"measure": "host", "target": 1}, "stop_at_goal": True}
    campaign = await one.launch_and_route(**goal)
    met, done = asyncio.Event(), asyncio.Event()

    async def sending(message: OutboundMessage) -> Sent:
        await asyncio.sleep(0.02)
        if len(one.sms.handed) + len(two.sms.handed) >= 200 and not met.is_set():
            met.set()
            await acts(one, people["Lyon"][0], campaign, "host")
            done.set()
        return Sent("SM1")

    one.sms.script = two.sms.script = sending
    workers = [asyncio.create_task(one.send(owner=f"one{n}")) for n in range(2)]
    workers += [asyncio.create_task(two.send(owner=f"two{n}")) for n in range(2)]
    await asyncio.wait_for(done.wait(), 60)
    tending = [tend(ledger.runtime, name, now=clock()) for ledger, name in ((one, "a"), (two, "b"))]
    await asyncio.gather(*tending)
    told = [ledger for ledger in (one, two) if campaign in ledger.runtime.signals.halted]
    left = [len(ledger.sms.handed) for ledger in told]
    claimed = {row.id for row in await one.rows(campaign) if row.status != "queued"}
    await asyncio.gather(stop(one), stop(two))
    await asyncio.wait_for(asyncio.gather(*workers), 60)
    await stop(one)
    handed = [message.delivery.id for ledger in (one, two) for message in ledger.sms.handed]
    rows = await one.rows(campaign)
    spared = [row for row in rows if row.reason == "goal_met"]
    by_status = Counter(row.status for row in rows)
    assert by_status == {"sent": len(handed), "cancelled": len(spared)}
    assert len(handed) == len(set(handed))
    if by_place:
        assert {row.member_id for row in spared} <= set(people["Lyon"])
        assert all(row.status == "sent" for row in rows if row.member_id in set(people["Nîmes"]))
    else:
        assert set(handed) <= claimed, "from the commit on nothing is claimed"
        assert [len(ledger.sms.handed) for ledger in told] == left, "who hears of it sends nothing more"
        assert len(told) == 1
    assert spared
    await assert_budgets_are_right(one, campaign)
    await one.assert_tally_is_right(campaign)
    await one.finish()
    view = await look(one, campaign)
    assert view.status is CampaignStatus.FINISHED
    assert view.goal is not None
    assert view.goal.left_in_peace == len(spared)
    assert await one.execute("SELECT count(*) FROM audit WHERE what = 'campaign.goal_met'") == [(int(not by_place),)]
