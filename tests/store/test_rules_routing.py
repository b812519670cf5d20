"""DESIGN.md 6, the rules of routing: each fails when its guard is taken away."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from router.competing import next_route
from router.core.model import DeliveryRef
from router.fanout import route_range_of
from router.launch import cancel_campaign, pause_campaign, resume_campaign
from router.store.engine import Store
from tests.support.ledger import Ledger


async def test_rule_1_a_campaign_cancelled_after_its_plan_was_made_routes_nobody(ledger: Ledger) -> None:
    await ledger.add_members(3)
    campaign = await ledger.launch()
    prepared = await next_route(ledger.runtime)
    assert prepared is not None
    await cancel_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    assert await route_range_of(ledger.runtime, prepared, now=ledger.clock()) is None
    assert await ledger.rows(campaign) == []


async def test_rule_1_a_plan_of_an_older_epoch_is_not_used(ledger: Ledger) -> None:
    await ledger.add_members(3)
    campaign = await ledger.launch()
    stale = await next_route(ledger.runtime)
    assert stale is not None
    await pause_campaign(ledger.runtime, campaign, by="ana", reason="typo", now=ledger.clock())
    await resume_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    assert await route_range_of(ledger.runtime, stale, now=ledger.clock()) is None
    assert await ledger.route() == 3


async def test_rule_1_a_crash_in_the_middle_of_a_range_leaves_it_as_it_was(ledger: Ledger) -> None:
    [first, *_] = await ledger.add_members(5)
    campaign = await ledger.launch()
    prepared = await next_route(ledger.runtime)
    assert prepared is not None
    # The tally is written last: everything before it has happened when this fails.
    await ledger.execute("ALTER TABLE tally RENAME TO tally_gone")
    with pytest.raises(Exception, match="tally"):
        await route_range_of(ledger.runtime, prepared, now=ledger.clock())
    await ledger.execute("ALTER TABLE tally_gone RENAME TO tally")
    assert await ledger.rows(campaign) == []
    assert await ledger.slots(first) == []
    assert await ledger.route() == 5
    assert len(await ledger.slots(first)) == 1


async def test_rule_1_two_routers_at_once_route_nobody_twice(store: Store, database_url: str) -> None:
    other_store = Store(database_url)
    one, two = Ledger(store), Ledger(other_store)
    await one.add_members(2_500)
    campaign = await one.launch()
    await asyncio.gather(one.route(), two.route(), one.route(), two.route())
    rows = await one.rows(campaign)
    assert Counter(Counter(row.member_id for row in rows).values()) == {1: 2_500}
    await one.assert_tally_is_right(campaign)
    await other_store.aclose()


async def test_rule_2_one_phone_in_two_records_gets_the_ask_once(ledger: Ledger) -> None:
    await ledger.add_members(2, phone="+33639980001")
    campaign = await ledger.launch_and_route()
    assert sorted((row.status, row.reason) for row in await ledger.rows(campaign)) == [
        ("held", "duplicate"),
        ("queued", None),
    ]


async def test_rule_2_also_where_two_ranges_are_routed_at_once(store: Store, database_url: str) -> None:
    other_store = Store(database_url)
    one, two = Ledger(store), Ledger(other_store)
    await one.add_members(1_000, phone="+33639980001")
    await one.add_members(1_000, phone="+33639980001")
    campaign = await one.launch()
    await asyncio.gather(one.route(), two.route())
    assert Counter(await one.statuses(campaign)) == {"held": 1_999, "queued": 1}
    await other_store.aclose()


async def test_rule_2_the_claim_survives_the_erasure_of_the_member(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, phone="+33639980001")
    campaign = await ledger.launch_and_route()
    await ledger.execute("UPDATE member SET erased_at = 1 WHERE id = :id", id=member)
    await ledger.execute("DELETE FROM address WHERE member_id = :id", id=member)
    claims = await ledger.execute("SELECT count(*) FROM ask_claim WHERE campaign_id = :id", id=campaign)
    assert claims == [(1,)]


async def test_rule_15_the_fourth_ask_in_a_week_is_held(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    outcomes = []
    for _ in range(4):
        campaign = await ledger.launch_and_route()
        outcomes += [(row.status, row.reason) for row in await ledger.rows(campaign)]
        ledger.clock.advance(hours=1)
    assert outcomes == [("queued", None)] * 3 + [("held", "cap")]
    assert len(await ledger.slots(member)) == 3
    ledger.clock.advance(days=8)
    campaign = await ledger.launch_and_route()
    assert await ledger.statuses(campaign) == ["queued"]


async def test_rule_16_campaigns_launched_at_once_never_overdraw_a_member(store: Store, database_url: str) -> None:
    stores = [Store(database_url) for _ in range(3)]
    ledgers = [Ledger(store), *(Ledger(other) for other in stores)]
    members = await ledgers[0].add_members(60)
    campaigns = [await ledgers[0].launch() for _ in range(6)]
    await asyncio.gather(*(one.route() for one in ledgers))
    taken: Counter[int] = Counter()
    for campaign in campaigns:
        taken.update(row.member_id for row in await ledgers[0].rows(campaign) if row.status == "queued")
    assert set(taken.values()) == {3}
    assert [len(await ledgers[0].slots(member)) for member in members] == [3] * 60
    for other in stores:
        await other.aclose()


async def test_a_household_shares_one_budget(ledger: Ledger) -> None:
    [household] = await ledger.store.take_ids(1)
    await ledger.add_members(2, household_id=household)
    outcomes: Counter[Any] = Counter()
    for _ in range(2):
        campaign = await ledger.launch_and_route()
        outcomes.update((row.status, row.reason) for row in await ledger.rows(campaign))
    assert outcomes == {("queued", None): 3, ("held", "cap"): 1}
    assert len(await ledger.slots(household)) == 3


async def test_a_service_message_passes_the_cap_but_not_consent(ledger: Ledger) -> None:
    members = await ledger.add_members(3)
    asks = [await ledger.launch_and_route() for _ in range(3)]
    for member in members:
        await ledger.execute(
            "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at)"
            " VALUES (:m, :m, :c, 'yes', 'keyword', :x, 0)",
            m=member,
            c=asks[0],
            x=str(member),
        )
    await ledger.execute("UPDATE address SET consent = 'revoked' WHERE member_id = :id", id=members[2])
    moved = await ledger.launch_and_route(kind="moved", about=asks[0])
    assert sorted((row.member_id, row.status, row.reason) for row in await ledger.rows(moved)) == [
        (members[0], "queued", None),
        (members[1], "queued", None),
        (members[2], "held", "suppressed"),
    ]
    assert len(await ledger.slots(members[0])) == 3


async def test_a_correction_reaches_only_those_who_got_the_wrong_text(ledger: Ledger) -> None:
    await ledger.add_members(4)
    campaign = await ledger.launch_and_route()
    got = (await ledger.rows(campaign))[:2]
    for row in got:
        await ledger.execute("UPDATE delivery SET status = 'sent', text_version = 1 WHERE id = :id", id=row.id)
    late = (await ledger.rows(campaign))[2]
    await ledger.execute("UPDATE delivery SET status = 'sent', text_version = 2 WHERE id = :id", id=late.id)
    correction = await ledger.launch_and_route(kind="correction", about=campaign, about_versions=[1])
    assert [row.member_id for row in await ledger.rows(correction)] == [row.member_id for row in got]
    assert len(await ledger.slots(got[0].member_id)) == 1


async def test_quiet_hours_defer_and_do_not_drop(ledger: Ledger) -> None:
    await ledger.add_members(1)
    ledger.clock.now = ledger.clock.now.replace(hour=23)
    campaign = await ledger.launch_and_route()
    [row] = await ledger.rows(campaign)
    assert row.status == "queued"
    await ledger.send()
    assert ledger.sms.handed == []
    ledger.clock.advance(hours=9, minutes=5)  # 09:05 in Paris
    await ledger.send()
    assert [message.delivery for message in ledger.sms.handed] == [DeliveryRef(row.month, row.id)]


async def test_each_members_own_clock_decides_a_local_start(ledger: Ledger) -> None:
    [paris] = await ledger.add_members(1)
    [sydney] = await ledger.add_members(1)
    await ledger.execute("UPDATE member SET zone = 'Australia/Sydney', country = 'AU' WHERE id = :id", id=sydney)
    tomorrow = ledger.clock().date() + timedelta(days=1)
    campaign = await ledger.launch_and_route(starts_at_local=f"{tomorrow}T18:00:00")
    at = {row.member_id: row.not_before for row in await ledger.rows(campaign)}
    assert at[paris] - at[sydney] == 10 * 3_600_000
