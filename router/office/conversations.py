"""The inbox as one organizer sees it: the conversations of members whom they may see, who waits longest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, Subquery, func, or_, select, type_coerce, union_all

from router.approval import MAY_ANSWER, organizers
from router.core.errors import BadInput, NotFound
from router.office.limits import members_seen, sees_member
from router.office.organizers import Organizer
from router.runtime import Runtime
from router.store.tables import campaign, inbound, member, thread

SHELVES = ("", "open", "mine", "claimed", "done")
"""All that are not done; those that nobody has; one's own; those that somebody has; those that are done."""

PAGE = 50

_STATUSES: Mapping[str, tuple[str, ...]] = {"": ("open", "claimed"), "mine": ("claimed",)}
"""The shelves that are not called like a status."""

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
    page = _page(runtime, organizer, shelf, _cursor(after) if after else None, limit + 1)
    query = (
        select(thread, member.c.first_name, member.c.last_name, campaign.c.title, inbound.c.text, page.c.place)
        .join(page, page.c.member_id == thread.c.member_id)
        .join(member, member.c.id == thread.c.member_id)
        .outerjoin(campaign, campaign.c.id == thread.c.campaign_id)
        .outerjoin(inbound, (inbound.c.month == thread.c.inbound_month) & (inbound.c.id == thread.c.inbound_id))
        .order_by(page.c.place, thread.c.member_id)
        .limit(limit + 1)
    )
    async with runtime.store.read() as connection:
        rows = (await connection.execute(query)).all()
    shown = rows[:limit]
    more = f"{shown[-1].place}-{shown[-1].member_id}" if len(rows) > limit else ""
    return Conversations(lines=[_line(row) for row in shown], next=more)


async def check_sees_member(runtime: Runtime, organizer: Organizer, member_id: int) -> None:
    """Raise `NotFound` for a member of whom the organizer is to know nothing."""
    async with runtime.store.read() as connection:
        if not await sees_member(connection, organizer, member_id, dialect=runtime.store.dialect):
            raise NotFound("there is no such member among your part of them; an admin can widen your part")


async def who_may_answer(runtime: Runtime) -> list[str]:
    """The organizers to whom a conversation can be given."""
    async with runtime.store.read() as connection:
        return await organizers(connection, MAY_ANSWER)


def _page(runtime: Runtime, organizer: Organizer, shelf: str, after: tuple[int, int] | None, limit: int) -> Subquery:
    """Numbers and places of the conversations of a page.

    Of each status first those who wait, then the others: each is the beginning of an index in its own order, so that
    no page reads more than `limit` of them, however many there are.
    """
    since, last = type_coerce(thread.c.waiting_since, BigInteger), type_coerce(thread.c.last_in_at, BigInteger)
    who = [member.c.erased_at.is_(None), members_seen(organizer, dialect=runtime.store.dialect)]
    if shelf == "mine":
        who.append(func.lower(thread.c.claimed_by) == organizer.name.lower())
    parts = []
    for status in _STATUSES.get(shelf, (shelf,)):
        for place, by, waits in (
            (since, [since, thread.c.member_id], (thread.c.waiting > 0) & thread.c.waiting_since.is_not(None)),
            (_LATE - last, [last.desc(), thread.c.member_id], thread.c.waiting == 0),
        ):
            part = (
                select(thread.c.member_id, place.label("place"))
                .join(member, member.c.id == thread.c.member_id)
                .where(thread.c.status == status, waits, *who)
                .order_by(*by)
                .limit(limit)
            )
            if after is not None:
                # The first condition bounds the walk through the index; the second passes over those of that moment.
                bound = since >= after[0] if place is since else last <= _LATE - after[0]
                part = part.where(bound, or_(place > after[0], thread.c.member_id > after[1]))
            parts.append(select(part.subquery()))
    return union_all(*parts).subquery("page")


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
