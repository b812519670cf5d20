"""From a saved ask to a running campaign: approve, launch, start, pause, resume, cancel, finish.

API, command line and dashboard call these functions; they hold no rules of their own. Each takes the `Runtime`, who
does it (`by`) and the moment (`now`), checks the state it needs inside one transaction, and leaves an audit row. A
refusal says who can do what about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import Approval, ApprovalMissing, Verdict, count_recipients, read_approval
from router.comparison import check_hold_out
from router.core.ask import Ask
from router.core.errors import NotAllowed, NotFound
from router.core.model import CampaignStatus
from router.core.outgoing import Kind
from router.core.staging import first, shares_of
from router.ranges import cut_ranges
from router.runtime import Runtime
from router.steps import take_step, wrong_state
from router.store.campaigns import CampaignRow, lock_campaign, move_campaign, read_ask
from router.store.debts import settle
from router.store.hooks import tell_hooks
from router.store.notices import notify
from router.store.partitions import ensure_month
from router.store.tables import campaign, route_range, to_ms
from router.store.tallies import read_tally
from router.views import CampaignView

_S = CampaignStatus
_OPEN = (_S.DRAFT, _S.APPROVED, _S.SCHEDULED, _S.RUNNING, _S.PAUSED)


async def approve_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """draft → approved; a paused one whose words were changed stays paused, and may be resumed then.

    Raises `ApprovalMissing` where somebody else must do it, `NotAllowed` where there is nothing to approve.
    """
    counted = await _count(runtime, campaign_id)

    async def check(connection: AsyncConnection, row: CampaignRow) -> dict[str, Any]:
        asked = await _approval_of(runtime, connection, row, counted)
        if row.status is not _S.DRAFT and asked.of(asked.approved_by) is not Verdict.MISSING:
            raise NotAllowed(wrong_state(row, "approve", [_S.DRAFT]))
        if asked.of(by) is Verdict.MISSING:
            raise ApprovalMissing(asked)
        return {"recipients": asked.recipients}

    moves = {_S.DRAFT: _S.APPROVED, _S.APPROVED: _S.APPROVED, _S.PAUSED: _S.PAUSED}
    return await take_step(runtime, campaign_id, "approve", moves, by=by, now=now, check=check, approved_by=by)


async def launch_campaign(
    runtime: Runtime, campaign_id: int, *, by: str, now: datetime, undo_seconds: int | None = None
) -> CampaignView:
    """approved → scheduled. Nothing leaves before the undo time and the schedule are over.

    Where its author approved a large one alone, the undo time is at least the policy's `alone_undo_seconds`, and all
    staff are told. Raises `ApprovalMissing` where its audience has outgrown its approval.
    """
    counted = await _count(runtime, campaign_id)
    await check_hold_out(runtime, counted.ask)
    await ensure_month(runtime.store, counted.month)

    async def check(connection: AsyncConnection, row: CampaignRow) -> dict[str, Any]:
        asked = await _approval_of(runtime, connection, row, counted)
        verdict = asked.of(asked.approved_by)
        if verdict is Verdict.MISSING:
            raise ApprovalMissing(asked)
        policy = runtime.policy.launch
        undo = policy.undo_seconds if undo_seconds is None else undo_seconds
        if verdict is Verdict.ALONE:
            undo = max(undo, policy.alone_undo_seconds)
        starts_at = max(now + timedelta(seconds=undo), counted.ask.starts_at or now)
        expires_at = expiry_of(runtime, counted.ask, starts_at)
        if expires_at <= starts_at:
            raise NotAllowed(
                "its deadline comes before it could start; whoever may write campaigns can give it a later one"
                f" (PUT /api/v1/campaigns/{campaign_id}/ask), then it is approved and launched again"
            )
        if verdict is Verdict.ALONE:
            await notify(connection, "campaign", str(campaign_id), asked.notice(starts_at), now=now)
        return {"recipients": asked.recipients, "starts_at": starts_at, "expires_at": expires_at}

    moves = {_S.APPROVED: _S.SCHEDULED}
    return await take_step(runtime, campaign_id, "launch", moves, by=by, now=now, check=check, launched_at=now)


@dataclass(frozen=True, slots=True)
class _Counted:
    """An ask, in which version it was read, and how many its audience has."""

    ask: Ask
    version: int
    recipients: int
    month: int


async def _count(runtime: Runtime, campaign_id: int) -> _Counted:
    """Count a campaign's audience where it can still change; in no writing transaction, because that takes a while."""
    async with runtime.store.read() as connection:
        row = await lock_campaign(connection, campaign_id)
        if row is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        ask = await read_ask(connection, campaign_id, row.text_version)
    recipients = row.recipients
    if row.status in (_S.DRAFT, _S.APPROVED, _S.SCHEDULED):
        async with runtime.store.read() as connection:
            recipients = await count_recipients(runtime, connection, ask)
    return _Counted(ask, row.text_version, recipients, row.month)


async def _approval_of(runtime: Runtime, connection: AsyncConnection, row: CampaignRow, counted: _Counted) -> Approval:
    """Who must approve a campaign whose row is locked."""
    if row.text_version != counted.version:
        raise NotAllowed("its words were changed just now; look at them again, then repeat this")
    return await read_approval(runtime, connection, row.id, recipients=counted.recipients)


def expiry_of(runtime: Runtime, ask: Ask, starts_at: datetime) -> datetime:
    """The deadline, or the time to live after the (for local hours: the last member's) start, whichever is first."""
    life = runtime.policy.lifetime
    last_start = starts_at
    if ask.starts_at_local is not None:
        # The last clocks to strike the hour are twelve hours behind UTC.
        last_start = max(starts_at, ask.starts_at_local.replace(tzinfo=starts_at.tzinfo) + timedelta(hours=12))
    lives_until = last_start + timedelta(hours=life.urgent_hours if ask.is_urgent else life.normal_hours)
    return min(lives_until, ask.deadline) if ask.deadline is not None else lives_until


async def start_due_campaigns(runtime: Runtime, *, now: datetime) -> int:
    """scheduled → running for those whose time has come; their audience is cut into ranges. Called by the worker."""
    async with runtime.store.read() as connection:
        due = (
            await connection.execute(
                select(campaign.c.id).where(campaign.c.status == _S.SCHEDULED.value, campaign.c.starts_at <= now)
            )
        ).scalars()
        numbers = list(due)
    return sum([await _start(runtime, number, now=now) for number in numbers])


async def _start(runtime: Runtime, campaign_id: int, *, now: datetime) -> bool:
    """Start one; where more people have joined its audience than its approval is good for, it pauses instead."""
    counted = await _count(runtime, campaign_id)

    async def work(connection: AsyncConnection) -> bool:
        row = await lock_campaign(connection, campaign_id, exclusively=True)
        if row is None or row.status is not _S.SCHEDULED:
            return False
        asked = await _approval_of(runtime, connection, row, counted)
        verdict = asked.of(asked.approved_by)
        if verdict is Verdict.MISSING or (verdict is Verdict.ALONE and row.recipients <= asked.above):
            reason = asked.missing if verdict is Verdict.MISSING else asked.grown
            values = {"recipients": asked.recipients, "pause_reason": reason[:400]}
            await move_campaign(connection, campaign_id, (_S.SCHEDULED,), _S.PAUSED, **values)
            sentence = f"Campaign {campaign_id} is paused: {reason}"
            await notify(connection, "campaign", str(campaign_id), sentence, now=now)
            return False
        shares = shares_of(runtime.policy.guard, counted.ask, asked.recipients, row.starts_at or now)
        values = {"recipients": asked.recipients, "stage": first(shares)}
        await move_campaign(connection, campaign_id, (_S.SCHEDULED,), _S.RUNNING, **values)
        await cut_ranges(connection, campaign_id)
        return True

    return await runtime.store.transact(work)


async def finish_done_campaigns(runtime: Runtime, *, now: datetime) -> int:
    """running → finished for those with every range routed and every batch closed. Called by the worker."""

    async def work(connection: AsyncConnection) -> int:
        result = await connection.execute(
            text(
                "UPDATE campaign SET finished_at = :now,"
                " status = CASE WHEN reported_at IS NULL THEN 'finished' ELSE 'reported' END"
                " WHERE status = 'running' AND kind <> 'reply' AND NOT EXISTS"
                " (SELECT 1 FROM route_range r WHERE r.campaign_id = campaign.id AND r.routed_at IS NULL)"
                " AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.campaign_id = campaign.id AND b.open)"
                " RETURNING id, title"
            ),
            {"now": to_ms(now)},
        )
        finished = result.all()
        if finished:
            await settle(connection, now=now)
        for row in finished:
            stands = [
                {"channel": channel, "status": status, "reason": reason, "count": count}
                for channel, status, reason, count in await read_tally(connection, row.id)
            ]
            told = {"campaign": {"id": row.id, "title": row.title}, "deliveries": stands}
            await tell_hooks(connection, Kind.SUMMARY, told, now=now)
        return len(finished)

    return await runtime.store.transact(work)


async def pause_campaign(
    runtime: Runtime, campaign_id: int, *, by: str, reason: str, now: datetime, at_once: bool = True
) -> CampaignView:
    """scheduled or running → paused. Unless `at_once`, what a worker has claimed already may still leave."""
    if at_once:
        runtime.signals.halt(campaign_id)
    moves = {_S.SCHEDULED: _S.PAUSED, _S.RUNNING: _S.PAUSED}
    return await take_step(runtime, campaign_id, "pause", moves, by=by, now=now, pause_reason=reason[:400])


async def resume_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """paused → running (or scheduled, if it had not begun).

    Words that were changed meanwhile need an approval of their own where so many get them; where its author is alone,
    they must have stood for `alone_undo_seconds`. Raises `ApprovalMissing`, `NotAllowed`.
    """
    counted = await _count(runtime, campaign_id)
    async with runtime.store.read() as connection:
        begun = await connection.scalar(
            select(func.count()).select_from(route_range).where(route_range.c.campaign_id == campaign_id)
        )

    async def check(connection: AsyncConnection, row: CampaignRow) -> dict[str, Any]:
        asked = await _approval_of(runtime, connection, row, counted)
        verdict = asked.of(asked.approved_by)
        if verdict is Verdict.MISSING:
            raise ApprovalMissing(asked)
        free_at = asked.saved_at + timedelta(seconds=runtime.policy.launch.alone_undo_seconds)
        if verdict is Verdict.ALONE and now < free_at:
            raise NotAllowed(
                f"its words are its author's alone and stand since {asked.saved_at:%H:%M:%S} UTC; it can be resumed"
                f" from {free_at:%H:%M:%S} UTC on, or at once after a second organizer's approval"
            )
        return {}

    moves = {_S.PAUSED: _S.RUNNING if begun else _S.SCHEDULED}
    view = await take_step(runtime, campaign_id, "resume", moves, by=by, now=now, check=check, pause_reason="")
    runtime.signals.proceed(campaign_id)
    return view


async def cancel_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """Any state that is not final → cancelled. What has not left is withdrawn and its budget refunded."""
    runtime.signals.halt(campaign_id)
    moves = dict.fromkeys(_OPEN, _S.CANCELLED)
    view = await take_step(runtime, campaign_id, "cancel", moves, by=by, now=now, finished_at=now)

    async def withdraw_now(connection: AsyncConnection) -> None:
        # What waits for its hour shall be withdrawn by a worker now, not then.
        await connection.execute(
            text("UPDATE batch SET not_before = :now WHERE campaign_id = :id AND open"),
            {"now": to_ms(now), "id": campaign_id},
        )

    await runtime.store.transact(withdraw_now)
    return view
