"""Events as one organizer sees them: those of hosts whom they may see, and of the guests likewise."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, ColumnElement, and_, func, or_, select, true, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.event_model import EventView, view_of
from router.community.nearby import find_point, plain_code, plain_country
from router.core.errors import BadInput, NotFound
from router.core.seating import box
from router.office.limits import members_seen
from router.office.organizers import Organizer
from router.runtime import Runtime
from router.store.tables import event, member, rsvp, to_ms

SHELVES = ("", "proposed", "past", "off")
"""Those ahead; of these, those that nobody has approved; those that are over; those refused or called off."""

PAGE = 50
NEAR_KM = 50.0
"""How far from a postcode is near it."""

MOST_GUESTS = 200
"""Guests that a page shows; a search by name finds the others."""


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class Events(_View):
    """A page of the list."""

    events: list[EventView]
    next: str
    """What to give as `after` for the next page; "" where there is none."""


class Party(_View):
    """A guest, as much of them as the door needs."""

    member_id: int
    name: str
    """First name and initial."""
    number: int
    seats: int
    status: str
    side: str
    rating: int | None
    comment: str


class Told(_View):
    """Whom a change of an event is told."""

    guests: int
    waiting: int
    has_host: bool


async def list_gatherings(
    runtime: Runtime,
    organizer: Organizer,
    *,
    shelf: str = "",
    ask: int | None = None,
    near: str = "",
    country: str = "",
    after: str = "",
    now: datetime,
    limit: int = PAGE,
) -> Events:
    """Those ahead by their beginning, of others the latest first. Raises `BadInput` for a page that there is not."""
    begins = type_coerce(event.c.starts_at, BigInteger)
    ahead = shelf in ("", "proposed")
    query = select(event).where(_on_shelf(shelf, now), _is_seen(runtime, organizer))
    if ask is not None:
        query = query.where(event.c.campaign_id == ask)
    async with runtime.store.read() as connection:
        if near:
            query = query.where(await _near(connection, country or runtime.settings.default_region, near))
        if after:
            at, number = _cursor(after)
            later = or_(begins > at, and_(begins == at, event.c.id > number))
            earlier = or_(begins < at, and_(begins == at, event.c.id < number))
            query = query.where(later if ahead else earlier)
        order = (begins, event.c.id) if ahead else (begins.desc(), event.c.id.desc())
        rows = (await connection.execute(query.order_by(*order).limit(limit + 1))).all()
    page = [view_of(row) for row in rows[:limit]]
    more = f"{to_ms(page[-1].starts_at)}-{page[-1].id}" if len(rows) > limit else ""
    return Events(events=page, next=more)


async def seen_event(runtime: Runtime, organizer: Organizer, event_id: int) -> EventView:
    """One event. Raises `NotFound` where there is none, or none that this organizer may see."""
    query = select(event).where(event.c.id == event_id, _is_seen(runtime, organizer))
    async with runtime.store.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("there is no such event")
    return view_of(row)


async def parties(runtime: Runtime, organizer: Organizer, event_id: int, *, name: str = "") -> list[Party]:
    """Guests of an event by their first names, those that are called something like `name`."""
    seen = members_seen(organizer, dialect=runtime.store.dialect)
    query = (
        select(rsvp, member.c.first_name, member.c.last_name)
        .join(member, member.c.id == rsvp.c.member_id)
        .where(rsvp.c.event_id == event_id, member.c.erased_at.is_(None), seen)
        .order_by(func.lower(member.c.first_name), func.lower(member.c.last_name), rsvp.c.number)
        .limit(MOST_GUESTS)
    )
    if name.strip():
        whole = func.lower(member.c.first_name + " " + member.c.last_name)
        query = query.where(whole.contains(name.strip().lower(), autoescape=True))
    async with runtime.store.read() as connection:
        rows = await connection.execute(query)
        return [
            Party(
                member_id=row.member_id,
                name=f"{row.first_name} {row.last_name[:1]}{'.' if row.last_name else ''}".strip(),
                number=row.number,
                seats=row.seats,
                status=row.status,
                side=row.side,
                rating=row.rating,
                comment=row.comment,
            )
            for row in rows
        ]


async def check_guest(runtime: Runtime, organizer: Organizer, event_id: int, member_id: int) -> None:
    """Raise `NotFound` for somebody who is no guest there, or none that this organizer may see."""
    seen = members_seen(organizer, dialect=runtime.store.dialect)
    query = (
        select(rsvp.c.member_id)
        .join(member, member.c.id == rsvp.c.member_id)
        .where(rsvp.c.event_id == event_id, rsvp.c.member_id == member_id, seen)
    )
    async with runtime.store.read() as connection:
        if await connection.scalar(query) is None:
            raise NotFound("there is no such guest")


async def whom_it_tells(runtime: Runtime, one: EventView) -> Told:
    """How many hear of it when this event is moved or called off."""
    query = select(
        func.count().filter(rsvp.c.status == "confirmed"), func.count().filter(rsvp.c.status == "waiting")
    ).where(rsvp.c.event_id == one.id)
    async with runtime.store.read() as connection:
        guests, waiting = (await connection.execute(query)).one()
    return Told(guests=guests, waiting=waiting, has_host=bool(one.host_id))


def _on_shelf(shelf: str, now: datetime) -> ColumnElement[bool]:
    match shelf:
        case "proposed":
            return (event.c.status == "proposed") & (event.c.starts_at > now)
        case "past":
            return (event.c.status == "open") & (event.c.ends_at <= now)
        case "off":
            return event.c.status.in_(["refused", "cancelled"])
        case _:
            return event.c.status.in_(["open", "proposed"]) & (event.c.ends_at > now)


def _is_seen(runtime: Runtime, organizer: Organizer) -> ColumnElement[bool]:
    """Whether the organizer may see the host; those of the organizers' own are for whoever sees everybody."""
    if organizer.audience is None:
        return true()
    seen = members_seen(organizer, dialect=runtime.store.dialect)
    return select(member.c.id).where(member.c.id == event.c.host_id, seen).exists()


async def _near(connection: AsyncConnection, country: str, postcode: str) -> ColumnElement[bool]:
    """Within `NEAR_KM` of a postcode; where it lies nowhere that we know, with a postcode that begins like it."""
    country = plain_country(country)
    point = await find_point(connection, country, postcode)
    if point is None:
        return event.c.postcode.startswith(plain_code(country, postcode), autoescape=True)
    around = box(point, NEAR_KM)
    spans = [event.c.longitude.between(west, east) for west, east in around.spans]
    return event.c.latitude.between(around.south, around.north) & or_(*spans)


def _cursor(after: str) -> tuple[int, int]:
    at, _, number = after.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in (at, number)):
        raise BadInput("is no page of this list; begin at its first page", place="after")
    return int(at), int(number)
