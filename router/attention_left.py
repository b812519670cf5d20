"""How much of the movement's attention is left: of a sample of members, how many can be asked once more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, func, select, text, true, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import purse
from router.core.attention import BudgetAsk, Dial, Recipient
from router.core.budget import earliest
from router.core.purse import EMPTY, Purse
from router.runtime import Runtime
from router.store.bulk import in_numbers, numbers
from router.store.tables import member

SAMPLE = 1_000
"""So many members are looked at: what is said of the whole is right to about 3 points, 19 times out of 20."""

_PLACES = 20
"""The sample is read from about so many places, spread over the members' numbers: from one it would be of those who
joined together."""

_ROUNDS = 6
"""So often at most these places are looked for."""

_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_LIVING = (member.c.kind == "person", member.c.erased_at.is_(None))
_ASK: Final = BudgetAsk(campaign=0)
"""An ask like most: neither urgent nor more important than others, and it follows nothing."""


class AttentionLeft(BaseModel):
    """Of the members who agreed to hear from us on a channel that is set up."""

    model_config = ConfigDict(frozen=True)

    people: int
    """How many were looked at …"""
    is_all: bool
    """… and whether these are all there are, so that it is no estimate."""
    in_a_day: int
    """How many of them can be asked once within the next 24 hours …"""
    in_a_week: int
    """… and how many within the next 7 days."""


async def attention_left(runtime: Runtime, *, seen: ColumnElement[bool] | None = None, now: datetime) -> AttentionLeft:
    """Look at a sample of the members; `seen`, a condition on `tables.member`, leaves out some."""
    async with runtime.store.read() as connection:
        ids, is_all = await _sample(connection)
        among = text(f"member.id {in_numbers(connection, 'ids')}")
        rows = (
            await connection.execute(
                select(member.c.id, member.c.household_id, member.c.dial, member.c.paused_until, member.c.joined_at)
                .where(among.bindparams(ids=numbers(connection, ids)), true() if seen is None else seen)
                .order_by(member.c.id)
            )
        ).all()
        channels = await _channels(connection, [row.id for row in rows], runtime.channels)
        purses = await _purses(connection, {row.household_id or row.id for row in rows})
    moments = [
        _first_moment(runtime, row, channels[row.id], purses.get(row.household_id or row.id, EMPTY), now)
        for row in rows
        if row.id in channels
    ]
    return AttentionLeft(
        people=len(moments),
        is_all=is_all,
        in_a_day=sum(at is not None and at < now + _DAY for at in moments),
        in_a_week=sum(at is not None for at in moments),
    )


async def _sample(connection: AsyncConnection) -> tuple[list[int], bool]:
    """Numbers of living members, and whether there are no others."""
    last = int(await connection.scalar(select(func.max(member.c.id))) or 0)
    ids = await _read(connection, [(0, last)], SAMPLE + 1)
    if len(ids) <= SAMPLE:
        return ids, True
    spans = [(ids[0], last)]
    # Members' numbers have gaps, in which other things were numbered: spans without anybody are left out, the others
    # are cut again until enough of them hold somebody.
    for _ in range(_ROUNDS):
        each = -(-_PLACES // len(spans))
        cut = [piece for span in spans for piece in _cut(*span, each)]
        firsts = await _read(connection, cut, 1)
        spans = [(first, end) for first in firsts for begin, end in cut if begin <= first <= end] or spans
        if 2 * len(spans) >= _PLACES:
            break
    return await _read(connection, spans, SAMPLE // len(spans)), False


def _cut(begin: int, end: int, pieces: int) -> list[tuple[int, int]]:
    """A span of numbers, both ends inclusive, in so many pieces, or fewer where it is shorter than that."""
    step = max(1, -(-(end + 1 - begin) // pieces))
    return [(first, min(first + step - 1, end)) for first in range(begin, end + 1, step)]


async def _read(connection: AsyncConnection, spans: Sequence[tuple[int, int]], count: int) -> list[int]:
    """The first numbers of living members in each of these spans, at most `count` of each, in order."""
    parts = [
        select(member.c.id).where(member.c.id.between(*span), *_LIVING).order_by(member.c.id).limit(count).subquery()
        for span in spans
    ]
    return sorted((await connection.scalars(union_all(*(select(part.c.id) for part in parts)))).all())


async def _channels(
    connection: AsyncConnection, ids: Sequence[int], set_up: Collection[str]
) -> Mapping[int, Sequence[str]]:
    """member → the channels on which they may be written to; who has none is left out."""
    rows = await connection.execute(
        text(
            "SELECT DISTINCT a.member_id, a.channel FROM address a LEFT JOIN suppression s ON s.address_hash = a.hash"
            f" AND s.channel = a.channel WHERE a.member_id {in_numbers(connection, 'ids')} AND a.state = 'active'"
            " AND a.consent = 'granted' AND s.reason IS NULL"
        ),
        {"ids": numbers(connection, ids)},
    )
    found: dict[int, list[str]] = {}
    for number, channel in rows:
        if channel in set_up:
            found.setdefault(number, []).append(channel)
    return found


async def _purses(connection: AsyncConnection, holders: Collection[int]) -> Mapping[int, Purse]:
    rows = await connection.execute(
        text(f"SELECT holder, slots FROM contact_budget WHERE holder {in_numbers(connection, 'ids')}"),
        {"ids": numbers(connection, sorted(holders))},
    )
    return {holder: purse.decode(slots) for holder, slots in rows}


def _first_moment(runtime: Runtime, row: Any, channels: Sequence[str], spent: Purse, now: datetime) -> datetime | None:
    """When this member can be asked once more, on the channel where that is soonest; None: not within a week."""
    who = Recipient(dial=Dial(row.dial), paused_until=row.paused_until, joined_at=row.joined_at)
    rules = runtime.policy.budget_rules
    found = [
        earliest(spent, _ASK, rules, channel=channel, at=now, until=now + _WEEK, recipient=who) for channel in channels
    ]
    return min((at for at in found if isinstance(at, datetime)), default=None)
