"""Seats over the ledger: taken, waited for, given back, changed; the last one given once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from router.community.attendance import check_in, miss
from router.community.event_desk import cancel_event
from router.community.event_notices import tell_guests
from router.community.seats import Freed, SeatStatus, Taken, change_seats, end_shares, give_seat_back, take_seat
from router.core.channel import Inbound, Received
from router.core.errors import NotAllowed, NotFound
from router.receive import Receiver
from router.store.engine import Store
from tests.support.events import add_event, event_row, guests, said
from tests.support.ledger import Ledger

CONFIRMED, WAITING = SeatStatus.CONFIRMED, SeatStatus.WAITING


async def take(ledger: Ledger, event_id: int, member_id: int, seats: int = 1, **more: Any) -> Taken:
    return await ledger.store.transact(
        lambda connection: take_seat(
            connection, event_id=event_id, member_id=member_id, seats=seats, now=ledger.clock(), **more
        )
    )


async def change(ledger: Ledger, event_id: int, member_id: int, seats: int) -> Taken:
    return await ledger.store.transact(
        lambda connection: change_seats(
            connection, event_id=event_id, member_id=member_id, seats=seats, now=ledger.clock()
        )
    )


async def give_back(ledger: Ledger, event_id: int, member_id: int) -> Freed:
    return await ledger.store.transact(
        lambda connection: give_seat_back(connection, event_id=event_id, member_id=member_id, now=ledger.clock())
    )


async def counts(ledger: Ledger, event_id: int) -> tuple[int, int]:
    row = await event_row(ledger, event_id)
    return row.taken, row.waiting


# ── the last seat ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_last_seat_raced_for_by_200_is_given_once(ledger: Ledger) -> None:
    people = await ledger.add_members(201)
    dinner = await add_event(ledger, seats=4)
    assert (await take(ledger, dinner.id, people[0], 3)).status is CONFIRMED
    got = await asyncio.gather(*(take(ledger, dinner.id, person) for person in people[1:]))
    assert Counter(one.status for one in got) == {CONFIRMED: 1, WAITING: 199}
    assert sorted(one.number for one in got) == list(range(2, 202))
    assert await counts(ledger, dinner.id) == (4, 199)
    [winner] = [person for person, one in zip(people[1:], got, strict=True) if one.status is CONFIRMED]
    assert (await guests(ledger, dinner.id))[winner] == ("confirmed", 1)


async def test_the_same_answer_raced_by_itself_takes_one_seat(ledger: Ledger) -> None:
    [person] = await ledger.add_members(1)
    dinner = await add_event(ledger)
    got = await asyncio.gather(*(take(ledger, dinner.id, person, 2) for _ in range(20)))
    assert Counter(one.status for one in got) == {CONFIRMED: 1, SeatStatus.UNCHANGED: 19}
    assert {one.stands for one in got} == {"confirmed"}
    assert {one.number for one in got} == {1}
    assert await counts(ledger, dinner.id) == (2, 0)


async def test_giving_back_and_taking_at_once_leaves_no_seat_twice(ledger: Ledger) -> None:
    people = await ledger.add_members(40)
    dinner = await add_event(ledger, seats=10)
    for person in people[:20]:
        await take(ledger, dinner.id, person)
    await asyncio.gather(
        *(give_back(ledger, dinner.id, person) for person in people[:10]),
        *(take(ledger, dinner.id, person) for person in people[20:]),
    )
    stands = Counter(status for status, _ in (await guests(ledger, dinner.id)).values())
    assert stands == {"confirmed": 10, "waiting": 20, "cancelled": 10}
    assert await counts(ledger, dinner.id) == (10, 20)


# ── one after the other ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_gives_a_seat_back_makes_room_for_the_first_who_fits(ledger: Ledger) -> None:
    first, second, pair, single = await ledger.add_members(4)
    dinner = await add_event(ledger, seats=2)
    await take(ledger, dinner.id, first)
    await take(ledger, dinner.id, second)
    assert (await take(ledger, dinner.id, pair, 2)).status is WAITING
    assert (await take(ledger, dinner.id, single)).status is WAITING
    freed = await give_back(ledger, dinner.id, first)
    assert (freed.had, freed.seats) == ("confirmed", 1)
    assert [guest.member_id for guest in freed.moved_up] == [single]
    assert await give_back(ledger, dinner.id, first) == Freed(had="", event=await event_row(ledger, dinner.id))
    assert await counts(ledger, dinner.id) == (2, 2)


async def test_who_moves_up_is_told_once_where_they_answered(ledger: Ledger) -> None:
    first, second = await ledger.add_members(2, channels=("sms", "email"))
    dinner = await add_event(ledger, seats=1)
    [mailbox] = await ledger.execute("SELECT id FROM address WHERE member_id = :m AND channel = 'email'", m=second)
    await take(ledger, dinner.id, first)
    await take(ledger, dinner.id, second, channel="email", address_id=mailbox.id)
    assert await tell_guests(ledger.runtime, now=ledger.clock()) == 0
    await give_back(ledger, dinner.id, first)
    assert await tell_guests(ledger.runtime, now=ledger.clock()) == 1
    assert await tell_guests(ledger.runtime, now=ledger.clock()) == 0
    [(whom, words)] = await said(ledger)
    assert whom == second
    assert "12 High Street" in words
    assert "Dinner" in words
    assert {row.channel for row in await ledger.execute("SELECT channel FROM delivery")} == {"email"}


async def test_who_gave_up_the_seat_they_moved_up_to_hears_nothing_of_it(ledger: Ledger) -> None:
    first, second = await ledger.add_members(2)
    dinner = await add_event(ledger, seats=1)
    for person in (first, second):
        await take(ledger, dinner.id, person)
    for person in (first, second):
        await give_back(ledger, dinner.id, person)
    assert await tell_guests(ledger.runtime, now=ledger.clock()) == 0
    assert await said(ledger) == []


async def test_coming_back_stands_at_the_end_of_the_line(ledger: Ledger) -> None:
    first, second, third = await ledger.add_members(3)
    dinner = await add_event(ledger, seats=1)
    for person in (first, second, third):
        await take(ledger, dinner.id, person)
    await give_back(ledger, dinner.id, second)
    assert (await take(ledger, dinner.id, second)).number == 4
    assert [guest.member_id for guest in (await give_back(ledger, dinner.id, first)).moved_up] == [third]


@pytest.mark.parametrize("seats", [9, 99])
async def test_more_than_can_ever_sit_there_are_told_so(ledger: Ledger, seats: int) -> None:
    [person] = await ledger.add_members(1)
    dinner = await add_event(ledger, seats=8)
    assert (await take(ledger, dinner.id, person, seats)).status is SeatStatus.FULL
    assert await guests(ledger, dinner.id) == {}


async def test_more_and_fewer_guests_later(ledger: Ledger) -> None:
    first, second = await ledger.add_members(2)
    dinner = await add_event(ledger, seats=4)
    await take(ledger, dinner.id, first, 2)
    assert (await take(ledger, dinner.id, first, 3)).seats == 3
    assert (await take(ledger, dinner.id, second, 2)).status is WAITING
    more = await change(ledger, dinner.id, first, 5)
    assert (more.status, more.stands, more.seats) == (SeatStatus.FULL, "confirmed", 3)
    fewer = await change(ledger, dinner.id, first, 2)
    assert (fewer.status, fewer.seats) == (CONFIRMED, 2)
    assert [guest.member_id for guest in fewer.moved_up] == [second]
    assert (await change(ledger, dinner.id, first, 2)).status is SeatStatus.UNCHANGED
    assert await counts(ledger, dinner.id) == (4, 0)


async def test_a_smaller_party_may_leave_the_waiting_list_at_once(ledger: Ledger) -> None:
    first, pair = await ledger.add_members(2)
    dinner = await add_event(ledger, seats=2)
    await take(ledger, dinner.id, first)
    await take(ledger, dinner.id, pair, 2)
    now = await change(ledger, dinner.id, pair, 1)
    assert (now.status, now.stands, now.moved_up) == (CONFIRMED, "confirmed", [])
    assert await tell_guests(ledger.runtime, now=ledger.clock()) == 0


async def test_there_is_nothing_to_change_for_who_never_said_they_come(ledger: Ledger) -> None:
    [person] = await ledger.add_members(1)
    dinner = await add_event(ledger)
    assert (await change(ledger, dinner.id, person, 2)).status is SeatStatus.NONE
    assert (await give_back(ledger, dinner.id, person)).had == ""


async def test_an_event_that_is_none_was_cancelled_or_has_begun_is_closed(ledger: Ledger) -> None:
    early, late = await ledger.add_members(2)
    nowhere = await take(ledger, 4711, early)
    assert (nowhere.status, nowhere.event) == (SeatStatus.CLOSED, None)
    off = await add_event(ledger)
    await cancel_event(ledger.runtime, off.id, reason="", by="ana", now=ledger.clock())
    assert (await take(ledger, off.id, early)).status is SeatStatus.CLOSED
    dinner = await add_event(ledger, days=1)
    await take(ledger, dinner.id, early)
    ledger.clock.advance(days=1)
    assert (await take(ledger, dinner.id, late)).status is SeatStatus.CLOSED
    assert (await change(ledger, dinner.id, early, 3)).status is SeatStatus.CLOSED
    assert (await give_back(ledger, dinner.id, early)).had == ""
    assert await counts(ledger, dinner.id) == (1, 0)


# ── two sides ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_neither_side_crowds_out_the_other_until_the_day_before(ledger: Ledger) -> None:
    people = await ledger.add_members(7)
    dinner = await add_event(ledger, seats=5, two_sided=True, days=5)
    for person in people[:5]:
        await take(ledger, dinner.id, person, side="NEWCOMER")
    assert await counts(ledger, dinner.id) == (3, 2)
    assert (await take(ledger, dinner.id, people[5], side="NEIGHBOUR")).status is CONFIRMED
    ledger.clock.advance(days=3, hours=23)
    assert await end_shares(ledger.runtime, now=ledger.clock()) == 0
    ledger.clock.advance(hours=1)
    assert await end_shares(ledger.runtime, now=ledger.clock()) == 1
    assert await end_shares(ledger.runtime, now=ledger.clock()) == 0
    assert await counts(ledger, dinner.id) == (5, 1)
    assert (await guests(ledger, dinner.id))[people[3]] == ("confirmed", 1)
    assert await tell_guests(ledger.runtime, now=ledger.clock()) == 1


async def test_without_two_sides_nobody_is_held_back_for_theirs(ledger: Ledger) -> None:
    people = await ledger.add_members(4)
    dinner = await add_event(ledger, seats=4)
    got = [await take(ledger, dinner.id, person, side="NEWCOMER") for person in people]
    assert {one.status for one in got} == {CONFIRMED}


# ── at the door ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def came(ledger: Ledger) -> list[Any]:
    return list(await ledger.execute("SELECT member_id, campaign_id, kind FROM action WHERE kind = 'came'"))


async def test_who_is_checked_in_came_once(ledger: Ledger) -> None:
    campaign = await ledger.launch(start=False, wants="attend")
    guest, other = await ledger.add_members(2)
    dinner = await add_event(ledger, campaign_id=campaign, days=1)
    for person in (guest, other):
        await take(ledger, dinner.id, person)
    ledger.clock.advance(hours=23)
    assert await check_in(ledger.runtime, dinner.id, guest, by="ana", now=ledger.clock())
    assert not await check_in(ledger.runtime, dinner.id, guest, by="ana", now=ledger.clock())
    ledger.clock.advance(hours=2)
    assert await miss(ledger.runtime, dinner.id, other, by="ana", now=ledger.clock())
    assert not await miss(ledger.runtime, dinner.id, other, by="ana", now=ledger.clock())
    assert not await miss(ledger.runtime, dinner.id, guest, by="ana", now=ledger.clock())
    assert await guests(ledger, dinner.id) == {guest: ("came", 1), other: ("missed", 1)}
    assert [tuple(row) for row in await came(ledger)] == [(guest, campaign, "came")]
    audits = await ledger.execute("SELECT what FROM audit WHERE what LIKE 'event.%' ORDER BY id")
    assert [row.what for row in audits] == ["event.create", "event.check_in", "event.miss"]


async def test_who_came_late_was_not_missing(ledger: Ledger) -> None:
    [guest] = await ledger.add_members(1)
    dinner = await add_event(ledger, days=1)
    await take(ledger, dinner.id, guest)
    ledger.clock.advance(hours=25)
    await miss(ledger.runtime, dinner.id, guest, by="ana", now=ledger.clock())
    assert await check_in(ledger.runtime, dinner.id, guest, by="ana", now=ledger.clock())
    assert len(await came(ledger)) == 1


async def test_who_waited_and_was_let_in_all_the_same_sits(ledger: Ledger) -> None:
    guest, waiting = await ledger.add_members(2)
    dinner = await add_event(ledger, seats=1, days=1)
    for person in (guest, waiting):
        await take(ledger, dinner.id, person)
    ledger.clock.advance(hours=23)
    assert await check_in(ledger.runtime, dinner.id, waiting, by="ana", now=ledger.clock())
    assert await counts(ledger, dinner.id) == (2, 0)
    again = await take(ledger, dinner.id, waiting, 3)
    assert (again.status, again.stands, again.seats) == (SeatStatus.UNCHANGED, "confirmed", 1)
    assert await counts(ledger, dinner.id) == (2, 0)


async def test_nobody_is_checked_in_who_is_no_guest_nor_days_before(ledger: Ledger) -> None:
    guest, stranger = await ledger.add_members(2)
    dinner = await add_event(ledger, days=3)
    await take(ledger, dinner.id, guest)
    with pytest.raises(NotFound):
        await check_in(ledger.runtime, dinner.id, stranger, by="ana", now=ledger.clock())
    with pytest.raises(NotAllowed, match="it begins at"):
        await check_in(ledger.runtime, dinner.id, guest, by="ana", now=ledger.clock())
    with pytest.raises(NotAllowed, match="it begins at"):
        await miss(ledger.runtime, dinner.id, guest, by="ana", now=ledger.clock() + timedelta(days=2, hours=23))
    assert await came(ledger) == []


# ── through replies ─────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def processes(ledger: Ledger, url: str) -> AsyncIterator[list[Receiver]]:
    """Three web processes on one ledger, each with connections of its own."""
    stores = [Store(url) for _ in range(3)]
    try:
        async with contextlib.AsyncExitStack() as stack:
            receivers = [Receiver(Ledger(store, clock=ledger.clock).runtime) for store in stores]
            yield [await stack.enter_async_context(receiver.running()) for receiver in receivers]
    finally:
        for store in stores:
            await store.aclose()


async def test_the_last_seat_raced_for_by_200_replies_to_three_processes_is_given_once(
    ledger: Ledger, database_url: str
) -> None:
    people = await ledger.add_members(200)
    campaign = await ledger.launch_and_route(
        wants="attend", texts={"en": {"default": {"text": "Dinner? Reply YES. STOP ends."}}}
    )
    await ledger.send()
    dinner = await add_event(ledger, campaign_id=campaign, seats=1)
    phones = await ledger.execute("SELECT member_id, value FROM address")
    replies = [
        Inbound(event_id=f"SM{row.member_id}", sender=row.value, recipient="", text="YES", at=ledger.clock())
        for row in phones
    ]
    async with processes(ledger, database_url) as receivers:
        # Every tenth webhook comes twice, to two processes.
        await asyncio.gather(
            *(
                receivers[(place + copy) % 3].submit("sms", "main", Received(events=(reply,)), ledger.clock())
                for place, reply in enumerate(replies)
                for copy in range(1 if place % 10 else 2)
            )
        )
    assert Counter(status for status, _ in (await guests(ledger, dinner.id)).values()) == {
        "confirmed": 1,
        "waiting": 199,
    }
    assert await counts(ledger, dinner.id) == (1, 199)
    told = await said(ledger)
    assert sorted(whom for whom, _ in told) == sorted(people)
    assert sum("12 High Street" in words for _, words in told) == 1
