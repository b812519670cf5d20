"""The shipped contact budget in the ledger: reserved, deferred, given back, never overdrawn."""

from __future__ import annotations

import asyncio

import pytest

from router.core import purse
from router.core.budget_limits import rules_of
from router.core.budget_policy import read_budget
from router.core.channel import Inbound, Received
from router.core.policy import read_policy
from router.core.purse import Purse, from_ms
from router.settings import load_settings, load_toml
from router.store.engine import Store
from tests.support.ledger import Ledger

POLICY = read_policy(load_toml("policy", load_settings()))


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """An installation with the budget as shipped."""
    return Ledger(store, policy=POLICY)


async def kept(ledger: Ledger, member: int) -> Purse:
    rows = await ledger.execute("SELECT slots FROM contact_budget WHERE holder = :id", id=member)
    return purse.decode(rows[0][0]) if rows else purse.EMPTY


async def test_a_second_ask_waits_for_the_gap_of_its_channel(ledger: Ledger) -> None:
    await ledger.add_members(1)
    first = await ledger.launch_and_route()
    second = await ledger.launch_and_route()
    [one], [two] = await ledger.rows(first), await ledger.rows(second)
    hours = (two.not_before - one.not_before) / 3_600_000
    assert (one.status, two.status) == ("queued", "held"), "72 hours of gap, and an ask lives 72 hours"
    assert two.reason == "cap"
    assert hours < 0, "what is held has no time"


async def test_another_channel_of_the_member_has_room_sooner(ledger: Ledger) -> None:
    await ledger.add_members(1, channels=("sms", "email"))
    first = await ledger.launch_and_route()
    second = await ledger.launch_and_route()
    [one], [two] = await ledger.rows(first), await ledger.rows(second)
    assert (one.channel, two.channel) == ("sms", "email")
    assert two.not_before - one.not_before >= 24 * 3_600_000, "one ask a day over all channels"


async def test_what_was_deferred_and_then_cancelled_gives_its_slot_back(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    await ledger.launch_and_route()
    before = await kept(ledger, member)
    await ledger.execute(
        "INSERT INTO suppression (address_hash, channel, reason, at) SELECT hash, 'sms', 'stop', 0 FROM address"
    )
    await ledger.send()
    assert len(before.slots) == 1
    assert await kept(ledger, member) == purse.EMPTY


async def test_an_answer_ends_the_count_of_unanswered_asks(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, phone="+33639980001")
    await ledger.launch_and_route(link="https://example.org/x")
    assert (await kept(ledger, member)).open_since()
    ledger.clock.advance(minutes=5)
    event = Inbound(event_id="SM1", sender="+33639980001", recipient="+1", text="YES", at=ledger.clock())
    await ledger.submit(Received(events=(event,)))
    assert not (await kept(ledger, member)).open_since()


async def test_less_is_heard_by_who_asked_for_less(ledger: Ledger) -> None:
    [weekly, paused] = await ledger.add_members(2, channels=("email",))
    await ledger.execute("UPDATE member SET dial = 'weekly' WHERE id = :id", id=weekly)
    await ledger.execute("UPDATE member SET dial = 'paused' WHERE id = :id", id=paused)
    first = await ledger.launch_and_route()
    ledger.clock.advance(days=3)
    second = await ledger.launch_and_route()
    assert [(row.status, row.reason) for row in await ledger.rows(first)] == [("queued", None), ("held", "paused")]
    assert [(row.status, row.reason) for row in await ledger.rows(second)] == [("held", "dial"), ("held", "paused")]


async def test_campaigns_launched_at_once_never_overdraw_anybody(store: Store) -> None:
    """The law in every window of a day, a week and 30 days, whatever the interleaving."""
    ledgers = [Ledger(store, policy=POLICY) for _ in range(6)]
    members = await ledgers[0].add_members(40, channels=("sms", "email"))
    campaigns = [await one.launch(texts={"en": {"default": {"text": f"Ask {n}"}}}) for n, one in enumerate(ledgers)]
    await asyncio.gather(*(one.route() for one in ledgers))
    caps = read_budget(load_toml("policy", load_settings())).overall
    assert rules_of(POLICY.budget) == POLICY.budget_rules
    for member in members:
        moments = sorted(slot.at for slot in (await kept(ledgers[0], member)).slots)
        for days, most in ((1, caps.day), (7, caps.week), (30, caps.month)):
            span = days * 86_400_000
            for start in moments:
                inside = [from_ms(at) for at in moments if start <= at < start + span]
                assert len(inside) <= most
    queued = [row for campaign in campaigns for row in await ledgers[0].rows(campaign) if row.status == "queued"]
    slots = [slot for member in members for slot in (await kept(ledgers[0], member)).slots]
    assert sorted(slot.delivery for slot in slots) == sorted(row.id for row in queued), "a slot for each, and no other"


@pytest.mark.parametrize(
    ("words", "dial", "days", "answer"),
    [
        ("LESS", "weekly", None, "once a week"),
        ("pause 2 weeks", "everything", 14, "14 days"),
        ("PAUSE", "everything", 14, "14 days"),
        ("which pause?", "everything", None, ""),
    ],
)
async def test_the_dial_is_turned_by_reply_and_back(
    ledger: Ledger, words: str, dial: str, days: int | None, answer: str
) -> None:
    [member] = await ledger.add_members(1, phone="+33639980001")

    async def write(number: int, text: str) -> tuple[str, float | None, str]:
        event = Inbound(event_id=f"SM{number}", sender="+33639980001", recipient="+1", text=text, at=ledger.clock())
        await ledger.submit(Received(events=(event,)))
        [row] = await ledger.execute("SELECT dial, paused_until FROM member WHERE id = :id", id=member)
        said = await ledger.execute("SELECT text FROM reply_text ORDER BY delivery_id DESC LIMIT 1")
        until = None if row[1] is None else (from_ms(row[1]) - ledger.clock()).days
        return row[0], until, said[0][0] if said else ""

    turned, until, said = await write(1, words)
    assert (turned, until) == (dial, days)
    assert answer in said
    assert bool(said) == bool(answer)
    assert (await write(2, "MORE"))[:2] == ("everything", None)
    assert await ledger.execute("SELECT kind FROM action") == [], "to turn the dial is no answer to an ask"
