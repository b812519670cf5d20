"""What came of the asks that an idea became."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.proposal_stages import Results
from router.store.tallies import read_tally

_OUT = ("sent", "delivered", "read", "unknown")
_REACHED = "d.status IN ('sent', 'delivered', 'read', 'unknown')"

_ANSWERS = (
    "SELECT kind, count(*) FROM ("
    " SELECT g.kind FROM group_answer g WHERE g.campaign_id = :id AND g.kind IN ('yes', 'no')"
    " UNION ALL"
    " SELECT a.kind FROM action a WHERE a.campaign_id = :id AND a.kind IN ('yes', 'no')"
    "  AND NOT EXISTS (SELECT 1 FROM group_answer g WHERE g.campaign_id = :id AND g.member_id = a.member_id)"
    "  AND NOT EXISTS (SELECT 1 FROM action b WHERE b.campaign_id = :id AND b.member_id = a.member_id"
    "   AND b.kind IN ('yes', 'no') AND (b.at > a.at OR (b.at = a.at AND b.id > a.id)))"
    ") answers GROUP BY kind"
)
"""People and what they said last; an answer in a group is its person's, known to us or not."""


async def count_results(connection: AsyncConnection, campaign_id: int, group_id: int = 0) -> Results:
    """How many people an ask reached, and what they say; with the number of the group that it was posted in, if any."""
    ask = (
        await connection.execute(text("SELECT month, recipients FROM campaign WHERE id = :id"), {"id": campaign_id})
    ).one()
    reached = sum(count for _, status, _, count in await read_tally(connection, campaign_id) if status in _OUT)
    if group_id:
        reached += await _in_group(connection, campaign_id, group_id, ask.month)
    answers = {row[0]: int(row[1]) for row in await connection.execute(text(_ANSWERS), {"id": campaign_id})}
    opt_outs = await connection.scalar(
        text("SELECT CAST(sum(count) AS bigint) FROM reaction WHERE campaign_id = :id"), {"id": campaign_id}
    )
    return Results(
        people=ask.recipients,
        reached=reached,
        yes=answers.get("yes", 0),
        no=answers.get("no", 0),
        opt_outs=int(opt_outs or 0),
    )


async def _in_group(connection: AsyncConnection, campaign_id: int, group_id: int, month: int) -> int:
    """Who answered in the group without a message of their own, less the post there, which is nobody."""
    own = f"FROM delivery d WHERE d.month = :month AND d.campaign_id = :id AND {_REACHED} AND d.member_id ="
    return int(
        await connection.scalar(
            text(
                "SELECT (SELECT count(*) FROM group_answer g WHERE g.campaign_id = :id"
                f"  AND NOT EXISTS (SELECT 1 {own} g.member_id)) - (SELECT count(*) {own} :group)"
            ),
            {"month": month, "id": campaign_id, "group": group_id},
        )
        or 0
    )


async def total_results(connection: AsyncConnection, proposal_id: int, group_id: int) -> Results:
    """What came of all the asks that an idea became; each person was asked by one of them."""
    of_it = text("SELECT campaign_id FROM proposal_campaign WHERE proposal_id = :id")
    asks = (await connection.execute(of_it, {"id": proposal_id})).scalars().all()
    counted = [await count_results(connection, campaign_id, group_id) for campaign_id in asks]
    return Results(*(sum(column) for column in zip(*counted, strict=True))) if counted else Results()
