"""Seats: taken, given back, made more or fewer; who moves up from the waiting list.

Everything here locks the event's row first, so the last seat is given once. Who moves up is marked in ``rsvp.news``
and told by `router.community.event_notices`; callers need not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Row, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.seating import Party, Room, Seat, decide_seat, who_moves_up
from router.runtime import Runtime
from router.store.tables import event, rsvp


class SeatStatus(StrEnum):
    """What came of an answer about a seat."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    FULL = "full"
    """They are more than can ever sit there (`take_seat`), or than there is room for now (`change_seats`, which leaves
    them what they have)."""
    CLOSED = "closed"
    """It is not open: proposed, refused, cancelled, begun, or there is none."""
    UNCHANGED = "unchanged"
    """They said so before; `Taken.stands` is what they have."""
    NONE = "none"
    """They have no seat there and wait for none (`change_seats`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody who moved up from the waiting list. They are told of it without the caller's doing."""

    member_id: int
    number: int
    seats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of asking for seats."""

    status: SeatStatus
    stands: str = ""
    """What they have now: ``confirmed``, ``waiting`` or "" for nothing."""
    seats: int = 0
    """How many they have or wait for now."""
    number: int = 0
    """Their number at this event, which hosts write to (``TELL 3 …``)."""
    event: Row[Any] | None = None
    """The event's row as it was before; None where there is no such event."""
    moved_up: Sequence[Guest] = ()
    """Who got the seats that they gave back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """What came of giving a seat back."""

    had: str
    """What they had: ``confirmed``, ``waiting``, or "" for nothing (then nothing changed)."""
    seats: int = 0
    """How many they gave back."""
    event: Row[Any] | None = None
    """The event's row as it was before; None where there is no such event."""
    moved_up: Sequence[Guest] = ()
    """Who got them."""


async def lock_event(connection: AsyncConnection, event_id: int) -> Row[Any] | None:
    """An event's row, held until the transaction ends; None where there is none. Moments are aware datetimes."""
    return (await connection.execute(_LOCK_EVENT, {"the_event": event_id})).one_or_none()


async def take_seat(
    connection: AsyncConnection,
    *,
    event_id: int,
    member_id: int,
    seats: int,
    side: str = "",
    channel: str = "",
    address_id: int | None = None,
    asked_by: int = 0,
    now: datetime,
) -> Taken:
    """Seats for a member and whom they bring, or a place on the waiting list. `asked_by` is the ask they answer.

    Said twice it changes nothing; said again with another number of seats it is `change_seats`. Raises nothing.
    """
    row = await lock_event(connection, event_id)
    if row is None or not _is_open(row, now):
        return Taken(status=SeatStatus.CLOSED, event=row)
    mine = await rsvp_of(connection, event_id, member_id)
    if mine is not None and mine.status in _STANDING:
        return await _change(connection, row, mine, seats, now)
    if seats > row.capacity:
        return Taken(status=SeatStatus.FULL, seats=seats, event=row)
    party = Party(member_id, seats, side if row.two_sided else "")
    room = await _room(connection, row, now) if row.two_sided else Room(capacity=row.capacity, taken={"": row.taken})
    # Where they do not fit, whoever else waits makes no difference.
    line = await _line(connection, row) if row.waiting and seats <= room.left(party.side) else []
    status = decide_seat(room, line, party)
    values = {
        "status": status.value, "seats": seats, "side": party.side, "channel": channel, "address_id": address_id,
        "asked_by": asked_by, "masked": True, "reminded": 0, "news": "", "changed_at": now,
    }  # fmt: skip
    if mine is None:
        values |= {"event_id": event_id, "member_id": member_id, "at": now}
    key = {"the_event": event_id, "the_member": member_id}
    number = (await connection.execute(_COME if mine is None else _COME_AGAIN, {**values, **key})).scalar_one()
    await connection.execute(_COUNT[status], {"the_event": event_id, "more": seats})
    return Taken(status=SeatStatus(status.value), stands=status.value, seats=seats, number=number, event=row)


async def change_seats(
    connection: AsyncConnection, *, event_id: int, member_id: int, seats: int, now: datetime
) -> Taken:
    """They come with more or fewer. More than there is room for leaves them what they have (``full``).

    On the waiting list they keep their place. Said twice it changes nothing. Raises nothing.
    """
    row = await lock_event(connection, event_id)
    if row is None or not _is_open(row, now):
        return Taken(status=SeatStatus.CLOSED, event=row)
    mine = await rsvp_of(connection, event_id, member_id)
    if mine is None or mine.status not in _STANDING:
        return Taken(status=SeatStatus.NONE, event=row)
    return await _change(connection, row, mine, seats, now)


async def give_seat_back(connection: AsyncConnection, *, event_id: int, member_id: int, now: datetime) -> Freed:
    """They do not come: the seat goes to whoever waits. Also from an event that begins later or was cancelled.

    Said twice, or once it has begun, it changes nothing. Raises nothing.
    """
    row = await lock_event(connection, event_id)
    mine = await rsvp_of(connection, event_id, member_id)
    if row is None or mine is None or mine.status not in ("confirmed", "waiting") or row.starts_at <= now:
        return Freed(had="", event=row)
    await connection.execute(
        update(rsvp).where(is_rsvp(event_id, member_id)).values(status="cancelled", news="", changed_at=now)
    )
    moved_up = await seat_the_waiting(connection, row, now=now)
    return Freed(had=mine.status, seats=mine.seats, event=row, moved_up=moved_up)


async def seat_the_waiting(connection: AsyncConnection, row: Row[Any], *, now: datetime) -> list[Guest]:
    """Give what is free at an event, whose row the caller has locked, to whoever waits; they will be told."""
    moved: list[Guest] = []
    if _is_open(row, now):
        line = await _line(connection, row)
        for party in who_moves_up(await _room(connection, row, now), line):
            number = await connection.scalar(
                update(rsvp)
                .where(is_rsvp(row.id, party.key))
                .values(status="confirmed", news="moved_up", changed_at=now)
                .returning(rsvp.c.number)
            )
            moved.append(Guest(member_id=party.key, number=int(number or 0), seats=party.seats))
    if moved:
        await connection.execute(update(event).where(event.c.id == row.id).values(telling=True))
    await count_seats(connection, row.id)
    return moved


async def end_shares(runtime: Runtime, *, now: datetime) -> int:
    """Where the shares of two sides have ended, what one side left goes to whoever waits; how many moved up."""
    over = select(event.c.id).where(event.c.shares_until <= now).order_by(event.c.id).limit(20)
    async with runtime.store.read() as connection:
        ended = list((await connection.execute(over)).scalars())
    moved = 0
    for event_id in ended:

        async def work(connection: AsyncConnection, event_id: int = event_id) -> int:
            row = await lock_event(connection, event_id)
            assert row is not None, "events are never deleted"
            await connection.execute(update(event).where(event.c.id == event_id).values(shares_until=None))
            return len(await seat_the_waiting(connection, row, now=now))

        moved += await runtime.store.transact(work)
    return moved


async def _change(connection: AsyncConnection, row: Row[Any], mine: Row[Any], seats: int, now: datetime) -> Taken:
    """Another number of seats for somebody who has some or waits for some."""
    stands = "waiting" if mine.status == "waiting" else "confirmed"
    has = Taken(status=SeatStatus.UNCHANGED, stands=stands, seats=mine.seats, number=mine.number, event=row)
    if seats == mine.seats or mine.status == "came":
        return has
    room = await _room(connection, row, now)
    fits = seats - mine.seats <= room.left(mine.side) if mine.status == "confirmed" else seats <= row.capacity
    if seats > mine.seats and not fits:
        return replace(has, status=SeatStatus.FULL)
    await connection.execute(update(rsvp).where(is_rsvp(row.id, mine.member_id)).values(seats=seats, changed_at=now))
    moved_up = await seat_the_waiting(connection, row, now=now)
    if any(guest.member_id == mine.member_id for guest in moved_up):
        # They are answered now, so they need not be told once more.
        await connection.execute(update(rsvp).where(is_rsvp(row.id, mine.member_id)).values(news=""))
        stands = Seat.CONFIRMED.value
    others = [guest for guest in moved_up if guest.member_id != mine.member_id]
    return Taken(status=SeatStatus(stands), stands=stands, seats=seats, number=mine.number, event=row, moved_up=others)


def _is_open(row: Row[Any], now: datetime) -> bool:
    return bool(row.status == "open" and now < row.starts_at)


def is_rsvp(event_id: int, member_id: int) -> ColumnElement[bool]:
    """SQL for "is this member's word about this event"."""
    return (rsvp.c.event_id == event_id) & (rsvp.c.member_id == member_id)


async def rsvp_of(connection: AsyncConnection, event_id: int, member_id: int) -> Row[Any] | None:
    """What a member said about an event, and where they stand; None where they said nothing."""
    return (await connection.execute(_RSVP, {"the_event": event_id, "the_member": member_id})).one_or_none()


# Statements are built once: SQLAlchemy takes longer over that than the database over running them.
_THE_EVENT: BindParameter[int] = bindparam("the_event")
_THE_MEMBER: BindParameter[int] = bindparam("the_member")
_LOCK_EVENT = select(event).where(event.c.id == _THE_EVENT).with_for_update(key_share=True)
_RSVP = select(rsvp).where(rsvp.c.event_id == _THE_EVENT, rsvp.c.member_id == _THE_MEMBER)
_there = rsvp.alias()
_NUMBER = (
    select(func.coalesce(func.max(_there.c.number), 0) + 1).where(_there.c.event_id == _THE_EVENT).scalar_subquery()
)
"""The number of the next guest of an event whose row is locked."""
_STANDS = (
    "status", "seats", "side", "channel", "address_id", "asked_by", "masked", "reminded", "news", "changed_at",
)  # fmt: skip
_COME = (
    insert(rsvp)
    .values({name: bindparam(name) for name in (*_STANDS, "event_id", "member_id", "at")} | {"number": _NUMBER})
    .returning(rsvp.c.number)
)
_COME_AGAIN = (
    update(rsvp)
    .where(rsvp.c.event_id == _THE_EVENT, rsvp.c.member_id == _THE_MEMBER)
    .values({name: bindparam(name) for name in _STANDS} | {"number": _NUMBER})
    .returning(rsvp.c.number)
)
_COUNT = {
    status: update(event).where(event.c.id == _THE_EVENT).values({counter: counter + bindparam("more")})
    for status, counter in ((Seat.CONFIRMED, event.c.taken), (Seat.WAITING, event.c.waiting))
}


async def _room(connection: AsyncConnection, row: Row[Any], now: datetime) -> Room:
    taken = await connection.execute(
        select(rsvp.c.side, func.sum(rsvp.c.seats))
        .where(rsvp.c.event_id == row.id, rsvp.c.status.in_(_SEATED))
        .group_by(rsvp.c.side)
    )
    shared = row.two_sided and row.shares_until is not None and now < row.shares_until
    return Room(capacity=row.capacity, taken={side: int(seats) for side, seats in taken}, shared=shared)


async def _line(connection: AsyncConnection, row: Row[Any]) -> list[Party]:
    """Who waits, in their order."""
    waiting = await connection.execute(
        select(rsvp.c.member_id, rsvp.c.seats, rsvp.c.side)
        .where(rsvp.c.event_id == row.id, rsvp.c.status == "waiting")
        .order_by(rsvp.c.number)
    )
    return [Party(*party) for party in waiting]


async def count_seats(connection: AsyncConnection, event_id: int) -> None:
    """Bring the event's own counts up to date with its guests."""

    def seats(*statuses: str) -> Any:
        of = select(func.coalesce(func.sum(rsvp.c.seats), 0))
        return of.where(rsvp.c.event_id == event_id, rsvp.c.status.in_(statuses)).scalar_subquery()

    await connection.execute(
        update(event).where(event.c.id == event_id).values(taken=seats(*_SEATED), waiting=seats("waiting"))
    )


_SEATED = ("confirmed", "came")
"""Statuses of those who sit."""

_STANDING = ("confirmed", "waiting", "came")
"""Statuses of those who need not ask for a seat again."""
