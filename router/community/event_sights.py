"""What the pages of an event show: to everybody, to its guests, to its host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from router.community.event_talk import host_name, names_of
from router.core.event_replies import neighbourhood
from router.runtime import Runtime
from router.store.tables import event, rsvp

PUBLIC = ("open", "cancelled")
"""Statuses of events that everybody may know of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """An event as somebody may see it."""

    row: Row[Any]
    area: str
    seats_left: int
    host: str = ""
    """Their first name; "" for who is not to know."""
    address: str = ""
    """Where exactly; "" for who is not to know."""
    notes: str = ""
    stands: str = ""
    """What a guest has: ``confirmed``, ``waiting`` …; ``host`` for the host, "" for everybody else."""
    seats: int = 0
    guests: Sequence[tuple[int, str, int]] = ()
    """For the host: number, first name and seats of each who has some."""


async def public_sight(runtime: Runtime, event_id: int) -> Sight | None:
    """What everybody may see; None where there is no such event, or it never opened."""
    async with runtime.store.read() as connection:
        row = (await connection.execute(select(event).where(event.c.id == event_id))).one_or_none()
    return _public(row) if row is not None and row.status in PUBLIC else None


async def own_sight(runtime: Runtime, event_id: int, member_id: int) -> Sight | None:
    """What a guest or the host may see; to whoever is neither any more it is what everybody sees."""
    async with runtime.store.read() as connection:
        row = (await connection.execute(select(event).where(event.c.id == event_id))).one_or_none()
        if row is None:
            return None
        seen = _public(row)
        guests = await connection.execute(select(rsvp).where(rsvp.c.event_id == event_id).order_by(rsvp.c.number))
        of_guests = {guest.member_id: guest for guest in guests}
        if row.host_id and row.host_id == member_id:
            seated = [guest for guest in of_guests.values() if guest.status in _SEATED]
            names = await names_of(connection, [guest.member_id for guest in seated])
            return Sight(
                row=row, area=seen.area, seats_left=seen.seats_left, address=row.address, notes=row.notes,
                stands="host", guests=[(one.number, names.get(one.member_id, ""), one.seats) for one in seated],
            )  # fmt: skip
        mine = of_guests.get(member_id)
        if mine is None or mine.status not in (*_SEATED, "waiting", "missed") or row.status not in PUBLIC:
            return seen if row.status in PUBLIC else None
        if mine.status == "waiting":
            return Sight(row=row, area=seen.area, seats_left=seen.seats_left, stands=mine.status, seats=mine.seats)
        return Sight(
            row=row, area=seen.area, seats_left=seen.seats_left, host=await host_name(runtime, connection, row),
            address=row.address, notes=row.notes, stands=mine.status, seats=mine.seats,
        )  # fmt: skip


_SEATED = ("confirmed", "came")


def _public(row: Row[Any]) -> Sight:
    area = row.area or neighbourhood(row.postcode)
    return Sight(row=row, area=area, seats_left=max(0, row.capacity - row.taken))
