"""Why somebody got a message or did not, from the ledger to the sentence; and where they answer, counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from router.actions import follow_link
from router.core.channel import Inbound, Received
from router.core.errors import BadInput, FailureClass, NotFound
from router.core.model import DeliveryRef, DeliveryStatus
from router.launch import cancel_campaign, pause_campaign
from router.why import Why, find_member, why
from tests.support.ledger import Ledger
from tests.support.movement import DINNER, everywhere
from tests.support.settling import settle, working

S = DeliveryStatus


async def explain(ledger: Ledger, member: int, campaign: int) -> Why:
    return await why(ledger.runtime, member, campaign, now=ledger.clock())


def ref(row: Any) -> DeliveryRef:
    return DeliveryRef(row.month, row.id)


async def addresses(ledger: Ledger, member: int) -> dict[str, Any]:
    rows = await ledger.execute("SELECT * FROM address WHERE member_id = :id", id=member)
    return {row.channel: row for row in rows}


# ── why ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_why_it_came(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    campaign = await ledger.launch_and_route()
    waiting = await explain(ledger, member, campaign)
    assert waiting.outcome == "queued"
    assert "It is to come to you by sms soon." in waiting.for_member
    await ledger.send()
    [row] = await ledger.rows(campaign)
    await ledger.receipt(ref(row), S.DELIVERED)
    told = await explain(ledger, member, campaign)
    number = (await addresses(ledger, member))["sms"].id
    assert told.for_organizers == [
        "Decided at 2026-11-20 18:00 UTC.",
        f"sms (address {number}) came first: the member likes that channel best.",
        f"sms (address {number}) was chosen, to leave at once.",
        "2026-11-20 18:00 UTC: Handed to the provider by main: the provider took it.",
        "2026-11-20 18:00 UTC: The provider reported it as delivered.",
        "It was delivered by sms at 2026-11-20 18:00 UTC.",
        "The contact budget held no other ask at that moment.",
    ]
    assert told.for_member == [
        "It reached you by sms at 2026-11-20 18:00 UTC.",
        "We chose sms because you like that channel best.",
        "By then you had heard from us 0 times in 7 days, counting what was on its way to you.",
    ]
    [hop] = told.hops
    assert [(one.channel, one.verdict, one.waits) for one in hop.candidates] == [("sms", "chosen", [])]
    assert [(event.what, event.outcome) for event in hop.events] == [("attempt", "sent"), ("receipt", "delivered")]


async def test_why_the_contact_budget_held_it(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    before = []
    for title in ("Lunch", "Supper", "Picnic"):
        before.append(await ledger.launch_and_route(title=title))
        ledger.clock.advance(hours=1)
    campaign = await ledger.launch_and_route()
    told = await explain(ledger, member, campaign)
    assert (told.outcome, told.hops[0].candidates[0].verdict) == ("held", "cap")
    assert [(one.campaign, one.title) for one in told.earlier] == list(
        zip(before, ("Lunch", "Supper", "Picnic"), strict=True)
    )
    assert f'2026-11-21 08:00 UTC by sms, campaign {before[1]}, "Supper"' in told.for_organizers
    assert told.for_member == [
        "You had heard from us often enough; this one was left out to spare your attention.",
        "By then you had heard from us 3 times in 7 days, counting what was on its way to you.",
    ]
    ledger.clock.advance(days=8)
    free_again = await ledger.launch_and_route()
    told = await explain(ledger, member, free_again)
    assert (
        told.for_member[-1] == "By then you had heard from us 0 times in 7 days, counting what was on its way to you."
    )
    assert len(told.earlier) == 3, "the budget sees 30 days"
    assert [one.title for one in (await explain(ledger, member, campaign)).earlier] == ["Lunch", "Supper", "Picnic"]


async def test_why_a_household_heard_less(ledger: Ledger) -> None:
    [household] = await ledger.store.take_ids(1)
    one, other = await ledger.add_members(2, household_id=household)
    await ledger.launch_and_route(title="Lunch")
    ledger.clock.advance(minutes=1)
    campaign = await ledger.launch_and_route()
    outcomes = {(await explain(ledger, member, campaign)).outcome for member in (one, other)}
    assert outcomes == {"queued", "held"}
    for member in (one, other):
        assert [ask.title for ask in (await explain(ledger, member, campaign)).earlier] == ["Lunch", "Lunch"]


async def test_why_consent_held_it(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    await ledger.execute("UPDATE address SET consent = 'none' WHERE channel = 'sms'")
    await ledger.execute("UPDATE address SET state = 'dead' WHERE channel = 'email'")
    campaign = await ledger.launch_and_route()
    told = await explain(ledger, member, campaign)
    found = await addresses(ledger, member)
    assert told.for_organizers[2:5] == [
        f"sms (address {found['sms'].id}) was left out: there is no consent to it there.",
        f"email (address {found['email'].id}) was left out: the address does not work any more.",
        "Nothing was sent: the address does not work any more.",
    ]
    assert told.for_member[0] == "Your address stopped working; tell us the new one to hear from us again."


async def test_why_it_came_by_another_channel_in_the_end(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    campaign = await ledger.launch_and_route()
    await ledger.send()
    [row] = await ledger.rows(campaign)
    await ledger.receipt(ref(row), S.FAILED, code="30005", failure=FailureClass.ADDRESS_DEAD)
    await ledger.send("email")
    told = await explain(ledger, member, campaign)
    assert [(hop.hop, hop.channel, hop.status) for hop in told.hops] == [(0, "sms", S.FAILED), (1, "email", S.SENT)]
    assert "2026-11-20 18:00 UTC: The provider reported it as failed (code 30005)." in told.for_organizers
    assert "Decided again at 2026-11-20 18:00 UTC." in told.for_organizers
    assert told.for_member[0].startswith("By sms: ")
    assert "We sent it to you by email at 2026-11-20 18:00 UTC." in told.for_member


async def test_why_it_waits_for_the_morning(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    ledger.clock.advance(hours=4)
    campaign = await ledger.launch_and_route()
    told = await explain(ledger, member, campaign)
    assert told.hops[0].candidates[0].waits == ["quiet_hours"]
    assert told.for_member[0] == "It is to come to you by sms, not before 2026-11-21 08:00 UTC."
    assert told.for_organizers[2] == "The message by sms waits until 2026-11-21 08:00 UTC."


async def test_why_a_group_got_it(database_url: str) -> None:
    async with everywhere(database_url) as movement:
        [group] = await movement.add_groups(["-1000000004711"], channel="telegram")
        async with working(movement):
            campaign = await movement.launch(**DINNER)
            await settle(movement, campaign)
        told = await why(movement.runtime, group, campaign, now=movement.clock())
        assert told.hops[0].candidates[0].channel == "telegram"
        assert told.outcome in ("sent", "delivered")


async def test_nothing_was_decided_and_the_sentence_says_why(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    draft = await ledger.launch(start=False)
    told = await explain(ledger, member, draft)
    assert told.outcome == "not_routed"
    await ledger.execute("UPDATE campaign SET starts_at = NULL, status = 'draft' WHERE id = :id", id=draft)
    assert (await explain(ledger, member, draft)).outcome == "not_launched"

    waiting = await ledger.launch()
    await pause_campaign(ledger.runtime, waiting, by="ana", reason="typo", now=ledger.clock())
    told = await explain(ledger, member, waiting)
    assert told.outcome == "not_routed"
    assert (
        f'Member {member} has not had their turn: campaign {waiting}, "Dinner", is paused (typo).'
        in told.for_organizers
    )
    await cancel_campaign(ledger.runtime, waiting, by="ana", now=ledger.clock())
    assert (await explain(ledger, member, waiting)).outcome == "not_routed"

    others = await ledger.launch_and_route(audience={"op": "members", "ids": [member + 1]})
    told = await explain(ledger, member, others)
    assert (told.outcome, told.for_member) == (
        "outside",
        ["This message was not meant for you: its organizers asked others."],
    )
    [late] = await ledger.add_members(1)
    told = await explain(ledger, late, others)
    assert (told.outcome, told.for_member) == ("outside", ["You joined after this message had gone out."])
    for number, campaign in ((10**17, others), (member, 10**17)):
        with pytest.raises(NotFound):
            await explain(ledger, number, campaign)


async def test_a_member_is_found_by_what_people_know_of_them(ledger: Ledger) -> None:
    one, other = await ledger.add_members(2, channels=("sms", "email"))
    await ledger.execute("UPDATE member SET external_id = 'VAN-7' WHERE id = :id", id=one)
    found = await addresses(ledger, one)
    for name in (str(one), "VAN-7", found["sms"].value, f" {found['email'].value.upper()} "):
        assert await find_member(ledger.runtime, name) == one
    with pytest.raises(NotFound):
        await find_member(ledger.runtime, "nobody@example.org")
    phone = (await addresses(ledger, other))["sms"]
    await ledger.execute("UPDATE address SET hash = :hash WHERE id = :id", hash=found["sms"].hash, id=phone.id)
    with pytest.raises(BadInput, match=f"{one}, {other}"):
        await find_member(ledger.runtime, found["sms"].value)


# ── where they answer ─────────────────────────────────────────────────────────────────────────────────────────────


async def answers(ledger: Ledger, member: int) -> dict[str, int]:
    return {channel: row.answers for channel, row in (await addresses(ledger, member)).items()}


async def write(ledger: Ledger, channel: str, sender: str, words: str, *, event: str, **more: Any) -> None:
    one = Inbound(event_id=event, sender=sender, recipient="+12025550100", text=words, at=ledger.clock(), **more)
    await ledger.submit(Received(events=(one,)), channel=channel)


async def test_an_answer_counts_once_where_it_was_given(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    campaign = await ledger.launch_and_route(link="https://example.org/join")
    await ledger.send()
    [row] = await ledger.rows(campaign)
    found = await addresses(ledger, member)
    for _ in range(2):  # told twice by the provider
        await write(ledger, "sms", found["sms"].value, "Yes", event="SM-1")
    assert await answers(ledger, member) == {"sms": 1, "email": 0}
    assert (await addresses(ledger, member))["sms"].answered_at is not None
    await write(ledger, "email", found["email"].value, "yes", event="M-1")
    assert await answers(ledger, member) == {"sms": 1, "email": 1}
    for event in ("SM-2", "SM-3"):  # the same button pressed twice is one answer, to the message that carried it
        await write(ledger, "sms", found["sms"].value, "NO", event=event, button=True, delivery=ref(row))
    assert await answers(ledger, member) == {"sms": 2, "email": 1}
    for _ in range(2):
        ledger.clock.advance(seconds=5)
        await follow_link(ledger.runtime, ref(row), now=ledger.clock(), prefetch=False)
    assert await answers(ledger, member) == {"sms": 3, "email": 1}
    await follow_link(ledger.runtime, ref(row), now=ledger.clock(), prefetch=True)
    await write(ledger, "sms", found["sms"].value, "who are you?", event="SM-4")
    assert await answers(ledger, member) == {"sms": 3, "email": 1}


async def test_who_said_nothing_of_channels_is_asked_where_they_answer(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    await ledger.execute("UPDATE address SET rank = 100")
    first = await ledger.launch_and_route()
    assert [row.channel for row in await ledger.rows(first)] == ["sms"], "no price here, so as they stand"
    await write(ledger, "email", (await addresses(ledger, member))["email"].value, "yes", event="M-1")
    ledger.clock.now += timedelta(hours=1)
    second = await ledger.launch_and_route()
    assert [row.channel for row in await ledger.rows(second)] == ["email"]
    told = await explain(ledger, member, second)
    assert "We chose email because you answered us there before." in told.for_member
