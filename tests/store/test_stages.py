"""Canary and ramp in the ledger: what leaves when, what is waited for and what is not."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from router.competing import next_route
from router.core.channel import Inbound, Received
from router.core.launch_policy import GuardPolicy
from router.core.model import CampaignStatus
from router.core.staging import ALL
from router.fanout import route_range_of
from router.guard import watch_campaigns
from router.launch import cancel_campaign, pause_campaign, resume_campaign
from router.settings import load_settings, load_toml
from router.stages import advance_stages
from router.stops import withdraw_batch
from router.store.campaigns import lock_campaign
from router.store.engine import Store
from router.views import view_campaign
from tests.support.ledger import Ledger
from tests.support.runtime import Clock, build_runtime

GUARD = load_toml("policy", load_settings())["guard"]
CANARY = {"above": 100, "hours_before_deadline": 3, "size": 50, "wait_minutes": 30}
RAMP = {"above": 20, "shares": [0.1, 0.4], "wait_seconds": 60, "tonight_wait_seconds": 15}
POLICY = GuardPolicy.model_validate({**GUARD, "canary": CANARY, "ramp": RAMP})
MORNING = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NEAR = 3
"""A stage is evenly spread, so it may have a few more or less."""


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """An installation in which a large ask is one to a hundred people."""
    policy = build_runtime(store).policy
    return Ledger(store, clock=Clock(MORNING), policy=policy.model_copy(update={"guard": POLICY}))


async def stage(ledger: Ledger, campaign: int) -> int:
    async def read(connection: AsyncConnection) -> int:
        row = await lock_campaign(connection, campaign)
        assert row is not None
        return row.stage

    return await ledger.store.transact(read)


async def left(ledger: Ledger, campaign: int) -> int:
    """How many have left once everything that may leave has."""
    for channel in ("sms", "email"):
        await ledger.send(channel)
    return Counter(await ledger.statuses(campaign))["sent"]


async def advance(ledger: Ledger, **delta: float) -> int:
    """Let time pass and look, as a worker does every second: first that all has left, then whether it is time."""
    before = await advance_stages(ledger.runtime, now=ledger.clock())
    ledger.clock.advance(**delta)
    return before + await advance_stages(ledger.runtime, now=ledger.clock())


async def told(ledger: Ledger, campaign: int) -> str:
    return (await view_campaign(ledger.runtime, campaign)).stages


async def test_a_canary_goes_first_and_the_rest_after_its_wait(ledger: Ledger) -> None:
    await ledger.add_members(200)
    campaign = await ledger.launch_and_route()
    said = "canary: 50 of 200 first, the rest {} if all is well"
    assert await told(ledger, campaign) == said.format("30 min after the last of them")
    assert abs(await left(ledger, campaign) - 50) <= NEAR
    assert await advance(ledger, minutes=29) == 0
    assert await told(ledger, campaign) == said.format("at 09:30 UTC")
    await ledger.finish()
    assert (await view_campaign(ledger.runtime, campaign)).status is CampaignStatus.RUNNING
    assert await advance(ledger, minutes=1) == 1
    assert await told(ledger, campaign) == ""
    assert await stage(ledger, campaign) == ALL
    assert await left(ledger, campaign) == 200
    await ledger.finish()
    assert (await view_campaign(ledger.runtime, campaign)).status is CampaignStatus.FINISHED


async def test_a_ramp_goes_step_by_step(ledger: Ledger) -> None:
    await ledger.add_members(100)
    campaign = await ledger.launch_and_route()
    assert await told(ledger, campaign) == "ramp: 10% first, 40% 1 min after the last of them if all is well"
    for share in (10, 40):
        assert abs(await left(ledger, campaign) - share) <= NEAR
        assert await advance(ledger, seconds=59) == 0
        assert await advance(ledger, seconds=1) == 1
    assert await left(ledger, campaign) == 100


async def test_few_people_service_messages_and_alerts_do_not_wait(ledger: Ledger) -> None:
    members = await ledger.add_members(120)
    few = await ledger.launch_and_route(audience={"op": "members", "ids": members[:20]})
    assert await left(ledger, few) == 20
    await ledger.execute(
        "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at)"
        " SELECT id, id, :id, 'yes', 'api', CAST(id AS text), 0 FROM member",
        id=few,
    )
    service = await ledger.launch_and_route(kind="cancelled", about=few)
    assert await left(ledger, service) == 120
    alert = await ledger.launch_and_route(alert=True)
    assert await stage(ledger, alert) == ALL


async def test_the_canary_is_spread_over_channels_and_people(ledger: Ledger) -> None:
    """Forty by email among two hundred: the canary has its tenth of them, too."""
    for _ in range(4):
        await ledger.add_members(40)
        await ledger.add_members(10, channels=("email",))
    campaign = await ledger.launch_and_route()
    await left(ledger, campaign)
    rows = await ledger.rows(campaign)
    sent = [row for row in rows if row.status == "sent"]
    by = Counter(row.channel for row in sent)
    assert abs(by["email"] - 10) <= NEAR
    assert abs(by["sms"] - 40) <= NEAR
    order = sorted(row.member_id for row in rows)
    quarters = Counter(order.index(row.member_id) // 50 for row in sent)
    assert all(abs(quarters[place] - 12.5) <= NEAR + 1 for place in range(4))


async def test_it_does_not_go_on_while_something_is_still_to_be_routed_or_sent(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.ranges.RANGE", 100)
    await ledger.add_members(300)
    campaign = await ledger.launch()
    prepared = await next_route(ledger.runtime)
    assert prepared is not None
    await route_range_of(ledger.runtime, prepared, now=ledger.clock())
    await left(ledger, campaign)
    assert await advance(ledger, hours=1) == 0, "ranges that are not routed yet bring more of the canary"
    await ledger.route()
    assert await advance(ledger, hours=1) == 0, "more of the canary waits to leave"
    await left(ledger, campaign)
    assert await advance(ledger, minutes=29) == 0
    assert await advance(ledger, minutes=1) == 1


async def test_what_waits_for_a_later_hour_is_not_waited_for(ledger: Ledger) -> None:
    await ledger.add_members(200)
    campaign = await ledger.launch_and_route()
    first = "(SELECT min(id) FROM batch WHERE campaign_id = :id AND stage = 0)"
    await ledger.execute(f"UPDATE batch SET not_before = :later WHERE id = {first}", id=campaign, later=2**42)
    assert await left(ledger, campaign) == 0
    assert await advance(ledger, hours=1) == 0, "not one of the canary has left"
    await ledger.execute("UPDATE tally SET status = 'sent' WHERE campaign_id = :id AND status = 'queued'", id=campaign)
    assert await advance(ledger, minutes=30) == 1, "the others of the canary have left, this hour's"


async def test_a_paused_campaign_goes_no_further_and_what_is_over_waits_for_nothing(ledger: Ledger) -> None:
    await ledger.add_members(200)
    campaign = await ledger.launch_and_route()
    await left(ledger, campaign)
    await advance(ledger, minutes=10)
    about: dict[str, Any] = {"by": "bo", "now": ledger.clock()}
    await pause_campaign(ledger.runtime, campaign, **about, reason="a typo")
    assert await advance(ledger, hours=2) == 0
    assert await told(ledger, campaign) == "canary: 50 of 200 first, the rest once it is resumed if all is well"
    await resume_campaign(ledger.runtime, campaign, **about)
    assert await advance(ledger, seconds=1) == 1
    other = await ledger.launch_and_route()
    assert await stage(ledger, other) == 0
    ledger.clock.advance(days=4)
    assert await advance_stages(ledger.runtime, now=ledger.clock()) == 1
    await left(ledger, other)
    assert set(await ledger.statuses(other)) == {"expired"}
    await ledger.finish()
    assert (await view_campaign(ledger.runtime, other)).status is CampaignStatus.FINISHED


async def test_the_guard_stops_a_canary_before_the_rest_leaves(ledger: Ledger) -> None:
    await ledger.add_members(200)
    campaign = await ledger.launch_and_route()
    await left(ledger, campaign)
    rows = await ledger.execute(
        "SELECT a.value FROM delivery d JOIN address a ON a.id = d.address_id WHERE d.campaign_id = :id"
        " AND d.status = 'sent' ORDER BY d.id LIMIT 8",
        id=campaign,
    )
    events = [Inbound(event_id=phone, sender=phone, recipient="", text="STOP", at=ledger.clock()) for (phone,) in rows]
    await ledger.submit(Received(events=tuple(events)))
    assert await watch_campaigns(ledger.runtime, now=ledger.clock()) == 1
    assert await advance(ledger, hours=1) == 0
    assert abs(await left(ledger, campaign) - 50) <= NEAR, "the others are spared"


async def test_a_cancelled_canary_withdraws_all_that_waits(ledger: Ledger) -> None:
    members = await ledger.add_members(200)
    campaign = await ledger.launch_and_route()
    gone = await left(ledger, campaign)
    await cancel_campaign(ledger.runtime, campaign, by="bo", now=ledger.clock())
    while await withdraw_batch(ledger.runtime, "worker-1", now=ledger.clock()):
        pass
    statuses = Counter(await ledger.statuses(campaign))
    assert statuses == {"sent": gone, "cancelled": 200 - gone}
    assert sum([len(await ledger.slots(member)) for member in members]) == gone, "their slots are free again"
    await ledger.assert_tally_is_right(campaign)
