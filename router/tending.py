"""What must be looked after every second while campaigns run, by one process at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from router.community.call_reminders import remind_callers
from router.community.debts import keep_due_dates
from router.community.event_notices import tell_guests
from router.community.inbox_watch import watch_inbox
from router.community.proposals.stages import take_steps
from router.community.reminders import remind_guests
from router.community.seats import end_shares
from router.curves import keep_curves
from router.goals import stop_at_goals
from router.guard import watch_campaigns
from router.logs import about
from router.records.audit import seal_audit
from router.records.retention import make_room
from router.relief import relieve
from router.runtime import Runtime
from router.smoothing import let_out
from router.stages import advance_stages
from router.store.leases import give_lease_back, take_lease
from router.waterfall import remind_silent

LEASE = "tend"

Task = Callable[..., Awaitable[int]]
"""``async def task(runtime, *, now) -> int``: how much it changed."""

TASKS: tuple[Task, ...] = (
    stop_at_goals,
    watch_campaigns,
    advance_stages,
    relieve,
    remind_silent,
    keep_due_dates,
    let_out,
    watch_inbox,
    end_shares,
    tell_guests,
    remind_guests,
    remind_callers,
    take_steps,
    keep_curves,
    seal_audit,
    make_room,
)
"""In the order in which they run. Each reads first and writes only where there is something to do."""


async def tend(runtime: Runtime, owner: str, *, now: datetime) -> int:
    """Run every task, where no other process does; returns how much changed."""
    lasts = runtime.settings.lease_ms
    if not await runtime.store.transact(lambda connection: take_lease(connection, LEASE, owner, lasts=lasts)):
        return 0
    changed = 0
    for task in TASKS:
        with about(task=task.__name__):
            changed += await task(runtime, now=now)
    return changed


async def stop_tending(runtime: Runtime, owner: str) -> None:
    """Leave it to another process at once."""
    await runtime.store.transact(lambda connection: give_lease_back(connection, LEASE, owner))
