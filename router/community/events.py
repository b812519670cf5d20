"""Events: made, approved or refused, moved, cancelled. Who sits there is `router.community.seats`' business.

An event goes ``proposed → open | refused`` and ``proposed | open → cancelled``. Its row is locked first. Guests of a
moved or cancelled event are marked here and told by `router.community.event_notices`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.event_model import EventIn, EventMove, EventView, view_of
from router.community.event_places import EventRefused, Place, locate, moment_there, zone_there
from router.community.seats import lock_event, seat_the_waiting
from router.core.ask import Ask, Gathering
from router.core.errors import NotAllowed, NotFound
from router.core.reminding import DAY_BEFORE
from router.core.seating import shares_end
from router.runtime import Runtime
from router.store.bulk import insert_new_rows
from router.store.campaigns import read_ask
from router.store.tables import event, rsvp, to_ms, trusted_host

SEATS = 8
"""For guests, where neither the host nor the ask says: a dinner table."""
MINUTES = 120


async def create_in(
    connection: AsyncConnection,
    runtime: Runtime,
    body: EventIn,
    *,
    number: int,
    by: str,
    host_id: int = 0,
    trusted: bool = False,
    now: datetime,
) -> EventView:
    """Make an event in a transaction that is open already; `number` is a fresh one, its id.

    It opens at once where it is `trusted`, its host is, or the ask wants no approval; else it is proposed. Raises
    `EventRefused` for what cannot be and `NotFound` for an ask or a host that there is not, before it writes anything.
    """
    ask = await read_ask(connection, body.campaign_id) if body.campaign_id else None
    gathering = ask.gathering if ask else None
    home = await _home(connection, host_id)
    point = None if body.latitude is None or body.longitude is None else (body.latitude, body.longitude)
    place = await locate(
        connection, country=body.country or home.country, postcode=body.postcode, point=point,
        elsewhere=runtime.settings.default_region,
    )  # fmt: skip
    zone = zone_there(place, told=body.zone, elsewhere=home.zone)
    local = body.starts_at_local or (gathering.starts_at_local if gathering and body.starts_at is None else None)
    starts_at = moment_there(body.starts_at, local, zone)
    if starts_at <= now:
        raise EventRefused("begun", place="starts_at")
    minutes = body.minutes or (gathering.minutes if gathering else MINUTES)
    opens = trusted or (gathering is not None and not gathering.approval) or await is_trusted(connection, host_id)
    two_sided = bool(gathering and gathering.sides) if body.two_sided is None else body.two_sided
    until = shares_end(now, starts_at) if two_sided else None
    values = {
        "id": number, "campaign_id": body.campaign_id, "status": "open" if opens else "proposed",
        "title": body.title or _title(ask, gathering), "host_id": host_id, "area": body.area or place.area,
        "address": body.address, "notes": body.notes, "country": place.country, "postcode": place.postcode,
        "latitude": place.point[0] if place.point else None, "longitude": place.point[1] if place.point else None,
        "zone": zone, "starts_at": to_ms(starts_at), "ends_at": to_ms(starts_at + timedelta(minutes=minutes)),
        "capacity": body.seats or (gathering.seats if gathering else SEATS), "two_sided": two_sided,
        "shares_until": None if until is None else to_ms(until), "remind_at": to_ms(starts_at - DAY_BEFORE),
        "created_by": by,
        "approved_by": by if opens else None, "created_at": to_ms(now),
    }  # fmt: skip
    await _insert_numbered(connection, values)
    return view_of(await _row(connection, number))


async def move_in(
    connection: AsyncConnection, runtime: Runtime, event_id: int, body: EventMove, *, now: datetime
) -> EventView:
    """Give an event another time, place or number of seats, in an open transaction; its guests will be told.

    Raises `NotFound`, `NotAllowed` where it has begun or is cancelled, `EventRefused` for what cannot be.
    """
    row = await _still(connection, event_id, now, "open", "proposed")
    values: dict[str, Any] = {name: value for name in ("area", "address", "notes") if (value := getattr(body, name))}
    zone = row.zone
    if body.postcode or body.country or body.latitude is not None:
        point = None if body.latitude is None or body.longitude is None else (body.latitude, body.longitude)
        place = await locate(
            connection, country=body.country, postcode=body.postcode, point=point,
            elsewhere=row.country or runtime.settings.default_region,
        )  # fmt: skip
        zone = zone_there(place, told=body.zone, elsewhere=row.zone)
        values = {**_moved_to(place), "zone": zone, **values}
    elif body.zone:
        zone = zone_there(Place(row.country, row.postcode, None, row.area), told=body.zone)
        values["zone"] = zone
    starts_at = row.starts_at
    if body.starts_at is not None or body.starts_at_local is not None:
        starts_at = moment_there(body.starts_at, body.starts_at_local, zone)
    if starts_at <= now:
        raise EventRefused("begun", place="starts_at")
    lasts = timedelta(minutes=body.minutes) if body.minutes else row.ends_at - row.starts_at
    values |= {"starts_at": starts_at, "ends_at": starts_at + lasts, "capacity": body.seats or row.capacity}
    if starts_at != row.starts_at and row.two_sided:
        values["shares_until"] = shares_end(min(row.created_at, now), starts_at)
    changed = {name for name, value in values.items() if value != getattr(row, name)}
    if changed & {"starts_at", "address", "area", "postcode", "latitude", "longitude"}:
        values["version"] = row.version + 1
        await _mark_guests(connection, row, "moved", now)
    if "starts_at" in changed:
        values["remind_at"] = starts_at - DAY_BEFORE
        await connection.execute(update(rsvp).where(rsvp.c.event_id == event_id).values(reminded=0))
    await connection.execute(update(event).where(event.c.id == event_id).values(values))
    await seat_the_waiting(connection, await _row(connection, event_id), now=now)
    return view_of(await _row(connection, event_id))


async def cancel_in(connection: AsyncConnection, event_id: int, *, reason: str = "", now: datetime) -> EventView:
    """Call an event off, in an open transaction; its guests will be told. Raises `NotFound` and `NotAllowed`."""
    row = await _still(connection, event_id, now, "open", "proposed")
    await _mark_guests(connection, row, "cancelled", now)
    await connection.execute(
        update(event)
        .where(event.c.id == event_id)
        .values(status="cancelled", reason=" ".join(reason.split())[:400], version=row.version + 1)
    )
    return view_of(await _row(connection, event_id))


async def is_trusted(connection: AsyncConnection, member_id: int) -> bool:
    """Whether the events of this host open without waiting for an approval."""
    return await connection.scalar(select(1).where(trusted_host.c.member_id == member_id)) is not None


async def get_event(runtime: Runtime, event_id: int, *, public: bool) -> EventView:
    """One event; in public only what everybody may know, and none that is not open or cancelled. `NotFound`."""
    async with runtime.store.read() as connection:
        row = await _row(connection, event_id)
    if public and row.status not in _PUBLIC:
        raise NotFound("there is no such event")
    return view_of(row, public=public)


async def list_events(
    runtime: Runtime,
    *,
    campaign_id: int | None = None,
    status: str = "",
    public: bool,
    limit: int = 50,
    after: int = 0,
) -> list[EventView]:
    """Events in the order in which they were made, those after number `after`."""
    query = select(event).where(event.c.id > after).order_by(event.c.id).limit(limit)
    if campaign_id is not None:
        query = query.where(event.c.campaign_id == campaign_id)
    if status:
        query = query.where(event.c.status == status)
    if public:
        query = query.where(event.c.status.in_(_PUBLIC))
    async with runtime.store.read() as connection:
        return [view_of(row, public=public) for row in await connection.execute(query)]


_PUBLIC = ("open", "cancelled")
"""What everybody may know of."""


async def _row(connection: AsyncConnection, event_id: int) -> Row[Any]:
    row = (await connection.execute(select(event).where(event.c.id == event_id))).one_or_none()
    if row is None:
        raise NotFound("there is no such event")
    return row


async def _still(connection: AsyncConnection, event_id: int, now: datetime, *statuses: str) -> Row[Any]:
    """An event's row, locked, in one of these statuses and not begun."""
    row = await lock_event(connection, event_id)
    if row is None:
        raise NotFound("there is no such event")
    if row.status not in statuses:
        raise NotAllowed(f"this event is {row.status}")
    if row.starts_at <= now:
        raise NotAllowed("this event has begun")
    return row


class _Home(NamedTuple):
    """Where a host lives, as far as we know; the organizers live nowhere."""

    country: str = ""
    zone: str = ""


async def _home(connection: AsyncConnection, host_id: int) -> _Home:
    if not host_id:
        return _Home()
    row = (
        await connection.execute(
            text("SELECT country, zone FROM member WHERE id = :id AND erased_at IS NULL"), {"id": host_id}
        )
    ).one_or_none()
    if row is None:
        raise NotFound("there is no such member")
    return _Home(row.country, row.zone)


async def _insert_numbered(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Insert an event under the next number of its campaign; whoever else makes one at the same moment has another."""
    while True:
        last = await connection.scalar(
            select(func.max(event.c.number)).where(event.c.campaign_id == values["campaign_id"])
        )
        row = {**values, "number": int(last or 0) + 1}
        if await insert_new_rows(connection, event, tuple(row), [tuple(row.values())], returning="id"):
            return


async def _mark_guests(connection: AsyncConnection, row: Row[Any], news: str, now: datetime) -> None:
    """Guests, and those who wait, are to be told. Who is yet to hear that they moved up hears that with the rest."""
    guests = update(rsvp).where(rsvp.c.event_id == row.id, rsvp.c.status.in_(("confirmed", "waiting")))
    if news == "moved":
        guests = guests.where(rsvp.c.news != "moved_up")
    told = await connection.execute(guests.values(news=news, changed_at=now))
    if told.rowcount:
        await connection.execute(update(event).where(event.c.id == row.id).values(telling=True))


def _moved_to(place: Place) -> dict[str, Any]:
    latitude, longitude = place.point or (None, None)
    values = {"country": place.country, "postcode": place.postcode, "latitude": latitude, "longitude": longitude}
    return values | ({"area": place.area} if place.area else {})


def _title(ask: Ask | None, gathering: Gathering | None) -> str:
    return gathering.title if gathering else ask.title if ask else "Event"
