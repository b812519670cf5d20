"""What waits for an organizer, from all rooms: answers, events, ideas. Each list is short; its room has the rest."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, func, or_, select, true, union_all

from router.office.limits import members_seen
from router.office.organizers import Organizer
from router.runtime import Runtime
from router.store.tables import event, member, proposal, thread

MOST = 20
"""Lines of one list."""

MOST_COUNTED = 1_000
"""Threads are counted up to here: after a blast there can be many, and nobody plans by the last hundred."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class Waiting(_View):
    """People who wrote and wait for an answer."""

    people: int
    """At most `MOST_COUNTED` + 1."""
    mine: int
    """Of these, how many the organizer took on."""
    since: datetime | None
    """Since when the first of them waits."""


class EventLine(_View):
    """An event that nobody has approved yet."""

    id: int
    title: str
    area: str
    starts_at: datetime
    campaign_id: int


class IdeaLine(_View):
    """An idea that organizers should look at: it is held, or its next step can still be objected to."""

    number: int
    text: str
    status: str
    reason: str
    next_at: datetime | None


async def who_waits(runtime: Runtime, organizer: Organizer) -> Waiting:
    """How many people wait for an answer, of those whom the organizer may see."""
    waiting = select(thread.c.claimed_by, thread.c.waiting_since).where(
        thread.c.waiting > 0, thread.c.waiting_since.is_not(None)
    )
    if organizer.audience is not None:  # else no member is looked up: with one who is erased the conversation is, too
        seen = members_seen(organizer, dialect=runtime.store.dialect)
        waiting = waiting.join(member, member.c.id == thread.c.member_id).where(seen)
    # Status by status, because each is in the order of an index: no more than these are looked at.
    first = [
        select(
            waiting.where(thread.c.status == status).order_by(thread.c.waiting_since).limit(MOST_COUNTED + 1).subquery()
        )
        for status in ("open", "claimed")
    ]
    both = union_all(*first).subquery()
    some = select(both).order_by(both.c.waiting_since).limit(MOST_COUNTED + 1).subquery()
    is_mine = func.lower(some.c.claimed_by) == func.lower(organizer.name)
    query = select(func.count(), func.count().filter(is_mine), func.min(some.c.waiting_since)).select_from(some)
    async with runtime.store.read() as connection:
        people, mine, since = (await connection.execute(query)).one()
    return Waiting(people=people, mine=mine, since=since)


async def events_to_approve(runtime: Runtime, organizer: Organizer, *, now: datetime) -> list[EventLine]:
    """Proposed events that lie ahead, the next first; of hosts whom the organizer may see."""
    query = (
        select(event.c.id, event.c.title, event.c.area, event.c.starts_at, event.c.campaign_id)
        .where(event.c.status == "proposed", event.c.starts_at > now, is_seen(runtime, organizer, event.c.host_id))
        .order_by(event.c.starts_at, event.c.id)
        .limit(MOST)
    )
    async with runtime.store.read() as connection:
        return [EventLine.model_validate(row._asdict()) for row in await connection.execute(query)]


async def ideas_to_look_at(runtime: Runtime, organizer: Organizer, *, now: datetime) -> list[IdeaLine]:
    """Ideas that are held, and open ones whose next step lies ahead; of members whom the organizer may see."""
    ahead = (proposal.c.status == "open") & (proposal.c.next_at > now)
    query = (
        select(proposal.c.number, proposal.c.text, proposal.c.status, proposal.c.reason, proposal.c.next_at)
        .where(or_(proposal.c.status == "held", ahead), is_seen(runtime, organizer, proposal.c.member_id))
        .order_by(proposal.c.number)
        .limit(MOST)
    )
    async with runtime.store.read() as connection:
        return [IdeaLine.model_validate(row._asdict()) for row in await connection.execute(query)]


def is_seen(runtime: Runtime, organizer: Organizer, whose: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the organizer may see this member; true of everything for those without a limit."""
    if organizer.audience is None:
        return true()
    seen = members_seen(organizer, dialect=runtime.store.dialect)
    return select(member.c.id).where(member.c.id == whose, seen).exists()
