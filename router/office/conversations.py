"""The inbox as one organizer sees it: the conversations of members whom they may see, who waits longest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, ColumnElement, and_, case, func, or_, select, type_coerce

from router.approval import MAY_ANSWER, organizers
from router.core.errors import BadInput, NotFound
from router.office.limits import members_seen, sees_member
from router.office.organizers import Organizer
from router.runtime import Runtime
from router.store.tables import campaign, inbound, member, thread

SHELVES = ("", "open", "mine", "claimed", "done")
"""All that are not done; those that nobody has; one's own; those that somebody has; those that are done."""

PAGE = 50

_LATE = 10**15
"""Later than any moment, in ms: who waits for nothing comes after everybody who waits."""

_SNIPPET = 200


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class Conversation(_View):
    """One line of the list."""

    member_id: int
    name: str
    status: str
    claimed_by: str | None
    channel: str
    waiting: int
    waiting_since: datetime | None
    last_in_at: datetime
    is_late: bool
    """They have waited so long that the staff was told."""
    title: str
    """Of the ask that they wrote about."""
    text: str


class Conversations(_View):
    """A page of the list."""

    lines: list[Conversation]
    next: str
    """What to give as `after` for the next page; "" where there is none."""


async def list_conversations(
    runtime: Runtime, organizer: Organizer, *, shelf: str = "", after: str = "", limit: int = PAGE
) -> Conversations:
    """Those who wait longest first, then the others, the latest first. Raises `BadInput` for a page there is not."""
    order = case(
        (thread.c.waiting > 0, type_coerce(thread.c.waiting_since, BigInteger)),
        else_=_LATE - type_coerce(thread.c.last_in_at, BigInteger),
    )
    query = (
        select(thread, member.c.first_name, member.c.last_name, campaign.c.title, inbound.c.text, order.label("place"))
        .join(member, member.c.id == thread.c.member_id)
        .outerjoin(campaign, campaign.c.id == thread.c.campaign_id)
        .outerjoin(inbound, inbound.c.id == thread.c.inbound_id)
        .where(
            _on_shelf(shelf, organizer),
            member.c.erased_at.is_(None),
            members_seen(organizer, dialect=runtime.store.dialect),
        )
        .order_by(order, thread.c.member_id)
        .limit(limit + 1)
    )
    if after:
        place, number = _cursor(after)
        query = query.where(or_(order > place, and_(order == place, thread.c.member_id > number)))
    async with runtime.store.read() as connection:
        rows = (await connection.execute(query)).all()
    page = rows[:limit]
    more = f"{page[-1].place}-{page[-1].member_id}" if len(rows) > limit else ""
    return Conversations(lines=[_line(row) for row in page], next=more)


async def check_sees_member(runtime: Runtime, organizer: Organizer, member_id: int) -> None:
    """Raise `NotFound` for a member of whom the organizer is to know nothing."""
    async with runtime.store.read() as connection:
        if not await sees_member(connection, organizer, member_id, dialect=runtime.store.dialect):
            raise NotFound("there is no such member among your part of them; an admin can widen your part")


async def who_may_answer(runtime: Runtime) -> list[str]:
    """The organizers to whom a conversation can be given."""
    async with runtime.store.read() as connection:
        return await organizers(connection, MAY_ANSWER)


def _on_shelf(shelf: str, organizer: Organizer) -> ColumnElement[bool]:
    match shelf:
        case "":
            return thread.c.status.in_(["open", "claimed"])
        case "mine":
            return (thread.c.status == "claimed") & (func.lower(thread.c.claimed_by) == organizer.name.lower())
        case _:
            return thread.c.status == shelf


def _cursor(after: str) -> tuple[int, int]:
    place, _, number = after.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in (place, number)):
        raise BadInput("is no page of this list; begin at its first page", place="after")
    return int(place), int(number)


def _line(row: Any) -> Conversation:
    return Conversation(
        member_id=row.member_id,
        name=f"{row.first_name} {row.last_name}".strip(),
        status=row.status,
        claimed_by=row.claimed_by,
        channel=row.channel,
        waiting=row.waiting,
        waiting_since=row.waiting_since if row.waiting else None,
        last_in_at=row.last_in_at,
        is_late=row.alarmed_at is not None and row.waiting > 0,
        title=row.title or "",
        text=(row.text or "")[:_SNIPPET],
    )
