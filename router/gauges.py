"""What Prometheus is told of the ledger: queues, campaigns, senders, leases; and whether Redis answers. Read when asked
for, for all in one go.

Every process would tell the same, so only the web server does, and at most once in `FRESH` seconds however often it is
asked. Campaigns are named by number only while they are not over, and only the newest `MOST_CAMPAIGNS` of them.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import Unavailable
from router.core.model import CampaignStatus, Lane
from router.core.standing import State
from router.metrics import sender_label
from router.runtime import Runtime
from router.store.bulk import sql
from router.store.engine import now_ms_sql
from router.store.standings import read_standings
from router.store.tables import batch, campaign, tally, to_ms
from router.tending import LEASE

FRESH = 5.0
"""Seconds for which an answer is good: less than the 15 s in which Prometheus asks by default."""

MOST_CAMPAIGNS = 50
"""Campaigns with numbers of their own; those that began before them are told together, as campaign ``others``."""

_GOING = (CampaignStatus.SCHEDULED.value, CampaignStatus.RUNNING.value, CampaignStatus.PAUSED.value)


class Gauges:
    """What the ledger of one runtime says, kept for `FRESH` seconds."""

    def __init__(self, runtime: Runtime, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._clock = clock
        self._one_reader = asyncio.Lock()
        self._read: list[GaugeMetricFamily] = []
        self._until = 0.0

    async def families(self, *, now: datetime) -> list[GaugeMetricFamily]:
        """All gauges. Raises `Unavailable` where the database does not answer."""
        async with self._one_reader:
            if not self._read or self._clock() >= self._until:
                async with self._runtime.store.read() as connection:
                    ledger = [
                        *await _campaigns(connection),
                        *await _queues(connection, now=now),
                        await _senders(connection, now=now),
                        *await _leases(connection, self._runtime.settings.lease_ms),
                    ]
                self._read = [*ledger, self._connections(), await self._redis()]
                self._until = self._clock() + FRESH
            return self._read

    def _connections(self) -> GaugeMetricFamily:
        used, idle, most = self._runtime.store.connections()
        found = {("in_use",): used, ("idle",): idle, ("most",): most}
        return _gauge("database_connections", "Connections of this process to the database.", ["state"], found)

    async def _redis(self) -> GaugeMetricFamily:
        away = 0.0
        if self._runtime.ask_redis is not None:
            try:
                await self._runtime.ask_redis()
            except Unavailable:
                away = 1.0
        return _gauge("redis_away", "1 while Redis is set up and does not answer this process.", [], {(): away})


async def _campaigns(connection: AsyncConnection) -> list[GaugeMetricFamily]:
    states = (
        await connection.execute(
            select(campaign.c.status, func.count()).group_by(campaign.c.status).order_by(campaign.c.status)
        )
    ).all()
    moved = (
        await connection.execute(
            select(tally.c.campaign_id, tally.c.channel, tally.c.status, func.sum(tally.c.count))
            .join(campaign, campaign.c.id == tally.c.campaign_id)
            .where(campaign.c.status.in_(_GOING))
            .group_by(tally.c.campaign_id, tally.c.channel, tally.c.status)
            .order_by(tally.c.campaign_id, tally.c.channel, tally.c.status)
        )
    ).all()
    named = set(sorted({row[0] for row in moved}, reverse=True)[:MOST_CAMPAIGNS])
    deliveries: dict[tuple[str, ...], float] = defaultdict(float)
    for number, channel, status, count in moved:
        deliveries[str(number) if number in named else "others", channel, status] += int(count)
    return [
        _gauge("campaigns", "Campaigns by status.", ["status"], {(status,): count for status, count in states}),
        _gauge(
            "deliveries", "Deliveries of campaigns that are not over.", ["campaign", "channel", "status"], deliveries
        ),
    ]


async def _queues(connection: AsyncConnection, *, now: datetime) -> list[GaugeMetricFamily]:
    """What waits, by lane and channel. A batch does not tell how many of its rows have left: the tally is believed."""
    waiting = (
        await connection.execute(
            sql(
                "SELECT b.channel, b.campaign_id, b.lane, sum(b.last_id - b.first_id + 1) AS n,"
                " min(CASE WHEN b.not_before <= :now AND NOT b.waits AND b.stage <= c.stage"
                " AND c.goal_met_at IS NULL THEN b.not_before END) AS oldest,"
                " (SELECT t.count FROM tally t WHERE t.campaign_id = b.campaign_id AND t.channel = b.channel"
                " AND t.status = 'queued' AND t.reason = '') AS queued"
                " FROM batch b JOIN campaign c ON c.id = b.campaign_id WHERE b.open AND c.status = 'running'"
                " GROUP BY b.channel, b.campaign_id, b.lane ORDER BY 1, 2, 3 DESC"
            ),
            {"now": to_ms(now)},
        )
    ).all()
    rows: dict[tuple[str, ...], float] = defaultdict(float)
    oldest: dict[tuple[str, ...], float] = {}
    left: dict[tuple[str, int], int] = {}
    for row in waiting:  # what has left is of the most urgent lane
        where, whose = (Lane(row.lane).name.lower(), row.channel), (row.channel, row.campaign_id)
        here = min(int(row.n), left.get(whose, int(row.queued or 0)))
        left[whose] = left.get(whose, int(row.queued or 0)) - here
        rows[where] += here
        if row.oldest is not None and here:
            oldest[where] = max(oldest.get(where, 0.0), (to_ms(now) - int(row.oldest)) / 1000)
    batches = (
        await connection.execute(
            select(batch.c.channel, func.count())
            .where(batch.c.open)
            .group_by(batch.c.channel)
            .order_by(batch.c.channel)
        )
    ).all()
    lanes = ["lane", "channel"]
    return [
        _gauge(
            "batches_open", "Batches with work left.", ["channel"], {(channel,): count for channel, count in batches}
        ),
        _gauge("queue_rows", "Messages of running campaigns that have not left.", lanes, rows),
        _gauge("queue_oldest_seconds", "For how long the first of them could have left.", lanes, oldest),
    ]


async def _senders(connection: AsyncConnection, *, now: datetime) -> GaugeMetricFamily:
    resting = {
        (row.channel, sender_label(f"{row.account}/{row.name}" if row.name else row.account)): float(
            row.state == State.OPEN.value and row.until is not None and row.until > now
        )
        for row in await read_standings(connection)
    }
    return _gauge("sender_rests", "1 while a sender rests because its provider failed.", ["channel", "sender"], resting)


async def _leases(connection: AsyncConnection, lasts: int) -> list[GaugeMetricFamily]:
    seen, expired = await read_leases(connection, lasts=lasts)
    return [
        _gauge("worker_seen_seconds", "Since a worker last looked for work.", [], {} if seen is None else {(): seen}),
        _gauge("lease_expired_seconds", "For how long the oldest batch of a dead worker waits.", [], {(): expired}),
    ]


async def read_leases(connection: AsyncConnection, *, lasts: int) -> tuple[float | None, float]:
    """Seconds since a worker last looked (None where none is at work), and since the oldest forgotten lease ran out.

    The first is told by the lease of `router.tending`, which some worker renews every second for `lasts` ms and gives
    back when it stops.
    """
    clock = now_ms_sql(connection.dialect.name)
    row = (
        await connection.execute(
            sql(
                f"SELECT {clock} AS now, (SELECT leased_until FROM lease WHERE name = :name) AS tended,"
                " (SELECT min(leased_until) FROM batch WHERE open AND owner IS NOT NULL) AS leased"
            ),
            {"name": LEASE},
        )
    ).one()
    seen = None if row.tended is None else max(0, row.now - (row.tended - lasts)) / 1000
    return seen, 0.0 if row.leased is None else max(0, row.now - row.leased) / 1000


def _gauge(
    name: str, meaning: str, labels: Sequence[str], values: Mapping[tuple[Any, ...], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"outreach_{name}", meaning, labels=labels)
    for place, value in values.items():
        family.add_metric([str(one) for one in place], value)
    return family
