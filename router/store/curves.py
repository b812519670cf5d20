"""How far campaigns had come, from minute to minute: what the curves of pages are drawn from, kept beside the tally."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.bulk import in_numbers, numbers, sql
from router.store.tables import curve, to_ms

LEFT = "('sent', 'unknown', 'delivered', 'read')"
"""Statuses of a delivery that was handed over, as `router.live` counts them …"""
DELIVERED = "('delivered', 'read')"
"""… and that surely arrived."""


class Figures(NamedTuple):
    """One channel of a campaign, counted from its beginning."""

    left: int
    delivered: int
    failed: int


class Moment(NamedTuple):
    """The same, by a moment."""

    at: datetime
    channel: str
    figures: Figures


class Standing(NamedTuple):
    """How far a campaign has come on each channel."""

    starts_at: int
    """Milliseconds."""
    figures: dict[str, Figures]


async def read_standing(connection: AsyncConnection, *, since: datetime) -> dict[int, Standing]:
    """Campaign → how far it has come; of those that go out, or that are over and began after `since`."""
    rows = await connection.execute(
        sql(
            "SELECT c.id, c.starts_at, t.channel,"
            f" CAST(sum(CASE WHEN t.status IN {LEFT} THEN t.count ELSE 0 END) AS bigint) AS gone,"
            f" CAST(sum(CASE WHEN t.status IN {DELIVERED} THEN t.count ELSE 0 END) AS bigint) AS delivered,"
            " CAST(sum(CASE WHEN t.status = 'failed' THEN t.count ELSE 0 END) AS bigint) AS failed"
            " FROM campaign c JOIN tally t ON t.campaign_id = c.id AND t.channel <> ''"
            " WHERE c.kind <> 'reply' AND (c.status IN ('running', 'paused')"
            "   OR (c.status IN ('finished', 'cancelled', 'reported') AND c.starts_at >= :since))"
            " GROUP BY c.id, c.starts_at, t.channel"
        ),
        {"since": to_ms(since)},
    )
    found: dict[int, Standing] = {}
    for row in rows:
        standing = found.setdefault(row.id, Standing(row.starts_at, {}))
        standing.figures[row.channel] = Figures(row.gone, row.delivered, row.failed)
    return found


async def read_latest(connection: AsyncConnection, campaigns: Sequence[int]) -> dict[tuple[int, str], Figures]:
    """(campaign, channel) → what was written down last."""
    rows = await connection.execute(
        sql(
            "SELECT q.campaign_id, q.channel, q.gone, q.delivered, q.failed FROM curve q"
            f" WHERE q.campaign_id {in_numbers(connection, 'campaigns')} AND q.at ="
            " (SELECT max(l.at) FROM curve l WHERE l.campaign_id = q.campaign_id AND l.channel = q.channel)"
        ),
        {"campaigns": numbers(connection, campaigns)},
    )
    return {(row.campaign_id, row.channel): Figures(row.gone, row.delivered, row.failed) for row in rows}


async def write_curves(connection: AsyncConnection, rows: Sequence[tuple[int, str, datetime, Figures]]) -> None:
    """(campaign, channel, moment, figures): what stands at that moment already gives way."""
    if not rows:
        return
    await connection.execute(
        sql(
            "INSERT INTO curve (campaign_id, channel, at, gone, delivered, failed)"
            " VALUES (:campaign, :channel, :at, :gone, :delivered, :failed)"
            " ON CONFLICT (campaign_id, channel, at) DO UPDATE"
            " SET gone = excluded.gone, delivered = excluded.delivered, failed = excluded.failed"
        ),
        [
            {
                "campaign": campaign,
                "channel": channel,
                "at": to_ms(at),
                "gone": figures.left,
                "delivered": figures.delivered,
                "failed": figures.failed,
            }
            for campaign, channel, at, figures in rows
        ],
    )


async def read_curve(connection: AsyncConnection, campaign_id: int) -> list[Moment]:
    """All that was written down of a campaign, earliest first."""
    columns = (curve.c.at, curve.c.channel, curve.c.gone, curve.c.delivered, curve.c.failed)
    rows = await connection.execute(
        select(*columns).where(curve.c.campaign_id == campaign_id).order_by(curve.c.at, curve.c.channel)
    )
    return [Moment(row.at, row.channel, Figures(row.gone, row.delivered, row.failed)) for row in rows]
