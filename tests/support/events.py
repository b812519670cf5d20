"""Events for tests: made by the program itself, at a place and time that a test names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from router.community.event_desk import create_event
from router.community.event_model import EventIn, EventView
from router.store.bulk import insert_rows
from router.store.tables import event, postcode, rsvp
from tests.support.ledger import Ledger

LONDON, CAMDEN, BRIGHTON, PARIS = (51.5074, -0.1278), (51.5390, -0.1426), (50.8225, -0.1372), (48.8566, 2.3522)

POSTCODES = [
    ("GB", "SW1A", "Westminster", 51.5014, -0.1419),
    ("GB", "NW1", "Camden", *CAMDEN),
    ("GB", "BN1", "Brighton", *BRIGHTON),
    ("FR", "75011", "Paris 11e", 48.8594, 2.3765),
    ("FR", "75012", "Paris 12e", 48.8412, 2.3876),
    ("FR", "13001", "Marseille", 43.2999, 5.3842),
]
"""A few, with coordinates to the kilometre."""


async def add_event(ledger: Ledger, *, host_id: int = 0, days: float = 3, **values: Any) -> EventView:
    """An open event in London in a few days."""
    given: dict[str, Any] = {
        "title": "Dinner", "starts_at": ledger.clock() + timedelta(days=days), "area": "Camden",
        "address": "12 High Street", "country": "GB", "seats": 8,
    }  # fmt: skip
    body = EventIn.model_validate({**given, **values})
    return await create_event(ledger.runtime, body, by="ana", host_id=host_id, now=ledger.clock())


async def add_postcodes(ledger: Ledger, rows: list[tuple[str, str, str, float, float]] = POSTCODES) -> None:
    """Let the ledger know where postcodes lie."""
    async with ledger.store.write() as connection:
        await insert_rows(connection, postcode, ("country", "code", "name", "latitude", "longitude"), rows)


async def event_row(ledger: Ledger, event_id: int) -> Any:
    async with ledger.store.read() as connection:
        return (await connection.execute(select(event).where(event.c.id == event_id))).one()


async def guests(ledger: Ledger, event_id: int) -> dict[int, tuple[str, int]]:
    """member → status and seats."""
    async with ledger.store.read() as connection:
        rows = await connection.execute(select(rsvp).where(rsvp.c.event_id == event_id).order_by(rsvp.c.number))
        return {row.member_id: (row.status, row.seats) for row in rows}


async def said(ledger: Ledger) -> list[tuple[int, str]]:
    """What was queued for whom, in order: member and words."""
    rows = await ledger.execute(
        "SELECT d.member_id, t.text FROM reply_text t JOIN delivery d ON d.id = t.delivery_id AND d.month = t.month"
        " ORDER BY d.id"
    )
    return [(row.member_id, row.text) for row in rows]
