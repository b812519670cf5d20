"""Reply smoothing: a paced ask is let out only as fast as the organizers can answer those who write back.

Its batches are small (`fanout_rows.PACED_BATCH`) and wait (`batch.waits`). While there is room in the inbox
(`core.inbox_policy.room`) some are let out: the row itself is changed, so however many workers there are, no more than
these leave. What leaves beyond the room is less than one batch. Stages, quiet hours, pause and cancel hold as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import MAY_ANSWER, organizers
from router.core.ask import Ask
from router.core.inbox_policy import PARTS, room
from router.core.model import CampaignStatus
from router.runtime import Runtime
from router.signals import Wake
from router.store.bulk import in_numbers, numbers
from router.store.campaigns import lock_campaign
from router.store.tables import to_ms

_MOST = 200
"""Batches that one look lets out; the next comes a second later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """What the pace depends on."""

    organizers: int
    waiting: int
    """Conversations without an answer."""
    room: int
    """Messages that may be let out now."""


async def let_out(runtime: Runtime, *, now: datetime) -> int:
    """Let batches of paced asks out as there is room for the answers to them; returns how many it did."""
    async with runtime.store.read() as connection:
        over, campaigns = await _waiting_campaigns(connection, now=now)
        inbox = await read_inbox(runtime, connection, now=now) if campaigns else None
    freed = await runtime.store.transact(lambda connection: _let_go(connection, over)) if over else 0
    if inbox is None or inbox.room == 0:
        return freed

    async def work(connection: AsyncConnection) -> int:
        # Whoever else looks at the same moment waits here, and then sees what was let out.
        for campaign_id in campaigns:
            await lock_campaign(connection, campaign_id, exclusively=True)
        return await _release(connection, campaigns, (await read_inbox(runtime, connection, now=now)).room, now)

    released = await runtime.store.transact(work)
    if released:
        runtime.signals.wake(Wake.SEND)
    return freed + released


async def read_inbox(runtime: Runtime, connection: AsyncConnection, *, now: datetime) -> Inbox:
    """How full the inbox is, and how many messages of paced asks it bears now."""
    policy = runtime.policy.inbox
    many = len(await organizers(connection, MAY_ANSWER))
    waiting = await connection.scalar(
        text("SELECT count(*) FROM thread WHERE status IN ('open', 'claimed') AND waiting > 0")
    )
    size = "last_id - first_id + 1"
    recent, lately = (
        await connection.execute(
            text(
                f"SELECT CAST(coalesce(sum({size}), 0) AS bigint),"
                f" CAST(coalesce(sum(CASE WHEN released_at > :part THEN {size} ELSE 0 END), 0) AS bigint)"
                " FROM batch WHERE released_at > :since"
            ),
            {"since": to_ms(now - policy.answer_time), "part": to_ms(now - policy.answer_time / PARTS)},
        )
    ).one()
    free = room(policy, many, waiting=int(waiting or 0), recent=recent, lately=lately)
    return Inbox(organizers=many, waiting=int(waiting or 0), room=free)


async def tell_pace(runtime: Runtime, connection: AsyncConnection, campaign: Any, ask: Ask, *, now: datetime) -> str:
    """How a running campaign's pace stands, in words; "" where it has none, or all of it was let out."""
    if not ask.paced or campaign.status != CampaignStatus.RUNNING.value:
        return ""
    held = await connection.scalar(
        text(
            "SELECT CAST(sum(last_id - first_id + 1) AS bigint) FROM batch WHERE campaign_id = :id AND waits AND open"
        ),
        {"id": campaign.id},
    )
    if not held:
        return ""
    inbox = await read_inbox(runtime, connection, now=now)
    bears = runtime.policy.inbox.capacity(inbox.organizers)
    why = "is full" if inbox.waiting >= bears else "gets time to answer"
    return (
        f"waits for the inbox: {held:,} messages are still to leave while it {why}; {inbox.waiting:,} conversations"
        f" wait for an answer, {_who(inbox.organizers)} can bear {bears:,}"
    )


async def forecast_pace(runtime: Runtime, connection: AsyncConnection, ask: Ask, people: int) -> tuple[float, str]:
    """(seconds that a paced ask to so many takes for its pace alone, that in words); nothing where it has none."""
    if not ask.paced:
        return 0.0, ""
    policy = runtime.policy.inbox
    many = len(await organizers(connection, MAY_ANSWER))
    each_hour = policy.per_hour(many)
    hours = people / each_hour
    return hours * 3600, (
        f"{_who(many)} can bear {policy.capacity(many):,} conversations at a time, so about {each_hour:,.0f} messages"
        f" leave in an hour while all who write back are answered: {people:,} take {hours:,.1f} h"
    )


def _who(many: int) -> str:
    return "one organizer" if many <= 1 else f"{many:,} organizers"


async def _waiting_campaigns(connection: AsyncConnection, *, now: datetime) -> tuple[list[int], list[int]]:
    """Running campaigns of which only the inbox holds something back, oldest first: those whose time is over, and the
    others."""
    rows = await connection.execute(
        text(
            "SELECT c.id, c.expires_at <= :now AS over FROM campaign c WHERE c.status = 'running' AND EXISTS"
            " (SELECT 1 FROM batch b WHERE b.campaign_id = c.id AND b.waits AND (c.expires_at <= :now"
            " OR (b.not_before <= :now AND b.stage <= c.stage AND c.goal_met_at IS NULL))) ORDER BY c.id"
        ),
        {"now": to_ms(now)},
    )
    found = rows.all()
    return [row.id for row in found if row.over], [row.id for row in found if not row.over]


async def _release(connection: AsyncConnection, campaigns: list[int], most: int, now: datetime) -> int:
    """Let out what may leave by now, until it is `most` messages; the last batch may go beyond."""
    rows = await connection.execute(
        text(
            "SELECT b.id, b.last_id - b.first_id + 1 AS size FROM batch b JOIN campaign c ON c.id = b.campaign_id"
            f" WHERE b.campaign_id {in_numbers(connection, 'campaigns')} AND b.waits AND b.open"
            " AND b.stage <= c.stage AND b.not_before <= :now AND c.status = 'running' AND c.goal_met_at IS NULL"
            " ORDER BY b.lane, b.stage, b.not_before, b.id LIMIT :limit"
        ),
        {"campaigns": numbers(connection, campaigns), "now": to_ms(now), "limit": _MOST},
    )
    chosen: list[int] = []
    for row in rows:
        if most <= 0:
            break
        chosen.append(row.id)
        most -= row.size
    if not chosen:
        return 0
    result = await connection.execute(
        text(f"UPDATE batch SET waits = false, released_at = :now WHERE id {in_numbers(connection, 'ids')} AND waits"),
        {"now": to_ms(now), "ids": numbers(connection, chosen)},
    )
    return result.rowcount


async def _let_go(connection: AsyncConnection, campaigns: list[int]) -> int:
    """What is of no use any more leaves no message: it waits no longer, so that a worker disposes of it."""
    result = await connection.execute(
        text(f"UPDATE batch SET waits = false WHERE campaign_id {in_numbers(connection, 'ids')} AND waits"),
        {"ids": numbers(connection, campaigns)},
    )
    return result.rowcount
