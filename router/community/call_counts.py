"""How a calling campaign stands this minute: who is to call, has called, found it busy, and what they told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select, text

from router.community.calls import CallLine, read_lines
from router.core.calling import Hours
from router.runtime import Runtime
from router.store.campaigns import read_ask
from router.store.tables import call, from_ms


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class SlotCount(_Shape):
    """How many callers one slot has."""

    starts_at: datetime
    assigned: int
    """Who were told to call then, whatever came of it."""
    called: int


class Counts(_Shape):
    """How many of those who said that they will call stand where."""

    assigned: int = 0
    """They have a slot, now or to come."""
    called: int = 0
    busy: int = 0
    """They found it engaged and try again: these are among those assigned or silent, too."""
    unreached: int = 0
    """Nobody answered them, or it was engaged to the end."""
    silent: int = 0
    """Their slot is over, and they have not said what came of it."""
    released: int = 0
    """They gave their slot back, or the line was closed before it."""


class LineCount(Counts):
    """One line's counts and its slots; those that nobody was given are left out."""

    line: CallLine
    slots: list[SlotCount]


class CallCount(Counts):
    """A calling campaign at this moment."""

    campaign: int
    title: str
    lines: list[LineCount]


class CallResult(_Shape):
    """What one member told of their call."""

    member_id: int
    line_id: int
    """0 where there was no line for them."""
    status: str
    result: str
    """In their own words."""
    at: datetime


async def count_calls(runtime: Runtime, campaign_id: int, *, now: datetime) -> CallCount:
    """How a calling campaign stands. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        ask = await read_ask(connection, campaign_id)
        lines = await read_lines(connection, campaign_id)
        rows = (
            await connection.execute(
                text(
                    "SELECT line_id, slot_at, status, count(*) AS people FROM call WHERE campaign_id = :campaign"
                    " GROUP BY line_id, slot_at, status"
                ),
                {"campaign": campaign_id},
            )
        ).all()
    counted = [
        LineCount(line=line, **_counts(line.hours, own, now), slots=_slots(line.hours, own))
        for line in lines
        for own in [[row for row in rows if row.line_id == line.id]]
    ]
    without = _counts(None, [row for row in rows if not row.line_id], now)
    whole = {name: without.get(name, 0) + sum(getattr(one, name) for one in counted) for name in Counts.model_fields}
    return CallCount(campaign=campaign_id, title=ask.title, lines=counted, **whole)


async def list_results(runtime: Runtime, campaign_id: int, *, limit: int = 50, after: int = 0) -> list[CallResult]:
    """What callers told, in the order of their numbers; `after` is the member to go on from."""
    query = (
        select(call.c.member_id, call.c.line_id, call.c.status, call.c.result, call.c.at)
        .where(
            call.c.campaign_id == campaign_id,
            call.c.member_id > after,
            call.c.status.in_(("called", "busy", "unreached")),
        )
        .order_by(call.c.member_id)
        .limit(limit)
    )
    async with runtime.store.read() as connection:
        await read_ask(connection, campaign_id)
        return [CallResult.model_validate(row._asdict()) for row in await connection.execute(query)]


def _counts(hours: Hours | None, rows: list[Any], now: datetime) -> dict[str, int]:
    counts = dict.fromkeys(Counts.model_fields, 0)
    for row in rows:
        holds = row.status in ("assigned", "busy")
        over = hours is None or hours.end_of(from_ms(row.slot_at)) <= now
        if row.status == "busy":
            counts["busy"] += row.people
        if holds and not over:
            counts["assigned"] += row.people
        elif holds:
            counts["silent"] += row.people
        else:
            counts[row.status] += row.people
    return counts


def _slots(hours: Hours, rows: list[Any]) -> list[SlotCount]:
    told = hours.loads((from_ms(row.slot_at), row.people) for row in rows if row.status != "released")
    called = hours.loads((from_ms(row.slot_at), row.people) for row in rows if row.status == "called")
    return [SlotCount(starts_at=at, assigned=told[at], called=called.get(at, 0)) for at in sorted(told)]
