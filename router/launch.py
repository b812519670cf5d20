"""From an ask to a running campaign: save, preview, approve, launch, pause, edit, resume, cancel, correct.

API, command line and dashboard call these functions; they hold no rules of their own. Each takes the `Runtime`, who
does it (`by`) and the moment (`now`), checks the state it needs inside one transaction, and leaves an audit row. A
refusal says who can do what about it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import Approval, ApprovalMissing, Verdict, count_recipients, read_approval
from router.comparison import check_hold_out
from router.core.ask import Ask
from router.core.content import check_ask
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.model import AskKind, CampaignStatus
from router.core.staging import first, shares_of
from router.fanout import cut_ranges
from router.runtime import Runtime
from router.store.campaigns import CampaignRow, lock_campaign, move_campaign, read_ask, write_ask, write_audit
from router.store.notices import notify
from router.store.tables import campaign, route_range, to_ms
from router.views import CampaignView, view_campaign

_S = CampaignStatus
_OPEN = (_S.DRAFT, _S.APPROVED, _S.SCHEDULED, _S.RUNNING, _S.PAUSED)
_FIXED_ONCE_LAUNCHED = (
    "kind",
    "about",
    "about_versions",
    "audience",
    "channels",
    "starts_at",
    "starts_at_local",
    "urgent",
    "purpose",
    "follows",
    "asks_permission",
    "alert",
    "tonight",
    "second",
    "hold_out",
)

_Check = Callable[[AsyncConnection, CampaignRow], Awaitable[dict[str, Any]]]
"""What a step of a campaign, whose row is locked, depends on: values to write, or a refusal."""


async def save_campaign(runtime: Runtime, ask: Ask, *, by: str, now: datetime) -> CampaignView:
    """Check an ask against everything that could fail later, and save it as a draft. Raises `BadInput`."""
    await _check(runtime, ask, now)
    number, audit = await runtime.store.take_ids(2)

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(
            insert(campaign).values(
                id=number,
                month=now.year * 100 + now.month,
                title=ask.title,
                kind=ask.kind.value,
                status=_S.DRAFT.value,
                link=ask.link,
                created_by=by,
                created_at=now,
            )
        )
        await write_ask(connection, number, 1, ask, by=by, now=now)
        await _audit(connection, audit, number, "save", by, now, title=ask.title)

    await runtime.store.transact(work)
    return await view_campaign(runtime, number)


def check_words(runtime: Runtime, ask: Ask) -> None:
    """Refuse, with the place in the text, what could not be sent from this installation. Raises `BadInput`."""
    longest_link = f"{runtime.settings.public_url.rstrip('/')}/a/{'x' * 24}"
    check_ask(ask, runtime.specs, organization=runtime.settings.organization, link=longest_link)


async def _check(runtime: Runtime, ask: Ask, now: datetime) -> None:
    check_words(runtime, ask)
    if ask.kind is AskKind.REPLY:
        raise BadInput("replies are written by the router itself; choose another kind", place="kind")
    if ask.deadline is not None and ask.deadline <= now:
        raise BadInput("the deadline has passed; choose a later one", place="deadline")
    _check_currency(runtime, ask)
    await check_hold_out(runtime, ask)
    for place, other in (("about", ask.about), ("follows", ask.follows)):
        if other is None:
            continue
        async with runtime.store.read() as connection:
            if await lock_campaign(connection, other) is None:
                raise BadInput(f"there is no campaign {other}", place=place)


def _check_currency(runtime: Runtime, ask: Ask) -> None:
    """A spend limit binds what is paid for in its own currency, so all that costs anything must be."""
    if ask.spend_limit is None:
        return
    for channel in sorted(set(ask.channels) or set(runtime.channels)):
        rules = runtime.rules_of(channel)
        if rules.price and rules.currency != ask.spend_limit.currency:
            sentence = f"{channel} is paid for in {rules.currency}; give the limit in it, or leave the channel out"
            raise BadInput(sentence, place="spend_limit.currency")


async def approve_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """draft → approved; a paused one whose words were changed stays paused, and may be resumed then.

    Raises `ApprovalMissing` where somebody else must do it, `NotAllowed` where there is nothing to approve.
    """
    counted = await _count(runtime, campaign_id)

    async def check(connection: AsyncConnection, row: CampaignRow) -> dict[str, Any]:
        asked = await _approval_of(runtime, connection, row, counted)
        if row.status is not _S.DRAFT and asked.of(asked.approved_by) is not Verdict.MISSING:
            raise NotAllowed(_wrong_state(row, "approve", [_S.DRAFT]))
        if asked.of(by) is Verdict.MISSING:
            raise ApprovalMissing(asked.missing)
        return {"recipients": asked.recipients}

    moves = {_S.DRAFT: _S.APPROVED, _S.APPROVED: _S.APPROVED, _S.PAUSED: _S.PAUSED}
    return await _move(runtime, campaign_id, "approve", moves, by=by, now=now, check=check, approved_by=by)


async def launch_campaign(
    runtime: Runtime, campaign_id: int, *, by: str, now: datetime, undo_seconds: int | None = None
) -> CampaignView:
    """approved → scheduled. Nothing leaves before the undo time and the schedule are over.

    Where its author approved a large one alone, the undo time is at least the policy's `alone_undo_seconds`, and all
    staff are told. Raises `ApprovalMissing` where its audience has outgrown its approval.
    """
    counted = await _count(runtime, campaign_id)
    await check_hold_out(runtime, counted.ask)

    async def check(connection: AsyncConnection, row: CampaignRow) -> dict[str, Any]:
        asked = await _approval_of(runtime, connection, row, counted)
        verdict = asked.of(asked.approved_by)
        if verdict is Verdict.MISSING:
            raise ApprovalMissing(asked.missing)
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
    return await _move(runtime, campaign_id, "launch", moves, by=by, now=now, check=check, launched_at=now)


@dataclass(frozen=True, slots=True)
class _Counted:
    """An ask, in which version it was read, and how many its audience has."""

    ask: Ask
    version: int
    recipients: int


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
    return _Counted(ask, row.text_version, recipients)


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
                "UPDATE campaign SET status = 'finished', finished_at = :now"
                " WHERE status = 'running' AND kind <> 'reply' AND NOT EXISTS"
                " (SELECT 1 FROM route_range r WHERE r.campaign_id = campaign.id AND r.routed_at IS NULL)"
                " AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.campaign_id = campaign.id AND b.open)"
            ),
            {"now": to_ms(now)},
        )
        return result.rowcount

    return await runtime.store.transact(work)


async def pause_campaign(
    runtime: Runtime, campaign_id: int, *, by: str, reason: str, now: datetime, at_once: bool = True
) -> CampaignView:
    """scheduled or running → paused. Unless `at_once`, what a worker has claimed already may still leave."""
    if at_once:
        runtime.signals.halt(campaign_id)
    moves = {_S.SCHEDULED: _S.PAUSED, _S.RUNNING: _S.PAUSED}
    return await _move(runtime, campaign_id, "pause", moves, by=by, now=now, pause_reason=reason[:400])


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
            raise ApprovalMissing(asked.missing)
        free_at = asked.saved_at + timedelta(seconds=runtime.policy.launch.alone_undo_seconds)
        if verdict is Verdict.ALONE and now < free_at:
            raise NotAllowed(
                f"its words are its author's alone and stand since {asked.saved_at:%H:%M:%S} UTC; it can be resumed"
                f" from {free_at:%H:%M:%S} UTC on, or at once after a second organizer's approval"
            )
        return {}

    moves = {_S.PAUSED: _S.RUNNING if begun else _S.SCHEDULED}
    view = await _move(runtime, campaign_id, "resume", moves, by=by, now=now, check=check, pause_reason="")
    runtime.signals.proceed(campaign_id)
    return view


async def edit_campaign(runtime: Runtime, campaign_id: int, ask: Ask, *, by: str, now: datetime) -> CampaignView:
    """New words for a draft or a paused campaign; who has it already is not written to again."""
    await _check(runtime, ask, now)
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        row = await _locked(connection, campaign_id)
        if row.status not in (_S.DRAFT, _S.APPROVED, _S.PAUSED):
            raise NotAllowed(_not_editable(row))
        old = await read_ask(connection, campaign_id)
        changed = [name for name in _FIXED_ONCE_LAUNCHED if getattr(old, name) != getattr(ask, name)]
        if row.starts_at is not None and changed:
            raise BadInput("cannot change once a campaign was launched; cancel it and launch another", place=changed[0])
        version = row.text_version + 1
        await write_ask(connection, campaign_id, version, ask, by=by, now=now)
        # What was approved, and what the budget was raised for, was the old wording.
        status = _S.PAUSED if row.status is _S.PAUSED else _S.DRAFT
        values: dict[str, Any] = {"text_version": version, "title": ask.title, "link": ask.link, "raised_until": None}
        if row.status is not _S.PAUSED or row.recipients > runtime.policy.launch.approval_above:
            values["approved_by"] = None
        if row.starts_at is not None:
            values["expires_at"] = expiry_of(runtime, ask, row.starts_at)
        await move_campaign(connection, campaign_id, (row.status,), status, **values)
        if row.status is _S.PAUSED and "approved_by" in values:
            asked = await read_approval(runtime, connection, campaign_id, recipients=row.recipients)
            sentence = (
                f"Campaign {campaign_id} was changed by {by} while it is paused; before it goes on {asked.missing}"
            )
            await notify(connection, "campaign", str(campaign_id), sentence, now=now)
        await _audit(connection, audit, campaign_id, "edit", by, now, version=version)

    await runtime.store.transact(work)
    return await view_campaign(runtime, campaign_id)


async def cancel_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """Any state that is not final → cancelled. What has not left is withdrawn and its budget refunded."""
    runtime.signals.halt(campaign_id)
    moves = dict.fromkeys(_OPEN, _S.CANCELLED)
    view = await _move(runtime, campaign_id, "cancel", moves, by=by, now=now, finished_at=now)

    async def withdraw_now(connection: AsyncConnection) -> None:
        # What waits for its hour shall be withdrawn by a worker now, not then.
        await connection.execute(
            text("UPDATE batch SET not_before = :now WHERE campaign_id = :id AND open"),
            {"now": to_ms(now), "id": campaign_id},
        )

    await runtime.store.transact(withdraw_now)
    return view


async def set_link(runtime: Runtime, campaign_id: int, link: str, *, by: str, now: datetime) -> CampaignView:
    """Send the campaign's links elsewhere from now on, in any state: the links that went out stay the same."""
    async with runtime.store.read() as connection:
        ask = await read_ask(connection, campaign_id)
    if not ask.link:
        raise BadInput("this campaign's words have no link to lead anywhere", place="link")
    check_words(runtime, ask.model_copy(update={"link": link}))
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        await _locked(connection, campaign_id)
        await connection.execute(update(campaign).where(campaign.c.id == campaign_id).values(link=link))
        await _audit(connection, audit, campaign_id, "link", by, now, link=link)

    await runtime.store.transact(work)
    return await view_campaign(runtime, campaign_id)


async def _move(
    runtime: Runtime,
    campaign_id: int,
    what: str,
    moves: Mapping[CampaignStatus, CampaignStatus],
    *,
    by: str,
    now: datetime,
    check: _Check | None = None,
    **values: object,
) -> CampaignView:
    """Take a step: from a state that `moves` names to the one it leads to, where `check` has no objection."""
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        row = await _locked(connection, campaign_id)
        if row.status not in moves:
            raise NotAllowed(_wrong_state(row, what, [state for state, to in moves.items() if to is not state]))
        more = await check(connection, row) if check is not None else {}
        await move_campaign(connection, campaign_id, (row.status,), moves[row.status], **values, **more)
        await _audit(connection, audit, campaign_id, what, by, now)

    await runtime.store.transact(work)
    runtime.signals.wake()
    return await view_campaign(runtime, campaign_id)


_NEXT: Mapping[CampaignStatus, str] = {
    _S.DRAFT: "an organizer can approve it: outreach approve {id}",
    _S.APPROVED: "an organizer can launch it: outreach launch {id}",
    _S.SCHEDULED: "an organizer can pause or cancel it: outreach pause {id}",
    _S.RUNNING: "an organizer can pause or cancel it: outreach pause {id}",
    _S.PAUSED: "an organizer can resume or cancel it: outreach resume {id}",
    _S.FINISHED: "that is for good; anybody who may write campaigns can save another",
    _S.CANCELLED: "that is for good; anybody who may write campaigns can save another",
    _S.REPORTED: "that is for good; anybody who may write campaigns can save another",
}
"""What can be done with a campaign in a state in which the wish of the moment cannot be granted."""


def _wrong_state(row: CampaignRow, what: str, wanted: Sequence[CampaignStatus]) -> str:
    states = " or ".join(state.value for state in wanted)
    next_ = _NEXT[row.status].format(id=row.id)
    return f"this campaign is {row.status.value}; only one that is {states} can {what}; {next_}"


def _not_editable(row: CampaignRow) -> str:
    is_under_way = row.status in (_S.SCHEDULED, _S.RUNNING)
    next_ = f"pause it, then edit it: outreach pause {row.id}" if is_under_way else _NEXT[row.status].format(id=row.id)
    return f"this campaign is {row.status.value}; {next_}"


async def _locked(connection: AsyncConnection, campaign_id: int) -> CampaignRow:
    row = await lock_campaign(connection, campaign_id, exclusively=True)
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    return row


async def _audit(
    connection: AsyncConnection, number: int, campaign_id: int, what: str, by: str, now: datetime, **detail: object
) -> None:
    await write_audit(
        connection, number, who=by, what=f"campaign.{what}", subject=str(campaign_id), detail=detail, now=now
    )
