"""What people did because of an ask, counted: by kind, by channel, and how many people in all.

Counted anew for everybody who looks, until it is of so many that this takes its time: then everybody is shown the same
count for `LASTS`, with the moment of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.debts import count_acted
from router.store.engine import Store
from router.store.recent import Recent
from router.store.tables import ACTED

MANY = 1_000
"""People who acted. Of as many, all counts together take some 5 ms on a small machine (``make bench ARGS=pages``)."""
LASTS = timedelta(minutes=5)
"""As long as the open ledger's figures."""


class Did(NamedTuple):
    """What was done, of one kind and currency."""

    kind: str
    currency: str
    """"" where it was no money."""
    people: int
    amount: int
    """Minor units."""


class Acts(NamedTuple):
    """What people did because of an ask."""

    at: datetime
    """When it was counted."""
    did: tuple[Did, ...]
    """What most did first."""
    by_channel: Mapping[str, int]
    """Channel → people who acted by it; "" for no channel."""
    people: int
    """Who acted, each once."""


_acts: Recent[Acts] = Recent(LASTS, keeps=lambda acts: acts.people > MANY)
_people: Recent[int] = Recent(LASTS, keeps=lambda people: people > MANY)


async def read_acts(store: Store, campaign_id: int, *, now: datetime) -> Acts:
    """What people did because of an ask, now or at most `LASTS` ago."""

    async def count() -> Acts:
        async with store.read() as connection:
            return await _count(connection, campaign_id, now)

    return await _acts.get(store, campaign_id, count, now=now)


async def read_people(store: Store, campaign_id: int, *, now: datetime) -> int:
    """How many people acted, now or at most `LASTS` ago: for lists of many asks."""

    async def count() -> int:
        async with store.read() as connection:
            return await count_acted(connection, campaign_id)

    return await _people.get(store, campaign_id, count, now=now)


async def _count(connection: AsyncConnection, campaign_id: int, now: datetime) -> Acts:
    # Each person once for each kind first: in this order they stand in an index, and nothing has to be sorted.
    did = await connection.execute(
        text(
            "SELECT kind, currency, count(*) AS people, CAST(sum(amount) AS bigint) AS amount FROM"
            " (SELECT kind, currency, member_id, sum(amount) AS amount FROM action WHERE campaign_id = :id"
            " GROUP BY kind, currency, member_id) AS each_once GROUP BY kind, currency ORDER BY 3 DESC, 1, 2"
        ),
        {"id": campaign_id},
    )
    by_channel = await connection.execute(
        text(
            "SELECT channel, count(*) FROM (SELECT DISTINCT channel, member_id FROM action"
            f" WHERE campaign_id = :id AND {ACTED}) AS each_once GROUP BY channel"
        ),
        {"id": campaign_id},
    )
    return Acts(
        at=now,
        did=tuple(Did(row.kind, row.currency, row.people, int(row.amount)) for row in did),
        by_channel=dict(map(tuple, by_channel)),
        people=await count_acted(connection, campaign_id),
    )
