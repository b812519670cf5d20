"""What each channel can carry until a deadline: its rates, who rests, and what waits in its queues (`core.surge`)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.content import sample_member
from router.core.rates import Daily
from router.core.sms import count_segments
from router.core.standing import State
from router.core.surge import Pipe
from router.letters import renderer_of
from router.runtime import Runtime
from router.store.standings import StandingRow, read_standings
from router.store.tables import to_ms

MINUTE = 60_000
"""Moments from which something may leave are told apart to the minute."""


def due_of(deadline: datetime, spare_minutes: int, now: datetime) -> datetime:
    """When the last message should have left: some minutes before the deadline, or at it where these have begun."""
    early = deadline - timedelta(minutes=spare_minutes)
    return early if early > now else deadline


def minute_of(moment: datetime) -> int:
    """The minute that a moment lies in, in ms."""
    return to_ms(moment) // MINUTE * MINUTE


def weights_of(runtime: Runtime, ask: Ask, channels: Iterable[str]) -> dict[str, float]:
    """channel → units of one message of this ask, for those that count more than messages."""
    counted = [name for name in channels if runtime.specs[name].counts_segments]
    if not counted:
        return {}
    renderer = renderer_of(runtime, ask)
    person = sample_member(ask)
    longest = f"{runtime.settings.public_url.rstrip('/')}/a/{'x' * 24}"
    link = longest if ask.link else ""
    return {
        name: float(
            count_segments(
                renderer.render(person, name, runtime.specs[name], link=link, unsubscribe_url="", forward=longest).text
            ).segments
        )
        for name in counted
    }


async def read_pipes(
    runtime: Runtime,
    connection: AsyncConnection,
    channels: Iterable[str],
    *,
    lane: int,
    weights: Mapping[str, float],
    now: datetime,
    due: datetime,
    without: int = 0,
) -> dict[str, Pipe]:
    """What these channels can carry from `now` until `due` beside what waits in lanes as urgent as `lane`.

    What waits of the campaign `without` is not counted. A day's allowance is taken for unused, because only the limits
    know what is left of it.
    """
    waiting = await read_waiting(connection, lane=lane, due=due, without=without)
    standings = await read_standings(connection)
    return {
        name: _pipe(runtime, name, waiting.get(name, {}), weights.get(name, 1.0), standings, now, due)
        for name in channels
    }


async def read_waiting(
    connection: AsyncConnection, *, lane: int, due: datetime, without: int = 0, only: int | None = None
) -> dict[str, dict[int, float]]:
    """channel → may leave from then on (ms, to the minute) → how many wait in lanes as urgent as `lane`.

    A batch does not tell how many of its rows have left, so the campaign's tally is believed where it says less.
    """
    which = "b.campaign_id <> :without" if only is None else "b.campaign_id = :only"
    rows = (
        await connection.execute(
            text(
                "SELECT b.channel, b.campaign_id, b.not_before / 60000 AS minute, sum(b.last_id - b.first_id + 1) AS n,"
                " (SELECT t.count FROM tally t WHERE t.campaign_id = b.campaign_id AND t.channel = b.channel"
                " AND t.status = 'queued' AND t.reason = '') AS queued"
                " FROM batch b JOIN campaign c ON c.id = b.campaign_id"
                f" WHERE b.open AND b.lane <= :lane AND b.not_before < :due AND c.status = 'running' AND {which}"
                " GROUP BY b.channel, b.campaign_id, b.not_before / 60000 ORDER BY 1, 2, 3"
            ),
            {"lane": lane, "due": to_ms(due), **({"without": without} if only is None else {"only": only})},
        )
    ).all()
    batched: dict[tuple[str, int], int] = defaultdict(int)
    for row in rows:
        batched[row.channel, row.campaign_id] += int(row.n)
    gone = {(row.channel, row.campaign_id): 0 for row in rows}
    for row in rows:
        key = row.channel, row.campaign_id
        gone[key] = max(0, batched[key] - int(row.queued or 0))
    waiting: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:  # what has left is of the earliest
        key = row.channel, row.campaign_id
        left = min(gone[key], int(row.n))
        gone[key] -= left
        if row.n > left:
            waiting[row.channel][int(row.minute) * MINUTE] += int(row.n) - left
    return waiting


def _pipe(
    runtime: Runtime,
    channel: str,
    waiting: Mapping[int, float],
    each: float,
    standings: Sequence[StandingRow],
    now: datetime,
    due: datetime,
) -> Pipe:
    rate, senders, allowance = 0.0, 0, 0.0
    unlimited = False
    queued: dict[int, float] = defaultdict(float)
    for at, messages in waiting.items():
        queued[at] += messages * each
    resting = {
        (row.account, row.name): row.until
        for row in standings
        if row.channel == channel and row.state == State.OPEN.value and row.until is not None
    }
    for account, adapter in runtime.channels.get(channel, {}).items():
        rules = runtime.rules_of(channel).of_account(account)
        allowance += math.inf if rules.daily is None else _allowance(rules.daily, now, due)
        for name in adapter.senders:
            senders += 1
            rate += rules.rate
            unlimited = unlimited or not rules.rate
            until = resting.get((account, name))
            if until is not None and until > now:  # as good as so much waiting before everything else
                queued[to_ms(now)] += rules.rate * (min(until, due) - now).total_seconds()
    return Pipe(
        rate=0.0 if unlimited else rate, each=each, senders=max(1, senders), allowance=allowance, queued=dict(queued)
    )


def _allowance(daily: Daily, now: datetime, due: datetime) -> float:
    """Messages that an account's allowance lets through from `now` until `due`, a day's unused whole for each day.

    The share of addresses that begin with `prefix` is taken for all: who plans with too little is on the safe side.
    """
    zone = ZoneInfo(daily.zone)
    days = (due.astimezone(zone).date() - now.astimezone(zone).date()).days + 1
    return daily.cap * max(1, days) / daily.share
