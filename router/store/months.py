"""In which months to look: deliveries lie by month, and a statement that names few of them touches few partitions.

The months are read first and given to the statement as numbers: where it asks for them itself, PostgreSQL opens every
partition there is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotAllowed
from router.store.bulk import sql
from router.store.campaigns import CampaignRow
from router.store.spendings import month_of
from router.store.tables import from_ms, to_ms


async def months_waiting(connection: AsyncConnection, *, now: datetime) -> list[int]:
    """Months in which a delivery waits or is on its way: this one, the last, and what the tally says."""
    return sorted({*await months_with(connection, "queued", "sending"), *recent_months(now)})


async def months_with(connection: AsyncConnection, *statuses: str, unreasoned: bool = False) -> list[int]:
    """Months that have a delivery in one of these states, by the tally; only without a reason if `unreasoned`."""
    names = {f"status{place}": status for place, status in enumerate(statuses)}
    only = " AND t.reason = ''" if unreasoned else ""
    rows = await connection.execute(
        sql(
            "SELECT DISTINCT c.month FROM tally t JOIN campaign c ON c.id = t.campaign_id"
            f" WHERE t.status IN ({', '.join(f':{name}' for name in names)}) AND t.count > 0{only}"
        ),
        names,
    )
    return sorted(rows.scalars())


async def months_sent_since(connection: AsyncConnection, since: datetime, *, now: datetime) -> list[int]:
    """Months of campaigns that may have sent something since then, this month's and the last's in any case."""
    rows = await connection.execute(
        sql(
            "SELECT DISTINCT month FROM campaign WHERE kind <> 'reply' AND launched_at IS NOT NULL"
            " AND (finished_at IS NULL OR finished_at >= :since)"
        ),
        {"since": to_ms(since)},
    )
    return sorted({*rows.scalars(), *recent_months(now)})


async def check_kept(connection: AsyncConnection, campaign: CampaignRow) -> None:
    """Raise `NotAllowed` where who got the campaign's messages is not kept any more, so that nobody reads zeros."""
    at = await dropped_at(connection, campaign.id)
    if at is not None:
        raise NotAllowed(
            f"who got which message of campaign {campaign.id} was kept for its time and dropped on {at:%Y-%m-%d}; its"
            f" totals stay: outreach status {campaign.id}, or GET /api/v1/campaigns/{campaign.id}"
        )


async def dropped_at(connection: AsyncConnection, campaign_id: int) -> datetime | None:
    """When a campaign's messages were dropped with its month (`records.retention`); None where they are there."""
    at = await connection.scalar(
        sql(
            "SELECT d.at FROM campaign c JOIN dropped_month d ON d.month = c.month AND d.kind = 'messages'"
            " WHERE c.id = :id AND c.finished_at <= d.at"  # an old draft may be launched long after
        ),
        {"id": campaign_id},
    )
    return None if at is None else from_ms(at)


def recent_months(now: datetime) -> list[int]:
    """The last month and this one."""
    return [month_of(now.replace(day=1) - timedelta(days=1)), month_of(now)]
