"""DESIGN.md 6, rules 7 to 11 and 20: outcomes. Each fails when its guard is taken away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from router.core.channel import OutboundMessage, Sent
from router.core.content import Renderer
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, Throttled
from router.core.model import DeliveryRef, DeliveryStatus
from router.store.batches import let_go
from tests.support.claims import expire_lease, lease, lease_and_claim, record
from tests.support.ledger import Ledger

S = DeliveryStatus


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
