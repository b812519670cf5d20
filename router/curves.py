"""How a campaign went over time: written down while it goes out, so that no restart loses it, and read for pages.

Written by the one process that tends campaigns, from counters alone, and only where something moved. The longer ago a
campaign began, the coarser: a minute in the first six hours, a quarter of an hour in the first two days, then six
hours. So the first two days of a channel are some 530 rows at most, whatever the campaign's size.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from router.runtime import Runtime
from router.store.curves import Figures, Moment, read_curve, read_latest, read_standing, write_curves
from router.store.engine import Store
from router.store.tables import EPOCH, from_ms, to_ms

EVERY = timedelta(seconds=15)
"""From one look to the next; so much of a curve is lost where nobody tends campaigns any more."""
WATCHED = timedelta(days=3)
"""Receipts of a campaign that is over are followed for so long from its beginning."""

_GRAINS = (
    (timedelta(hours=6), timedelta(minutes=1)),
    (timedelta(days=2), timedelta(minutes=15)),
)
_COARSEST = timedelta(hours=6)

_looked: WeakKeyDictionary[Store, datetime] = WeakKeyDictionary()
"""Ledger → when this process looked last."""


class Point(BaseModel):
    """One moment of a campaign's curves; channel → figure."""

    model_config = ConfigDict(frozen=True)

    at: int
    """Milliseconds since 1970 UTC."""
    rates: dict[str, float]
    """Messages that left each second, since the point before."""
    left: dict[str, int]
    """Handed over so far …"""
    delivered: dict[str, int]
    """… and of these, surely arrived."""
    failed: dict[str, int]

    @property
    def moment(self) -> datetime:
        """`at`, for people."""
        return from_ms(self.at)


def slot_of(now: datetime, starts_at: datetime) -> datetime:
    """The end of the piece of time that `now` lies in, by how long ago a campaign began. It never goes back."""
    age = now - starts_at
    grain = next((grain for until, grain in _GRAINS if age < until), _COARSEST)
    return EPOCH + -((EPOCH - now) // grain) * grain


async def keep_curves(runtime: Runtime, *, now: datetime) -> int:
    """Write down how far every campaign has come that moved since the last look; 0, because nobody waits for it."""
    looked = _looked.get(runtime.store)
    if looked is not None and timedelta() <= now - looked < EVERY:
        return 0
    _looked[runtime.store] = now
    async with runtime.store.read() as connection:
        standing = await read_standing(connection, since=now - WATCHED)
        latest = await read_latest(connection, list(standing)) if standing else {}
    rows = [
        (campaign, channel, slot_of(now, from_ms(one.starts_at)), figures)
        for campaign, one in standing.items()
        for channel, figures in one.figures.items()
        if figures != latest.get((campaign, channel), Figures(0, 0, 0))
    ]

    async def work(connection: AsyncConnection) -> None:
        await write_curves(connection, sorted(rows))

    if rows:
        await runtime.store.transact(work)
    return 0


async def curve_of(runtime: Runtime, campaign_id: int, starts_at: datetime | None, *, now: datetime) -> list[Point]:
    """A campaign's curves from its beginning, earliest first; empty where nothing was written down."""
    async with runtime.store.read() as connection:
        moments = await read_curve(connection, campaign_id)
    return points_of(moments, starts_at, now)


def points_of(moments: list[Moment], starts_at: datetime | None, now: datetime) -> list[Point]:
    """What was written down, as curves that begin with nothing; a moment to come is not over yet, so it is now."""
    if not moments:
        return []
    by_moment: dict[datetime, dict[str, Figures]] = {}
    for moment in moments:
        by_moment.setdefault(min(moment.at, now), {})[moment.channel] = moment.figures
    so_far = {channel: Figures(0, 0, 0) for channel in sorted({moment.channel for moment in moments})}
    before = min(starts_at or moments[0].at, *by_moment)
    points = [_point(before, so_far, so_far, 0.0)]
    for at, figures in by_moment.items():
        after = so_far | figures
        points.append(_point(at, so_far, after, (at - before).total_seconds()))
        before, so_far = at, after
    return points


def _point(at: datetime, before: dict[str, Figures], after: dict[str, Figures], seconds: float) -> Point:
    def gone(figures: Figures) -> int:
        return figures.left + figures.failed  # a message that failed was handed over, too

    def rate(channel: str) -> float:
        return round(max(0, gone(after[channel]) - gone(before[channel])) / seconds, 2) if seconds else 0.0

    return Point(
        at=to_ms(at),
        rates={channel: rate(channel) for channel in after},
        left={channel: figures.left for channel, figures in after.items()},
        delivered={channel: figures.delivered for channel, figures in after.items()},
        failed={channel: figures.failed for channel, figures in after.items()},
    )
