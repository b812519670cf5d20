"""All that we hold of one member, for that member: what their page shows, and what they take with them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.preferences import Preferences, read_preferences
from router.records.report import csv_line
from router.runtime import Runtime
from router.store.sealed_addresses import opener
from router.store.tables import from_ms, member

SHOWN = 50
"""So many messages, deeds and consents stand on the page, the newest first; the download has all."""

_MONTHS = "d.month IN (SELECT DISTINCT month FROM campaign)"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Message(_Part):
    """One message to them, or one that was left out."""

    at: datetime | None
    campaign: int
    title: str
    channel: str
    status: str
    reason: str
    words: str
    """Of an answer that was written to them alone; else "", and the ask's words are public (``/open``)."""


class Done(_Part):
    """What they did, and what came of it."""

    at: datetime
    campaign: int
    title: str
    what: str
    amount: int
    currency: str
    came_of_it: str
    """The newest report-back of that campaign."""


class Agreed(_Part):
    """One yes or no of theirs, word for word."""

    at: datetime
    channel: str
    purpose: str
    state: str
    basis: str
    source: str
    wording: str


class Place(_Part):
    """Where we can reach them."""

    channel: str
    value: str
    state: str
    consent: str


class Own(_Part):
    """All of it."""

    person: dict[str, Any]
    preferences: Preferences
    addresses: list[Place]
    tags: list[str]
    messages: list[Message]
    written: list[dict[str, Any]]
    """What they wrote to us."""
    done: list[Done]
    consents: list[Agreed]
    seats: list[dict[str, Any]]
    ideas: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    """Their seconds and objections to changes of our rules."""


_PERSON = (
    "id", "first_name", "last_name", "locale", "zone", "country", "postcode", "place", "attributes", "external_id",
    "joined_at", "dial", "paused_until",
)  # fmt: skip


async def own_data(runtime: Runtime, member_id: int, *, most: int = 0) -> Own:
    """What we hold of a member, of each kind `most` at most, 0 for all of it. Raises `NotFound`."""
    preferences = await read_preferences(runtime, member_id)
    limit = f" LIMIT {int(most)}" if most else ""
    async with runtime.store.read() as connection:
        columns = [member.c[name] for name in _PERSON]
        person = (await connection.execute(select(*columns).where(member.c.id == member_id))).one()
        return Own(
            person=dict(person._mapping),
            preferences=preferences,
            addresses=[_place(connection, row) for row in await _rows(connection, member_id, _PLACES)],
            tags=[row["tag"] for row in await _rows(connection, member_id, _TAGS)],
            messages=[_message(row) for row in await _rows(connection, member_id, _MESSAGES + limit)],
            written=[_dated(row) for row in await _rows(connection, member_id, _WRITTEN + limit)],
            done=[Done(**_dated(row)) for row in await _rows(connection, member_id, _DONE + limit)],
            consents=[Agreed(**_dated(row)) for row in await _rows(connection, member_id, _CONSENTS + limit)],
            seats=[_dated(row) for row in await _rows(connection, member_id, _SEATS + limit)],
            ideas=[_dated(row) for row in await _rows(connection, member_id, _IDEAS + limit)],
            rules=[_dated(row) for row in await _rows(connection, member_id, _RULES + limit)],
        )  # fmt: skip


_PLACES = "SELECT channel, value, hash, state, consent FROM address WHERE member_id = :id ORDER BY rank, channel"
_TAGS = "SELECT tag FROM member_tag WHERE member_id = :id ORDER BY tag"
_MESSAGES = (
    "SELECT coalesce(d.sent_at, d.done_at) AS at, d.campaign_id AS campaign, c.title, d.channel, d.status,"
    " coalesce(d.reason, '') AS reason, coalesce(t.text, '') AS words FROM delivery d"
    " JOIN campaign c ON c.id = d.campaign_id"
    " LEFT JOIN reply_text t ON t.month = d.month AND t.delivery_id = d.id"
    f" WHERE {_MONTHS} AND d.member_id = :id ORDER BY d.id DESC"
)
_WRITTEN = "SELECT at, channel, text FROM inbound WHERE member_id = :id ORDER BY id DESC"
_DONE = (
    "SELECT a.at, a.campaign_id AS campaign, coalesce(c.title, '') AS title, a.kind AS what, a.amount, a.currency,"
    " coalesce((SELECT r.text FROM report_back r WHERE r.campaign_id = a.campaign_id ORDER BY r.id DESC LIMIT 1), '')"
    " AS came_of_it FROM action a LEFT JOIN campaign c ON c.id = a.campaign_id"
    " WHERE a.member_id = :id ORDER BY a.id DESC"
)
_CONSENTS = (
    "SELECT at, channel, purpose, state, basis, source, wording FROM consent WHERE member_id = :id ORDER BY id DESC"
)
_SEATS = (
    "SELECT r.at, e.title, r.status, r.seats, r.comment FROM rsvp r JOIN event e ON e.id = r.event_id"
    " WHERE r.member_id = :id ORDER BY r.at DESC, r.event_id"
)
_IDEAS = "SELECT created_at AS at, number, text, status FROM proposal WHERE member_id = :id ORDER BY number DESC"
_RULES = (
    "SELECT v.at, c.key AS rule, v.stance FROM policy_voice v JOIN policy_change c ON c.id = v.change_id"
    " WHERE v.member_id = :id ORDER BY v.at DESC, c.id"
)


def as_json(own: Own) -> str:
    """All of it as one JSON document."""
    return own.model_dump_json(indent=2)


def as_zip(own: Own) -> bytes:
    """The same as CSV files, one for each kind, in a ZIP archive; no cell is a formula to a spreadsheet."""
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "person": [{**own.person, **own.preferences.model_dump(mode="json"), "tags": ", ".join(own.tags)}],
        "addresses": [one.model_dump(mode="json") for one in own.addresses],
        "messages": [one.model_dump(mode="json") for one in own.messages],
        "written": own.written,
        "done": [one.model_dump(mode="json") for one in own.done],
        "consents": [one.model_dump(mode="json") for one in own.consents],
        "seats": own.seats,
        "ideas": own.ideas,
        "rules": own.rules,
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in tables.items():
            lines = [csv_line(*rows[0])] if rows else []
            lines += [csv_line(*map(_cell, row.values())) for row in rows]
            archive.writestr(f"{name}.csv", b"".join(lines))
    return packed.getvalue()


def _cell(value: Any) -> object:
    return value if isinstance(value, int) and not isinstance(value, bool) else str("" if value is None else value)


def _place(connection: AsyncConnection, row: Mapping[str, Any]) -> Place:
    """Opened; where no key here does that, as it is kept."""
    opened = opener(connection, row["channel"])
    value = row["value"] if opened is None else opened(row["hash"], row["value"])
    return Place(channel=row["channel"], value=value, state=row["state"], consent=row["consent"])


def _message(row: Mapping[str, Any]) -> Message:
    return Message(**{**row, "at": None if row["at"] is None else from_ms(row["at"])})


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "at": from_ms(row["at"])}


async def _rows(connection: AsyncConnection, member_id: int, statement: str) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in await connection.execute(text(statement), {"id": member_id})]
