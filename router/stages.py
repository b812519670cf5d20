"""Canary and ramp: a large ask leaves in stages, each after the one before has been answered well (`core.staging`).

A batch of a stage leaves once its campaign has come so far. What stops a campaign is the guard (`router.guard`); a
paused campaign goes no further.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.launch_policy import GuardPolicy
from router.core.model import CampaignStatus
from router.core.staging import ALL, after, is_canary, shares_of, wait_of
from router.runtime import Runtime
from router.store.campaigns import read_ask
from router.store.tables import campaign, to_ms


async def advance_stages(runtime: Runtime, *, now: datetime) -> int:
    """Let the next stage of every running campaign leave whose time has come; returns of how many it did."""
    policy, moved = runtime.policy.guard, 0
    async with runtime.store.read() as connection:
        rows = (
            await connection.execute(
                select(campaign).where(campaign.c.status == CampaignStatus.RUNNING.value, campaign.c.stage < ALL)
            )
        ).all()
        asks = {row.id: await read_ask(connection, row.id, row.text_version) for row in rows}
        out = {row.id: await _is_out(connection, row, now) for row in rows if row.stage_since is None}
    for row in rows:
        ask = asks[row.id]
        wait = wait_of(policy, ask, row.recipients, row.starts_at)
        if now >= row.expires_at or row.goal_met_at is not None:
            moved += await _move(runtime, row, ALL, None)
        elif row.stage_since is not None and now >= row.stage_since + wait:
            shares = shares_of(policy, ask, row.recipients, row.starts_at)
            moved += await _move(runtime, row, after(row.stage, shares), None)
        elif out.get(row.id):
            await _move(runtime, row, row.stage, now)
    return moved


async def _is_out(connection: AsyncConnection, row: Any, now: datetime) -> bool:
    """Whether all of the present stage that may leave by now has left, and some of it has.

    What waits for a later hour is not waited for; where all of it does, or nobody was chosen, this tells them apart.
    """
    waiting = (
        await connection.execute(
            text(
                "SELECT EXISTS (SELECT 1 FROM route_range r WHERE r.campaign_id = :id AND r.routed_at IS NULL)"
                " OR EXISTS (SELECT 1 FROM batch b WHERE b.campaign_id = :id AND b.open AND b.stage <= :stage"
                "   AND (b.owner IS NOT NULL OR b.not_before <= :now)) AS busy,"
                " EXISTS (SELECT 1 FROM batch b WHERE b.campaign_id = :id AND b.open AND b.stage <= :stage) AS later,"
                " EXISTS (SELECT 1 FROM tally t WHERE t.campaign_id = :id AND t.count > 0"
                "   AND t.status IN ('sent', 'delivered', 'read', 'unknown', 'failed')) AS some_left"
            ),
            {"id": row.id, "stage": row.stage, "now": to_ms(now)},
        )
    ).one()
    return not waiting.busy and bool(waiting.some_left or not waiting.later)


async def _move(runtime: Runtime, row: Any, stage: int, since: datetime | None) -> bool:
    """Guarded change of the stage; `since` is when the last of the present one had left. The plans stay as they are."""

    async def work(connection: AsyncConnection) -> bool:
        result = await connection.execute(
            text(
                "UPDATE campaign SET stage = :to, stage_since = :since"
                " WHERE id = :id AND status = 'running' AND stage = :from"
            ),
            {"to": stage, "since": None if since is None else to_ms(since), "id": row.id, "from": row.stage},
        )
        return result.rowcount == 1

    return await runtime.store.transact(work)


def next_stage_at(policy: GuardPolicy, ask: Ask, row: Any) -> datetime | None:
    """When the next stage of a running campaign leaves; None where it has none, or the present one is under way."""
    if row.status != CampaignStatus.RUNNING.value or row.stage >= ALL or row.stage_since is None:
        return None
    at: datetime = row.stage_since + wait_of(policy, ask, row.recipients, row.starts_at)
    return at


def tell_stages(policy: GuardPolicy, ask: Ask, row: Any) -> str:
    """How a campaign's stages stand, in words; "" where it has none, all of them have left, or none will any more."""
    if row.stage >= ALL or row.status not in (CampaignStatus.RUNNING.value, CampaignStatus.PAUSED.value):
        return ""
    shares = shares_of(policy, ask, row.recipients, row.starts_at)
    seconds = int(wait_of(policy, ask, row.recipients, row.starts_at).total_seconds())
    at = next_stage_at(policy, ask, row)
    if row.status == CampaignStatus.PAUSED.value:
        when = "once it is resumed"
    elif at is None:
        when = f"{f'{seconds // 60} min' if seconds >= 60 else f'{seconds} s'} after the last of them"
    else:
        when = f"at {at:%H:%M} UTC"
    if is_canary(policy, ask, row.recipients, row.starts_at):
        return f"canary: {policy.canary.size:,} of {row.recipients:,} first, the rest {when} if all is well"
    last = row.stage + 1 >= len(shares)
    share = f"{shares[row.stage]:.0%}" if row.stage < len(shares) else "some"
    return f"ramp: {share} first, {'the rest' if last else f'{shares[row.stage + 1]:.0%}'} {when} if all is well"
