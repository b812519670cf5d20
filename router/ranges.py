"""The pieces in which an audience is routed: cut when a campaign starts, taken one transaction at a time."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import CampaignStatus
from router.plans import Route
from router.store.bulk import for_update, insert_rows, sql
from router.store.campaigns import lock_campaign
from router.store.tables import route_range, to_ms

RANGE = 1_000
"""Numbers of a range where all of them are members, and most members of a turn: long enough to write in bulk, short
enough for SQLite's one writer (under 50 ms)."""

_COLUMNS = ("campaign_id", "first_member", "last_member", "epoch")
_LOWS = text(
    "WITH RECURSIVE cut (low) AS (SELECT min(id) FROM member UNION ALL"
    " SELECT (SELECT min(id) FROM member WHERE id >= cut.low + :range) FROM cut WHERE cut.low IS NOT NULL)"
    " SELECT low FROM cut WHERE low IS NOT NULL ORDER BY low"
)
"""Where ranges begin: one look into the key of members for each."""


async def cut_ranges(connection: AsyncConnection, campaign_id: int) -> int:
    """Cut the members there are now into ranges; who joins later is not in this campaign.

    A range reaches to where the next one begins, and that is at a member: numbers that are no member's are leapt over,
    however many messages took numbers in between.
    """
    lows = (await connection.execute(_LOWS, {"range": RANGE})).scalars().all()
    if not lows:
        return 0
    last = await connection.scalar(sql("SELECT max(id) FROM member"))
    rows = [(campaign_id, low, after - 1, 1) for low, after in pairwise([*lows, last + 1])]
    await insert_rows(connection, route_range, _COLUMNS, rows)
    return len(rows)


async def lock_turn(connection: AsyncConnection, prepared: Route, now: datetime) -> tuple[int, int] | None:
    """Hold the campaign and the next unrouted numbers, the first and the last; None with nothing left to route here.

    Rule 1: the campaign must still be running, in the epoch this plan was made for, and the numbers unrouted. A plan
    whose raised budget has run out is made anew as well.
    """
    campaign = await lock_campaign(connection, prepared.campaign.id, in_turn=True)
    if campaign is None or campaign.status is not CampaignStatus.RUNNING or campaign.epoch != prepared.campaign.epoch:
        return None
    if prepared.plan.budget.override and (campaign.raised_until is None or now >= campaign.raised_until):
        return None
    row = (
        await connection.execute(
            sql(
                "SELECT first_member, last_member, epoch FROM route_range"
                " WHERE campaign_id = :campaign AND routed_at IS NULL ORDER BY first_member LIMIT 1"
                f"{for_update(connection, skip_locked=True)}"
            ),
            {"campaign": campaign.id},
        )
    ).one_or_none()
    if row is None:
        return None
    if row.last_member - row.first_member >= prepared.most:
        return await _cut(connection, prepared, row)
    return row.first_member, await _stretch(connection, prepared, row)


async def end_turn(connection: AsyncConnection, campaign_id: int, first: int, last: int, now: datetime) -> None:
    """These numbers, which `lock_turn` locked, are routed."""
    await connection.execute(
        sql(
            "UPDATE route_range SET routed_at = :now"
            " WHERE campaign_id = :campaign AND first_member BETWEEN :first AND :last"
        ),
        {"now": to_ms(now), "campaign": campaign_id, "first": first, "last": last},
    )


async def _cut(connection: AsyncConnection, prepared: Route, row: Any) -> tuple[int, int]:
    """Take only the first part of a range, as much as a turn allows."""
    last = row.first_member + prepared.most - 1
    await connection.execute(
        sql("UPDATE route_range SET last_member = :last WHERE campaign_id = :campaign AND first_member = :first"),
        {"last": last, "campaign": prepared.campaign.id, "first": row.first_member},
    )
    rest = (prepared.campaign.id, last + 1, row.last_member, row.epoch)
    await insert_rows(connection, route_range, _COLUMNS, [rest])
    return row.first_member, last


async def _stretch(connection: AsyncConnection, prepared: Route, row: Any) -> int:
    """Take the ranges that follow, too, as far as a turn allows and all have no more than `RANGE` members together.

    Deliveries and addresses are numbered like members, so in most ledgers few of a range's numbers are people.
    """
    too_many = f"SELECT id FROM member WHERE id >= :first ORDER BY id LIMIT 1 OFFSET {RANGE}"
    following = await connection.execute(
        sql(
            "SELECT first_member, last_member FROM route_range"
            " WHERE campaign_id = :campaign AND routed_at IS NULL AND first_member > :last"
            f" AND last_member < :end AND last_member < coalesce(({too_many}), :end)"
            f" ORDER BY first_member LIMIT {RANGE}{for_update(connection, skip_locked=True)}"
        ),
        {
            "campaign": prepared.campaign.id,
            "first": row.first_member,
            "last": row.last_member,
            "end": row.first_member + prepared.most,
        },
    )
    last: int = row.last_member
    for next_first, next_last in following:
        if next_first != last + 1:
            break  # another worker has what lies between
        last = next_last
    return last
