"""DESIGN.md 6, rules 3 to 6: leases and intents. Each fails when its guard is taken away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.channel import OutboundMessage, Sent
from router.core.errors import Unavailable
from router.core.model import DeliveryStatus
from router.core.rates import ChannelRules
from router.launch import cancel_campaign, pause_campaign, resume_campaign
from router.limits import Bucket
from router.stops import withdraw_batch
from router.store.engine import Store
from tests.support.claims import claim, expire_lease, lease
from tests.support.ledger import Ledger, soon

S = DeliveryStatus


# ── leases ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_rule_3_a_leased_batch_is_nobody_elses(ledger: Ledger) -> None:
    await ledger.add_members(3)
    await ledger.launch_and_route()
    assert await lease(ledger, "worker-1") is not None
    assert await lease(ledger, "worker-2") is None


async def test_rule_3_a_worker_whose_lease_was_taken_over_cannot_claim(ledger: Ledger) -> None:
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    slow = await lease(ledger, "slow")
    assert slow is not None
    await expire_lease(ledger, slow)
    assert await lease(ledger, "quick") is not None
    assert await claim(ledger, slow, 3) is None
    assert await ledger.statuses(campaign) == ["queued"] * 3


async def test_rule_3_two_workers_leasing_at_once_get_different_batches(store: Store, database_url: str) -> None:
    other = Store(database_url)
    one, two = Ledger(store), Ledger(other)
    await one.add_members(1_500)
    await one.launch_and_route()
    leased = await asyncio.gather(*(lease(one if n % 2 else two, f"worker-{n}") for n in range(8)))
    found = [batch.id for batch in leased if batch]
    assert len(found) == len(set(found)) >= 3
    await other.aclose()


async def test_rule_4_a_claim_takes_no_more_rows_than_tokens_were_granted(store: Store) -> None:
    ledger = Ledger(store, rules={"sms": ChannelRules(rate=2, burst=3, concurrency=4)})
    await ledger.add_members(10)
    campaign = await ledger.launch_and_route()
    in_flight: list[int] = []

    async def look(message: OutboundMessage) -> Sent:
        in_flight.append((await ledger.statuses(campaign)).count("sending"))
        return Sent("SM1")

    ledger.sms.script = look
    dispatcher = ledger.dispatcher()
    task = asyncio.create_task(dispatcher.send_one_batch())
    await soon(lambda: len(in_flight) >= 5)
    dispatcher.stopping.set()
    await task
    assert max(in_flight) <= 4


async def test_rule_4_unused_tokens_go_back(store: Store) -> None:
    ledger = Ledger(store, rules={"sms": ChannelRules(rate=0.001, burst=10, concurrency=4)})
    await ledger.add_members(2)
    await ledger.launch_and_route()
    await ledger.send()
    assert len(ledger.sms.handed) == 2
    grant = await ledger.runtime.limits.take(Bucket("sms/main", rate=0.001, burst=10), 10)
    assert grant.granted >= 7


# ── the intent ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_intent_is_durable_before_the_first_message_leaves(ledger: Ledger, database_url: str) -> None:
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    elsewhere = Store(database_url)
    seen: list[str] = []

    async def look(message: OutboundMessage) -> Sent:
        async with elsewhere.read() as connection:
            status = await connection.scalar(
                text("SELECT status FROM delivery WHERE month = :m AND id = :id"),
                {"m": message.delivery.month, "id": message.delivery.id},
            )
        seen.append(str(status))
        return Sent("SM1")

    ledger.sms.script = look
    await ledger.send()
    assert seen == ["sending"] * 3
    assert await ledger.statuses(campaign) == ["sent"] * 3
    await elsewhere.aclose()


class _Forgetful(Store):
    """A ledger whose commits take place and then, sometimes, fail to answer."""

    forget_next = 0

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        async with super().write() as connection:
            yield connection
        if self.forget_next > 0:
            self.forget_next -= 1
            raise Unavailable("the connection was lost in mid-commit")


async def test_rule_5_a_commit_that_took_place_unanswered_is_not_repeated(database_url: str) -> None:
    store = _Forgetful(database_url)
    ledger = Ledger(store)
    await ledger.add_members(6)
    campaign = await ledger.launch_and_route()
    dispatcher = ledger.dispatcher()
    await store.take_ids(1)
    leased = await lease(ledger)
    assert leased is not None
    store.forget_next = 1
    await dispatcher._drain(leased)
    assert sorted(message.delivery.id for message in ledger.sms.handed) == [
        row.id for row in await ledger.rows(campaign)
    ]
    assert await ledger.statuses(campaign) == ["sent"] * 6
    await ledger.assert_tally_is_right(campaign)
    await store.aclose()


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ("INSERT INTO suppression (address_hash, channel, reason, at) SELECT hash, 'sms', 'stop', 0 FROM address",
         "cancelled", "suppressed"),
        ("UPDATE member SET erased_at = 1", "cancelled", "erased"),
        ("UPDATE address SET consent = 'revoked'", "cancelled", "suppressed"),
        ("UPDATE address SET state = 'dead'", "cancelled", "address_dead"),
        ("UPDATE campaign SET expires_at = 1", "expired", "expired"),
    ],
)  # fmt: skip
async def test_rule_6_the_intent_disposes_of_what_may_no_longer_be_sent(
    ledger: Ledger, change: str, status: str, reason: str
) -> None:
    [member] = await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    assert len(await ledger.slots(member)) == 1
    await ledger.execute(change)
    await ledger.send()
    assert ledger.sms.handed == []
    assert [(row.status, row.reason) for row in await ledger.rows(campaign)] == [(status, reason)]
    assert await ledger.slots(member) == []
    await ledger.assert_tally_is_right(campaign)


async def test_rule_6_cancelled_rows_are_withdrawn_and_refunded_also_those_that_wait_for_their_hour(
    ledger: Ledger,
) -> None:
    [member] = await ledger.add_members(1)
    ledger.clock.now = ledger.clock.now.replace(hour=23)
    campaign = await ledger.launch_and_route()
    await cancel_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    assert await withdraw_batch(ledger.runtime, "worker-1", now=ledger.clock())
    assert [(row.status, row.reason) for row in await ledger.rows(campaign)] == [("cancelled", "campaign_cancelled")]
    assert await ledger.slots(member) == []
    assert not await withdraw_batch(ledger.runtime, "worker-1", now=ledger.clock())


async def test_rule_6_paused_rows_stay_queued_and_go_out_after_the_pause(ledger: Ledger) -> None:
    await ledger.add_members(2)
    campaign = await ledger.launch_and_route()
    await pause_campaign(ledger.runtime, campaign, by="ana", reason="typo", now=ledger.clock())
    await ledger.send()
    assert await ledger.statuses(campaign) == ["queued"] * 2
    await resume_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    await ledger.send()
    assert await ledger.statuses(campaign) == ["sent"] * 2
