"""Report-backs: which are overdue, to whom they are owed, what their people did, and where they did it.

Whoever only opened a link or said NO did not act (`core.debt.NOT_ACTING`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.own_part import Done
from router.store.bulk import in_numbers, numbers
from router.store.tables import ACTED, debt_override, from_ms, to_ms

_FIRST = -1
"""The rank of the address that somebody acted from: before all that they rank themselves."""


async def overdue_campaigns(connection: AsyncConnection, *, now: datetime) -> tuple[int, ...]:
    """The campaigns that people acted on and that owe them a report-back by now.

    One look into an index of due dates; `keep_due_dates` of `router.community.debts` writes them.
    """
    rows = await connection.execute(
        text(
            "SELECT c.id FROM campaign c WHERE c.reported_at IS NULL AND c.report_due_at <= :now"
            f" AND EXISTS (SELECT 1 FROM action a WHERE a.campaign_id = c.id AND a.{ACTED}) ORDER BY c.id"
        ),
        {"now": to_ms(now)},
    )
    return tuple(rows.scalars())


async def who_is_owed(connection: AsyncConnection, member_ids: Sequence[int], campaigns: Sequence[int]) -> set[int]:
    """Those of these members who acted on any of these campaigns."""
    if not member_ids or not campaigns:
        return set()
    rows = await connection.execute(
        text(
            f"SELECT DISTINCT member_id FROM action WHERE campaign_id {in_numbers(connection, 'campaigns')}"
            f" AND member_id {in_numbers(connection, 'ids')} AND {ACTED}"
        ),
        {"campaigns": numbers(connection, campaigns), "ids": numbers(connection, member_ids)},
    )
    return set(rows.scalars())


async def is_overridden(connection: AsyncConnection, campaign_id: int) -> bool:
    """Whether somebody answered publicly for it that this campaign goes out all the same."""
    query = select(debt_override.c.id).where(debt_override.c.campaign_id == campaign_id).limit(1)
    return await connection.scalar(query) is not None


class Owed(NamedTuple):
    """A campaign that people acted on and that has not reported back."""

    campaign_id: int
    title: str
    due_at: datetime


async def owed_campaigns(connection: AsyncConnection, *, limit: int) -> list[Owed]:
    """The report-backs that are owed, due or not yet, the longest due first."""
    rows = await connection.execute(
        text(
            "SELECT c.id, c.title, c.report_due_at FROM campaign c"
            " WHERE c.reported_at IS NULL AND c.report_due_at IS NOT NULL"
            f" AND EXISTS (SELECT 1 FROM action a WHERE a.campaign_id = c.id AND a.{ACTED})"
            " ORDER BY c.report_due_at, c.id LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [Owed(row.id, row.title, from_ms(row.report_due_at)) for row in rows]


async def count_acted(connection: AsyncConnection, campaign_id: int) -> int:
    """How many people acted on a campaign."""
    found = await connection.scalar(
        text(
            f"SELECT count(*) FROM (SELECT DISTINCT member_id FROM action WHERE campaign_id = :id AND {ACTED}) AS one"
        ),
        {"id": campaign_id},
    )
    return int(found or 0)


async def settle(connection: AsyncConnection, *, now: datetime) -> int:
    """Pay the debts whose report-back has been sent; returns how many. Call it where campaigns finish."""
    result = await connection.execute(
        text(
            "UPDATE campaign SET reported_at = :now, epoch = epoch + 1,"
            " status = CASE WHEN status = 'finished' THEN 'reported' ELSE status END"
            " WHERE reported_at IS NULL AND id IN (SELECT r.campaign_id FROM report_back r"
            " JOIN campaign s ON s.id = r.sent_as WHERE r.kind = 'result' AND s.status = 'finished')"
        ),
        {"now": to_ms(now)},
    )
    return int(result.rowcount)


async def what_they_did(
    connection: AsyncConnection, member_ids: Sequence[int], campaign_id: int
) -> Mapping[int, Sequence[Done]]:
    """member → what they did on a campaign, by kind and currency."""
    rows = await connection.execute(
        text(
            "SELECT member_id, kind, currency, CAST(sum(amount) AS bigint) AS amount FROM action"
            f" WHERE campaign_id = :campaign AND member_id {in_numbers(connection, 'ids')} AND {ACTED}"
            " GROUP BY member_id, kind, currency"
        ),
        {"campaign": campaign_id, "ids": numbers(connection, member_ids)},
    )
    found: dict[int, list[Done]] = defaultdict(list)
    for row in rows:
        found[row.member_id].append(Done(row.kind, int(row.amount), row.currency))
    return found


async def acted_first(
    connection: AsyncConnection, addresses: Mapping[int, Sequence[Any]], campaign_id: int | None
) -> dict[int, list[Any]]:
    """member → address rows (`store.profiles.AddressRow`), with the one first that they acted from.

    So a report-back goes there where it can; to whoever acted on a web page, where they opened the link.
    """
    places = await acted_from(connection, list(addresses), campaign_id)
    found: dict[int, list[Any]] = {}
    for member_id, rows in addresses.items():
        place = places.get(member_id)
        found[member_id] = sorted(
            (row._replace(rank=_FIRST) if row.id == place else row for row in rows), key=lambda row: row.id != place
        )
    return found


async def acted_from(connection: AsyncConnection, member_ids: Iterable[int], campaign_id: int | None) -> dict[int, int]:
    """member → the address that they acted from last, or else opened the link at."""
    rows = await connection.execute(
        text(
            f"SELECT member_id, address_id FROM action WHERE campaign_id = :campaign"
            f" AND member_id {in_numbers(connection, 'ids')} AND address_id IS NOT NULL AND kind <> 'no'"
            " ORDER BY CASE WHEN kind = 'click' THEN 0 ELSE 1 END, at, id"
        ),
        {"campaign": campaign_id, "ids": numbers(connection, member_ids)},
    )
    return {row.member_id: row.address_id for row in rows}
