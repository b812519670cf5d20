"""What organizers do about events: make, approve, refuse, move and cancel them, trust hosts, see who comes.

The same as in `router.community.events`, each in a transaction of its own, with the host told and an audit row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE
from router.community.event_model import EventIn, EventMove, EventView, view_of
from router.community.event_notices import tell_host
from router.community.events import cancel_in, create_in, is_trusted, move_in
from router.community.seats import lock_event
from router.core.errors import NotAllowed, NotFound
from router.runtime import Runtime
from router.signals import Wake
from router.store.campaigns import write_audit
from router.store.tables import event, member, rsvp, trusted_host
from router.store.tallies import Moves


class GuestView(BaseModel):
    """Somebody who comes to an event, waits for a seat, or came."""

    model_config = ConfigDict(frozen=True)

    member_id: int
    first_name: str
    last_name: str
    number: int
    """Of this event, from 1; also the order of the waiting list."""
    status: str
    """``confirmed``, ``waiting``, ``cancelled``, ``came`` or ``missed``."""
    seats: int
    side: str
    rating: int | None
    comment: str


Work = Callable[[AsyncConnection], Awaitable[EventView]]


async def create_event(runtime: Runtime, body: EventIn, *, by: str, host_id: int = 0, now: datetime) -> EventView:
    """Make an event for organizer `by`; it is open at once. Raises `EventRefused` and `NotFound`."""
    [number] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> EventView:
        return await create_in(connection, runtime, body, number=number, by=by, host_id=host_id, trusted=True, now=now)

    return await _do(runtime, work, what="event.create", by=by, now=now)


async def approve_event(runtime: Runtime, event_id: int, *, by: str, now: datetime) -> EventView:
    """Open a proposed event; its host is told. Raises `NotFound` and `NotAllowed`."""

    async def work(connection: AsyncConnection) -> EventView:
        return await _decide(connection, event_id, now, status="open", approved_by=by)

    return await _do(runtime, work, what="event.approve", by=by, now=now, tell="approved")


async def refuse_event(runtime: Runtime, event_id: int, *, reason: str, by: str, now: datetime) -> EventView:
    """Refuse a proposed event; its host is told why. Raises `NotFound` and `NotAllowed`."""

    async def work(connection: AsyncConnection) -> EventView:
        return await _decide(connection, event_id, now, status="refused", reason=" ".join(reason.split())[:400])

    return await _do(runtime, work, what="event.refuse", by=by, now=now, tell="refused")


async def cancel_event(runtime: Runtime, event_id: int, *, reason: str, by: str, now: datetime) -> EventView:
    """Call an event off; its host and its guests are told. Raises `NotFound` and `NotAllowed`."""

    async def work(connection: AsyncConnection) -> EventView:
        return await cancel_in(connection, event_id, reason=reason, now=now)

    return await _do(runtime, work, what="event.cancel", by=by, now=now, tell="host_cancelled")


async def move_event(runtime: Runtime, event_id: int, body: EventMove, *, by: str, now: datetime) -> EventView:
    """Give an event another time, place or number of seats; its host and guests are told. Raises as `move_in`."""

    async def work(connection: AsyncConnection) -> EventView:
        return await move_in(connection, runtime, event_id, body, now=now)

    return await _do(runtime, work, what="event.move", by=by, now=now, tell="host_moved")


async def trust_host(runtime: Runtime, member_id: int, *, by: str, now: datetime, trusted: bool = True) -> bool:
    """Let a host's events open without an approval, or not any more; False where it was so. Raises `NotFound`."""
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> bool:
        known = select(member.c.id).where(member.c.id == member_id, member.c.erased_at.is_(None))
        if await connection.scalar(known.with_for_update(key_share=True)) is None:
            raise NotFound("there is no such member")
        if await is_trusted(connection, member_id) is trusted:
            return False
        if trusted:
            await connection.execute(insert(trusted_host).values(member_id=member_id, by=by, at=now))
        else:
            await connection.execute(delete(trusted_host).where(trusted_host.c.member_id == member_id))
        what = "host.trust" if trusted else "host.distrust"
        await write_audit(connection, audit_id, who=by, what=what, subject=str(member_id), detail={}, now=now)
        return True

    return await runtime.store.transact(work)


async def list_guests(runtime: Runtime, event_id: int, *, limit: int = 200, after: int = 0) -> list[GuestView]:
    """Who comes, waits, or came, by their number, those after number `after`. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        if await connection.scalar(select(event.c.id).where(event.c.id == event_id)) is None:
            raise NotFound("there is no such event")
        rows = await connection.execute(
            select(rsvp, member.c.first_name, member.c.last_name)
            .join(member, member.c.id == rsvp.c.member_id)
            .where(rsvp.c.event_id == event_id, rsvp.c.number > after)
            .order_by(rsvp.c.number)
            .limit(limit)
        )
        return [GuestView(**{name: getattr(row, name) for name in GuestView.model_fields}) for row in rows]


async def _do(runtime: Runtime, work: Work, *, what: str, by: str, now: datetime, tell: str = "") -> EventView:
    """Do it, with an audit row and, where `tell` names a phrase, words to the host."""
    ids = await runtime.store.take_ids(1 + IDS_PER_MESSAGE)

    async def done(connection: AsyncConnection) -> EventView:
        view = await work(connection)
        moves = Moves()
        if tell and view.host_id:
            await tell_host(runtime, connection, view, tell, iter(ids[1:]), moves, now=now)
        detail = {"campaign": view.campaign_id, "number": view.number}
        await write_audit(connection, ids[0], who=by, what=what, subject=str(view.id), detail=detail, now=now)
        await moves.write(connection)
        return view

    view = await runtime.store.transact(done)
    if tell:
        runtime.signals.wake(Wake.SEND)
    return view


async def _decide(connection: AsyncConnection, event_id: int, now: datetime, **values: Any) -> EventView:
    row = await lock_event(connection, event_id)
    if row is None:
        raise NotFound("there is no such event")
    if row.status != "proposed":
        raise NotAllowed(f"this event is {row.status}")
    if row.starts_at <= now:
        raise NotAllowed("this event would have begun already")
    changed = update(event).where(event.c.id == event_id).values(**values).returning(event)
    return view_of((await connection.execute(changed)).one())
