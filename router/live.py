"""How an ask does while it goes out: what has left, what waits, what came of it. Read from counters alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Spend
from router.core.errors import NotFound
from router.core.guarding import Matter, Watch, limit_of
from router.core.model import CampaignStatus, Reason
from router.runtime import Runtime
from router.stages import tell_stages
from router.store.running import read_known_ask
from router.store.spendings import month_of, read_spending, read_spent
from router.store.tables import batch, campaign, reaction, route_range
from router.store.tallies import read_tally

OVER = (CampaignStatus.FINISHED, CampaignStatus.CANCELLED, CampaignStatus.REPORTED)
"""Nothing leaves any more."""

_PLACES: Mapping[str, tuple[str, ...]] = {
    "queued": ("waiting",),
    "sending": ("leaving",),
    "sent": ("left",),
    "unknown": ("left",),
    "delivered": ("left", "delivered"),
    "read": ("left", "delivered"),
    "failed": ("failed",),
    "cancelled": ("withdrawn",),
    "expired": ("withdrawn",),
}
"""Status of a delivery → the figures that it counts in."""


class ChannelLive(BaseModel):
    """One channel of an ask. A further try after a failure is a delivery of its own."""

    model_config = ConfigDict(frozen=True)

    waiting: int = 0
    leaving: int = 0
    """A worker has these at this moment; they cannot be called back."""
    left: int = 0
    """Handed over, those among them of which it is not known whether the provider took them."""
    delivered: int = 0
    failed: int = 0
    withdrawn: int = 0
    """Cancelled, or too late."""
    opt_outs: int = 0
    opt_out_limit: float = 0
    """The share of what left above which the guard stops the ask, once that is beyond chance."""
    complaints: int = 0


class MonthSpent(BaseModel):
    """What all asks have cost this month, and may cost at most."""

    model_config = ConfigDict(frozen=True)

    currency: str
    spent: float
    limit: float


class Live(BaseModel):
    """One ask at one moment."""

    model_config = ConfigDict(frozen=True)

    id: int
    status: CampaignStatus
    pause_reason: str
    starts_at: datetime | None
    recipients: int
    stages: str
    """Which stage of a large ask has left, and when the next one will; "" where it has none."""
    routed: int
    """Of so many parts of the audience it is decided who gets it …"""
    ranges: int
    """… of how many."""
    channels: dict[str, ChannelLive]
    next_at: datetime | None
    """Where all that waits waits for its hour: when the first of it may leave."""
    held: int
    """People who are left in peace; the results say why."""
    failures: dict[Reason, int]
    spent: dict[str, float]
    """currency → amount."""
    spend_limit: Spend | None
    of_month: list[MonthSpent]
    """The month's limits, of the calendar month in UTC; empty where there are none."""

    @property
    def is_over(self) -> bool:
        """Whether nothing leaves any more."""
        return self.status in OVER

    @property
    def all(self) -> ChannelLive:
        """All channels together, but for the limit, which each has its own of."""
        fields = [name for name in ChannelLive.model_fields if name != "opt_out_limit"]
        return ChannelLive.model_validate(
            {name: sum(getattr(one, name) for one in self.channels.values()) for name in fields}
        )


async def read_live(runtime: Runtime, campaign_id: int) -> Live:
    """How one ask stands now. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        row = (await connection.execute(select(campaign).where(campaign.c.id == campaign_id))).one_or_none()
        if row is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        ask = await read_known_ask(runtime.store, connection, campaign_id, row.text_version)
        reactions = await _reactions(connection, campaign_id)
        figures: dict[str, dict[str, int]] = {}
        failures: dict[Reason, int] = {}
        held = 0
        for channel, status, reason, count in await read_tally(connection, campaign_id):
            held += count if status == "held" else 0
            for name in _PLACES.get(status, ()):
                of_channel = figures.setdefault(channel, {})
                of_channel[name] = of_channel.get(name, 0) + count
            if status == "failed" and reason:
                failures[Reason(reason)] = failures.get(Reason(reason), 0) + count
        ranges, routed = (
            await connection.execute(
                select(func.count(), func.count(route_range.c.routed_at)).where(
                    route_range.c.campaign_id == campaign_id
                )
            )
        ).one()
        spent = await read_spending(connection, campaign_id)
        of_month = await _of_month(connection, runtime)
        waits = sum(one.get("waiting", 0) for one in figures.values())
        leaving = sum(one.get("leaving", 0) for one in figures.values())
        next_at = await _next_at(connection, runtime, row) if waits and not leaving else None
    limits = runtime.policy.guard.limits
    return Live(
        id=campaign_id,
        status=CampaignStatus(row.status),
        pause_reason=row.pause_reason,
        starts_at=row.starts_at,
        recipients=row.recipients,
        stages=tell_stages(runtime.policy.guard, ask, row),
        routed=routed,
        ranges=ranges,
        channels={
            channel: ChannelLive(
                **figures.get(channel, {}),
                opt_outs=reactions.get((channel, Matter.OPT_OUT.value), 0),
                complaints=reactions.get((channel, Matter.COMPLAINT.value), 0),
                opt_out_limit=limit_of(limits, Watch(Matter.OPT_OUT, channel)),
            )
            for channel in sorted(figures.keys() | {channel for channel, _ in reactions})
        },
        next_at=next_at,
        held=held,
        failures=dict(sorted(failures.items(), key=lambda item: -item[1])),
        spent=spent,
        spend_limit=ask.spend_limit,
        of_month=of_month,
    )


async def _next_at(connection: AsyncConnection, runtime: Runtime, row: Row[Any]) -> datetime | None:
    if row.status != CampaignStatus.RUNNING:
        return None
    query = select(func.min(batch.c.not_before)).where(batch.c.campaign_id == row.id, batch.c.open)
    earliest: datetime | None = await connection.scalar(query)
    return earliest if earliest is not None and earliest > runtime.clock() else None


async def _of_month(connection: AsyncConnection, runtime: Runtime) -> list[MonthSpent]:
    month = month_of(runtime.clock())
    return [
        MonthSpent(
            currency=currency, spent=await read_spent(connection, currency, month=month) / 1_000_000, limit=limit
        )
        for currency, limit in sorted(runtime.policy.spend.month.items())
    ]


async def _reactions(connection: AsyncConnection, campaign_id: int) -> dict[tuple[str, str], int]:
    rows = await connection.execute(
        select(reaction.c.channel, reaction.c.kind, func.sum(reaction.c.count))
        .where(reaction.c.campaign_id == campaign_id)
        .group_by(reaction.c.channel, reaction.c.kind)
    )
    return {(channel, kind): int(count) for channel, kind, count in rows}


def per_second(before: Live | None, after: Live, seconds: float) -> dict[str, float]:
    """channel → messages that left each second between two moments."""
    if before is None or seconds <= 0:
        return {}
    rates = {}
    for channel, figures in after.channels.items():
        earlier = before.channels.get(channel, ChannelLive())
        rates[channel] = round(max(0, _gone(figures) - _gone(earlier)) / seconds, 1)
    return rates


def _gone(figures: ChannelLive) -> int:
    # A message that failed was handed over, too.
    return figures.left + figures.failed
