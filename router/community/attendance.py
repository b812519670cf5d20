"""Who came to an event, and who did not: as it is seen at the door, or learned afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.seats import count_seats, is_rsvp, lock_event, rsvp_of
from router.core.errors import NotAllowed, NotFound
from router.core.ladder import Rung
from router.deeds import Deed, keep_deed
from router.runtime import Runtime
from router.store.budgets import note_answers
from router.store.campaigns import write_audit
from router.store.tables import action, rsvp
from router.store.tallies import Moves

DOORS_OPEN = timedelta(hours=12)
"""So long before the start somebody can be checked in at the earliest; a slip of the finger otherwise."""

_SOURCE = "event"
"""Of the actions that are made here."""


async def keep_came(
    connection: AsyncConnection,
    number: int,
    *,
    event_id: int,
    campaign_id: int,
    member_id: int,
    moves: Moves,
    now: datetime,
) -> bool:
    """That somebody came, once however it is learned (checked in, rated the evening); False where it was known.

    `number` is a fresh one for the action, which counts for the ask that they answered, else for `campaign_id`.
    """
    at_door = update(rsvp).where(is_rsvp(event_id, member_id), rsvp.c.status != "came")
    fresh = await connection.execute(at_door.values(status="came", changed_at=now).returning(rsvp.c.asked_by))
    asked_by = fresh.scalar_one_or_none()
    if asked_by is None:
        return False
    await count_seats(connection, event_id)
    deed = Deed(member_id, asked_by or campaign_id, Rung.ATTEND.done, _SOURCE, _told_as(event_id, member_id), now)
    kept = await keep_deed(connection, number, deed, moves, now=now)
    if kept:
        await note_answers(connection, {member_id: now})
    return kept


async def check_in(runtime: Runtime, event_id: int, member_id: int, *, by: str, now: datetime) -> bool:
    """A guest is there; False where that was known. Raises `NotFound` and `NotAllowed`."""
    return await _at_the_door(runtime, event_id, member_id, came=True, by=by, now=now)


async def miss(runtime: Runtime, event_id: int, member_id: int, *, by: str, now: datetime) -> bool:
    """A guest did not come; False where that was known. Raises `NotFound` and `NotAllowed`."""
    return await _at_the_door(runtime, event_id, member_id, came=False, by=by, now=now)


async def undo(runtime: Runtime, event_id: int, member_id: int, *, by: str, now: datetime) -> bool:
    """It was a slip of the finger: they neither came nor stayed away. False where nobody had said so.

    What was made of their coming (an action of theirs) is gone again. Raises `NotFound`.
    """
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> bool:
        if await lock_event(connection, event_id) is None or await rsvp_of(connection, event_id, member_id) is None:
            raise NotFound("there is no such guest")
        told = update(rsvp).where(is_rsvp(event_id, member_id), rsvp.c.status.in_(("came", "missed")))
        if (await connection.execute(told.values(status="confirmed", changed_at=now))).rowcount == 0:
            return False
        mine = (action.c.source == _SOURCE) & (action.c.external_id == _told_as(event_id, member_id))
        await connection.execute(delete(action).where(mine))
        await count_seats(connection, event_id)
        detail = {"member": member_id}
        await write_audit(
            connection, audit_id, who=by, what="event.undo", subject=str(event_id), detail=detail, now=now
        )
        return True

    return await runtime.store.transact(work)


def _told_as(event_id: int, member_id: int) -> str:
    """Under which name somebody's coming is an action."""
    return f"{event_id}:{member_id}:came"


async def _at_the_door(runtime: Runtime, event_id: int, member_id: int, *, came: bool, by: str, now: datetime) -> bool:
    number, audit_id = await runtime.store.take_ids(2)

    async def work(connection: AsyncConnection) -> bool:
        row = await lock_event(connection, event_id)
        mine = await rsvp_of(connection, event_id, member_id)
        if row is None or mine is None:
            raise NotFound("there is no such guest")
        if row.status != "open":
            raise NotAllowed(f"this event is {row.status}")
        if now < (row.starts_at - DOORS_OPEN if came else row.starts_at):
            raise NotAllowed(f"it begins at {row.starts_at:%Y-%m-%d %H:%M} UTC; check guests in when they are there")
        moves = Moves()
        if came:
            changed = await keep_came(
                connection, number, event_id=event_id, campaign_id=row.campaign_id, member_id=member_id, moves=moves,
                now=now,
            )  # fmt: skip
        else:
            missing = update(rsvp).where(is_rsvp(event_id, member_id), rsvp.c.status.in_(("confirmed", "waiting")))
            changed = (await connection.execute(missing.values(status="missed", changed_at=now))).rowcount == 1
            await count_seats(connection, event_id)
        if changed:
            what = "event.check_in" if came else "event.miss"
            detail = {"member": member_id}
            await write_audit(connection, audit_id, who=by, what=what, subject=str(event_id), detail=detail, now=now)
        await moves.write(connection)
        return changed

    return await runtime.store.transact(work)
