"""From an ask to a running campaign: save, preview, approve, launch, pause, edit, resume, cancel, correct.

API, command line and dashboard call these functions; they hold no rules of their own. Each takes the `Runtime`, who
does it (`by`) and the moment (`now`), checks the state it needs inside one transaction, and leaves an audit row.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.content import check_ask
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.model import AskKind, CampaignStatus
from router.fanout import cut_ranges
from router.runtime import Runtime
from router.store.campaigns import CampaignRow, lock_campaign, move_campaign, read_ask, write_ask, write_audit
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
    if ask.about is not None:
        async with runtime.store.read() as connection:
            if await lock_campaign(connection, ask.about) is None:
                raise BadInput(f"there is no campaign {ask.about}", place="about")


async def approve_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """draft → approved. Raises `NotAllowed` from any other state."""
    return await _move(runtime, campaign_id, "approve", (_S.DRAFT,), _S.APPROVED, by=by, now=now, approved_by=by)


async def launch_campaign(
    runtime: Runtime, campaign_id: int, *, by: str, now: datetime, undo_seconds: int | None = None
) -> CampaignView:
    """approved → scheduled. Nothing leaves before the undo time and the schedule are over."""
    async with runtime.store.read() as connection:
        ask = await read_ask(connection, campaign_id)
    undo = runtime.policy.launch.undo_seconds if undo_seconds is None else undo_seconds
    starts_at = max(now + timedelta(seconds=undo), ask.starts_at or now)
    expires_at = expiry_of(runtime, ask, starts_at)
    if expires_at <= starts_at:
        raise NotAllowed("its deadline comes before it could start; edit the deadline, then launch it")
    return await _move(
        runtime,
        campaign_id,
        "launch",
        (_S.APPROVED,),
        _S.SCHEDULED,
        by=by,
        now=now,
        launched_at=now,
        starts_at=starts_at,
        expires_at=expires_at,
    )


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

    async def start(connection: AsyncConnection, number: int) -> bool:
        if not await move_campaign(connection, number, (_S.SCHEDULED,), _S.RUNNING):
            return False
        await cut_ranges(connection, number)
        return True

    started = 0
    for number in numbers:
        started += await runtime.store.transact(lambda connection, number=number: start(connection, number))  # type: ignore[misc]
    return started


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


async def pause_campaign(runtime: Runtime, campaign_id: int, *, by: str, reason: str, now: datetime) -> CampaignView:
    """scheduled or running → paused."""
    runtime.signals.halt(campaign_id)
    return await _move(
        runtime, campaign_id, "pause", (_S.SCHEDULED, _S.RUNNING), _S.PAUSED, by=by, now=now, pause_reason=reason[:400]
    )


async def resume_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """paused → running (or scheduled, if it had not begun)."""
    async with runtime.store.read() as connection:
        begun = await connection.scalar(
            select(func.count()).select_from(route_range).where(route_range.c.campaign_id == campaign_id)
        )
    to = _S.RUNNING if begun else _S.SCHEDULED
    view = await _move(runtime, campaign_id, "resume", (_S.PAUSED,), to, by=by, now=now, pause_reason="")
    runtime.signals.proceed(campaign_id)
    return view


async def edit_campaign(runtime: Runtime, campaign_id: int, ask: Ask, *, by: str, now: datetime) -> CampaignView:
    """New words for a draft or a paused campaign; who has it already is not written to again."""
    await _check(runtime, ask, now)
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        row = await _locked(connection, campaign_id)
        if row.status not in (_S.DRAFT, _S.APPROVED, _S.PAUSED):
            raise NotAllowed(f"this campaign is {row.status.value}; pause it, then edit it")
        old = await read_ask(connection, campaign_id)
        changed = [name for name in _FIXED_ONCE_LAUNCHED if getattr(old, name) != getattr(ask, name)]
        if row.starts_at is not None and changed:
            raise BadInput("cannot change once a campaign was launched; cancel it and launch another", place=changed[0])
        version = row.text_version + 1
        await write_ask(connection, campaign_id, version, ask, by=by, now=now)
        # What was approved was the old wording, so a draft's approval falls; a paused campaign stays as it is.
        status = _S.PAUSED if row.status is _S.PAUSED else _S.DRAFT
        values = {"text_version": version, "title": ask.title, "link": ask.link}
        if row.starts_at is not None:
            values["expires_at"] = expiry_of(runtime, ask, row.starts_at)
        await move_campaign(connection, campaign_id, (row.status,), status, **values)
        await _audit(connection, audit, campaign_id, "edit", by, now, version=version)

    await runtime.store.transact(work)
    return await view_campaign(runtime, campaign_id)


async def cancel_campaign(runtime: Runtime, campaign_id: int, *, by: str, now: datetime) -> CampaignView:
    """Any state that is not final → cancelled. What has not left is withdrawn and its budget refunded."""
    runtime.signals.halt(campaign_id)
    view = await _move(runtime, campaign_id, "cancel", _OPEN, _S.CANCELLED, by=by, now=now, finished_at=now)

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
    from_: tuple[CampaignStatus, ...],
    to: CampaignStatus,
    *,
    by: str,
    now: datetime,
    **values: object,
) -> CampaignView:
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        row = await _locked(connection, campaign_id)
        if row.status not in from_:
            wanted = " or ".join(state.value for state in from_)
            raise NotAllowed(f"this campaign is {row.status.value}; only one that is {wanted} can {what}")
        await move_campaign(connection, campaign_id, (row.status,), to, **values)
        await _audit(connection, audit, campaign_id, what, by, now)

    await runtime.store.transact(work)
    runtime.signals.wake()
    return await view_campaign(runtime, campaign_id)


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
