"""Deliveries that hold a slot of somebody's contact budget and have not left: found, locked, put off, given up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import Reason
from router.store.bulk import for_update, in_numbers, is_sqlite, numbers, sql
from router.store.tables import from_ms, to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """A queued delivery that costs, of an ask that may still be sent."""

    month: int
    id: int
    campaign_id: int
    member_id: int
    channel: str
    address_id: int
    not_before: datetime


async def lock_reserved(connection: AsyncConnection, ids: Iterable[int], *, but: int) -> dict[int, Reserved]:
    """Those of these deliveries that are queued and that nobody else holds, locked until the transaction ends.

    Never waits: what a dispatcher is about to send, or somebody withdraws, is left out. So are those of campaign `but`,
    and of campaigns that are over. By number.
    """
    wanted = sorted(set(ids))
    months = (
        await connection.execute(
            sql(
                "SELECT DISTINCT month FROM campaign"
                " WHERE status IN ('running', 'paused') AND kind = 'ask' AND id <> :but"
            ),
            {"but": but},
        )
    ).scalars()
    found: dict[int, Reserved] = {}
    for month in sorted(months) if wanted else ():
        rows = await connection.execute(
            sql(
                "SELECT d.id, d.campaign_id, d.member_id, d.channel, d.address_id, d.not_before FROM delivery d"
                f" WHERE d.month = :month AND d.id {in_numbers(connection, 'ids')} AND d.status = 'queued' AND d.costs"
                " AND d.campaign_id IN (SELECT c.id FROM campaign c WHERE c.status IN ('running', 'paused')"
                " AND c.kind = 'ask' AND c.id <> :but)"
                f" ORDER BY d.id{for_update(connection, 'd', skip_locked=True)}"
            ),
            {"month": month, "ids": numbers(connection, wanted), "but": but},
        )
        for number, campaign_id, member_id, channel, address_id, not_before in rows:
            found[number] = Reserved(
                month=month,
                id=number,
                campaign_id=campaign_id,
                member_id=member_id,
                channel=channel,
                address_id=address_id,
                not_before=from_ms(not_before),
            )
    return found


async def put_off(connection: AsyncConnection, later: Iterable[tuple[Reserved, datetime]]) -> None:
    """Let these wait until later than they do. Their batches, which look at the earliest row, need no change."""
    by_month: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row, at in later:
        by_month[row.month].append((row.id, to_ms(at)))
    for month, rows in sorted(by_month.items()):
        rows.sort()
        if is_sqlite(connection):
            await connection.exec_driver_sql(
                "UPDATE delivery SET not_before = ? WHERE month = ? AND id = ? AND status = 'queued'",
                [(at, month, number) for number, at in rows],
            )
            continue
        await connection.execute(
            sql(
                "UPDATE delivery d SET not_before = n.at"
                " FROM unnest(CAST(:ids AS bigint[]), CAST(:moments AS bigint[])) AS n (id, at)"
                " WHERE d.month = :month AND d.id = n.id AND d.status = 'queued'"
            ),
            {"month": month, "ids": [row[0] for row in rows], "moments": [row[1] for row in rows]},
        )


async def give_up(connection: AsyncConnection, rows: Iterable[Reserved], reason: Reason, *, now: datetime) -> None:
    """Hold these after all. Their slots are the caller's to refund."""
    by_month: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_month[row.month].append(row.id)
    for month, ids in sorted(by_month.items()):
        await connection.execute(
            sql(
                "UPDATE delivery SET status = 'held', reason = :reason, done_at = :now"
                f" WHERE month = :month AND id {in_numbers(connection, 'ids')} AND status = 'queued'"
            ),
            {"reason": reason.value, "now": to_ms(now), "month": month, "ids": numbers(connection, sorted(ids))},
        )
