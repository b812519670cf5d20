"""Threads, permission, newcomers and the dial, from the ask to the ledger: who is exempt from the budget."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from router.core.ask import Ask
from router.core.channel import Inbound, Received
from router.core.errors import BadInput
from router.core.policy import read_policy
from router.core.purse import from_ms
from router.drafting import save_campaign
from router.launch import approve_campaign, launch_campaign, start_due_campaigns
from router.settings import load_settings, load_toml
from router.store.engine import Store
from router.store.tables import to_ms
from tests.support.attention import assert_slots_are_exact, purses_of
from tests.support.ledger import Ledger

POLICY = read_policy(load_toml("policy", load_settings()))


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """An installation with the budget as shipped, at noon."""
    ledger = Ledger(store, policy=POLICY)
    ledger.clock.now = ledger.clock.now.replace(hour=12)
    return ledger


async def verdicts(ledger: Ledger, campaign: int) -> dict[int, tuple[str, str | None]]:
    """Member → (status, reason)."""
    return {row.member_id: (row.status, row.reason) for row in await ledger.rows(campaign)}


async def says(ledger: Ledger, text: str, *, sender: str = "+33639980001", number: int = 1) -> None:
    event = Inbound(event_id=f"SM-in-{number}", sender=sender, recipient="+1", text=text, at=ledger.clock())
    await ledger.submit(Received(events=(event,)))


SENT, CAPPED = ("sent", None), ("held", "cap")


async def test_who_said_yes_gets_four_follow_ups_and_others_stay_capped(ledger: Ledger) -> None:
    [eager] = await ledger.add_members(1, phone="+33639980001")
    [silent] = await ledger.add_members(1, phone="+33639980002")
    first = await ledger.launch_and_route(deadline=in_hours(ledger, 70))
    await ledger.send()
    ledger.clock.advance(minutes=5)
    await says(ledger, "YES")
    for number in range(5):
        ledger.clock.advance(minutes=5)
        follow = await ledger.launch_and_route(follows=first, deadline=in_hours(ledger, 40))
        await ledger.send()
        expected = SENT if number < 4 else CAPPED
        assert await verdicts(ledger, follow) == {eager: expected, silent: CAPPED}, number
    await assert_slots_are_exact(ledger)
    [thread] = (await purses_of(ledger))[eager].threads
    assert (thread.campaign, len(thread.deliveries)) == (first, 4)


async def test_after_the_deadline_of_what_it_follows_nobody_is_exempt(ledger: Ledger) -> None:
    [eager] = await ledger.add_members(1, phone="+33639980001")
    first = await ledger.launch_and_route(deadline=in_hours(ledger, 2))
    await ledger.send()
    await says(ledger, "YES")
    ledger.clock.advance(hours=1)
    in_time = await ledger.launch_and_route(follows=first, deadline=in_hours(ledger, 40))
    ledger.clock.advance(hours=1)
    late = await ledger.launch_and_route(follows=first, deadline=in_hours(ledger, 20))
    assert await verdicts(ledger, in_time) == {eager: ("queued", None)}
    assert await verdicts(ledger, late) == {eager: CAPPED}


async def test_a_no_or_a_click_opens_no_thread(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, phone="+33639980001")
    first = await ledger.launch_and_route(deadline=in_hours(ledger, 70), link="https://example.org/x")
    await ledger.send()
    ledger.clock.advance(minutes=5)
    await says(ledger, "NO")
    await act(ledger, member, first, "click")
    follow = await ledger.launch_and_route(follows=first, deadline=in_hours(ledger, 40))
    assert await verdicts(ledger, follow) == {member: CAPPED}
    await act(ledger, member, first, "signed")
    again = await ledger.launch_and_route(follows=first, deadline=in_hours(ledger, 40))
    assert await verdicts(ledger, again) == {member: ("queued", None)}


async def test_a_thread_ends_no_pause_and_passes_urgent_only(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, phone="+33639980001")
    first = await ledger.launch_and_route(deadline=in_hours(ledger, 70))
    await ledger.send()
    await says(ledger, "YES")
    for dial, expected in (("urgent_only", ("queued", None)), ("paused", ("held", "paused"))):
        await ledger.execute("UPDATE member SET dial = :dial", dial=dial)
        follow = await ledger.launch_and_route(follows=first)
        assert await verdicts(ledger, follow) == {member: expected}


async def test_what_does_not_exist_cannot_be_followed(ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="follows: there is no campaign 4711"):
        await ledger.launch(follows=4711)


async def test_a_follow_up_that_reached_nobody_is_not_counted(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, phone="+33639980001")
    first = await ledger.launch_and_route(deadline=in_hours(ledger, 70))
    await ledger.send()
    await says(ledger, "YES")
    for _ in range(4):
        await ledger.launch_and_route(follows=first, deadline=in_hours(ledger, 40))
    await ledger.execute("UPDATE address SET consent = 'revoked'")
    await ledger.send()
    await ledger.execute("UPDATE address SET consent = 'granted'")
    assert (await purses_of(ledger))[member].threads == ()
    await assert_slots_are_exact(ledger)
    follow = await ledger.launch_and_route(follows=first, deadline=in_hours(ledger, 40))
    assert await verdicts(ledger, follow) == {member: ("queued", None)}


def in_hours(ledger: Ledger, hours: float) -> str:
    return (ledger.clock() + timedelta(hours=hours)).isoformat()


async def act(ledger: Ledger, member: int, campaign: int, kind: str) -> None:
    await ledger.execute(
        "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at)"
        " VALUES (:id, :m, :c, :k, 'api', :x, :at)",
        id=(await ledger.store.take_ids(1))[0],
        m=member,
        c=campaign,
        k=kind,
        x=f"{member}-{campaign}-{kind}",
        at=to_ms(ledger.clock()),
    )


# ── half a year of silence ────────────────────────────────────────────────────────────────────────────────────────

LINK: dict[str, Any] = {"link": "https://example.org/x"}


async def test_after_half_a_year_of_silence_one_ask_for_permission_goes_out(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, phone="+33639980001")
    await ledger.launch_and_route(**LINK)
    await ledger.send()
    ledger.clock.advance(days=181)
    ordinary = await ledger.launch_and_route(**LINK)
    assert await verdicts(ledger, ordinary) == {member: ("held", "silent")}
    permission = await ledger.launch_and_route(asks_permission=True, **LINK)
    await ledger.send()
    assert await verdicts(ledger, permission) == {member: SENT}
    ledger.clock.advance(days=40)
    for ask in ({}, {"asks_permission": True}, {"urgent": True, "priority": 9}):
        later = await ledger.launch_and_route(**ask, **LINK)
        assert await verdicts(ledger, later) == {member: ("held", "let_go")}, ask
    await says(ledger, "YES")
    ledger.clock.advance(minutes=1)
    revived = await ledger.launch_and_route(**LINK)
    assert await verdicts(ledger, revived) == {member: ("queued", None)}


async def test_silence_counts_only_where_an_answer_could_be_seen(ledger: Ledger) -> None:
    """Without a link of ours or a button nobody would know that they answered."""
    [member] = await ledger.add_members(1)
    await ledger.launch_and_route()
    await ledger.send()
    ledger.clock.advance(days=200)
    later = await ledger.launch_and_route(**LINK)
    assert await verdicts(ledger, later) == {member: ("queued", None)}


@pytest.mark.parametrize(("channel", "expected"), [("sms", ("held", "silent")), ("email", ("queued", None))])
async def test_a_button_is_an_answer_where_people_can_write_to_us(
    ledger: Ledger, channel: str, expected: tuple[str, str | None]
) -> None:
    [member] = await ledger.add_members(1, channels=(channel,))
    buttons = [{"label": "I will come", "reply": "YES"}]
    words = {"en": {"default": {"text": "Dinner?", "buttons": buttons}}}
    await ledger.launch_and_route(texts=words)
    ledger.clock.advance(days=200)
    later = await ledger.launch_and_route(**LINK)
    assert await verdicts(ledger, later) == {member: expected}


# ── who joined lately ─────────────────────────────────────────────────────────────────────────────────────────────


async def launch_saved(ledger: Ledger, saved: int) -> None:
    await approve_campaign(ledger.runtime, saved, by="bo", now=ledger.clock())
    await launch_campaign(ledger.runtime, saved, by="ana", now=ledger.clock(), undo_seconds=0)
    await start_due_campaigns(ledger.runtime, now=ledger.clock())
    await ledger.route()


@pytest.mark.parametrize(("days_ago", "expected"), [(3, ("queued", None)), (8, ("held", "newcomer"))])
async def test_the_campaign_through_which_somebody_joined_is_exempt_for_a_week(
    ledger: Ledger, days_ago: int, expected: tuple[str, str | None]
) -> None:
    """A newcomer bears one ask in a week, but the one that they came for comes on top."""
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    mine = await save(ledger, channels=["email"], deadline=in_hours(ledger, 60))
    other = await save(ledger, channels=["email"], deadline=in_hours(ledger, 60))
    await ledger.execute(
        "UPDATE member SET joined_at = :at, joined_by = :by",
        at=to_ms(ledger.clock() - timedelta(days=days_ago)),
        by=mine,
    )
    await ledger.launch_and_route(channels=["sms"])
    ledger.clock.advance(hours=25)
    await launch_saved(ledger, mine)
    assert await verdicts(ledger, mine) == {member: expected}
    await launch_saved(ledger, other)
    assert (await verdicts(ledger, other))[member][0] == "held"


async def test_so_is_what_follows_that_campaign(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    mine = await ledger.launch_and_route(channels=["sms"])
    await ledger.execute(
        "UPDATE member SET joined_at = :at, joined_by = :by",
        at=to_ms(ledger.clock() - timedelta(days=3)),
        by=mine,
    )
    ledger.clock.advance(hours=25)
    follow = await ledger.launch_and_route(follows=mine, channels=["email"], deadline=in_hours(ledger, 20))
    other = await ledger.launch_and_route(channels=["email"], deadline=in_hours(ledger, 40))
    assert await verdicts(ledger, follow) == {member: ("queued", None)}
    assert await verdicts(ledger, other) == {member: ("held", "newcomer")}


async def save(ledger: Ledger, **ask: Any) -> int:
    values = {"title": "Dinner", "texts": {"en": {"default": {"text": "Dinner?"}}}}
    return (await save_campaign(ledger.runtime, Ask.model_validate({**values, **ask}), by="ana", now=ledger.clock())).id


# ── the dial ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_dial_is_heeded_by_every_route(ledger: Ledger) -> None:
    [all_, weekly, urgent, paused, resting] = await ledger.add_members(5, channels=("email",))
    for member, dial in ((weekly, "weekly"), (urgent, "urgent_only"), (paused, "paused")):
        await ledger.execute("UPDATE member SET dial = :dial WHERE id = :id", dial=dial, id=member)
    back: datetime = ledger.clock() + timedelta(hours=40)
    await ledger.execute("UPDATE member SET paused_until = :at WHERE id = :id", at=to_ms(back), id=resting)
    first = await ledger.launch_and_route()
    assert await verdicts(ledger, first) == {
        all_: ("queued", None),
        weekly: ("queued", None),
        urgent: ("held", "dial"),
        paused: ("held", "paused"),
        resting: ("queued", None),
    }
    [row] = [row for row in await ledger.rows(first) if row.member_id == resting]
    assert from_ms(row.not_before) >= back
    ledger.clock.advance(days=4)
    second = await ledger.launch_and_route(urgent=True)
    assert await verdicts(ledger, second) == {
        all_: ("queued", None),
        weekly: ("held", "dial"),
        urgent: ("queued", None),
        paused: ("held", "paused"),
        resting: ("queued", None),
    }
