"""Report-back debt in the ledger: when it falls due, which are owed, who answers for an ask that goes out anyway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import debt
from router.core.errors import BadInput, NotAllowed
from router.core.model import AskKind, CampaignStatus
from router.goals import read_progress
from router.runtime import Runtime
from router.steps import keep_audit, lock_existing
from router.store.acts import read_people
from router.store.bulk import in_numbers, numbers
from router.store.campaigns import move_campaign
from router.store.debts import owed_campaigns
from router.store.engine import Store
from router.store.running import read_known_ask
from router.store.tables import campaign, debt_override, from_ms, to_ms

LOOK = timedelta(minutes=1)
"""How often due dates are reckoned: they are days away."""

SHORTEST_REASON = 20
"""Characters. It stands in public for the movement, so it has to say something."""

_NAMED = 3
"""So many campaigns a warning names."""

_OVER = (CampaignStatus.FINISHED, CampaignStatus.CANCELLED, CampaignStatus.REPORTED)

_OWING = (
    "SELECT c.id, c.text_version, c.expires_at, c.goal_met_at, c.report_due_at,"
    " (SELECT max(r.at) FROM report_back r WHERE r.campaign_id = c.id AND r.kind = 'progress') AS noted"
    " FROM campaign c WHERE c.reported_at IS NULL AND c.kind = 'ask' AND c.expires_at IS NOT NULL"
)

Along = Callable[[AsyncConnection, int], Awaitable[None]]
"""What is written in the same transaction; it gets the override's number."""

_looked: WeakKeyDictionary[Store, datetime] = WeakKeyDictionary()
"""ledger → when its due dates were reckoned last."""


class OwedReport(BaseModel):
    """A report-back that is owed."""

    model_config = ConfigDict(frozen=True)

    campaign_id: int
    title: str
    people: int
    """How many acted."""
    due_at: datetime
    """By when they are owed it …"""
    overdue: bool
    """… and whether that is over, so that nothing new and not urgent is asked of them."""


class Override(BaseModel):
    """An ask that went out although its people were owed a report-back. Anybody may read it."""

    model_config = ConfigDict(frozen=True)

    campaign_id: int
    title: str
    reason: str
    role: str
    """Who answered for it. Their name stands in the audit log, not here."""
    at: datetime


async def keep_due_dates(runtime: Runtime, *, now: datetime) -> int:
    """Reckon when the report-back of each launched ask falls due, and write down what changed; returns how many."""
    last = _looked.get(runtime.store)
    if last is not None and last <= now < last + LOOK:
        return 0
    _looked[runtime.store] = now
    async with runtime.store.read() as connection:
        rows = (
            await connection.execute(
                text(f"{_OWING} AND (c.report_due_at IS NULL OR c.report_due_at > :now)"), {"now": to_ms(now)}
            )
        ).all()
        reckoned = [(row.id, row.report_due_at, await _due(runtime, connection, row, now)) for row in rows]
    changed = [(number, due) for number, known, due in reckoned if known != to_ms(due)]
    if changed:

        async def write(connection: AsyncConnection) -> None:
            for number, due in sorted(changed):
                await connection.execute(
                    text("UPDATE campaign SET report_due_at = :due WHERE id = :id AND reported_at IS NULL"),
                    {"due": to_ms(due), "id": number},
                )

        await runtime.store.transact(write)
    return len(changed)


async def reckon_again(runtime: Runtime, connection: AsyncConnection, campaign_id: int, *, now: datetime) -> None:
    """After a progress note: when the report-back of this campaign falls due from now on."""
    row = (await connection.execute(text(f"{_OWING} AND c.id = :id"), {"id": campaign_id})).one_or_none()
    if row is not None:
        due = await _due(runtime, connection, row, now)
        await connection.execute(
            text("UPDATE campaign SET report_due_at = :due WHERE id = :id"), {"due": to_ms(due), "id": campaign_id}
        )


async def _due(runtime: Runtime, connection: AsyncConnection, row: Any, now: datetime) -> datetime:
    ask = await read_known_ask(runtime.store, connection, row.id, row.text_version)
    grace = runtime.policy.report_back.grace
    known = None if row.report_due_at is None else from_ms(row.report_due_at)
    ends_at = ask.deadline or from_ms(row.expires_at)
    met = None if row.goal_met_at is None else from_ms(row.goal_met_at)
    watched = ask.goal if met is None and now < ends_at else None  # a goal that stops nothing is declared nowhere
    if watched is not None and (await read_progress(connection, row.id, watched)).is_met:
        met = now if known is None else min(now, known - grace)
    noted = None if row.noted is None else from_ms(row.noted)
    due = debt.due_at(ends_at=ends_at, goal_met_at=met, noted_at=noted, grace=grace)
    return debt.with_warning(due, known=known, now=now, grace=grace)


async def list_owed(runtime: Runtime, *, now: datetime, limit: int = 100) -> list[OwedReport]:
    """The report-backs that are owed, the longest due first."""
    async with runtime.store.read() as connection:
        owed = await owed_campaigns(connection, limit=limit)
    return [
        OwedReport(
            campaign_id=one.campaign_id,
            title=one.title,
            people=await read_people(runtime.store, one.campaign_id, now=now),
            due_at=one.due_at,
            overdue=one.due_at <= now,
        )
        for one in owed
    ]


async def override_debt(
    runtime: Runtime, campaign_id: int, *, by: str, reason: str, now: datetime, along: Along | None = None
) -> Override:
    """Let an ask go to people who are owed a report-back. The reason is public and stays so.

    It counts for whom is routed from then on; whoever was held before stays held. `along` is written with it. Raises
    `BadInput` for a reason that says nothing, `NotAllowed` for what is over or was never held back, `NotFound`.
    """
    reason = " ".join(reason.split())
    if not SHORTEST_REASON <= len(reason) <= 400:
        raise BadInput(
            f"say in {SHORTEST_REASON} to 400 characters why it cannot wait; anybody can read it", place="reason"
        )
    number, audit = await runtime.store.take_ids(2)

    async def work(connection: AsyncConnection) -> str:
        row = await lock_existing(connection, campaign_id)
        if row.kind is not AskKind.ASK:
            raise NotAllowed(f"a {row.kind.value} is never held back for a report-back; launch it as it is")
        if row.status in _OVER:
            raise NotAllowed(f"this campaign is {row.status.value}; whoever may write campaigns can save another")
        await connection.execute(
            insert(debt_override).values(id=number, campaign_id=campaign_id, reason=reason, by=by, at=now)
        )
        # A higher epoch makes whoever routes it look again at what stands in its way (rule 1).
        await move_campaign(connection, campaign_id, (row.status,), row.status)
        await keep_audit(connection, audit, campaign_id, "debt_override", by, now, reason=reason)
        if along is not None:
            await along(connection, number)
        return str(await connection.scalar(select(campaign.c.title).where(campaign.c.id == campaign_id)))

    title = await runtime.store.transact(work)
    runtime.signals.wake()
    return _public(campaign_id, title, reason, now)


async def debt_warning(connection: AsyncConnection, campaigns: Sequence[int], held: int, campaign_id: int) -> str:
    """What a preview says where an ask leaves out so many people who are owed a report-back; "" where it does not."""
    if not campaigns or not held:
        return ""
    rows = await connection.execute(
        text(f"SELECT id, title FROM campaign WHERE id {in_numbers(connection, 'ids')} ORDER BY report_due_at, id"),
        {"ids": numbers(connection, campaigns)},
    )
    named = [f"{row.id} ({row.title})" for row in rows]
    shown = ", ".join(named[:_NAMED]) + (f" and {len(named) - _NAMED} more" if len(named) > _NAMED else "")
    one = campaigns[0] if len(campaigns) == 1 else "CAMPAIGN"
    override = f"outreach override {campaign_id or 'CAMPAIGN'} --reason … (public, for good)"
    return (
        f"{held:,} people are left out because they acted with us and were not told what came of it, in campaign"
        f" {shown}. Tell them (outreach report-back {one} FILE, or --progress TEXT); if it cannot wait: {override}."
    )


async def list_overrides(runtime: Runtime, *, limit: int = 100) -> list[Override]:
    """Every override there was, the newest first, as anybody may read them."""
    query = (
        select(debt_override.c.campaign_id, campaign.c.title, debt_override.c.reason, debt_override.c.at)
        .join(campaign, campaign.c.id == debt_override.c.campaign_id)
        .order_by(debt_override.c.id.desc())
        .limit(limit)
    )
    async with runtime.store.read() as connection:
        return [_public(*row) for row in await connection.execute(query)]


def _public(campaign_id: int, title: str, reason: str, at: datetime) -> Override:
    return Override(campaign_id=campaign_id, title=title, reason=reason, role="organizer", at=at)
