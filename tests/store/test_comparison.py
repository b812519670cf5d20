"""Two texts and a hold-out in the ledger: who reads what, what is counted of it, and who is left out."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from channels.email.adapter import EmailChannel
from channels.sms import SmsChannel
from router.actions import follow_link, record_action
from router.comparison import Comparison, HoldOut, Texts, check_hold_out, compare
from router.core.ask import Ask
from router.core.channel import Inbound, Received
from router.core.errors import BadInput, NotAllowed, NotFound, Refused
from router.core.errors import FailureClass as Failure
from router.core.lot import is_held_out, variant_of
from router.core.model import DeliveryRef
from router.drafting import edit_campaign, save_campaign
from router.launch import approve_campaign, launch_campaign, pause_campaign
from router.plans import plan_of
from router.store.engine import Store
from tests.support.ledger import Ledger, ScriptedChannel
from tests.support.runtime import build_runtime

TWO: dict[str, Any] = {
    "texts": {"en": {"default": {"text": "Dinner?\nReply YES"}, "email": {"text": "Dear all"}}},
    "second": {"en": {"default": {"text": "Come and eat\nwith us"}}},
}


def learning(store: Store, **overrides: Any) -> Ledger:
    """A small movement that may learn from ten people and hold out a third of them."""
    policy = build_runtime(store).policy
    lowered = {
        "comparison": policy.comparison.model_copy(update={"sample": 10}),
        "hold_out": policy.hold_out.model_copy(update={"share": 0.3, "members_above": 50}),
    }
    return Ledger(store, policy=policy.model_copy(update=lowered), **overrides)


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return learning(store)


async def act(ledger: Ledger, member: int, campaign: int | None, kind: str = "signed", key: str = "") -> None:
    now = ledger.clock()
    await record_action(
        ledger.runtime, member_id=member, phone=None, email=None, kind=kind, campaign_id=campaign, at=now, now=now,
        external_id=f"{member}:{campaign}:{kind}{key}",
    )  # fmt: skip


async def look(ledger: Ledger, campaign: int) -> Comparison:
    return await compare(ledger.runtime, campaign, now=ledger.clock())


async def texts_of(ledger: Ledger, campaign: int) -> Texts:
    found = (await look(ledger, campaign)).texts
    assert found is not None
    return found


async def hold_out_of(ledger: Ledger, campaign: int) -> HoldOut:
    found = (await look(ledger, campaign)).hold_out
    assert found is not None
    return found


# ── two texts ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_wrong_second_text_is_mended_and_corrected_for_those_who_read_it(ledger: Ledger) -> None:
    await ledger.add_members(30)
    campaign = await ledger.launch_and_route(**TWO)
    await ledger.send()
    read = {row.member_id for row in await ledger.rows(campaign) if row.variant == 1}
    await pause_campaign(ledger.runtime, campaign, by="ana", reason="wrong day", now=ledger.clock())
    for second, refused in (({}, True), ({"en": {"default": {"text": "On Friday!"}}}, False)):
        better = Ask.model_validate({"title": "Dinner", **TWO, "second": second})
        with pytest.raises(BadInput, match="cannot change") if refused else contextlib.nullcontext():
            await edit_campaign(ledger.runtime, campaign, better, by="ana", now=ledger.clock())
    audience = {"op": "received", "campaign": campaign, "variant": 1}
    sorry = {"en": {"default": {"text": "On Friday, not on Thursday"}}}
    correction = await ledger.launch_and_route(
        kind="correction", about=campaign, about_versions=[1], audience=audience, texts=sorry
    )
    assert 0 < len(read) < 30
    assert {row.member_id for row in await ledger.rows(correction)} == read


async def test_half_of_the_people_read_the_second_text(ledger: Ledger) -> None:
    await ledger.add_members(60)
    campaign = await ledger.launch_and_route(**TWO)
    await ledger.send()
    key = ledger.runtime.key
    rows = {row.id: row for row in await ledger.rows(campaign)}
    assert {row.variant for row in rows.values()} == {0, 1}
    for message in ledger.sms.handed:
        row = rows[message.delivery.id]
        assert row.variant == variant_of(key, campaign, row.member_id)
        assert ("Come and eat" in message.text) == (row.variant == 1)
        assert ("Dinner?" in message.text) == (row.variant == 0)
    found = await texts_of(ledger, campaign)
    assert found.lines == ("Dinner?", "Come and eat")
    assert (found.first.acted.of, found.second.acted.of) == tuple(
        sum(row.variant == variant for row in rows.values()) for variant in (0, 1)
    )


async def test_a_further_hop_keeps_what_the_lot_gave(ledger: Ledger) -> None:
    async def refuse(message: Any) -> Any:
        raise Refused(Failure.ADDRESS_DEAD, "30006")

    await ledger.add_members(30, channels=("sms", "email"))
    ledger.sms.script = refuse
    second = {"en": {**TWO["second"]["en"], "email": {"text": "Dear you"}}}
    campaign = await ledger.launch_and_route(**{**TWO, "second": second})
    await ledger.send()
    await ledger.send("email")
    rows = await ledger.rows(campaign)
    hops = {row.id: row for row in rows if row.hop == 1}
    first = {row.member_id: row.variant for row in rows if row.hop == 0}
    assert len(ledger.email.handed) == len(hops) == 30
    for message in ledger.email.handed:
        row = hops[message.delivery.id]
        assert row.variant == first[row.member_id]
        assert ("Dear you" in message.text) == (row.variant == 1)
    found = await texts_of(ledger, campaign)
    assert found.first.acted.of + found.second.acted.of == 30, "whoever was tried twice counts once"


async def test_actions_clicks_no_and_wishes_for_silence_are_counted_apart(ledger: Ledger) -> None:
    await ledger.add_members(80)
    campaign = await ledger.launch_and_route(**TWO, link="https://example.org/dinner")
    await ledger.send()
    rows = await ledger.rows(campaign)
    first = [row for row in rows if row.variant == 0]
    second = [row for row in rows if row.variant == 1]
    ledger.clock.advance(minutes=5)
    for row in second:
        await act(ledger, row.member_id, campaign)
    await act(ledger, second[0].member_id, campaign, "came")  # somebody who does two things is one
    await act(ledger, first[0].member_id, None)  # something else than what was asked
    await act(ledger, first[1].member_id, campaign, "no")
    await follow_link(ledger.runtime, DeliveryRef(first[2].month, first[2].id), prefetch=False, now=ledger.clock())
    phones = {row.member_id: row.value for row in await ledger.execute("SELECT member_id, value FROM address")}
    for row in first[3:10]:
        phone = phones[row.member_id]
        stop = Inbound(event_id=phone, sender=phone, recipient="", text="STOP", at=ledger.clock())
        await ledger.submit(Received(events=(stop,)))
    found = await texts_of(ledger, campaign)
    told = [
        tuple(one.count for one in (of.acted, of.clicked, of.declined, of.opted_out))
        for of in (found.first, found.second)
    ]
    assert told == [(0, 1, 1, 7), (len(second), 0, 0, 0)]
    assert found.actions.low > 0 > found.opt_outs.high
    assert found.sentence.startswith("The second text against the first: more actions, 100.00 % against 0.00 %")
    assert "fewer opt-outs" in found.sentence
    assert {row.status for row in await ledger.rows(campaign)} == {"sent"}, "nothing stops or switches by it"


@pytest.mark.parametrize("template", ["", "HX" + "0" * 32])
async def test_an_approved_text_counts_only_where_both_have_one(store: Store, template: str) -> None:
    runtime = build_runtime(store, channels={"whatsapp": {"main": ScriptedChannel()}})
    first, second = {"text": "one", "template": "HX" + "1" * 32}, {"text": "two", "template": template}
    both = {"texts": {"en": {"default": first}}, "second": {"en": {"default": second}}}
    ask = Ask.model_validate({"title": "Dinner", **both})
    now = runtime.clock()
    plan = plan_of(runtime, ask, 0, earliest=now, expires_at=now + timedelta(days=1))
    assert ("whatsapp" in plan.windows) == (not template), "else only those who wrote lately can be written to"


async def test_too_few_are_no_result(ledger: Ledger) -> None:
    await ledger.add_members(4)
    campaign = await ledger.launch_and_route(**TWO)
    await ledger.send()
    found = await texts_of(ledger, campaign)
    assert found.sentence.startswith("Too few to say: ")
    assert "of at least 10 each" in found.sentence


async def test_nothing_to_compare(ledger: Ledger) -> None:
    campaign = await ledger.launch()
    with pytest.raises(NotAllowed, match=f"campaign {campaign} has one text and holds nobody out"):
        await look(ledger, campaign)
    with pytest.raises(NotFound, match="no campaign 999"):
        await look(ledger, 999)


# ── the hold-out ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_holding_people_out_takes_a_large_movement(ledger: Ledger) -> None:
    await ledger.add_members(50)
    ask = Ask.model_validate({"title": "Dinner", "texts": TWO["texts"], "hold_out": True})
    sentence = "hold_out: holding people out says nothing in a movement of 50; it needs more than 50, so take hold_out"
    with pytest.raises(BadInput, match=sentence):
        await save_campaign(ledger.runtime, ask, by="ana", now=ledger.clock())
    [last] = await ledger.add_members(1)
    await check_hold_out(ledger.runtime, ask)
    saved = await save_campaign(ledger.runtime, ask, by="ana", now=ledger.clock())
    await approve_campaign(ledger.runtime, saved.id, by="bo", now=ledger.clock())
    await ledger.execute("DELETE FROM address WHERE member_id = :id", id=last)
    await ledger.execute("DELETE FROM member WHERE id = :id", id=last)
    with pytest.raises(BadInput, match="movement of 50"):
        await launch_campaign(ledger.runtime, saved.id, by="ana", now=ledger.clock())


async def test_the_same_are_held_out_all_year_and_compared_with_those_asked(ledger: Ledger) -> None:
    members = await ledger.add_members(100)
    key = ledger.runtime.key
    left_out = {number for number in members if is_held_out(key, number, 2026, 0.3)}
    campaign = await ledger.launch_and_route(hold_out=True)
    held = {row.member_id for row in await ledger.rows(campaign) if row.reason == "held_out"}
    assert held == left_out
    await ledger.send()
    assert len(ledger.sms.handed) == 100 - len(left_out)
    assert not [slot for number in left_out for slot in await ledger.slots(number)], "who is left out spends nothing"

    ledger.clock.advance(hours=1)
    asked = sorted(set(members) - left_out)
    for number in asked[:60]:
        await act(ledger, number, campaign)
    await act(ledger, asked[0], None, "came")
    await act(ledger, asked[-1], campaign, "no")
    for number in sorted(left_out)[:3]:
        await act(ledger, number, None)
    found = await hold_out_of(ledger, campaign)
    assert (found.asked.count, found.asked.of) == (60, len(asked))
    assert (found.held_out.count, found.held_out.of) == (3, len(left_out))
    assert found.until == ledger.clock()
    assert found.change.low > 0
    assert found.sentence.startswith("The ask changed what people did: ")

    ledger.clock.advance(days=30)
    await act(ledger, sorted(left_out)[5], None)
    late = await hold_out_of(ledger, campaign)
    assert late.held_out.count == 3, "what is done a month later is not held against the ask"
    assert late.until < ledger.clock()
    again = await ledger.launch_and_route(hold_out=True)
    assert {row.member_id for row in await ledger.rows(again) if row.reason == "held_out"} == left_out

    ledger.clock.advance(days=40)
    assert ledger.clock().year == 2027
    next_year = await ledger.launch_and_route(hold_out=True)
    drawn_anew = {row.member_id for row in await ledger.rows(next_year) if row.reason == "held_out"}
    assert drawn_anew == {number for number in members if is_held_out(key, number, 2027, 0.3)} != left_out


async def test_what_becomes_of_the_message_changes_nobodys_side(ledger: Ledger) -> None:
    async def refuse(message: Any) -> Any:
        raise Refused(Failure.ADDRESS_DEAD, "30006")

    await ledger.add_members(60)
    ledger.sms.script = refuse
    campaign = await ledger.launch_and_route(hold_out=True)
    await ledger.send()
    statuses = await ledger.statuses(campaign)
    assert set(statuses) == {"held", "failed"}
    found = await hold_out_of(ledger, campaign)
    assert (found.asked.of, found.held_out.of) == (statuses.count("failed"), statuses.count("held"))
    assert (await look(ledger, campaign)).texts is None


async def test_the_chats_of_groups_are_not_held_out(store: Store) -> None:
    ledger = learning(store, specs={"sms": replace(SmsChannel.spec, groups=True), "email": EmailChannel.spec})
    members = await ledger.add_members(60)
    groups = [number for number in members if is_held_out(ledger.runtime.key, number, 2026, 0.3)][:5]
    for number in groups:
        await ledger.execute("UPDATE member SET kind = 'group' WHERE id = :id", id=number)
    campaign = await ledger.launch_and_route(hold_out=True, groups=["all"])
    found = await hold_out_of(ledger, campaign)
    assert found.asked.of + found.held_out.of == 55
    posted = {row.member_id: row.status for row in await ledger.rows(campaign) if row.member_id in groups}
    assert set(posted.values()) == {"queued"}
    assert len(posted) == 5
