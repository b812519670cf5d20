"""Reminders: guests get the address a day and two hours before, their host the list of them; in the morning after
guests are asked how it was.

An event keeps when it is next looked at (``event.remind_at``), so each second costs one look into an index; a guest
keeps what they got (``rsvp.reminded``), so each is said once. Quiet hours are kept when the message leaves
(`answering.Saying.SERVICE`), and what would come after the start does not leave at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE, Saying, To, tell, where_to_write
from router.community.event_talk import AFTER, Step, in_words, names_of, own_page_of, page_of
from router.community.seats import lock_event
from router.community.turn import ask_somebody, member_of, read_dialog
from router.core.event_words import time_of_day
from router.core.phrases import say
from router.core.reminding import Reminder, due, next_moment
from router.runtime import Runtime
from router.signals import Wake
from router.store.bulk import in_numbers, numbers
from router.store.tables import event, rsvp
from router.store.tallies import Moves

CHUNK = 50
"""Guests who are written to in one transaction: short enough for SQLite's one writer."""

MOST = 200
"""About so many messages in one run, which the next look at the goals waits for."""

NAMED = 20
"""First names in a host's list; more make a text message nobody reads."""

FRESH = timedelta(hours=12)
"""Who opened an event so lately need not hear that nobody comes yet."""

ANSWERED_WITHIN = timedelta(days=3)
"""How long the question how it was waits."""


async def remind_guests(runtime: Runtime, *, now: datetime) -> int:
    """Say what is due to the people of events; returns how many were written to."""
    look = select(event.c.id).where(event.c.remind_at <= now).order_by(event.c.remind_at, event.c.id).limit(MOST)
    async with runtime.store.read() as connection:
        events = list((await connection.execute(look)).scalars())
    written = 0
    for event_id in events:
        written += await _remind(runtime, event_id, now=now)
        if written >= MOST:
            break
    if written:
        runtime.signals.wake(Wake.SEND)
    return written


async def _remind(runtime: Runtime, event_id: int, *, now: datetime) -> int:
    """Some guests of one event; once there are no more, its host, and when to look again."""
    ids = await runtime.store.take_ids(IDS_PER_MESSAGE * (CHUNK + 1))

    async def work(connection: AsyncConnection) -> int:
        row = await lock_event(connection, event_id)
        if row is None or row.remind_at is None or row.remind_at > now:
            return 0
        fresh, moves, written = iter(ids), Moves(), 0
        what = due(row.starts_at, row.ends_at, row.zone, now) if row.status == "open" else None
        guests = await _guests(connection, event_id, what) if what else []
        if what and guests:
            written = await _write_to(runtime, connection, row, what, guests, fresh, moves, now)
        if len(guests) < CHUNK:
            if what and what is not Reminder.RATE and row.host_id:
                written += await _write_to_host(runtime, connection, row, fresh, moves, now)
            ended = row.status in ("cancelled", "refused")
            then = None if ended else next_moment(row.starts_at, row.ends_at, row.zone, now)
            await connection.execute(update(event).where(event.c.id == event_id).values(remind_at=then))
        await moves.write(connection)
        return written

    return await runtime.store.transact(work)


async def _guests(connection: AsyncConnection, event_id: int, what: Reminder) -> list[Row[Any]]:
    """Who is yet to be told, in the order of their numbers."""
    statuses = ("confirmed", "came") if what is Reminder.RATE else ("confirmed",)
    wanted = [rsvp.c.event_id == event_id, rsvp.c.status.in_(statuses), rsvp.c.reminded < int(what)]
    if what is Reminder.RATE:
        wanted.append(rsvp.c.rating.is_(None))
    found = await connection.execute(select(rsvp).where(*wanted).order_by(rsvp.c.number).limit(CHUNK))
    return list(found.all())


async def _write_to(
    runtime: Runtime,
    connection: AsyncConnection,
    row: Row[Any],
    what: Reminder,
    guests: Sequence[Row[Any]],
    ids: Iterator[int],
    moves: Moves,
    now: datetime,
) -> int:
    """Returns how many of them could be written to; who has no address that we may use is passed over for good."""
    written = 0
    until = now + ANSWERED_WITHIN if what is Reminder.RATE else row.starts_at
    for guest in guests:
        to = await where_to_write(connection, guest.member_id, guest.address_id)
        if to is None:
            continue
        locale = (await member_of(connection, guest.member_id)).locale
        words = _words(runtime, row, what, guest, locale)
        await tell(connection, to, ids, words, moves, saying=Saying.SERVICE, now=now, until=until)
        await _expect(connection, row, what, to, until=until, now=now)
        written += 1
    await connection.execute(
        update(rsvp)
        .where(rsvp.c.event_id == row.id, rsvp.c.member_id.in_([guest.member_id for guest in guests]))
        .values(reminded=int(what))
    )
    return written


def _words(runtime: Runtime, row: Row[Any], what: Reminder, guest: Row[Any], locale: str) -> str:
    address = row.address or row.area
    match what:
        case Reminder.TOMORROW:
            link = own_page_of(runtime, row.id, guest.member_id)
            return say(
                "events.tomorrow", locale, **in_words(row, locale), address=address, seats=guest.seats, link=link
            )
        case Reminder.SOON:
            begins = time_of_day(row.starts_at, row.zone, locale)
            return say("events.soon", locale, title=row.title, time=begins, address=address)
        case Reminder.RATE:
            return say("events.how_was_it", locale, title=row.title)


async def _expect(
    connection: AsyncConnection, row: Row[Any], what: Reminder, to: To, *, until: datetime, now: datetime
) -> None:
    """From now on their words are about this event, unless they are in the middle of another conversation."""
    step = Step.RATING if what is Reminder.RATE else Step.REMINDED
    stands = (await read_dialog(connection, to.member_id, now=now)).step
    if step is Step.REMINDED and stands not in ("", Step.REMINDED):
        return
    await ask_somebody(
        connection, to.member_id, step, until=until, campaign_id=row.campaign_id, event_id=row.id,
        detail={AFTER: await _last_asked(connection, to, now)},
    )  # fmt: skip


async def _last_asked(connection: AsyncConnection, to: To, now: datetime) -> int:
    """The delivery of the last ask that reached them there, 0 for none: one that comes later has their answer."""
    months = [now.year * 100 + now.month, (now.year * 12 + now.month - 2) // 12 * 100 + (now.month - 2) % 12 + 1]
    found = await connection.scalar(
        text(
            "SELECT d.id FROM delivery d JOIN campaign c ON c.id = d.campaign_id WHERE d.member_id = :member"
            f" AND d.month {in_numbers(connection, 'months')} AND d.channel = :channel AND c.kind <> 'reply'"
            " AND d.status IN ('sent', 'delivered', 'read', 'unknown', 'sending') ORDER BY d.id DESC LIMIT 1"
        ),
        {"member": to.member_id, "months": numbers(connection, months), "channel": to.channel},
    )
    return int(found or 0)


async def _write_to_host(
    runtime: Runtime, connection: AsyncConnection, row: Row[Any], ids: Iterator[int], moves: Moves, now: datetime
) -> int:
    """Who comes, by first names."""
    to = await where_to_write(connection, row.host_id)
    if to is None:
        return 0
    locale = (await member_of(connection, row.host_id)).locale
    guests = await connection.execute(
        select(rsvp.c.member_id, rsvp.c.seats, rsvp.c.number)
        .where(rsvp.c.event_id == row.id, rsvp.c.status == "confirmed")
        .order_by(rsvp.c.number)
    )
    coming = list(guests.all())
    if not coming and row.created_at > now - FRESH:
        return 0
    if coming:
        names = await names_of(connection, [guest.member_id for guest in coming[:NAMED]])
        listed = [f"{guest.number} {names.get(guest.member_id, '')}".strip() + f" ({guest.seats})" for guest in coming]
        more = ", ..." if len(coming) > NAMED else ""
        words = say(
            "events.host_guests", locale, **in_words(row, locale), names=", ".join(listed[:NAMED]) + more,
            seats=sum(guest.seats for guest in coming),
        )  # fmt: skip
    else:
        words = say("events.host_no_guests", locale, **in_words(row, locale), link=page_of(runtime, row.id))
    await tell(connection, to, ids, words, moves, saying=Saying.SERVICE, now=now, until=row.starts_at)
    return 1
