"""DESIGN.md 6, the rules of dispatch: each fails when its guard is taken away."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.channel import OutboundMessage, Sent
from router.core.content import Renderer
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, Throttled, Unavailable
from router.core.model import DeliveryRef, DeliveryStatus
from router.core.rates import ChannelRules
from router.intent import Work, write_intent
from router.launch import cancel_campaign, pause_campaign, resume_campaign
from router.letters import Claim, Writers
from router.limits import Bucket
from router.outcomes import Outcome, outcome_of
from router.stops import withdraw_batch
from router.store.batches import Batch, lease_batch, let_go
from router.store.engine import Store
from tests.support.ledger import Ledger, soon

S = DeliveryStatus


async def lease(ledger: Ledger, owner: str = "worker-1") -> Batch | None:
    return await ledger.store.transact(
        lambda connection: lease_batch(connection, ["sms"], owner=owner, now=ledger.clock())
    )


async def claim(
    ledger: Ledger, batch: Batch, wanted: int, *, previous: Claim | None = None, done: list[Outcome] | None = None
) -> Work | None:
    """One intent, as `Dispatcher` writes it."""
    [number] = await ledger.store.take_ids(1)
    work = Work(
        claim=Claim(id=number, batch=batch, started=time.monotonic()),
        previous=previous,
        done=done or [],
        wanted=wanted,
        now=ledger.clock(),
    )
    return work if await write_intent(ledger.runtime, Writers(ledger.runtime), work) else None


async def lease_and_claim(ledger: Ledger, wanted: int = 10) -> tuple[Batch, Work]:
    batch = await lease(ledger)
    assert batch is not None
    work = await claim(ledger, batch, wanted)
    assert work is not None
    return batch, work


async def expire_lease(ledger: Ledger, batch: Batch) -> None:
    await ledger.execute("UPDATE batch SET leased_until = 1 WHERE id = :id", id=batch.id)


def results(ledger: Ledger, work: Work, *outcomes: Any) -> list[Outcome]:
    policy = ledger.runtime.policy.retry
    return [outcome_of(letter, one, ledger.clock(), policy) for letter, one in zip(work.letters, outcomes, strict=True)]


async def record(ledger: Ledger, work: Work, *outcomes: Any) -> None:
    """Record outcomes of a claim, whoever leases the batch now."""
    await claim(ledger, work.claim.batch, 0, previous=work.claim, done=results(ledger, work, *outcomes))


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


# ── outcomes ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_rule_7_an_outcome_of_another_claim_changes_nothing(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    _, work = await lease_and_claim(ledger)
    await ledger.execute("UPDATE delivery SET claim_id = 999999999")
    await record(ledger, work, Sent("SM1"))
    assert await ledger.statuses(campaign) == ["sending"]


@pytest.mark.parametrize(
    ("status", "result", "becomes"),
    [
        ("sending", Sent("SM1"), "sent"),
        ("unknown", Sent("SM1"), "sent"),
        ("delivered", Sent("SM1"), "delivered"),
        ("failed", Sent("SM1"), "failed"),
        ("sending", OutcomeUnknown(), "unknown"),
        ("unknown", OutcomeUnknown(), "unknown"),
        ("sent", OutcomeUnknown(), "sent"),
        ("delivered", OutcomeUnknown(), "delivered"),
        ("sending", Refused(FailureClass.CONTENT, "30007"), "failed"),
        ("unknown", Refused(FailureClass.CONTENT, "30007"), "failed"),
        ("delivered", Refused(FailureClass.CONTENT, "30007"), "delivered"),
        ("sending", NotSent(FailureClass.TRANSPORT), "queued"),
        ("unknown", NotSent(FailureClass.TRANSPORT), "queued"),
        ("delivered", NotSent(FailureClass.TRANSPORT), "delivered"),
    ],
)
async def test_rule_7_what_an_outcome_may_overwrite(ledger: Ledger, status: str, result: Any, becomes: str) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    _, work = await lease_and_claim(ledger)
    await ledger.execute("UPDATE delivery SET status = :status", status=status)
    await record(ledger, work, result)
    assert await ledger.statuses(campaign) == [becomes]


async def test_rule_8_no_send_starts_after_its_window_and_the_rest_is_sent_later_once(ledger: Ledger) -> None:
    await ledger.add_members(12)
    campaign = await ledger.launch_and_route()
    dispatcher = ledger.dispatcher(requests=2)
    dispatcher._pace = 12
    dispatcher.hands.start_within = 0.3

    async def slow(message: OutboundMessage) -> Sent:
        await asyncio.sleep(0.1)
        return Sent("SM1")

    ledger.sms.script = slow
    await dispatcher.send_one_batch()
    assert await ledger.statuses(campaign) == ["sent"] * 12
    assert len({message.delivery for message in ledger.sms.handed}) == len(ledger.sms.handed) == 12
    rows = await ledger.rows(campaign)
    assert len({row.claim_id for row in rows}) > 1, "one claim may not send for longer than its window"
    attempts = [row.attempts for row in rows]
    assert attempts == [1] * 12, "what was not tried burns no attempt"


async def test_rule_9_takeover_makes_rows_in_flight_unknown_and_never_sends_them(ledger: Ledger) -> None:
    [member, _] = await ledger.add_members(2)
    campaign = await ledger.launch_and_route()
    batch, _ = await lease_and_claim(ledger, wanted=1)
    await expire_lease(ledger, batch)
    await ledger.send(owner="worker-2")
    assert await ledger.statuses(campaign) == ["unknown", "sent"]
    assert len(ledger.sms.handed) == 1
    assert len(await ledger.slots(member)) == 1, "an unknown outcome keeps its slot (rule 15)"
    await ledger.assert_tally_is_right(campaign)


async def test_rule_9_the_dead_worker_that_was_only_slow_may_still_settle_its_rows(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    batch, work = await lease_and_claim(ledger)
    await expire_lease(ledger, batch)
    await ledger.send(owner="worker-2")
    assert await ledger.statuses(campaign) == ["unknown"]
    await record(ledger, work, Sent("SM7"))
    assert await ledger.statuses(campaign) == ["sent"]
    [attempt] = await ledger.execute("SELECT outcome, provider_id FROM attempt")
    assert tuple(attempt) == ("sent", "SM7")


async def test_rule_10_not_sent_is_the_way_back_and_reopens_the_batch(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    batch, work = await lease_and_claim(ledger)
    await expire_lease(ledger, batch)
    await ledger.send(owner="worker-2")  # takes over, finds nothing to send, closes the batch
    assert await ledger.execute("SELECT open FROM batch") == [(False,)]
    await record(ledger, work, NotSent(FailureClass.TRANSPORT))
    [row] = await ledger.rows(campaign)
    assert (row.status, row.claim_id) == ("queued", None)
    ledger.clock.advance(minutes=1)
    await ledger.send(owner="worker-3")
    assert await ledger.statuses(campaign) == ["sent"]


async def test_rule_10_a_stop_that_came_meanwhile_cancels_it(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    _, work = await lease_and_claim(ledger)
    await ledger.execute(
        "INSERT INTO suppression (address_hash, channel, reason, at) SELECT hash, 'sms', 'stop', 0 FROM address"
    )
    await record(ledger, work, NotSent(FailureClass.TRANSPORT))
    await ledger.execute("UPDATE batch SET owner = NULL, leased_until = 0")
    ledger.clock.advance(minutes=1)
    await ledger.send(owner="worker-2")
    assert ledger.sms.handed == []
    assert [(row.status, row.reason) for row in await ledger.rows(campaign)] == [("cancelled", "suppressed")]
    assert await ledger.slots(member) == []


@pytest.mark.parametrize("status", ["queued", "sending"])
async def test_rule_11_a_batch_with_work_left_does_not_close(ledger: Ledger, status: str) -> None:
    await ledger.add_members(1)
    await ledger.launch_and_route()
    batch = await lease(ledger)
    assert batch is not None
    await ledger.execute("UPDATE delivery SET status = :status", status=status)
    assert not await ledger.store.transact(lambda connection: let_go(connection, batch))
    await ledger.execute("UPDATE delivery SET status = 'sent'")
    again = await lease(ledger)
    assert again is not None
    assert await ledger.store.transact(lambda connection: let_go(connection, again))


async def test_a_connect_error_is_tried_again_with_growing_waits_and_then_falls_back(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    campaign = await ledger.launch_and_route()

    async def refuse(message: OutboundMessage) -> Sent:
        raise NotSent(FailureClass.TRANSPORT, "connect")

    ledger.sms.script = refuse
    for _ in range(6):
        await ledger.send()
        ledger.clock.advance(minutes=6)
    await ledger.send("email")
    assert len(ledger.sms.handed) == 6
    assert [(row.channel, row.status, row.hop) for row in await ledger.rows(campaign)] == [
        ("sms", "failed", 0),
        ("email", "sent", 1),
    ]
    assert len(await ledger.slots(member)) == 1
    await ledger.assert_tally_is_right(campaign)


async def test_throttling_pauses_the_bucket_and_burns_no_attempt(ledger: Ledger) -> None:
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()

    async def throttle(message: OutboundMessage) -> Sent:
        raise Throttled("20429", retry_after=60)

    ledger.sms.script = throttle
    await ledger.dispatcher(requests=1).send_one_batch()
    assert len(ledger.sms.handed) == 1, "the others were spared"
    assert {(row.status, row.attempts) for row in await ledger.rows(campaign)} == {("queued", 0)}
    assert ledger.runtime.limits.is_paused("sms/main")


async def test_a_dead_address_is_buried_and_the_ask_falls_back_at_once(ledger: Ledger) -> None:
    await ledger.add_members(1, channels=("sms", "email"))
    campaign = await ledger.launch_and_route()

    async def dead(message: OutboundMessage) -> Sent:
        raise Refused(FailureClass.ADDRESS_DEAD, "21211")

    ledger.sms.script = dead
    await ledger.send()
    await ledger.send("email")
    assert [(row.channel, row.status) for row in await ledger.rows(campaign)] == [("sms", "failed"), ("email", "sent")]
    assert await ledger.execute("SELECT channel, state FROM address ORDER BY channel") == [
        ("email", "active"),
        ("sms", "dead"),
    ]


async def test_an_opt_out_told_by_the_provider_suppresses_and_never_falls_back(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    campaign = await ledger.launch_and_route()
    other = await ledger.launch_and_route()

    async def stopped(message: OutboundMessage) -> Sent:
        raise Refused(FailureClass.OPT_OUT, "21610")

    ledger.sms.script = stopped
    await ledger.dispatcher().send_one_batch()
    assert [(row.status, row.reason) for row in await ledger.rows(campaign)] == [("failed", "suppressed")]
    assert [(row.status, row.reason) for row in await ledger.rows(other)] == [("cancelled", "suppressed")]
    assert await ledger.slots(member) == []
    assert ("sms",) in await ledger.execute("SELECT channel FROM suppression")


async def test_an_unknown_outcome_never_falls_back_and_is_never_tried_again(ledger: Ledger) -> None:
    await ledger.add_members(1, channels=("sms", "email"))
    campaign = await ledger.launch_and_route()

    async def vanish(message: OutboundMessage) -> Sent:
        raise OutcomeUnknown("timeout")

    ledger.sms.script = vanish
    await ledger.send()
    ledger.clock.advance(hours=30)
    await ledger.send()
    await ledger.send("email")
    assert [(row.channel, row.status) for row in await ledger.rows(campaign)] == [("sms", "unknown")]
    assert len(ledger.sms.handed) == 1
    assert ledger.email.handed == []


async def test_a_bug_in_an_adapter_is_an_unknown_outcome_and_the_rest_goes_on(ledger: Ledger) -> None:
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    first = (await ledger.rows(campaign))[0].id

    async def stumble(message: OutboundMessage) -> Sent:
        if message.delivery.id == first:
            raise ZeroDivisionError
        return Sent("SM1")

    ledger.sms.script = stumble
    await ledger.send()
    assert sorted(await ledger.statuses(campaign)) == ["sent", "sent", "unknown"]


async def test_words_that_fail_for_one_member_are_that_members_failure_only(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    first = (await ledger.rows(campaign))[0].member_id
    render = Renderer.render

    def stumble(self: Renderer, member: Any, *more: Any, **options: Any) -> Any:
        if member.id == first:
            raise ZeroDivisionError
        return render(self, member, *more, **options)

    monkeypatch.setattr(Renderer, "render", stumble)
    await ledger.send()
    assert [(row.status, row.reason) for row in await ledger.rows(campaign)] == [
        ("failed", "content"),
        ("sent", None),
        ("sent", None),
    ]


async def test_a_message_may_be_held_by_the_provider_no_longer_than_it_is_of_use(ledger: Ledger) -> None:
    await ledger.add_members(1)
    deadline = ledger.clock() + timedelta(minutes=20)
    await ledger.launch_and_route(deadline=deadline)
    await ledger.send()
    [message] = ledger.sms.handed
    assert message.valid_seconds == 20 * 60
    ledger.clock.now = ledger.clock.now.replace(day=23, hour=18, minute=30)  # 19:30 in Paris; its window ends at 20:00
    await ledger.launch_and_route()
    await ledger.send()
    assert ledger.sms.handed[-1].valid_seconds == 30 * 60


async def test_replies_leave_before_urgent_asks_and_those_before_the_rest(ledger: Ledger) -> None:
    await ledger.add_members(1)
    normal = await ledger.launch_and_route()
    urgent = await ledger.launch_and_route(urgent=True)
    await ledger.send()
    assert [message.delivery.id for message in ledger.sms.handed] == [
        (await ledger.rows(urgent))[0].id,
        (await ledger.rows(normal))[0].id,
    ]


async def test_rule_20_intents_are_durable_commits(ledger: Ledger) -> None:
    if ledger.store.is_sqlite:
        assert await ledger.execute("PRAGMA synchronous") == [(2,)]
    else:
        assert await ledger.execute("SHOW synchronous_commit") == [("on",)]


async def test_a_delivery_is_known_by_its_reference_outside(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    [row] = await ledger.rows(campaign)
    assert ledger.sms.handed[0].delivery == DeliveryRef(row.month, row.id)
