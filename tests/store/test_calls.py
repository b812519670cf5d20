"""A calling campaign in the ledger: CALL to DONE by reply, slots that are raced for, reminders, lines that close."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.community.call_book import Caller, assign, open_door
from router.community.call_counts import count_calls, list_results
from router.community.call_reminders import remind_callers
from router.community.calls import CallLine, add_line, change_line, close_line
from router.core.channel import Inbound, Received
from router.core.errors import BadInput, NotFound
from router.launch import cancel_campaign
from router.store.engine import Store
from router.store.tables import from_ms
from tests.support.ledger import Ledger
from tests.support.runtime import Clock

NINE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
"""Ten in the morning in Paris, where everybody lives."""


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A fresh installation at nine."""
    return Ledger(store, clock=Clock(NINE))


class Phones:
    """What people write, and what they read."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.count = 0

    async def says(self, phone: str, text: str) -> str:
        """Write something; returns what comes back, "" for silence."""
        self.count += 1
        before = len(self.ledger.sms.handed)
        event = Inbound(event_id=f"SM-in-{self.count}", sender=phone, recipient="+1", text=text, at=self.ledger.clock())
        await self.ledger.submit(Received(events=(event,)))
        await self.ledger.send()
        answers = self.ledger.sms.handed[before:]
        assert len(answers) <= 1, "answered once"
        return answers[0].text if answers else ""


@pytest.fixture
def phones(ledger: Ledger) -> Phones:
    return Phones(ledger)


async def line(ledger: Ledger, campaign: int, **about: Any) -> CallLine:
    """A line of ten-minute slots from half past nine on, for two callers each."""
    given = {
        "place": "", "name": "Minister Weber", "phone": "+33639980999", "script": "", "slot_minutes": 10, "per_slot": 2,
        "opens_at": NINE + timedelta(minutes=30), "closes_at": NINE + timedelta(minutes=90),
    }  # fmt: skip
    return await add_line(ledger.runtime, campaign, {**given, **about}, by="ana", now=ledger.clock())


async def ask_for_calls(ledger: Ledger, people: int = 1, **ask: Any) -> tuple[int, list[str]]:
    """A campaign that asks these for a call, and their phones."""
    phones = [f"+3363998{number:04d}" for number in range(1, people + 1)]
    for phone in phones:
        await ledger.add_members(1, phone=phone)
    campaign = await ledger.launch_and_route(wants="call", **ask)
    await ledger.send()
    ledger.clock.advance(minutes=1)
    return campaign, phones


async def statuses(ledger: Ledger) -> Counter[str]:
    return Counter(row.status for row in await ledger.execute("SELECT status FROM call"))


async def taken(ledger: Ledger) -> dict[str, int]:
    """Slot → callers, by the counters."""
    rows = await ledger.execute("SELECT starts_at, taken FROM call_slot WHERE taken <> 0 ORDER BY starts_at")
    return {f"{from_ms(row.starts_at):%H:%M}": row.taken for row in rows}


async def actions(ledger: Ledger, campaign: int) -> list[str]:
    rows = await ledger.execute("SELECT kind FROM action WHERE campaign_id = :id ORDER BY id", id=campaign)
    return [row.kind for row in rows]


# ── from CALL to DONE ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_from_call_to_done(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign, script="Keep the heating on.")
    said = await phones.says(ana, "CALL")
    assert "Minister Weber, +33639980999, between 10:30 and 10:40" in said
    assert "What to say: Keep the heating on." in said
    assert "DONE, BUSY or NO ANSWER" in said
    ledger.clock.advance(minutes=35)
    assert "Calls so far: 1. How did it go?" in await phones.says(ana, "Done!")
    assert "noted" in await phones.says(ana, "They were polite, and wrote it down")
    assert await actions(ledger, campaign) == ["yes", "called"]
    [result] = await list_results(ledger.runtime, campaign)
    assert (result.status, result.result) == ("called", "They were polite, and wrote it down")


async def test_done_counts_once_and_says_so_once(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "YES")
    assert "Calls so far: 1." in await phones.says(ana, "DONE they will think about it")
    assert "already" in await phones.says(ana, "DONE")
    assert await phones.says(ana, "DONE") == ""
    assert await phones.says(ana, "CALL") == ""
    assert await actions(ledger, campaign) == ["yes", "called"]
    [result] = await list_results(ledger.runtime, campaign)
    assert result.result == "they will think about it"


async def test_done_without_a_slot_still_counts(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana, bo] = await ask_for_calls(ledger, 2)
    mine = await line(ledger, campaign)
    assert "Calls so far: 1." in await phones.says(ana, "DONE")
    ledger.clock.advance(minutes=1)
    assert "Calls so far: 2." in await phones.says(bo, "done, five minutes")
    count = await count_calls(ledger.runtime, campaign, now=ledger.clock())
    assert (count.called, count.assigned, [one.line.id for one in count.lines]) == (2, 0, [mine.id])
    assert await taken(ledger) == {}


async def test_calling_early_frees_the_slot(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    assert await taken(ledger) == {"09:30": 1}
    await phones.says(ana, "DONE")
    assert await taken(ledger) == {}


async def test_busy_gives_another_slot(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    ledger.clock.advance(minutes=32)
    said = await phones.says(ana, "It was busy")
    assert "between 10:40 and 10:50" in said
    assert "busy is good" in said
    assert await taken(ledger) == {"09:40": 1}
    count = await count_calls(ledger.runtime, campaign, now=ledger.clock())
    assert (count.assigned, count.busy, count.called) == (1, 1, 0)
    ledger.clock.advance(minutes=10)
    await phones.says(ana, "DONE")
    assert await statuses(ledger) == {"called": 1}


async def test_busy_at_the_end_is_thanked_for(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL 11:20")
    ledger.clock.advance(minutes=86)
    assert "no free time left" in await phones.says(ana, "BUSY")
    count = await count_calls(ledger.runtime, campaign, now=ledger.clock())
    assert (count.assigned, count.busy, count.unreached) == (0, 0, 1)


async def test_no_answer_is_kept_and_call_gives_another_time(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    ledger.clock.advance(minutes=33)
    assert "Reply CALL" in await phones.says(ana, "NO ANSWER")
    assert await statuses(ledger) == {"unreached": 1}
    assert "now, until 10:40" in await phones.says(ana, "CALL")
    assert await actions(ledger, campaign) == ["yes"]


async def test_another_time_and_the_same_again(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    assert "between 10:30" in await phones.says(ana, "CALL")
    assert "between 10:30" in await phones.says(ana, "CALL"), "who asks twice keeps what they have"
    assert "between 11:00" in await phones.says(ana, "CALL 11:05")
    assert "between 10:50" in await phones.says(ana, "10:50 please")
    assert await taken(ledger) == {"09:50": 1}
    assert await statuses(ledger) == {"assigned": 1}


async def test_a_time_alone_is_an_answer(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana, bo] = await ask_for_calls(ledger, 2)
    await line(ledger, campaign)
    assert "between 11:10" in await phones.says(ana, "yes 11:15")
    assert await phones.says(bo, "I work until 15:00 and then I have to cook") == ""


async def test_no_gives_the_slot_back(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    assert "somebody else" in await phones.says(ana, "NO")
    assert await taken(ledger) == {}
    assert await actions(ledger, campaign) == ["yes", "no"]
    assert "between 10:30" in await phones.says(ana, "CALL")


async def test_a_no_at_once_is_an_answer_like_any_other(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    assert await phones.says(ana, "NO") == ""
    assert await actions(ledger, campaign) == ["no"]


async def test_a_question_is_for_people(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    await phones.says(ana, "DONE")
    for question in ("What did others say?", "please stop texting line 3"):
        assert await phones.says(ana, question) == ""
    [result] = await list_results(ledger.runtime, campaign)
    assert result.result == ""


async def test_done_after_another_ask_has_come(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    await ledger.launch_and_route(title="Sign", texts={"en": {"default": {"text": "Sign?"}}}, wants="sign")
    await ledger.send()
    assert "Calls so far: 1." in await phones.says(ana, "DONE")
    assert await actions(ledger, campaign) == ["yes", "called"]


# ── where, and when ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_whom_to_call_depends_on_the_place(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana, bo] = await ask_for_calls(ledger, 2)
    await line(ledger, campaign, name="Everybody's")
    await line(ledger, campaign, place="Lyon", name="Lyon's")
    await ledger.execute("UPDATE member SET place = ' LYON' WHERE id = (SELECT min(id) FROM member)")
    assert "Lyon's" in await phones.says(ana, "CALL")
    assert "Everybody's" in await phones.says(bo, "CALL")


async def test_who_has_no_place_is_asked_for_it(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana, bo, cy] = await ask_for_calls(ledger, 3)
    await line(ledger, campaign, place="Lyon", name="Lyon's")
    await line(ledger, campaign, place="75", name="Paris's")
    await ledger.execute(
        "INSERT INTO postcode (country, code, name, latitude, longitude) VALUES ('FR', '69002', 'Lyon', 45.7, 4.8)"
    )
    for phone, place, name in ((ana, "lyon", "Lyon's"), (bo, "75011 Paris", "Paris's"), (cy, "69002", "Lyon's")):
        assert "postcode or place (75, Lyon ...)" in await phones.says(phone, "CALL")
        assert await actions(ledger, campaign) == ["yes"] * (phones.count // 2)
        assert name in await phones.says(phone, place)


async def test_a_place_that_we_do_not_know(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign, place="Lyon")
    await phones.says(ana, "CALL")
    assert "no line for that place" in await phones.says(ana, "Atlantis")
    assert await phones.says(ana, "Avalon") == "", "then a person sees to it"
    assert "Minister Weber" in await phones.says(ana, "Lyon")


async def test_nobody_is_told_to_call_in_the_night(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    midnight = NINE.replace(hour=23)
    await line(ledger, campaign, opens_at=midnight, closes_at=midnight + timedelta(hours=1))
    assert "reply CALL 00:00" in await phones.says(ana, "CALL")
    assert await statuses(ledger) == {}
    assert "on Sat 21 Nov between 00:00 and 00:10" in await phones.says(ana, "CALL 00:00")


async def test_an_answer_in_their_own_language(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await ledger.execute("UPDATE member SET locale = 'de'")
    assert "zwischen 10:30 und 10:40" in await phones.says(ana, "JA")


async def test_without_a_line_the_ask_itself_says_whom_to_call(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    assert "reply DONE" in await phones.says(ana, "CALL")
    assert "ten minutes" in await phones.says(ana, "BUSY")
    assert "Calls so far: 1." in await phones.says(ana, "DONE")
    assert await actions(ledger, campaign) == ["yes", "called"]


# ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_line_that_is_closed_says_so_once(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    mine = await line(ledger, campaign)
    await close_line(ledger.runtime, mine.id, by="ana", now=ledger.clock())
    ledger.clock.advance(minutes=1)
    assert "this line is closed now" in await phones.says(ana, "CALL")
    assert await phones.says(ana, "CALL") == ""
    assert await actions(ledger, campaign) == []
    assert "Calls so far: 1." in await phones.says(ana, "DONE"), "they called before"


async def test_a_campaign_that_was_cancelled(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await cancel_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    assert "this line is closed now" in await phones.says(ana, "CALL")


async def test_the_hours_of_the_line_count_not_those_of_the_message(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger, deadline=(NINE + timedelta(hours=1)).isoformat())
    later = NINE + timedelta(days=2)
    await line(ledger, campaign, opens_at=later, closes_at=later + timedelta(hours=1))
    ledger.clock.advance(hours=2)
    assert "on Sun 22 Nov between 10:00 and 10:10" in await phones.says(ana, "CALL")


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
