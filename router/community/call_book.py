"""Who calls when: slots given, given back, and what came of each call. All of it inside the caller's transaction.

A line's slots are given out under one lock for the whole campaign (`open_door`): so no slot gets one caller too many,
and two group commits whose callers belong to several lines cannot wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.calling import Hours, choose_slot
from router.store.bulk import for_update
from router.store.tables import call, call_slot, to_ms

TOLD_JUST_NOW = timedelta(minutes=5)
"""Who was given a slot that begins so soon needs no reminder when it does."""


class CallStatus(StrEnum):
    """Where one member's call stands."""

    ASSIGNED = "assigned"
    """They have a slot."""
    CALLED = "called"
    BUSY = "busy"
    """They found it engaged and have another slot."""
    UNREACHED = "unreached"
    """Nobody answered, or it was engaged to the end."""
    RELEASED = "released"
    """They cannot after all, or the line was closed."""


HOLDING = (CallStatus.ASSIGNED, CallStatus.BUSY)
"""Who has a slot, or had one and has said nothing since."""


class Caller(NamedTuple):
    """Who calls, and where they write from."""

    campaign_id: int
    member_id: int
    channel: str
    address_id: int


async def open_door(connection: AsyncConnection, campaign_id: int) -> None:
    """Be the only one who gives out slots of this campaign until the transaction ends.

    The campaign's first line is the door: lines are never deleted, and its own row is held by whoever sends.
    """
    await connection.execute(
        text(f"SELECT id FROM call_line WHERE campaign_id = :id ORDER BY id LIMIT 1{for_update(connection)}"),
        {"id": campaign_id},
    )


async def read_call(connection: AsyncConnection, campaign_id: int, member_id: int) -> Any:
    """A member's row of `call`, None where they have none."""
    return (
        await connection.execute(select(call).where(call.c.campaign_id == campaign_id, call.c.member_id == member_id))
    ).one_or_none()


async def assign(
    connection: AsyncConnection,
    caller: Caller,
    line_id: int,
    hours: Hours,
    *,
    status: CallStatus = CallStatus.ASSIGNED,
    since: datetime,
    wish: datetime | None = None,
    awake: Callable[[datetime], bool],
    now: datetime,
) -> datetime | None:
    """Give a caller a slot of this line in place of the one they may have; None where there is none for them.

    Who has a slot that is not past keeps it unless they wish for another time. Call `open_door` first.
    """
    row = await read_call(connection, caller.campaign_id, caller.member_id)
    held = row if row is not None and row.status in HOLDING else None
    same = held is not None and held.line_id == line_id and not hours.is_past(held.slot_at, since)
    if held is not None and same and wish is None:
        kept: datetime = held.slot_at
        return kept
    taken = await connection.execute(
        select(call_slot.c.starts_at, call_slot.c.taken).where(call_slot.c.line_id == line_id)
    )
    given_out = [(one.starts_at, one.taken) for one in taken]
    if held is not None and held.line_id == line_id:
        given_out.append((held.slot_at, -1))
    start = choose_slot(hours, hours.loads(given_out), since=since, wish=wish, awake=awake)
    if start is None:
        return None
    if held is not None:
        await _give_back(connection, held)
    await connection.execute(
        text(
            "INSERT INTO call_slot (line_id, starts_at, taken) VALUES (:line, :at, 1)"
            " ON CONFLICT (line_id, starts_at) DO UPDATE SET taken = call_slot.taken + 1"
        ),
        {"line": line_id, "at": to_ms(start)},
    )
    await _write(connection, caller, line_id, start, status, reminded=start - now <= TOLD_JUST_NOW, now=now)
    return start


async def settle(
    connection: AsyncConnection, caller: Caller, status: CallStatus, *, line_id: int = 0, now: datetime
) -> None:
    """Keep what came of a call; a slot that is still to come goes back to the others. Call `open_door` first.

    `line_id` is that of their line, 0 for none; who has a slot called there.
    """
    row = await read_call(connection, caller.campaign_id, caller.member_id)
    at = now
    if row is not None and row.status in HOLDING:
        line_id, at = row.line_id, min(row.slot_at, now)
        if row.slot_at > now or status is CallStatus.RELEASED:
            await _give_back(connection, row)
    await _write(connection, caller, line_id, at, status, reminded=True, now=now)


async def write_result(connection: AsyncConnection, campaign_id: int, member_id: int, words: str) -> None:
    """Keep what a caller tells of their call, in their own words."""
    await connection.execute(
        update(call).where(call.c.campaign_id == campaign_id, call.c.member_id == member_id).values(result=words)
    )


async def count_called(connection: AsyncConnection, campaign_id: int) -> int:
    """How many have called."""
    found = await connection.scalar(
        text("SELECT count(*) FROM call WHERE campaign_id = :id AND status = 'called'"), {"id": campaign_id}
    )
    return int(found or 0)


async def _give_back(connection: AsyncConnection, row: Any) -> None:
    await connection.execute(
        text("UPDATE call_slot SET taken = taken - 1 WHERE line_id = :line AND starts_at = :at AND taken > 0"),
        {"line": row.line_id, "at": to_ms(row.slot_at)},
    )


async def _write(
    connection: AsyncConnection,
    caller: Caller,
    line_id: int,
    slot_at: datetime,
    status: CallStatus,
    *,
    reminded: bool,
    now: datetime,
) -> None:
    values = {
        "line_id": line_id, "slot_at": to_ms(slot_at), "status": status.value, "channel": caller.channel,
        "address_id": caller.address_id, "reminded": reminded, "at": to_ms(now),
    }  # fmt: skip
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    await connection.execute(
        text(
            f"INSERT INTO call (campaign_id, member_id, {', '.join(values)})"
            f" VALUES (:campaign_id, :member_id, {', '.join(f':{name}' for name in values)})"
            f" ON CONFLICT (campaign_id, member_id) DO UPDATE SET {changes}"
        ),
        {"campaign_id": caller.campaign_id, "member_id": caller.member_id, **values},
    )
