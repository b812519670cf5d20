"""Asks with events, and members who write back, for tests of the conversation about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select, text, update

from router.community.event_model import EventIn
from router.community.events import create_in
from router.core.channel import Inbound, Received
from router.store.tables import event, member, rsvp
from tests.support.ledger import Ledger

STARTS_LOCAL = "2026-12-03T19:00:00"
STARTS = datetime(2026, 12, 3, 18, 0, tzinfo=UTC)
"""The same moment in Paris."""

GATHERING: dict[str, Any] = {"title": "Dinner", "starts_at_local": STARTS_LOCAL, "seats": 4, "approval": False}
PARIS = {"75011": (48.859, 2.380), "75020": (48.863, 2.401), "69001": (45.770, 4.830), "13001": (43.299, 5.383)}
"""Postcodes and where they lie, as GeoNames has them (CC BY 4.0), rounded."""

_numbers = count(1)


async def load_postcodes(ledger: Ledger) -> None:
    """Where the postcodes of these tests lie."""
    for code, (latitude, longitude) in PARIS.items():
        await ledger.execute(
            "INSERT INTO postcode (country, code, name, latitude, longitude) VALUES ('FR', :code, :name, :lat, :long)",
            code=code, name=f"Place {code}", lat=latitude, long=longitude,
        )  # fmt: skip


async def invite(ledger: Ledger, **ask: Any) -> int:
    """An ask to come to dinners, sent to everybody there is; returns its campaign."""
    campaign = await ledger.launch_and_route(
        **{
            "wants": "attend",
            "gathering": GATHERING,
            "texts": {"en": {"default": {"text": "Dinner? Reply YES or your postcode. STOP ends."}}},
            **ask,
        }
    )
    await ledger.send()
    return campaign


async def open_event(ledger: Ledger, campaign: int, *, host: int = 0, **body: Any) -> int:
    """An open event; returns its number in the ledger. Times are Parisian where nothing else is said."""
    [number] = await ledger.store.take_ids(1)
    values = {
        "campaign_id": campaign,
        "country": "FR",
        "postcode": "75011",
        "address": "12 rue Haute",
        "zone": "Europe/Paris",
        "starts_at_local": datetime.fromisoformat(STARTS_LOCAL),
        **body,
    }
    trusted = values.pop("trusted", True)
    if "starts_at" in values:
        del values["starts_at_local"]
    async with ledger.store.write() as connection:
        made = await create_in(
            connection, ledger.runtime, EventIn(**values), number=number, by="ana", host_id=host, trusted=trusted,
            now=ledger.clock(),
        )  # fmt: skip
    return made.id


async def write(ledger: Ledger, member_id: int, words: str, *, event_id: str = "", **more: Any) -> str:
    """Let a member write from their phone; returns what we write back at once, "" for nothing."""
    before = await _last_delivery(ledger)
    await ledger.submit(Received(events=(await message(ledger, member_id, words, event_id=event_id, **more),)))
    return "\n".join(await _told(ledger, member_id, after=before))


async def message(ledger: Ledger, member_id: int, words: str, *, event_id: str = "", **more: Any) -> Inbound:
    """What a webhook brings when a member writes."""
    sender = await phone_of(ledger, member_id)
    name = event_id or f"SM{next(_numbers)}"
    return Inbound(event_id=name, sender=sender, recipient="", text=words, at=ledger.clock(), **more)


async def phone_of(ledger: Ledger, member_id: int) -> str:
    """Where a member's text messages go."""
    rows = await ledger.execute("SELECT value FROM address WHERE member_id = :id AND channel = 'sms'", id=member_id)
    return str(rows[0].value)


async def told_since(ledger: Ledger, member_id: int, delivery: int = 0) -> list[str]:
    """All that we wrote to one member by ourselves, in order."""
    return await _told(ledger, member_id, after=delivery)


async def _told(ledger: Ledger, member_id: int, *, after: int) -> list[str]:
    rows = await ledger.execute(
        "SELECT r.text FROM reply_text r JOIN delivery d ON d.month = r.month AND d.id = r.delivery_id"
        " WHERE d.member_id = :member AND d.id > :after ORDER BY d.id",
        member=member_id,
        after=after,
    )
    return [row.text for row in rows]


async def _last_delivery(ledger: Ledger) -> int:
    rows = await ledger.execute("SELECT max(id) AS id FROM delivery")
    return int(rows[0].id or 0)


async def the_event(ledger: Ledger, event_id: int) -> Any:
    """An event's row."""
    async with ledger.store.read() as connection:
        return (await connection.execute(select(event).where(event.c.id == event_id))).one()


async def the_rsvp(ledger: Ledger, event_id: int, member_id: int) -> Any:
    """A guest's row, None where there is none."""
    async with ledger.store.read() as connection:
        wanted = (rsvp.c.event_id == event_id) & (rsvp.c.member_id == member_id)
        return (await connection.execute(select(rsvp).where(wanted))).one_or_none()


async def actions_of(ledger: Ledger, member_id: int) -> list[str]:
    """What a member did, by the ledger."""
    rows = await ledger.execute("SELECT kind FROM action WHERE member_id = :id ORDER BY id", id=member_id)
    return [row.kind for row in rows]


async def lives(ledger: Ledger, member_id: int, **columns: Any) -> None:
    """Where a member lives, or what they speak."""
    async with ledger.store.write() as connection:
        await connection.execute(update(member).where(member.c.id == member_id).values(**columns))


async def is_waiting_for_a_person(ledger: Ledger, member_id: int) -> bool:
    """Whether an organizer is to answer them."""
    async with ledger.store.read() as connection:
        found = await connection.scalar(
            text("SELECT waiting FROM thread WHERE member_id = :id AND status <> 'done'"), {"id": member_id}
        )
    return bool(found)


DAY = timedelta(days=1)
