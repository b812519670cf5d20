"""Lines to call: reminders, what organizers see of them, and races for their slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from router.community.call_book import Caller, assign, open_door
from router.community.call_counts import count_calls
from router.community.call_reminders import remind_callers
from router.community.calls import change_line, close_line
from router.core.channel import Inbound, Received
from router.core.errors import BadInput, NotFound
from router.store.engine import Store
from tests.support.calling import NINE, Phones, ask_for_calls, line, statuses, taken
from tests.support.ledger import Ledger
from tests.support.runtime import Clock


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A fresh installation at nine."""
    return Ledger(store, clock=Clock(NINE))


@pytest.fixture
def phones(ledger: Ledger) -> Phones:
    return Phones(ledger)


# ── reminders ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reminder_when_the_slot_begins(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana, bo, cy] = await ask_for_calls(ledger, 3)
    await line(ledger, campaign, per_slot=9)
    for phone in (ana, bo, cy):
        await phones.says(phone, "CALL")
    await phones.says(bo, "DONE")
    await phones.says(cy, "NO")
    assert await remind_callers(ledger.runtime, now=ledger.clock()) == 0
    ledger.clock.advance(minutes=29)
    reminded = [await remind_callers(ledger.runtime, now=ledger.clock()) for _ in range(2)]
    assert reminded == [1, 0]
    before = len(ledger.sms.handed)
    await ledger.send()
    [message] = ledger.sms.handed[before:]
    assert "it is your turn" in message.text
    assert "now, until 10:40" in message.text
    assert "Calls so far: 2." in await phones.says(ana, "DONE")


async def test_who_was_told_a_moment_ago_needs_no_reminder(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    ledger.clock.advance(minutes=27)
    await phones.says(ana, "CALL")
    ledger.clock.advance(minutes=3)
    assert await remind_callers(ledger.runtime, now=ledger.clock()) == 0


async def test_a_reminder_is_not_sent_when_the_slot_is_over(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    ledger.clock.advance(minutes=30)
    assert await remind_callers(ledger.runtime, now=ledger.clock()) == 1
    ledger.clock.advance(minutes=12)
    before = len(ledger.sms.handed)
    await ledger.send()
    assert ledger.sms.handed[before:] == []


async def test_who_was_to_call_a_line_that_closed_is_told(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    mine = await line(ledger, campaign)
    await phones.says(ana, "CALL")
    await close_line(ledger.runtime, mine.id, by="ana", now=ledger.clock())
    ledger.clock.advance(minutes=30)
    assert await remind_callers(ledger.runtime, now=ledger.clock()) == 1
    before = len(ledger.sms.handed)
    await ledger.send()
    assert "this line is closed now" in ledger.sms.handed[before].text
    assert await statuses(ledger) == {"released": 1}


# ── organizers ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("about", "place"),
    [
        ({"phone": "12"}, "phone"),
        ({"closes_at": NINE}, "closes_at"),
        ({"opens_at": NINE - timedelta(hours=2), "closes_at": NINE - timedelta(hours=1)}, "closes_at"),
        ({"closes_at": NINE + timedelta(days=90), "slot_minutes": 1}, "closes_at"),
        ({"place": " lyon"}, "place"),
    ],
)
async def test_a_line_that_cannot_work(ledger: Ledger, about: dict[str, Any], place: str) -> None:
    campaign, _ = await ask_for_calls(ledger)
    await line(ledger, campaign, place="Lyon")
    with pytest.raises(BadInput) as raised:
        await line(ledger, campaign, **about)
    assert raised.value.place == place


async def test_lines_belong_to_campaigns_that_ask_for_calls(ledger: Ledger) -> None:
    other = await ledger.launch()
    with pytest.raises(BadInput, match="wants = call"):
        await line(ledger, other)
    with pytest.raises(NotFound):
        await line(ledger, 4711)


async def test_a_line_with_more_room_takes_more(ledger: Ledger, phones: Phones) -> None:
    campaign, people = await ask_for_calls(ledger, 4)
    mine = await line(ledger, campaign, per_slot=1)
    for phone in people[:2]:
        await phones.says(phone, "CALL")
    assert await taken(ledger) == {"09:30": 1, "09:40": 1}
    changed = await change_line(
        ledger.runtime, mine.id, {"per_slot": 2, "slot_minutes": 20}, by="ana", now=ledger.clock()
    )
    assert (changed.per_slot, changed.name) == (2, "Minister Weber")
    assert "between 10:50 and 11:10" in await phones.says(people[2], "CALL")
    count = await count_calls(ledger.runtime, campaign, now=ledger.clock())
    assert [(one.starts_at.minute, one.assigned) for one in count.lines[0].slots] == [(30, 2), (50, 1)]


async def test_the_live_count(ledger: Ledger, phones: Phones) -> None:
    campaign, people = await ask_for_calls(ledger, 5)
    await line(ledger, campaign)
    for phone in people:
        await phones.says(phone, "CALL")
    await phones.says(people[4], "NO")
    ledger.clock.advance(minutes=31)
    await phones.says(people[0], "DONE")
    ledger.clock.advance(minutes=12)
    count = await count_calls(ledger.runtime, campaign, now=ledger.clock())
    assert (count.called, count.silent, count.assigned, count.released) == (1, 1, 2, 1)
    slots = [(f"{slot.starts_at:%H:%M}", slot.assigned, slot.called) for slot in count.lines[0].slots]
    assert slots == [("09:30", 2, 1), ("09:40", 2, 0)]


# ── races ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def two(postgresql_url: str) -> AsyncIterator[list[Ledger]]:
    """Two processes on one PostgreSQL."""
    stores = [Store(postgresql_url) for _ in range(2)]
    clock = Clock(NINE)
    yield [Ledger(store, clock=clock) for store in stores]
    for store in stores:
        await store.aclose()


async def test_many_at_once_fill_the_slots_exactly(two: list[Ledger]) -> None:
    """Sixty callers of two lines in two processes: each slot gets two, none three, and none waits for a deadlock."""
    ledger = two[0]
    campaign, people = await ask_for_calls(ledger, 60)
    await line(ledger, campaign, closes_at=NINE + timedelta(minutes=180))
    await line(ledger, campaign, place="Lyon", closes_at=NINE + timedelta(minutes=180))
    await ledger.execute("UPDATE member SET place = 'Lyon' WHERE id / 2 % 2 = 0")
    [(before,)] = await ledger.execute(_DEADLOCKS)

    async def write(number: int, phone: str) -> None:
        event = Inbound(
            event_id=f"SM-race-{number}", sender=phone, recipient="+1", text="CALL 10:30", at=ledger.clock()
        )
        await two[number % 2].receiver.submit("sms", "main", Received(events=(event,)), ledger.clock())

    async with two[0].receiver.running(), two[1].receiver.running():
        await asyncio.gather(*(write(number, phone) for number, phone in enumerate(people)))
    rows = await ledger.execute("SELECT line_id, slot_at, count(*) AS people FROM call GROUP BY 1, 2")
    counted = {(row.line_id, row.slot_at): row.people for row in rows}
    assert sum(counted.values()) == 60
    assert max(counted.values()) == 2
    kept = {(r.line_id, r.starts_at): r.taken for r in await ledger.execute("SELECT * FROM call_slot")}
    assert kept == counted
    assert await ledger.execute(_DEADLOCKS) == [(before,)]


_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def test_a_slot_is_given_once_to_those_who_take_and_give_back(two: list[Ledger]) -> None:
    """Transactions of their own: everybody changes their mind three times, and the counters stay exact."""
    ledger = two[0]
    campaign, _ = await ask_for_calls(ledger)
    mine = await line(ledger, campaign)

    async def decide(one: Ledger, member: int) -> None:
        for wish in (30, 80, 50):
            async with one.store.write() as connection:
                await open_door(connection, campaign)
                await assign(
                    connection, Caller(campaign, member, "sms", 0), mine.id, mine.hours, since=NINE,
                    wish=NINE + timedelta(minutes=wish), awake=lambda at: True, now=NINE,
                )  # fmt: skip

    await asyncio.gather(*(decide(two[member % 2], member) for member in range(1, 13)))
    rows = await ledger.execute("SELECT slot_at, count(*) AS people FROM call GROUP BY 1")
    assert {row.slot_at: row.people for row in rows} == {
        row.starts_at: row.taken
        for row in await ledger.execute("SELECT starts_at, taken FROM call_slot WHERE taken <> 0")
    }
    assert max(row.people for row in rows) == 2
    assert sum(row.people for row in rows) == 12
