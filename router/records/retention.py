"""What is kept of people for a time only, how long, and dropping it then.

A month goes as a whole, once nothing of it is under way: on PostgreSQL its partitions are dropped, on SQLite its rows
are deleted a few at a time. What was counted stays (tally, spending, actions, reactions), so the pages' totals do. What
proves that we might write, and that we stopped, is never dropped: consents, suppressions, claims, the audit log.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import Unavailable
from router.core.retention_policy import oldest_kept
from router.runtime import Runtime
from router.store.bulk import is_sqlite, sql
from router.store.campaigns import write_audit
from router.store.leases import give_lease_back, take_lease
from router.store.partitions import PARTITIONED, drop_month, keep_months, months_before, refresh_statistics
from router.store.tables import to_ms

log = logging.getLogger(__name__)

AT_ONCE = {"sqlite": 2_000, "postgresql": 20_000}
"""Rows that one transaction deletes where there is no partition to drop: under 50 ms on SQLite (DESIGN.md 6)."""

NIGHT = "night"
_NIGHT_LASTS = 20 * 3_600_000
"""ms. The lease outlives the hour, so that of all workers one does it, once a night."""


_BY_MONTH: Mapping[str, Mapping[str, str]] = {
    "answers": {"reply_text": "delivery_id"},
    "messages": {
        "batch": "id",
        "receipt": "delivery_id, event_id",
        "attempt": "delivery_id, number",
        "delivery": "id",
    },
    "received": {"inbound_claim": "channel, account, event_id", "inbound": "id"},
}
"""Kind → its tables and the key of each beside the month. The last is the one whose rows are counted, and goes last: so
a run that was stopped is seen by the next."""
_BY_DAY: Mapping[str, tuple[str, str, str]] = {
    "parked_receipts": ("parked_receipt", "channel, event_id", "parked_at < :before"),
    "import_problems": (
        "import_problem",
        'import_id, line, "column"',
        "import_id IN (SELECT id FROM import_job WHERE status <> 'running' AND finished_at < :before)",
    ),
    "webhooks": ("hook_event", "id", "status = 'dead' AND done_at < :before"),
    "notices": ("notice", "kind, subject", "cleared_at < :before"),
    "invitations": ("invitation", "token_hash", "coalesce(used_at, expires_at) < :before"),
}
"""Kind → table, its key, and what is over for long enough."""


class Going(NamedTuple):
    """What is, or was, to go of one kind."""

    kind: str
    kept: str
    """``13 months``"""
    month: int
    """yyyymm; 0 where it goes by the day."""
    rows: int
    because: str
    """Why it stays for now; "" where it goes."""


async def review(runtime: Runtime, *, now: datetime) -> list[Going]:
    """What would go now, and what is held back; a kind of which there is neither has one line with no rows."""
    return _told(await _look(runtime, now=now))


def _told(lines: Sequence[Going]) -> list[Going]:
    """Without partitions that are empty, which go unsaid."""
    some = {line.kind for line in lines if line.rows}
    return [line for line in lines if line.rows or (line.kind not in some and not line.month)]


async def _look(runtime: Runtime, *, now: datetime) -> list[Going]:
    found = []
    for kind in _BY_MONTH:
        kept, months = f"{_months_of(runtime, kind)} months", []
        oldest = oldest_kept(now, _months_of(runtime, kind))
        for month in await _months_over(runtime, kind, now=now):
            async with runtime.store.read() as connection:
                rows = await _count(connection, kind, month)
                because = await _held_back(connection, kind, month, oldest=oldest)
            months.append(Going(kind, kept, month, rows, because))
        found += [*months, Going(kind, kept, 0, 0, "")]
    for kind, (table, _, over) in _BY_DAY.items():
        days: int = getattr(runtime.policy.retention, kind)
        async with runtime.store.read() as connection:
            rows = await connection.scalar(
                sql(f"SELECT count(*) FROM {table} WHERE {over}"), {"before": to_ms(now - timedelta(days=days))}
            )
        found.append(Going(kind, f"{days} days", 0, int(rows or 0), ""))
    return found


async def apply(runtime: Runtime, *, by: str, now: datetime) -> list[Going]:
    """Drop what would go; returns the same lines as `review`, with what went. May be stopped and run again."""
    done = []
    for going in await _look(runtime, now=now):
        if going.month and not going.because:
            because = await _drop(runtime, going, by=by, now=now)
            done.append(going._replace(because=because))
            continue
        if going.rows and not going.month:
            await _delete_by_day(runtime, going, by=by, now=now)
        done.append(going)
    return _told(done)


async def make_room(runtime: Runtime, *, now: datetime) -> int:
    """Make the partitions of this month and the next; a tender's task."""
    return await keep_months(runtime.store, now=now)


async def keep_house(runtime: Runtime, owner: str, *, now: datetime) -> bool:
    """Once a night, by one process: refresh statistics, and drop what is over where `automatic` says so.

    Returns whether this process did it.
    """
    policy = runtime.policy.retention
    if now.hour != policy.hour:
        return False
    mine = f"{owner[:40]}-{secrets.token_hex(4)}"  # or this process would do it again within the hour
    if not await runtime.store.transact(lambda connection: take_lease(connection, NIGHT, mine, lasts=_NIGHT_LASTS)):
        return False
    try:
        await refresh_statistics(runtime.store)
        if policy.automatic:
            for gone in await apply(runtime, by="router", now=now):
                if gone.rows:
                    log.info("%s %s: %d rows, %s", gone.kind, gone.month or "", gone.rows, gone.because or "dropped")
    except Unavailable:
        await runtime.store.transact(lambda connection: give_lease_back(connection, NIGHT, mine))
        raise
    return True


def _months_of(runtime: Runtime, kind: str) -> int:
    months: int = getattr(runtime.policy.retention, kind)
    return months


async def _months_over(runtime: Runtime, kind: str, *, now: datetime) -> Sequence[int]:
    """Months of which something is still there and need not be."""
    oldest = oldest_kept(now, _months_of(runtime, kind))
    found: set[int] = set()
    async with runtime.store.read() as connection:
        for table in PARTITIONED.intersection(_BY_MONTH[kind]):
            found.update(await months_before(connection, table, oldest))
    return sorted(found)


async def _count(connection: AsyncConnection, kind: str, month: int) -> int:
    *_, table = _BY_MONTH[kind]
    rows = await connection.scalar(sql(f"SELECT count(*) FROM {table} WHERE month = :month"), {"month": month})
    return int(rows or 0)


async def _held_back(connection: AsyncConnection, kind: str, month: int, *, oldest: int) -> str:
    """Why this month must stay: something of it is under way, or was in a month that is kept."""
    if kind == "received":
        waiting = await connection.scalar(
            sql("SELECT count(*) FROM thread WHERE inbound_month = :month AND status <> 'done'"), {"month": month}
        )
        return f"conversations still open in the inbox: {waiting}" if waiting else ""
    row = (
        await connection.execute(
            sql(
                "SELECT id, status FROM campaign WHERE month = :month AND kind <> 'reply'"
                " AND (status IN ('scheduled', 'running', 'paused') OR finished_at >= :since) ORDER BY id LIMIT 1"
            ),
            {"month": month, "since": to_ms(datetime(oldest // 100, oldest % 100, 1, tzinfo=UTC))},
        )
    ).one_or_none()
    if row is not None and kind == "messages":
        under_way = row.status in ("scheduled", "running", "paused")
        return f"campaign {row.id} is {row.status}" if under_way else f"campaign {row.id} ended in a later month"
    unsettled = await connection.scalar(
        sql(
            "SELECT CAST(sum(t.count) AS bigint) FROM tally t JOIN campaign c ON c.id = t.campaign_id WHERE"
            " c.month = :month AND (t.status IN ('queued', 'sending') OR (t.status = 'unknown' AND t.reason = ''))"
            + (" AND c.kind = 'reply'" if kind == "answers" else "")
        ),
        {"month": month},
    )
    return f"messages queued, on their way or of unknown outcome: {unsettled}" if unsettled else ""


async def _drop(runtime: Runtime, going: Going, *, by: str, now: datetime) -> str:
    """Drop one month of one kind; returns why it stayed after all, "" where it went."""
    [audit_id] = await runtime.store.take_ids(1)
    oldest = oldest_kept(now, _months_of(runtime, going.kind))
    begun = False

    async def some(connection: AsyncConnection, table: str, key: str) -> bool:
        """A piece of one table; whether there may be more of it."""
        whole = table in PARTITIONED and not is_sqlite(connection) and await drop_month(connection, table, going.month)
        # With the lock of the partition nothing of the month can begin any more; until then it could.
        because = await _held_back(connection, going.kind, going.month, oldest=oldest)
        if because:
            raise _UnderWay(because)
        if not begun and going.rows:
            await _write_down(connection, going, audit_id, by=by, now=now)
        closed = " AND NOT open" if table == "batch" else ""
        where = f"month = :month{closed}"
        return not whole and await _delete_some(connection, table, f"month, {key}", where, {"month": going.month})

    try:
        for table, key in _BY_MONTH[going.kind].items():
            more = True
            while more:
                more = await runtime.store.transact(partial(some, table=table, key=key))
                begun = True
    except _UnderWay as stays:
        return str(stays)
    return ""


class _UnderWay(Exception):
    """Something began meanwhile; the transaction is taken back."""


async def _write_down(connection: AsyncConnection, going: Going, audit_id: int, *, by: str, now: datetime) -> None:
    await connection.execute(
        sql(
            'INSERT INTO dropped_month (kind, month, count, at, "by") VALUES (:kind, :month, :count, :at, :by)'
            " ON CONFLICT (kind, month) DO UPDATE SET count = dropped_month.count + excluded.count, at = excluded.at"
        ),
        {"kind": going.kind, "month": going.month, "count": going.rows, "at": to_ms(now), "by": by[:200]},
    )
    if going.kind == "messages":
        await connection.execute(
            sql(
                "UPDATE campaign SET status = 'finished', finished_at = :now"
                " WHERE month = :month AND kind = 'reply' AND status = 'running'"
            ),
            {"month": going.month, "now": to_ms(now)},
        )
    detail = {"kind": going.kind, "rows": going.rows, "kept": going.kept}
    await write_audit(
        connection, audit_id, who=by[:200], what="retention.drop", subject=str(going.month), detail=detail, now=now
    )


async def _delete_some(
    connection: AsyncConnection, table: str, key: str, where: str, values: Mapping[str, int]
) -> bool:
    """Delete up to `AT_ONCE` rows; whether there may be more."""
    most = AT_ONCE[connection.dialect.name]
    result = await connection.execute(
        text(
            f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {where} LIMIT {most}) AND {where}"
        ),
        dict(values),
    )
    return result.rowcount >= most


async def _delete_by_day(runtime: Runtime, going: Going, *, by: str, now: datetime) -> None:
    table, key, over = _BY_DAY[going.kind]
    before = to_ms(now - timedelta(days=getattr(runtime.policy.retention, going.kind)))
    [audit_id] = await runtime.store.take_ids(1)
    while await runtime.store.transact(lambda c: _delete_some(c, table, key, over, {"before": before})):
        pass
    detail = {"kind": going.kind, "rows": going.rows, "kept": going.kept}

    async def note(connection: AsyncConnection) -> None:
        await write_audit(
            connection, audit_id, who=by[:200], what="retention.drop", subject=going.kind, detail=detail, now=now
        )

    await runtime.store.transact(note)
