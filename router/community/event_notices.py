"""What hosts and guests are told of an event without having asked: moved, cancelled, approved, a seat after all.

Guests with news are marked in ``rsvp.news`` under the lock of their event, and told here, some at a time: an event of
ten thousand guests is cancelled at once and told over minutes, and a crash in between loses and repeats nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE, Saying, tell, where_to_write
from router.community.event_model import EventView
from router.core.event_words import day_and_time
from router.core.phrases import say
from router.runtime import Runtime
from router.signals import Wake
from router.store.tables import event, member, rsvp
from router.store.tallies import Moves

AT_ONCE = 50
"""Guests that are told in one transaction: some 50 ms on SQLite, whose one writer others wait for."""

EVENTS_AT_ONCE = 20


async def tell_guests(runtime: Runtime, *, now: datetime) -> int:
    """Tell some of those who have news, events in the order of their numbers; how many were told or passed over.

    Who can be written to nowhere is passed over, and so is everybody once the event has begun.
    """
    pending = select(event.c.id).where(event.c.telling).order_by(event.c.id).limit(EVENTS_AT_ONCE)
    async with runtime.store.read() as connection:
        if await connection.scalar(pending) is None:
            return 0
    ids = await runtime.store.take_ids(AT_ONCE * IDS_PER_MESSAGE)

    async def work(connection: AsyncConnection) -> int:
        locked = select(event).where(event.c.telling).order_by(event.c.id).limit(EVENTS_AT_ONCE)
        rows = (await connection.execute(locked.with_for_update(key_share=True))).all()
        moves, numbers, told = Moves(), iter(ids), 0
        for row in rows:
            told += await _tell_some(runtime, connection, row, AT_ONCE - told, numbers, moves, now)
            if told == AT_ONCE:
                break
        await moves.write(connection)
        return told

    told = await runtime.store.transact(work)
    runtime.signals.wake(Wake.SEND)
    return told


async def tell_host(
    runtime: Runtime,
    connection: AsyncConnection,
    view: EventView,
    phrase: str,
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
) -> None:
    """Tell the host of an event what was decided about it, by one of `event_notices`' phrases."""
    to = await where_to_write(connection, view.host_id)
    if to is None:
        return
    host = (await connection.execute(select(member.c.locale).where(member.c.id == view.host_id))).one()
    words = _words(runtime, view, phrase, host.locale, seats=view.capacity)
    await tell(connection, to, ids, words, moves, saying=Saying.SERVICE, now=now, until=view.starts_at)


async def _tell_some(
    runtime: Runtime,
    connection: AsyncConnection,
    row: Row[Any],
    most: int,
    ids: Iterator[int],
    moves: Moves,
    now: datetime,
) -> int:
    """Tell at most so many guests of one event, whose row is locked."""
    guests = (
        await connection.execute(
            select(rsvp.c.member_id, rsvp.c.address_id, rsvp.c.status, rsvp.c.seats, rsvp.c.news, member.c.locale)
            .join(member, member.c.id == rsvp.c.member_id)
            .where(rsvp.c.event_id == row.id, rsvp.c.news != "")
            .order_by(rsvp.c.member_id)
            .limit(most)
        )
    ).all()
    for guest in guests:
        to = await where_to_write(connection, guest.member_id, prefer=guest.address_id)
        if to is not None and now < row.starts_at:
            words = _words(runtime, row, _phrase(guest.news, guest.status), guest.locale, seats=guest.seats)
            await tell(connection, to, ids, words, moves, saying=Saying.SERVICE, now=now, until=row.starts_at)
    heard = rsvp.c.member_id.in_([guest.member_id for guest in guests])
    await connection.execute(update(rsvp).where(rsvp.c.event_id == row.id, heard).values(news=""))
    if len(guests) < most:
        await connection.execute(update(event).where(event.c.id == row.id).values(telling=False))
    return len(guests)


def _phrase(news: str, status: str) -> str:
    return "moved_waiting" if news == "moved" and status == "waiting" else news


def _words(runtime: Runtime, about: Row[Any] | EventView, phrase: str, locale: str, *, seats: int) -> str:
    """A phrase with everything that it may name; with its ``_because`` where there is a reason."""
    because = "_because" if about.reason and f"{phrase}_because" in _WITH_REASON else ""
    return say(
        f"event_notices.{phrase}{because}",
        locale,
        organization=runtime.settings.organization,
        title=about.title,
        when=day_and_time(about.starts_at, about.zone, locale),
        area=about.area,
        address=about.address or about.area,
        number=about.number,
        seats=seats,
        reason=about.reason.rstrip(". "),
    )


_WITH_REASON = ("cancelled_because", "host_cancelled_because", "refused_because")
