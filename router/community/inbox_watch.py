"""What is looked after in the inbox: claims that nobody uses any more, and people who wait too long."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.inbox import NOTICE
from router.runtime import Runtime
from router.store.notices import notify
from router.store.tables import from_ms, to_ms

log = logging.getLogger(__name__)

_MOST = 100
"""Threads that one look takes up; the next comes a second later."""


async def watch_inbox(runtime: Runtime, *, now: datetime) -> int:
    """Give stale claims back to all, and tell the staff of who waits too long, once each; returns how many it did."""
    freed = await _free_stale(runtime, now=now)
    return freed + await _alarm(runtime, now=now)


async def _free_stale(runtime: Runtime, *, now: datetime) -> int:
    """Claims that were not used for hours: open again where somebody waits, else done."""
    values = {"stale": to_ms(now - runtime.policy.inbox.claim_lasts), "most": _MOST}
    where = "status = 'claimed' AND claimed_at <= :stale"
    async with runtime.store.read() as connection:
        if await connection.scalar(text(f"SELECT 1 FROM thread WHERE {where} LIMIT 1"), values) is None:
            return 0

    async def work(connection: AsyncConnection) -> int:
        result = await connection.execute(
            text(
                "UPDATE thread SET status = CASE WHEN waiting > 0 THEN 'open' ELSE 'done' END, claimed_by = NULL,"
                f" claimed_at = NULL WHERE {where}"
                f" AND member_id IN (SELECT member_id FROM thread WHERE {where} ORDER BY member_id LIMIT :most)"
            ),
            values,
        )
        return result.rowcount

    return await runtime.store.transact(work)


async def _alarm(runtime: Runtime, *, now: datetime) -> int:
    due = to_ms(now - runtime.policy.inbox.alarm_after)
    async with runtime.store.read() as connection:
        rows = (
            await connection.execute(
                text(
                    "SELECT member_id, waiting_since, claimed_by FROM thread WHERE status IN ('open', 'claimed')"
                    " AND waiting_since <= :due AND waiting > 0 AND alarmed_at IS NULL"
                    " ORDER BY member_id LIMIT :most"
                ),
                {"due": due, "most": _MOST},
            )
        ).all()
    if not rows:
        return 0

    async def work(connection: AsyncConnection) -> int:
        return sum([await _tell_staff(connection, row, due, now) for row in rows])

    told = await runtime.store.transact(work)
    if told:
        log.warning(
            "inbox: %d people have waited over %d min for an answer: outreach inbox",
            told, runtime.policy.inbox.alarm_minutes,
        )  # fmt: skip
    return told


async def _tell_staff(connection: AsyncConnection, row: Any, due: int, now: datetime) -> bool:
    """False where they were answered, or somebody else told the staff, meanwhile."""
    result = await connection.execute(
        text(
            "UPDATE thread SET alarmed_at = :now WHERE member_id = :id AND alarmed_at IS NULL AND waiting > 0"
            " AND waiting_since <= :due AND status <> 'done'"
        ),
        {"now": to_ms(now), "id": row.member_id, "due": due},
    )
    if result.rowcount == 0:
        return False
    who = f"{row.claimed_by} has their thread" if row.claimed_by else "nobody has their thread"
    sentence = (
        f"Member {row.member_id} has waited for an answer since {from_ms(row.waiting_since):%Y-%m-%d %H:%M} UTC, and"
        f" {who}: outreach inbox show {row.member_id}, or GET /api/v1/inbox/{row.member_id}"
    )
    await notify(connection, NOTICE, str(row.member_id), sentence, now=now)
    return True
