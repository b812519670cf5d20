"""Asks that compete for the same people: turns among campaigns, and slots that a more important ask takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from router.competing import next_route
from router.core.channel import OutboundMessage, Sent
from router.core.policy import read_policy
from router.fanout import route_range_of
from router.launch import cancel_campaign, pause_campaign
from router.plans import Route
from router.settings import load_settings, load_toml
from router.store.engine import Store
from router.store.tables import to_ms
from tests.support.attention import assert_nobody_is_over_budget, assert_slots_are_exact, reasons
from tests.support.ledger import Ledger, soon

POLICY = read_policy(load_toml("policy", load_settings()))


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """An installation with the budget as shipped: one text in 72 hours, one email in 48, one ask a day in all."""
    return Ledger(store, policy=POLICY)


async def assert_all_is_right(ledger: Ledger, *campaigns: int) -> None:
    await assert_slots_are_exact(ledger)
    await assert_nobody_is_over_budget(ledger, POLICY.budget)
    for campaign in campaigns:
        await ledger.assert_tally_is_right(campaign)


def until_evening(ledger: Ledger, hours: float = 3) -> str:
    """A deadline so near that there is no second slot before it."""
    return (ledger.clock() + timedelta(hours=hours)).isoformat()


# ── whose turn it is ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("asks", [["ana", "dan"], ["ana", "ana", "ana", "dan"], ["dan", "ana", "eve", "ana"]])
async def test_organizers_share_scarce_members_evenly(ledger: Ledger, asks: Sequence[str]) -> None:
    """Launched in the same second, to the same people, who have room for one: it is not first come, first served."""
    members = await ledger.add_members(400)
    campaigns = [(organizer, await ledger.launch(by=organizer)) for organizer in asks]
    await ledger.route()
    reached = dict.fromkeys(asks, 0)
    for organizer, campaign in campaigns:
        found = await reasons(ledger, campaign)
        assert found.total() == len(members), "everybody has one row, or was held"
        reached[organizer] += found["queued", None]
    assert sum(reached.values()) == len(members)
    assert max(reached.values()) - min(reached.values()) <= len(members) / 20, reached
    await assert_all_is_right(ledger, *(campaign for _, campaign in campaigns))


async def test_several_workers_share_evenly_too(store: Store, database_url: str) -> None:
    stores = [Store(database_url) for _ in range(3)]
    ledgers = [Ledger(one, policy=POLICY) for one in (store, *stores)]
    await ledgers[0].add_members(2_400)
    campaigns = [await ledgers[0].launch(by=organizer) for organizer in ("ana", "dan")]
    await asyncio.gather(*(one.route() for one in ledgers))
    reached = [(await reasons(ledgers[0], campaign))["queued", None] for campaign in campaigns]
    assert sum(reached) == 2_400
    assert min(reached) >= 0.35 * 2_400, reached
    await assert_all_is_right(ledgers[0], *campaigns)
    for one in stores:
        await one.aclose()


async def turns(ledger: Ledger) -> list[int]:
    """The campaigns in the order in which their parts were routed."""
    order = []
    known: dict[int, Route] = {}
    while (prepared := await next_route(ledger.runtime, known)) is not None:
        await route_range_of(ledger.runtime, prepared, now=ledger.clock())
        order.append(prepared.campaign.id)
    return order


async def test_the_more_important_goes_first_whoever_launched_it(ledger: Ledger) -> None:
    await ledger.add_members(3)
    low = await ledger.launch(priority=-1)
    plain = await ledger.launch()
    high = await ledger.launch(priority=3)
    urgent = await ledger.launch(urgent=True, priority=-5)
    soonest = await ledger.launch(deadline=until_evening(ledger))
    assert await turns(ledger) == [urgent, high, soonest, plain, low]


async def test_what_changes_a_campaign_makes_it_ready_anew(ledger: Ledger) -> None:
    await ledger.add_members(3)
    campaign = await ledger.launch()
    known: dict[int, Route] = {}
    first = await next_route(ledger.runtime, known)
    assert await next_route(ledger.runtime, known) is first
    await ledger.execute("UPDATE campaign SET raised_until = :at", at=2**42)
    raised = await next_route(ledger.runtime, known)
    assert raised is not None
    assert raised.plan.budget.override
    await ledger.execute("UPDATE campaign SET epoch = epoch + 1")
    again = await next_route(ledger.runtime, known)
    assert again is not None
    assert again is not raised
    assert await next_route(ledger.runtime, known, without={campaign}) is None


# ── who gives way ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_lesser_ask_is_deferred_and_still_delivered(ledger: Ledger) -> None:
    members = await ledger.add_members(30, channels=("email",))
    low = await ledger.launch_and_route()
    before = {row.id: row.not_before for row in await ledger.rows(low)}
    ledger.clock.advance(minutes=1)
    high = await ledger.launch_and_route(priority=1, deadline=until_evening(ledger))
    assert await reasons(ledger, high) == {("queued", None): 30}
    after = await ledger.rows(low)
    assert {row.status for row in after} == {"queued"}
    assert {row.not_before - before[row.id] for row in after} == {48 * 3_600_000 + 60_000}, "the gap of email"
    await assert_all_is_right(ledger, low, high)
    await ledger.send("email")
    assert len(ledger.email.handed) == len(members)
    ledger.clock.advance(hours=48, minutes=1)
    await ledger.send("email")
    assert len(ledger.email.handed) == 2 * len(members)
    assert await reasons(ledger, low) == {("sent", None): 30}
    await ledger.finish()
    await assert_all_is_right(ledger, low, high)


async def test_a_lesser_ask_without_time_is_held_and_refunded(ledger: Ledger) -> None:
    await ledger.add_members(30, channels=("email",))
    low = await ledger.launch_and_route(deadline=until_evening(ledger, 30))
    high = await ledger.launch_and_route(priority=1, deadline=until_evening(ledger))
    assert await reasons(ledger, high) == {("queued", None): 30}
    assert await reasons(ledger, low) == {("held", "outranked"): 30}
    await assert_all_is_right(ledger, low, high)
    await ledger.send("email")
    await ledger.finish()
    assert len(ledger.email.handed) == 30
    [[finished]] = await ledger.execute("SELECT count(*) FROM campaign WHERE status = 'finished'")
    assert finished == 2


async def test_equals_never_take_from_one_another(ledger: Ledger) -> None:
    await ledger.add_members(3)
    first = await ledger.launch_and_route(priority=2)
    second = await ledger.launch_and_route(priority=2)
    assert await reasons(ledger, first) == {("queued", None): 3}
    assert await reasons(ledger, second) == {("held", "cap"): 3}


async def test_of_several_the_least_important_gives_way(ledger: Ledger) -> None:
    """And of two whose going would help only one."""
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    text = await ledger.launch_and_route(priority=2, channels=["sms"])
    mail = await ledger.launch_and_route(priority=1, channels=["email"])
    high = await ledger.launch_and_route(priority=5, channels=["email"], deadline=until_evening(ledger, 50))
    [kept], [gone], [came] = await ledger.rows(text), await ledger.rows(mail), await ledger.rows(high)
    assert (kept.status, gone.status, came.status) == ("queued", "held", "queued")
    assert gone.reason == "outranked"
    assert len(await ledger.slots(member)) == 2
    await assert_all_is_right(ledger, text, mail, high)


async def test_what_is_on_its_way_or_gone_keeps_its_slot(ledger: Ledger) -> None:
    await ledger.add_members(8)
    low = await ledger.launch_and_route()
    release = asyncio.Event()

    async def slow(message: OutboundMessage) -> Sent:
        if len(ledger.sms.handed) > 4:
            await release.wait()
        return Sent(f"SM{message.delivery.id}")

    ledger.sms.script = slow
    sending = asyncio.create_task(ledger.send(requests=4))
    await soon(lambda: len(ledger.sms.handed) == 8)
    assert set(await ledger.statuses(low)) <= {"sending", "sent"}
    high = await ledger.launch_and_route(priority=9, deadline=until_evening(ledger))
    assert await reasons(ledger, high) == {("held", "cap"): 8}
    release.set()
    await sending
    assert await reasons(ledger, low) == {("sent", None): 8}
    await assert_all_is_right(ledger, low, high)


async def test_a_row_that_somebody_holds_is_not_waited_for(postgresql_url: str) -> None:
    """The dispatcher that has locked it may be waiting for this very purse."""
    store, other = Store(postgresql_url), Store(postgresql_url)
    ledger, dispatcher = Ledger(store, policy=POLICY), Ledger(other, policy=POLICY)
    await ledger.add_members(2)
    low = await ledger.launch_and_route()
    [first, second] = await ledger.rows(low)
    high = await ledger.launch(priority=1, deadline=until_evening(ledger))
    async with dispatcher.store.write() as connection:
        await connection.exec_driver_sql(f"SELECT 1 FROM delivery WHERE id = {first.id} FOR NO KEY UPDATE")
        await asyncio.wait_for(ledger.route(), 10)
    rows = {row.member_id: (row.status, row.reason) for row in await ledger.rows(high)}
    assert rows == {first.member_id: ("held", "cap"), second.member_id: ("queued", None)}
    assert [row.status for row in await ledger.rows(low)] == ["queued", "held"]
    await assert_all_is_right(ledger, low, high)
    await store.aclose()
    await other.aclose()


async def test_what_another_withdraws_is_left_to_them(ledger: Ledger) -> None:
    await ledger.add_members(2)
    low = await ledger.launch_and_route()
    await cancel_campaign(ledger.runtime, low, by="ana", now=ledger.clock())
    high = await ledger.launch_and_route(priority=1, deadline=until_evening(ledger))
    assert await reasons(ledger, low) == {("queued", None): 2}
    assert await reasons(ledger, high) == {("held", "cap"): 2}
    await assert_all_is_right(ledger, low, high)


async def test_what_is_paused_gives_way_too(ledger: Ledger) -> None:
    await ledger.add_members(2)
    low = await ledger.launch_and_route()
    await pause_campaign(ledger.runtime, low, by="ana", reason="typo", now=ledger.clock())
    high = await ledger.launch_and_route(priority=1, deadline=until_evening(ledger))
    assert await reasons(ledger, low) == {("held", "outranked"): 2}
    assert await reasons(ledger, high) == {("queued", None): 2}
    await assert_all_is_right(ledger, low, high)


async def test_who_wants_silence_takes_nothing_from_anybody(ledger: Ledger) -> None:
    [paused, urgent] = await ledger.add_members(2)
    low = await ledger.launch_and_route()
    await ledger.execute("UPDATE member SET dial = 'paused' WHERE id = :id", id=paused)
    await ledger.execute("UPDATE member SET dial = 'urgent_only' WHERE id = :id", id=urgent)
    high = await ledger.launch_and_route(priority=9, deadline=until_evening(ledger))
    assert await reasons(ledger, low) == {("queued", None): 2}
    assert await reasons(ledger, high) == {("held", "paused"): 1, ("held", "dial"): 1}


async def test_room_that_comes_only_at_night_is_made_in_the_day(ledger: Ledger) -> None:
    """The gap ends after the last hour for texts, so without a slot from the lesser ask it would be tomorrow."""
    await ledger.add_members(1, channels=("sms", "email"))
    ledger.clock.now = ledger.clock.now.replace(hour=19, minute=30)  # half past eight in Paris
    low = await ledger.launch_and_route(channels=["email"])
    ledger.clock.advance(hours=13)
    high = await ledger.launch_and_route(priority=1, channels=["sms"], deadline=until_evening(ledger, 12.5))
    [gone], [came] = await ledger.rows(low), await ledger.rows(high)
    assert came.status == "queued"
    assert (gone.status, gone.not_before - came.not_before) == ("queued", 24 * 3_600_000)
    await assert_all_is_right(ledger, low, high)


async def test_a_household_gives_way_once(ledger: Ledger) -> None:
    """Both want the more important ask, and there is room for one of them."""
    [household] = await ledger.store.take_ids(1)
    await ledger.add_members(2, channels=("email",), household_id=household)
    low = await ledger.launch_and_route()
    assert await reasons(ledger, low) == {("queued", None): 2}, "one of them two days later"
    high = await ledger.launch_and_route(priority=1, deadline=until_evening(ledger))
    assert await reasons(ledger, high) == {("queued", None): 1, ("held", "cap"): 1}
    assert await reasons(ledger, low) == {("queued", None): 1, ("held", "outranked"): 1}
    await assert_all_is_right(ledger, low, high)


async def test_a_slot_of_the_household_is_taken_from_somebody_who_is_not_asked(ledger: Ledger) -> None:
    [household] = await ledger.store.take_ids(1)
    [mine, yours] = await ledger.add_members(2, channels=("email",), household_id=household)
    await ledger.execute("INSERT INTO member_tag (tag, member_id) VALUES ('guests', :id)", id=mine)
    await ledger.execute("INSERT INTO member_tag (tag, member_id) VALUES ('hosts', :id)", id=yours)
    low = await ledger.launch_and_route(audience={"op": "tag", "tag": "guests"})
    high = await ledger.launch_and_route(
        priority=1, deadline=until_evening(ledger), audience={"op": "tag", "tag": "hosts"}
    )
    assert [(row.member_id, row.status) for row in await ledger.rows(high)] == [(yours, "queued")]
    [gone] = await ledger.rows(low)
    assert (gone.member_id, gone.status, gone.not_before) == (mine, "queued", to_ms(ledger.clock()) + 48 * 3_600_000)
    await assert_all_is_right(ledger, low, high)
