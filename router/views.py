"""Campaigns as their organizers see them: state, words, and how many stand where."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.errors import NotFound
from router.core.model import AskKind, CampaignStatus, Reason
from router.goals import seen_progress
from router.runtime import Runtime
from router.smoothing import tell_pace
from router.stages import next_stage_at, tell_stages
from router.store.campaigns import read_ask
from router.store.spendings import read_spending
from router.store.tables import campaign, route_range
from router.store.tallies import read_tally


class GoalView(BaseModel):
    """How far a goal is, in people or in whole units of its currency."""

    model_config = ConfigDict(frozen=True)

    measure: str
    """The kind of action that counts."""
    currency: str
    """"" where people are counted."""
    reached: int
    target: int
    places: dict[str, list[int]]
    """place → reached, target; where there is a goal for each place."""
    met_at: datetime | None
    """When the campaign stopped because it was met."""
    left_in_peace: int
    """How many people were not asked any more because it was met, everywhere or in their place. Somebody who was to get
    it on two channels counts twice."""


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
    recipients: int
    """How many its audience had, people and groups, when it was last counted: at its approval, launch and start."""
    spent: dict[str, float]
    """currency → what its messages have cost so far, those that are being sent among them."""
    raised_by: str | None
    """Who raised the contact budget to its ceiling for it …"""
    raised_reason: str
    raised_until: datetime | None
    """… and until when; None where nobody did, or where its words were changed since."""
    stages: str
    """Where a large one leaves in stages: which has left, and when the next one will; "" otherwise."""
    next_stage_at: datetime | None
    """When the next of them leaves, if all is well; None while the present one is under way."""
    pace: str
    """Where it goes out only as fast as the inbox can bear: what it waits for; "" otherwise."""
    routed: int
    """How many ranges of the audience are routed …"""
    ranges: int
    """… of how many."""
    counts: dict[str, dict[str, int]]
    """channel → delivery status → how many; "" for those held before a channel was chosen."""
    held: dict[str, int]
    """reason → how many were held back."""
    goal: GoalView | None
    """Where its author set one. What people do after it was met counts as well."""
    ask: Ask


async def view_campaign(runtime: Runtime, campaign_id: int) -> CampaignView:
    """One campaign with its counts. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        return await _view(runtime, connection, campaign_id)


async def list_campaigns(runtime: Runtime, *, limit: int = 50, before: int | None = None) -> list[CampaignView]:
    """The newest campaigns first; `before` is the id to go on from."""
    async with runtime.store.read() as connection:
        query = select(campaign.c.id).where(campaign.c.kind != AskKind.REPLY.value)
        if before is not None:
            query = query.where(campaign.c.id < before)
        found = (await connection.execute(query.order_by(campaign.c.id.desc()).limit(limit))).scalars().all()
        return [await _view(runtime, connection, number) for number in found]


async def _view(runtime: Runtime, connection: AsyncConnection, campaign_id: int) -> CampaignView:
    row = (await connection.execute(select(campaign).where(campaign.c.id == campaign_id))).one_or_none()
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    counts: dict[str, dict[str, int]] = {}
    held: dict[str, int] = {}
    spared = 0
    for channel, status, reason, count in await read_tally(connection, campaign_id):
        by_status = counts.setdefault(channel, {})
        by_status[status] = by_status.get(status, 0) + count
        spared += count if reason == Reason.GOAL_MET.value else 0
        if status == "held":
            held[reason] = held.get(reason, 0) + count
    ranges, routed = (
        await connection.execute(
            select(func.count(), func.count(route_range.c.routed_at)).where(route_range.c.campaign_id == campaign_id)
        )
    ).one()
    ask = await read_ask(connection, campaign_id)
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
        recipients=row.recipients,
        spent=await read_spending(connection, campaign_id),
        raised_by=row.raised_by,
        raised_reason=row.raised_reason,
        raised_until=row.raised_until,
        stages=tell_stages(runtime.policy.guard, ask, row),
        next_stage_at=next_stage_at(runtime.policy.guard, ask, row),
        pace=await tell_pace(runtime, connection, row, ask, now=runtime.clock()),
        routed=routed,
        ranges=ranges,
        counts=counts,
        held=held,
        goal=await _goal(runtime, connection, ask, row, spared),
        ask=ask,
    )


async def _goal(runtime: Runtime, connection: AsyncConnection, ask: Ask, row: Any, spared: int) -> GoalView | None:
    if ask.goal is None:
        return None
    progress = await seen_progress(runtime.store, connection, row.id, ask.goal, now=runtime.clock())
    return GoalView(
        measure=ask.goal.measure,
        currency=ask.goal.currency,
        reached=progress.reached,
        target=progress.target,
        places={name: list(pair) for name, pair in progress.places.items()},
        met_at=row.goal_met_at,
        left_in_peace=spared,
    )
