"""Goals in the ledger: counted every second, and once one is met, whoever was not asked yet is left in peace.

A goal that is met everywhere is declared in the campaign's row, which every intent and every lease reads: from that
commit on nothing of it is claimed. What is queued is then withdrawn batch by batch by all workers, as for a cancelled
campaign (`stops.withdraw_batch`), and who was not routed yet is held. Where only some places met theirs, what waits
for their people is withdrawn here and the others are asked on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask, Goal
from router.core.goals import GIFT, NOBODY, REFUND, Count, Peace, Progress, peace_of, progress_of
from router.core.model import CampaignStatus, Reason
from router.runtime import Runtime
from router.signals import Wake
from router.stops import Queued, cancel_rows
from router.store.acts import LASTS, MANY
from router.store.bulk import for_update, in_numbers, numbers
from router.store.campaigns import CampaignRow, lock_campaign, write_audit
from router.store.engine import Store, now_ms_sql
from router.store.recent import Recent
from router.store.running import Running, read_running
from router.store.tables import to_ms
from router.store.tallies import Moves

SWEEP = 20
"""Batches that one run looks through for people of places that met their goal."""

AGAIN = timedelta(seconds=15)
"""After this a second look: what was in the air at the first has come down, maybe back into the queue (rule 10)."""

_FRESH = timedelta(seconds=2)
"""A total that is shown may be so old."""

_progress: Recent[Progress] = Recent(_FRESH)
_seen: Recent[Progress] = Recent(LASTS, keeps=lambda progress: progress.reached > MANY)

_STOPPABLE = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)


@dataclass(slots=True)
class _Sweep:
    """How far the batches of a campaign were looked through for people of `places`."""

    places: frozenset[str]
    next_at: datetime
    after: int = 0
    """The last batch that was looked through."""
    rounds: int = 2
    """How many are left."""


_sweeps: WeakKeyDictionary[Store, dict[int, _Sweep]] = WeakKeyDictionary()
"""ledger → campaign → its sweep. A process that starts anew sweeps once more, which changes nothing."""


async def read_progress(connection: AsyncConnection, campaign_id: int, goal: Goal) -> Progress:
    """How far a goal is now. Actions that come after it was met count as well; what was refunded of gifts does not.

    Who got their gift back is still among the people who gave.
    """
    place, joined = "''", ""
    if goal.places:
        place, joined = "coalesce(m.place, '')", " LEFT JOIN member m ON m.id = a.member_id"
    only = " AND a.currency = :currency" if goal.currency else ""
    refund = REFUND if goal.measure == GIFT else goal.measure
    rows = await connection.execute(
        text(
            f"SELECT {place} AS place, count(DISTINCT CASE WHEN a.kind = :kind THEN a.member_id END) AS people,"
            " sum(CASE WHEN a.kind = :kind THEN a.amount ELSE -a.amount END) AS amount"
            f" FROM action a{joined} WHERE a.campaign_id = :campaign AND a.kind IN (:kind, :refund){only} GROUP BY 1"
        ),
        {
            "campaign": campaign_id, "kind": goal.measure, "refund": refund,
            **({"currency": goal.currency} if goal.currency else {}),
        },
    )  # fmt: skip
    return progress_of(goal, {row.place: Count(row.people, int(row.amount or 0)) for row in rows})


async def recent_progress(
    store: Store, connection: AsyncConnection, campaign_id: int, goal: Goal, *, now: datetime
) -> Progress:
    """How far a goal was at most two seconds ago, for those who only show it."""
    return await _progress.get(store, campaign_id, lambda: read_progress(connection, campaign_id, goal), now=now)


async def seen_progress(
    store: Store, connection: AsyncConnection, campaign_id: int, goal: Goal, *, now: datetime
) -> Progress:
    """How far a goal is, for an organizer's page: now, but of more than `MANY` people at most `LASTS` ago."""
    if goal.currency or goal.places:
        return await read_progress(connection, campaign_id, goal)
    return await _seen.get(store, campaign_id, lambda: read_progress(connection, campaign_id, goal), now=now)


async def peace_in(connection: AsyncConnection, campaign: CampaignRow, ask: Ask) -> Peace:
    """Who is left in peace by this campaign now."""
    if campaign.goal_met_at is not None:
        return Peace(everywhere=True)
    if not ask.stop_at_goal or ask.goal is None or not ask.goal.places:
        return NOBODY  # a goal for all is declared in the campaign's row
    return peace_of(await read_progress(connection, campaign.id, ask.goal))


async def stop_at_goals(runtime: Runtime, *, now: datetime) -> int:
    """Declare the goals that are met, and withdraw what waits for people of places that met theirs."""
    changed = 0
    sweeps = _sweeps.setdefault(runtime.store, {})
    running = [
        one
        for one in await read_running(runtime.store, now=now)
        if one.ask.stop_at_goal and one.goal_met_at is None and one.status in _STOPPABLE
    ]
    for number in sweeps.keys() - {one.id for one in running}:
        del sweeps[number]
    for one in running:
        assert one.ask.goal is not None
        async with runtime.store.read() as connection:
            progress = await read_progress(connection, one.id, one.ask.goal)
        if progress.is_met:
            changed += await _declare(runtime, one.id, progress, now=now)
        elif progress.met_places:
            changed += await _sweep(runtime, one, progress.met_places, sweeps, now=now)
    return changed


async def _declare(runtime: Runtime, campaign_id: int, progress: Progress, *, now: datetime) -> int:
    """From this commit on nothing of the campaign is claimed or routed to anybody."""
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> int:
        campaign = await lock_campaign(connection, campaign_id, exclusively=True)
        if campaign is None or campaign.status not in _STOPPABLE or campaign.goal_met_at is not None:
            return 0
        await connection.execute(
            text("UPDATE campaign SET goal_met_at = :now, epoch = epoch + 1 WHERE id = :id"),
            {"now": to_ms(now), "id": campaign_id},
        )
        detail = {"reached": progress.reached, "target": progress.target}
        await write_audit(
            connection, audit, who="router", what="campaign.goal_met", subject=str(campaign_id), detail=detail, now=now
        )
        return 1

    declared = await runtime.store.transact(work)
    if declared:
        runtime.signals.halt(campaign_id)
        runtime.signals.wake(Wake.PLAN, Wake.ROUTE)
    return declared


async def _sweep(
    runtime: Runtime, one: Running, places: frozenset[str], sweeps: dict[int, _Sweep], *, now: datetime
) -> int:
    """Look through the next batches; all of them once more where another place met its goal."""
    sweep = sweeps.get(one.id)
    if sweep is None or sweep.places != places:
        await _reroute(runtime, one.id)
        sweep = sweeps[one.id] = _Sweep(places, now)
    if sweep.rounds == 0 or now < sweep.next_at:
        return 0
    async with runtime.store.read() as connection:
        batches = (
            await connection.execute(
                text(
                    "SELECT id, first_id, last_id FROM batch WHERE campaign_id = :campaign AND open AND id > :after"
                    " ORDER BY id LIMIT :most"
                ),
                {"campaign": one.id, "after": sweep.after, "most": SWEEP},
            )
        ).all()
    withdrawn = 0
    for row in batches:
        withdrawn += await _withdraw(runtime, one, row.id, (row.first_id, row.last_id), Peace(places=places), now=now)
        sweep.after = row.id
    if len(batches) < SWEEP:
        sweep.after, sweep.rounds, sweep.next_at = 0, sweep.rounds - 1, now + AGAIN
    return withdrawn


async def _reroute(runtime: Runtime, campaign_id: int) -> None:
    """Whoever routes it must ask anew who is left in peace (rule 1)."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(text("UPDATE campaign SET epoch = epoch + 1 WHERE id = :id"), {"id": campaign_id})

    await runtime.store.transact(work)


async def _withdraw(
    runtime: Runtime, one: Running, batch_id: int, span: tuple[int, int], peace: Peace, *, now: datetime
) -> int:
    """Withdraw what waits in one batch for people who are left in peace; returns how many that were."""
    async with runtime.store.read() as connection:
        waiting = await connection.execute(
            text(
                "SELECT d.id, m.place FROM delivery d JOIN member m ON m.id = d.member_id"
                " WHERE d.month = :month AND d.id BETWEEN :first AND :last AND d.status = 'queued'"
            ),
            {"month": one.month, "first": span[0], "last": span[1]},
        )
        ids = [row.id for row in waiting if peace.covers(row.place)]
    if not ids:
        return 0

    async def work(connection: AsyncConnection) -> int:
        await lock_campaign(connection, one.id)
        await connection.execute(text(f"SELECT id FROM batch WHERE id = :id{for_update(connection)}"), {"id": batch_id})
        rows = (
            await connection.execute(
                text(
                    "SELECT month, id, campaign_id, member_id, channel, costs FROM delivery WHERE month = :month"
                    f" AND id {in_numbers(connection, 'ids')} AND status = 'queued' ORDER BY id{for_update(connection)}"
                ),
                {"month": one.month, "ids": numbers(connection, ids)},
            )
        ).all()
        moves = Moves()
        queued = [Queued(r.month, r.id, r.campaign_id, r.member_id, r.channel, bool(r.costs)) for r in rows]
        await cancel_rows(connection, queued, Reason.GOAL_MET, moves, now=now)
        # A batch that nobody leases and that has nothing left must not keep the campaign running until its hour.
        await connection.execute(
            text(
                f"UPDATE batch SET open = false WHERE id = :id AND leased_until < {now_ms_sql(connection.dialect.name)}"
                " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.month = :month AND d.id BETWEEN :first AND :last"
                " AND d.status IN ('queued', 'sending'))"
            ),
            {"id": batch_id, "month": one.month, "first": span[0], "last": span[1]},
        )
        await moves.write(connection)
        return len(queued)

    return await runtime.store.transact(work)
