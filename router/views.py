"""Campaigns as their organizers see them: state, words, and how many stand where."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.errors import NotFound
from router.core.model import AskKind, CampaignStatus
from router.runtime import Runtime
from router.store.campaigns import read_ask
from router.store.tables import campaign, route_range
from router.store.tallies import read_tally


class CampaignView(BaseModel):
    """One campaign as its organizers see it."""

    model_config = ConfigDict(frozen=True)

    id: int
    title: str
    kind: AskKind
    status: CampaignStatus
    text_version: int
    created_by: str
    approved_by: str | None
    created_at: datetime
    launched_at: datetime | None
    starts_at: datetime | None
    """Nothing leaves before."""
    expires_at: datetime | None
    pause_reason: str
    routed: int
    """How many ranges of the audience are routed …"""
    ranges: int
    """… of how many."""
    counts: dict[str, dict[str, int]]
    """channel → delivery status → how many; "" for those held before a channel was chosen."""
    held: dict[str, int]
    """reason → how many were held back."""
    ask: Ask


async def view_campaign(runtime: Runtime, campaign_id: int) -> CampaignView:
    """One campaign with its counts. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        return await _view(connection, campaign_id)


async def list_campaigns(runtime: Runtime, *, limit: int = 50, before: int | None = None) -> list[CampaignView]:
    """The newest campaigns first; `before` is the id to go on from."""
    async with runtime.store.read() as connection:
        query = select(campaign.c.id).where(campaign.c.kind != AskKind.REPLY.value)
        if before is not None:
            query = query.where(campaign.c.id < before)
        found = (await connection.execute(query.order_by(campaign.c.id.desc()).limit(limit))).scalars().all()
        return [await _view(connection, number) for number in found]


async def _view(connection: AsyncConnection, campaign_id: int) -> CampaignView:
    row = (await connection.execute(select(campaign).where(campaign.c.id == campaign_id))).one_or_none()
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    counts: dict[str, dict[str, int]] = {}
    held: dict[str, int] = {}
    for channel, status, reason, count in await read_tally(connection, campaign_id):
        by_status = counts.setdefault(channel, {})
        by_status[status] = by_status.get(status, 0) + count
        if status == "held":
            held[reason] = held.get(reason, 0) + count
    ranges, routed = (
        await connection.execute(
            select(func.count(), func.count(route_range.c.routed_at)).where(route_range.c.campaign_id == campaign_id)
        )
    ).one()
    return CampaignView(
        id=row.id,
        title=row.title,
        kind=AskKind(row.kind),
        status=CampaignStatus(row.status),
        text_version=row.text_version,
        created_by=row.created_by,
        approved_by=row.approved_by,
        created_at=row.created_at,
        launched_at=row.launched_at,
        starts_at=row.starts_at,
        expires_at=row.expires_at,
        pause_reason=row.pause_reason,
        routed=routed,
        ranges=ranges,
        counts=counts,
        held=held,
        ask=await read_ask(connection, campaign_id),
    )
