"""DESIGN.md 6, the rules of receipts, replies and STOP: each fails when its guard is taken away."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from router.core.channel import Inbound, Keyword, OptOut, OutboundMessage, Receipt, Received, Sent
from router.core.delivery import FINAL, advance
from router.core.errors import FailureClass
from router.core.model import DeliveryRef, DeliveryStatus
from router.erasing import erase_member
from router.preferences import Wishes, set_preferences
from router.receipts import close_unknowns, retry_parked
from tests.support.ledger import Ledger, soon

S = DeliveryStatus


async def sent_to(ledger: Ledger, **members: Any) -> tuple[int, Any]:
    """One member to whom one ask was sent; the campaign and the delivery row."""
    await ledger.add_members(1, **members)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    [row] = await ledger.rows(campaign)
    assert row.status == "sent"
    return campaign, row


def ref(row: Any) -> DeliveryRef:
    return DeliveryRef(row.month, row.id)


def reply(ledger: Ledger, phone: str, words: str, *, event: str = "SM9", **more: Any) -> Received:
    one = Inbound(event_id=event, sender=phone, recipient="+12025550100", text=words, at=ledger.clock(), **more)
    return Received(events=(one,))


async def phone_of(ledger: Ledger, member_id: int) -> str:
    [(value,)] = await ledger.execute(
        "SELECT value FROM address WHERE member_id = :id AND channel = 'sms'", id=member_id
    )
    return str(value)


# ── receipts ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_rule_12_a_failure_after_acceptance_is_a_new_row_on_the_next_channel(ledger: Ledger) -> None:
    campaign, row = await sent_to(ledger, channels=("sms", "email"))
    for _ in range(2):  # the same receipt twice has one effect
        await ledger.receipt(ref(row), S.FAILED, code="30005", failure=FailureClass.ADDRESS_DEAD)
    await ledger.send("email")
    assert [(r.channel, r.status, r.hop) for r in await ledger.rows(campaign)] == [
        ("sms", "failed", 0),
        ("email", "sent", 1),
    ]
    assert [slot[2] for slot in await ledger.slots(row.member_id)] == ["email"]
    await ledger.assert_tally_is_right(campaign)


async def test_rule_12_a_phone_that_was_off_is_tried_twice_more_on_the_same_channel(ledger: Ledger) -> None:
    campaign, row = await sent_to(ledger, channels=("sms", "email"))
    failed = {"code": "30003", "failure": FailureClass.RECIPIENT_TRANSIENT}
    await ledger.receipt(ref(row), S.FAILED, **failed)
    await ledger.send()
    assert len(ledger.sms.handed) == 1, "not before half an hour is over"
    ledger.clock.advance(minutes=31)
    await ledger.send()
    await ledger.receipt(ref((await ledger.rows(campaign))[1]), S.FAILED, **failed)
    ledger.clock.now += timedelta(hours=15)  # the four hours end in the night; at nine it is tried again
    await ledger.send()
    await ledger.receipt(ref((await ledger.rows(campaign))[2]), S.FAILED, **failed)
    await ledger.send("email")
    assert [(r.channel, r.status) for r in await ledger.rows(campaign)] == [
        ("sms", "failed"),
        ("sms", "failed"),
        ("sms", "failed"),
        ("email", "sent"),
    ]


async def test_rule_12_the_next_hop_asks_for_consent_again(ledger: Ledger) -> None:
    campaign, row = await sent_to(ledger, channels=("sms", "email"))
    await ledger.execute("UPDATE address SET consent = 'revoked' WHERE channel = 'email'")
    await ledger.receipt(ref(row), S.FAILED, code="30005", failure=FailureClass.ADDRESS_DEAD)
    assert [(r.channel, r.status) for r in await ledger.rows(campaign)] == [("sms", "failed")]
    assert await ledger.slots(row.member_id) == []


async def test_rule_12_a_finished_campaign_runs_again_for_its_next_hop(ledger: Ledger) -> None:
    campaign, row = await sent_to(ledger, channels=("sms", "email"))
    await ledger.finish()
    assert await ledger.execute("SELECT status FROM campaign WHERE id = :id", id=campaign) == [("finished",)]
    await ledger.receipt(ref(row), S.FAILED, code="30005", failure=FailureClass.ADDRESS_DEAD)
    await ledger.send("email")
    assert len(ledger.email.handed) == 1


async def test_rule_13_a_receipt_that_comes_before_its_outcome_finds_its_row(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()

    async def receipt_first(message: OutboundMessage) -> Sent:
        await ledger.receipt(message.delivery, S.DELIVERED)
        return Sent("SM1")

    ledger.sms.script = receipt_first
    await ledger.send()
    assert await ledger.statuses(campaign) == ["delivered"], "the outcome must not overwrite the receipt"
    await ledger.assert_tally_is_right(campaign)


async def test_rule_13_a_nameless_receipt_is_parked_and_matched_by_a_later_sweep(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    early = Receipt(event_id="e1", status=S.DELIVERED, at=ledger.clock(), provider_id="SM-early")
    await ledger.submit(Received(events=(early,)))
    assert await retry_parked(ledger.runtime, now=ledger.clock()) == 0

    async def named(message: OutboundMessage) -> Sent:
        return Sent("SM-early")

    ledger.sms.script = named
    await ledger.send()
    assert await retry_parked(ledger.runtime, now=ledger.clock()) == 1
    assert await ledger.statuses(campaign) == ["delivered"]
    assert await retry_parked(ledger.runtime, now=ledger.clock()) == 0


FORWARD = {
    (S.SENDING, S.SENT), (S.SENDING, S.DELIVERED), (S.SENDING, S.READ), (S.SENDING, S.FAILED),
    (S.UNKNOWN, S.SENT), (S.UNKNOWN, S.DELIVERED), (S.UNKNOWN, S.READ), (S.UNKNOWN, S.FAILED),
    (S.SENT, S.DELIVERED), (S.SENT, S.READ), (S.SENT, S.FAILED),
    (S.DELIVERED, S.READ),
}  # fmt: skip
"""Every move that a receipt may make: (standing, said)."""


async def test_rule_14_receipts_move_a_status_forward_only(ledger: Ledger) -> None:
    """Every standing status meets every receipt; what may not move stays, and the receipt is kept as evidence."""
    cases = [(standing, said) for standing in S for said in (S.SENT, S.DELIVERED, S.READ, S.FAILED)]
    await ledger.add_members(len(cases))
    campaign = await ledger.launch_and_route()
    rows = await ledger.rows(campaign)
    for row, (standing, _) in zip(rows, cases, strict=True):
        await ledger.execute("UPDATE delivery SET status = :s WHERE id = :id", s=standing.value, id=row.id)
    await ledger.execute("DELETE FROM tally")
    await ledger.execute(
        "INSERT INTO tally SELECT campaign_id, channel, status, '', count(*) FROM delivery GROUP BY 1, 2, 3"
    )
    events = tuple(
        Receipt(event_id=f"e{row.id}", status=said, at=ledger.clock(), delivery=ref(row), failure=FailureClass.CONTENT)
        for row, (_, said) in zip(rows, cases, strict=True)
    )
    await ledger.submit(Received(events=events))
    for row, (standing, said) in zip(await ledger.rows(campaign), cases, strict=True):
        assert row.status == (said if (standing, said) in FORWARD else standing), f"{standing} told {said}"
    assert await ledger.execute("SELECT count(*) FROM receipt") == [(len(cases),)]
    await ledger.assert_tally_is_right(campaign)


@given(st.lists(st.sampled_from([S.SENT, S.DELIVERED, S.READ, S.FAILED]), max_size=8))
def test_rule_14_no_order_of_receipts_ever_leads_back(said: list[S]) -> None:
    order = [S.SENDING, S.UNKNOWN, S.SENT, S.DELIVERED, S.READ]
    standing = S.SENDING
    for one in said:
        moved = advance(standing, one)
        if moved is None:
            continue
        assert standing is not S.FAILED, "failed is the end"
        assert moved is S.FAILED or order.index(moved) > order.index(standing)
        assert not (moved is S.FAILED and standing in FINAL)
        standing = moved


async def test_rule_15_a_slot_is_given_back_once(ledger: Ledger) -> None:
    _, row = await sent_to(ledger)
    assert len(await ledger.slots(row.member_id)) == 1
    for number in range(3):
        failed = {"code": "30007", "failure": FailureClass.CONTENT, "event_id": f"e{number}"}
        await ledger.receipt(ref(row), S.FAILED, **failed)
    assert await ledger.slots(row.member_id) == []
    again = await ledger.launch_and_route()
    assert await ledger.statuses(again) == ["queued"]
    assert len(await ledger.slots(row.member_id)) == 1


async def test_rule_17_an_unknown_outcome_is_final_at_the_horizon_still_spent_and_may_yet_be_settled(
    ledger: Ledger,
) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()

    async def vanish(message: OutboundMessage) -> Sent:
        raise ZeroDivisionError  # an adapter's bug is an unknown outcome

    ledger.sms.script = vanish
    await ledger.send()
    assert await close_unknowns(ledger.runtime, now=ledger.clock()) == 0
    ledger.clock.advance(hours=49)
    assert await close_unknowns(ledger.runtime, now=ledger.clock()) == 1
    [row] = await ledger.rows(campaign)
    assert (row.status, row.reason) == ("unknown", "unsettled")
    assert len(await ledger.slots(row.member_id)) == 1
    await ledger.receipt(ref(row), S.DELIVERED)
    assert [(r.status, r.reason) for r in await ledger.rows(campaign)] == [("delivered", None)]
    await ledger.assert_tally_is_right(campaign)


async def test_the_same_receipts_in_one_group_have_one_effect(ledger: Ledger) -> None:
    campaign, row = await sent_to(ledger)
    events = tuple(
        Receipt(event_id=f"e{status.value}", status=status, at=ledger.clock(), delivery=ref(row))
        for status in (S.READ, S.DELIVERED, S.SENT, S.READ, S.DELIVERED)
    )
    await ledger.submit(Received(events=events))
    assert await ledger.statuses(campaign) == ["read"]
    await ledger.assert_tally_is_right(campaign)


async def test_a_receipt_for_a_stranger_changes_nothing(ledger: Ledger) -> None:
    campaign, row = await sent_to(ledger)
    await ledger.receipt(DeliveryRef(row.month, row.id + 1_000_000), S.DELIVERED)
    await ledger.receipt(DeliveryRef(190001, row.id), S.FAILED)
    assert await ledger.statuses(campaign) == ["sent"]


# ── STOP ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_rule_18_stop_cancels_and_refunds_what_is_queued(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    await ledger.submit(reply(ledger, await phone_of(ledger, member), "Stop!", provider_answers=True))
    assert [(row.status, row.reason) for row in await ledger.rows(campaign)] == [("cancelled", "suppressed")]
    assert await ledger.slots(member) == []
    later = await ledger.launch_and_route()
    assert [(row.status, row.reason) for row in await ledger.rows(later)] == [("held", "suppressed")]
    await ledger.send()
    assert ledger.sms.handed == []


async def test_rule_18_the_200_waits_until_what_is_in_flight_has_left(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    await ledger.launch_and_route()
    let_it_end = asyncio.Event()

    async def slow(message: OutboundMessage) -> Sent:
        await let_it_end.wait()
        return Sent("SM1")

    ledger.sms.script = slow
    sending = asyncio.create_task(ledger.send())
    await soon(lambda: bool(ledger.sms.handed))
    phone = await phone_of(ledger, member)
    stop = asyncio.create_task(ledger.submit(reply(ledger, phone, "STOP", provider_answers=True)))
    await asyncio.sleep(0.6)
    assert not stop.done(), "a message to that phone is still in the air"
    let_it_end.set()
    await asyncio.gather(sending, stop)


@pytest.mark.parametrize("wish", ["no more by text message", "erased"])
async def test_rule_18_a_wish_on_ones_own_page_waits_like_a_stop(ledger: Ledger, wish: str) -> None:
    started, let_it_end = asyncio.Event(), asyncio.Event()

    async def slowly(message: OutboundMessage) -> Sent:
        started.set()
        await let_it_end.wait()
        return Sent("SM1")

    [member] = await ledger.add_members(1)
    await ledger.launch_and_route()
    ledger.sms.script = slowly
    sending = asyncio.create_task(ledger.send())
    await started.wait()
    now = ledger.clock()
    if wish == "erased":
        done = asyncio.ensure_future(erase_member(ledger.runtime, member, by="member's page", now=now))
    else:
        no = Wishes(channels={"sms": False}, source="page")
        done = asyncio.ensure_future(set_preferences(ledger.runtime, member, no, by="member's page", now=now))
    await asyncio.sleep(0.6)
    assert not done.done(), "a message to that phone is still in the air"
    let_it_end.set()
    await asyncio.gather(sending, done)


async def test_rule_18_but_no_longer_than_its_send_window(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = replace(ledger.sms.spec, answer_within=1.6)
    monkeypatch.setitem(ledger.runtime.specs, "sms", hasty)
    [member] = await ledger.add_members(1)
    await ledger.launch_and_route()
    await ledger.execute("UPDATE delivery SET status = 'sending'")  # a worker that died
    began = time.monotonic()
    await ledger.submit(reply(ledger, await phone_of(ledger, member), "STOP", provider_answers=True))
    assert hasty.start_within <= time.monotonic() - began < 3


async def test_rule_18_after_the_200_no_send_starts_to_that_address(ledger: Ledger) -> None:
    members = await ledger.add_members(30)
    await ledger.launch_and_route()
    phones = [await phone_of(ledger, member) for member in members]
    stopped_at: dict[str, float] = {}
    started_at: dict[str, float] = {}

    async def slow(message: OutboundMessage) -> Sent:
        started_at[message.to] = time.monotonic()
        await asyncio.sleep(0.05)
        return Sent("SM1")

    ledger.sms.script = slow
    async with ledger.receiver.running():

        async def stop(phone: str, place: int) -> None:
            await asyncio.sleep(0.02 * place)
            received = reply(ledger, phone, "STOP", event=f"SM{place}", provider_answers=True)
            await ledger.receiver.submit("sms", "main", received, ledger.clock())
            stopped_at[phone] = time.monotonic()

        await asyncio.gather(
            ledger.send(requests=1), *(stop(phone, place) for place, phone in enumerate(reversed(phones)))
        )
    late = [phone for phone in phones if phone in started_at and started_at[phone] > stopped_at[phone]]
    assert late == []
    assert len(started_at) < 30, "some STOPs must have come in time"


async def test_stop_from_a_stranger_is_kept_too(ledger: Ledger) -> None:
    await ledger.submit(reply(ledger, "+33639989999", "ARRET", provider_answers=True))
    assert len(await ledger.execute("SELECT 1 FROM suppression WHERE channel = 'sms'")) == 1
    await ledger.add_members(1, phone="+33639989999")
    campaign = await ledger.launch_and_route()
    assert [(row.status, row.reason) for row in await ledger.rows(campaign)] == [("held", "suppressed")]


async def test_the_same_stop_twice_is_one_stop_and_one_answer(ledger: Ledger) -> None:
    _, row = await sent_to(ledger)
    phone = await phone_of(ledger, row.member_id)
    for _ in range(3):
        await ledger.submit(reply(ledger, phone, "STOP", event="SM-same"))
    await ledger.send()
    assert len(ledger.sms.handed) == 2
    assert "unsubscribed" in ledger.sms.handed[-1].text
    assert await ledger.execute("SELECT count(*) FROM inbound") == [(1,)]
    assert len(await ledger.execute("SELECT 1 FROM consent WHERE state = 'revoked'")) == 1


@pytest.mark.parametrize(
    ("words", "in_answer"), [("STOP", "unsubscribed"), ("HELP", "help"), ("START", "welcome back")]
)
async def test_we_answer_only_where_the_provider_does_not(ledger: Ledger, words: str, in_answer: str) -> None:
    _, row = await sent_to(ledger)
    phone = await phone_of(ledger, row.member_id)
    await ledger.submit(reply(ledger, phone, words, event="SM-a", provider_answers=True))
    await ledger.send()
    assert len(ledger.sms.handed) == 1
    await ledger.submit(reply(ledger, phone, words, event="SM-b"))
    await ledger.send()
    assert len(ledger.sms.handed) == 2
    assert in_answer in ledger.sms.handed[-1].text


async def test_an_answer_that_is_late_is_not_given(ledger: Ledger) -> None:
    _, row = await sent_to(ledger)
    await ledger.submit(reply(ledger, await phone_of(ledger, row.member_id), "HELP"))
    ledger.clock.advance(minutes=6)
    await ledger.send()
    assert len(ledger.sms.handed) == 1


async def test_start_brings_somebody_back(ledger: Ledger) -> None:
    _, row = await sent_to(ledger)
    phone = await phone_of(ledger, row.member_id)
    await ledger.submit(reply(ledger, phone, "STOP", event="SM-1", provider_answers=True))
    await ledger.submit(reply(ledger, phone, "START", event="SM-2", provider_answers=True))
    again = await ledger.launch_and_route()
    await ledger.send()
    assert await ledger.statuses(again) == ["sent"]
    states = await ledger.execute("SELECT state FROM consent ORDER BY id")
    assert states == [("revoked",), ("granted",)]


async def test_what_the_provider_understood_counts_more_than_the_words(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    received = reply(ledger, await phone_of(ledger, member), "no thanks", keyword=Keyword.STOP, provider_answers=True)
    await ledger.submit(received)
    assert len(await ledger.execute("SELECT 1 FROM suppression WHERE channel = 'sms'")) == 1


async def test_a_complaint_and_a_one_click_unsubscribe_silence_the_mailbox(ledger: Ledger) -> None:
    first, second = await ledger.add_members(2, channels=("email",))
    campaign = await ledger.launch_and_route()
    await ledger.send("email")
    mailbox = f"member{first}@example.org"
    complaint = OptOut(event_id="c1", address=mailbox, at=ledger.clock(), complaint=True)
    await ledger.submit(Received(events=(complaint,)), channel="email")
    row = next(row for row in await ledger.rows(campaign) if row.member_id == second)
    async with ledger.receiver.running():
        assert await ledger.receiver.unsubscribe(ref(row), ledger.clock()) == "email"
        assert await ledger.receiver.unsubscribe(DeliveryRef(row.month, 1), ledger.clock()) is None
    later = await ledger.launch_and_route()
    assert {(row.status, row.reason) for row in await ledger.rows(later)} == {("held", "suppressed")}
    reasons = await ledger.execute("SELECT reason FROM suppression ORDER BY reason")
    assert reasons == [("complaint",), ("unsubscribe",)]


async def test_a_yes_is_an_action_on_the_last_ask(ledger: Ledger) -> None:
    campaign, row = await sent_to(ledger)
    for _ in range(2):
        await ledger.submit(reply(ledger, await phone_of(ledger, row.member_id), "Yes", event="SM-y"))
    assert await ledger.execute("SELECT member_id, campaign_id, kind FROM action") == [(row.member_id, campaign, "yes")]


async def test_many_webhooks_join_few_transactions_and_all_are_durable(ledger: Ledger) -> None:
    members = await ledger.add_members(40)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    rows = await ledger.rows(campaign)
    async with ledger.receiver.running():
        await asyncio.gather(
            *(
                ledger.receiver.submit(
                    "sms",
                    "main",
                    Received(
                        events=(
                            Receipt(event_id=f"e{row.id}", status=S.DELIVERED, at=ledger.clock(), delivery=ref(row)),
                        )
                    ),
                    ledger.clock(),
                )
                for row in rows
            )
        )
        async with ledger.store.read() as connection:
            done = await connection.scalar(text("SELECT count(*) FROM delivery WHERE status = 'delivered'"))
    assert done == len(members)


async def test_the_answers_of_one_group_leave_in_one_batch_for_each_way(ledger: Ledger) -> None:
    people = await ledger.add_members(6, channels=("sms", "email"))
    values = {(one.member_id, one.channel): one.value for one in await ledger.execute("SELECT * FROM address")}
    by_turns = list(zip(people, ("sms", "email") * 3, strict=True))

    async def asks_for_help(person: int, channel: str) -> None:
        event = Inbound(event_id=f"{channel}-{person}", sender=values[person, channel], recipient="", text="WHY",
                        at=ledger.clock())  # fmt: skip
        await ledger.receiver.submit(channel, "main", Received(events=(event,)), ledger.clock())

    async with ledger.receiver.running():
        await asyncio.gather(*(asks_for_help(person, channel) for person, channel in by_turns))
    batches = await ledger.execute("SELECT channel, first_id, last_id FROM batch ORDER BY first_id")
    assert sorted(one.channel for one in batches) == ["email", "sms"]
    assert all(before.last_id < after.first_id for before, after in pairwise(batches))
    for channel in ("sms", "email"):
        await ledger.send(channel)
    answered = await ledger.execute("SELECT member_id, channel, status FROM delivery")
    assert sorted((one.member_id, one.channel, one.status) for one in answered) == sorted(
        (person, channel, "sent") for person, channel in by_turns
    )


# ── what receipts teach about addresses ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("since", "left"), [(-1, 0), (1, 2)], ids=["failed before", "failed after"])
async def test_what_was_delivered_ends_a_row_of_failures(ledger: Ledger, since: int, left: int) -> None:
    """Whoever has the number, and only where something had failed before; the others' rows are not written."""
    _, row = await sent_to(ledger)
    phone = await phone_of(ledger, row.member_id)
    await ledger.add_members(1, phone=phone)
    at = int((ledger.clock() + timedelta(hours=since)).timestamp() * 1000)
    await ledger.execute("UPDATE address SET failures = 2, failing_since = :at", at=at)
    await ledger.receipt(ref(row), S.DELIVERED)
    found = await ledger.execute("SELECT failures, failing_since FROM address")
    assert [tuple(one) for one in found] == [(left, at if left else None)] * 2
