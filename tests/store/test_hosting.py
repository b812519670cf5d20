"""HOST: from a text message to an event, step by step or at once, and how an evening leads to the next."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from router.community.reminders import remind_guests
from router.core.channel import Received
from router.store.tables import event
from tests.support.gatherings import (
    GATHERING,
    STARTS,
    actions_of,
    invite,
    is_waiting_for_a_person,
    lives,
    load_postcodes,
    message,
    open_event,
    the_event,
    the_rsvp,
    told_since,
    write,
)
from tests.support.ledger import Ledger

PLACE = "12 rue Haute, 75011 Paris"


async def asked(ledger: Ledger, **ask: Any) -> int:
    """A member who was asked to dinners."""
    [ana] = await ledger.add_members(1)
    await invite(ledger, **ask)
    return ana


async def events_of(ledger: Ledger, host: int) -> list[Any]:
    async with ledger.store.read() as connection:
        return list((await connection.execute(select(event).where(event.c.host_id == host).order_by(event.c.id))).all())


async def test_host_leads_step_by_step_to_a_public_event(ledger: Ledger) -> None:
    ana = await asked(ledger)
    assert "How many guests" in await write(ledger, ana, "HOST")
    assert "street, number and postcode" in await write(ledger, ana, "8")
    words = await write(ledger, ana, PLACE)
    [made] = await events_of(ledger, ana)
    assert "It is open: Dinner, Thu 3 Dec 19:00, seats: 8" in words
    assert f"https://outreach.example.org/e/{made.id} " in words
    assert (made.status, made.capacity, made.address, made.postcode) == ("open", 8, PLACE, "75011")
    assert made.starts_at == STARTS
    assert await actions_of(ledger, ana) == ["host"]


async def test_everything_in_one_message(ledger: Ledger) -> None:
    ana = await asked(ledger)
    assert "It is open" in await write(ledger, ana, f"HOST 8, {PLACE}")
    assert len(await events_of(ledger, ana)) == 1


async def test_an_event_that_needs_approval_is_proposed_unless_its_host_is_trusted(ledger: Ledger) -> None:
    ana, bo = await ledger.add_members(2)
    await invite(ledger, gathering={**GATHERING, "approval": True})
    await ledger.execute("INSERT INTO trusted_host (member_id, \"by\", at) VALUES (:id, 'ana', 0)", id=bo)
    words = await write(ledger, ana, f"HOST 8, {PLACE}")
    assert "An organizer looks at it" in words
    [proposed] = await events_of(ledger, ana)
    assert proposed.status == "proposed"
    assert f"/e/{proposed.id}/" in words, "until it opens only its host sees its page"
    assert "It is open" in await write(ledger, bo, f"HOST 8, {PLACE}")


@pytest.mark.parametrize(("said", "capacity"), [("YES", 6), ("yes 6", 6), ("6", 6), ("HOST 6", 6)])
async def test_yes_and_a_number_answer_an_ask_to_host(ledger: Ledger, said: str, capacity: int) -> None:
    ana = await asked(ledger, wants="host")
    words = await write(ledger, ana, said)
    if said == "YES":
        words = await write(ledger, ana, "6")
    assert "street, number and postcode" in words
    await write(ledger, ana, PLACE)
    [made] = await events_of(ledger, ana)
    assert made.capacity == capacity
    assert (await actions_of(ledger, ana))[-1] == "host"


async def test_without_a_time_in_the_ask_the_host_says_when(ledger: Ledger) -> None:
    ana = await asked(ledger, wants="host", gathering=None)
    assert "When does it begin?" in await write(ledger, ana, f"HOST 4, {PLACE}")
    assert "could not read that day" in await write(ledger, ana, "3.12. 19:00")
    assert "An organizer looks" in await write(ledger, ana, "3 Dec 19:00")
    [made] = await events_of(ledger, ana)
    assert made.starts_at == STARTS


async def test_what_cannot_be_read_twice_is_read_by_a_person(ledger: Ledger) -> None:
    ana = await asked(ledger)
    await write(ledger, ana, "HOST")
    assert "just a number" in await write(ledger, ana, "a few")
    assert await write(ledger, ana, "as many as come") == ""
    assert await is_waiting_for_a_person(ledger, ana)
    assert "street, number" in await write(ledger, ana, "7")


async def test_in_the_middle_of_it_they_may_turn_to_another_event(ledger: Ledger) -> None:
    ana = await asked(ledger)
    [bo] = await ledger.add_members(1)
    campaign = (await ledger.execute("SELECT id FROM campaign WHERE title = 'Dinner' ORDER BY id LIMIT 1"))[0].id
    number = await open_event(ledger, campaign, host=bo)
    await write(ledger, ana, "HOST")
    assert "Seats: 1" in await write(ledger, ana, "RSVP 1")
    assert (await the_rsvp(ledger, number, ana)).status == "confirmed"


@pytest.mark.parametrize("when", ["0001-01-01 10:00", "9999-12-31 23:59", "2020-01-01 10:00", "2026-11-20 10:00"])
async def test_a_day_that_cannot_be_is_asked_for_again(ledger: Ledger, when: str) -> None:
    ana = await asked(ledger, wants="host", gathering=None)
    await write(ledger, ana, f"HOST 4, {PLACE}")
    words = await write(ledger, ana, when)
    assert "could not read that day" in words or "over already" in words
    assert await events_of(ledger, ana) == []


async def test_no_ends_it(ledger: Ledger) -> None:
    ana = await asked(ledger)
    await write(ledger, ana, "HOST")
    assert "nothing was opened" in await write(ledger, ana, "no")
    assert await events_of(ledger, ana) == []


async def test_an_address_without_a_postcode_is_asked_for_again(ledger: Ledger) -> None:
    ana = await asked(ledger)
    await write(ledger, ana, "HOST 8")
    assert "cannot find that place" in await write(ledger, ana, "in the middle of the sea")
    assert "It is open" in await write(ledger, ana, PLACE)


@pytest.mark.parametrize("place", ["12 High Street, SW1A 1AA", "1 Sea Road, 99999 Nowhere"])
async def test_a_place_that_cannot_be_gets_a_sentence(ledger: Ledger, place: str) -> None:
    await load_postcodes(ledger)
    await ledger.execute(
        "INSERT INTO postcode (country, code, name, latitude, longitude) VALUES ('GB', 'SW1A1AA', 'London', 51.5, 0)"
    )
    ana = await asked(ledger)
    words = await write(ledger, ana, f"HOST 8, {place}")
    assert "postcode" in words
    assert await events_of(ledger, ana) == []
    assert "It is open" in await write(ledger, ana, PLACE)


async def test_one_event_each_however_often_they_say_so(ledger: Ledger) -> None:
    ana = await asked(ledger)
    arrived = [Received(events=(await message(ledger, ana, f"HOST 8, {PLACE}"),)) for _ in range(5)]
    async with ledger.receiver.running():
        await asyncio.gather(*(ledger.receiver.submit("sms", "main", one, ledger.clock()) for one in arrived))
    assert len(await events_of(ledger, ana)) == 1
    assert await actions_of(ledger, ana) == ["host"]
    told = await told_since(ledger, ana)
    assert ["It is open" in told[0], len(told)] == [True, 2], "and once: you host already"


@pytest.mark.parametrize("words", ["Host families needed?", "host: who pays for the food"])
async def test_a_sentence_that_only_begins_with_host_goes_to_a_person(ledger: Ledger, words: str) -> None:
    ana = await asked(ledger)
    assert await write(ledger, ana, words) == ""
    assert await is_waiting_for_a_person(ledger, ana)


async def test_a_title_is_never_read_as_a_phrase(ledger: Ledger) -> None:
    ana = await asked(ledger, gathering={**GATHERING, "title": "{secret} <b>&"})
    assert "{secret} <b>&" in await write(ledger, ana, f"HOST 8, {PLACE}")


async def rated(ledger: Ledger, words: str) -> tuple[int, int, str]:
    """A guest who was asked how it was and answers: (event, member, what we write back)."""
    [ana] = await ledger.add_members(1)
    campaign = await invite(ledger)
    number = await open_event(ledger, campaign)
    await write(ledger, ana, "YES")
    ledger.clock.now = datetime(2026, 12, 4, 9, 0, tzinfo=UTC)
    await remind_guests(ledger.runtime, now=ledger.clock())
    return number, ana, await write(ledger, ana, words)


async def test_who_liked_the_evening_is_asked_to_host_the_next(ledger: Ledger) -> None:
    number, ana, words = await rated(ledger, "5 what an evening")
    assert "Send HOST" in words
    seat = await the_rsvp(ledger, number, ana)
    assert (seat.rating, seat.comment, seat.status) == (5, "what an evening", "came")
    assert await actions_of(ledger, ana) == ["yes", "came"]
    assert "How many guests" in await write(ledger, ana, "HOST")
    await write(ledger, ana, "6")
    assert "When does it begin?" in await write(ledger, ana, PLACE), "the ask's own evening is over"
    assert "It is open" in await write(ledger, ana, "17 Dec 19:00")
    [made] = await events_of(ledger, ana)
    assert made.starts_at == datetime(2026, 12, 17, 18, 0, tzinfo=UTC)


async def test_who_did_not_like_it_is_thanked(ledger: Ledger) -> None:
    number, ana, words = await rated(ledger, "2")
    assert "frank" in words
    assert (await the_rsvp(ledger, number, ana)).rating == 2


@pytest.mark.parametrize("words", ["0", "7"])
async def test_a_rating_beyond_five_is_asked_again_once(ledger: Ledger, words: str) -> None:
    number, ana, said = await rated(ledger, words)
    assert "from 1 (poor) to 5" in said
    assert await write(ledger, ana, words) == ""
    assert (await the_rsvp(ledger, number, ana)).rating is None
    assert "Send HOST" in await write(ledger, ana, "4")


async def test_words_instead_of_a_rating_are_read_by_a_person(ledger: Ledger) -> None:
    _, ana, said = await rated(ledger, "I never found the door")
    assert said == ""
    assert await is_waiting_for_a_person(ledger, ana)


async def test_it_speaks_the_hosts_language(ledger: Ledger) -> None:
    ana = await asked(ledger)
    await lives(ledger, ana, locale="de")
    assert "Wie viele Gäste" in await write(ledger, ana, "HOST")
    assert (await events_of(ledger, ana)) == []


async def test_a_place_nobody_knows_of_is_public_by_its_neighbourhood_only(ledger: Ledger) -> None:
    [ana, bo] = await ledger.add_members(2)
    await invite(ledger)
    await lives(ledger, ana, country="GB", zone="Europe/London")
    await write(ledger, ana, "HOST 8, 12 High Street, SW1A 1AA")
    [made] = await events_of(ledger, ana)
    assert (await the_event(ledger, made.id)).postcode == "SW1A1AA"
    words = await write(ledger, bo, "EVENTS")
    assert "1: SW1A, " in words
    assert "1AA" not in words
