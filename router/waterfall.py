"""What follows a message in time: one more on the next channel where nobody acted, nothing more once somebody did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.delivery import Next, Step
from router.core.group_first import is_answer
from router.core.model import CampaignStatus, DeliveryStatus, Reason
from router.core.waterfall import Hop, reminders, to_withdraw, turn_ends, wait_on
from router.hops import IDS_PER_HOP, Failed, take_next_hops
from router.plans import lane_of
from router.runtime import Runtime
from router.stops import Queued, cancel_rows
from router.store.bulk import for_update, in_numbers, numbers, sql
from router.store.campaigns import CampaignRow, lock_campaign, read_ask
from router.store.engine import Store
from router.store.running import Running, read_known_ask, read_running
from router.store.tables import from_ms, to_ms
from router.store.tallies import Moves

LOOK = timedelta(seconds=30)
"""How often a campaign is looked through for batches that are new: a wait is at least a minute."""

MOST = 300
"""About so many members are asked once more in one run, which the next look at the goals waits for …"""

EACH = 10
"""… and to look through a batch counts for as much as so many of them."""

CHUNK = 50
"""Members who are asked once more in one transaction: short enough for SQLite's one writer."""


async def turn_of(
    runtime: Runtime, connection: AsyncConnection, campaign: CampaignRow, row: Any, now: datetime
) -> datetime | None:
    """When the turn of the channel ends to which this delivery went; None where the ask has no step for it."""
    ask = await read_known_ask(runtime.store, connection, campaign.id, campaign.text_version)
    if wait_on(ask, row.channel, runtime.policy.waits) is None:
        return None
    first = await connection.scalar(
        sql(
            "SELECT min(sent_at) FROM delivery WHERE month = :month AND member_id = :member AND campaign_id = :campaign"
            " AND channel = :channel"
        ),
        {"month": campaign.month, "member": row.member_id, "campaign": campaign.id, "channel": row.channel},
    )
    return turn_ends(ask, row.channel, runtime.policy.waits, now if first is None else from_ms(first))


async def withdraw_asks(
    connection: AsyncConnection, member_id: int, campaign_id: int, kind: str, moves: Moves, *, now: datetime
) -> None:
    """The member did something of this `kind`: cancel and refund what still waits to ask them for it.

    Call it after `store.budgets.note_answers`, whose lock on the member's contact budget makes sure that a delivery
    which is being routed, or a hop which is being taken meanwhile, is either seen here or sees the action. It waits for
    no other lock, so that their order is of no account: a row that is locked is being sent.
    """
    rows = (
        await connection.execute(
            sql(
                "SELECT d.month, d.id, d.hop, d.status, d.channel, d.costs FROM delivery d"
                " WHERE d.month = (SELECT c.month FROM campaign c WHERE c.id = :campaign)"
                " AND d.member_id = :member AND d.campaign_id = :campaign"
            ),
            {"campaign": campaign_id, "member": member_id},
        )
    ).all()
    unasked = any(row.hop == 0 and row.status == DeliveryStatus.QUEUED.value for row in rows)
    first = unasked and is_answer(kind, await read_ask(connection, campaign_id))
    hops = [Hop(row.id, row.hop, DeliveryStatus(row.status)) for row in rows]
    useless = set(to_withdraw(kind, hops, first=first))
    if not useless:
        return
    free = await connection.execute(
        sql(
            f"SELECT id FROM delivery WHERE month = :month AND id {in_numbers(connection, 'ids')}"
            f" AND status = 'queued' ORDER BY id{for_update(connection, skip_locked=True)}"
        ),
        {"month": rows[0].month, "ids": numbers(connection, sorted(useless))},
    )
    locked = set(free.scalars())
    queued = [
        Queued(row.month, row.id, campaign_id, member_id, row.channel, bool(row.costs))
        for row in rows
        if row.id in locked
    ]
    await cancel_rows(connection, queued, Reason.ACTED, moves, now=now)


class _Span(NamedTuple):
    """A batch, and when to look at it. Moments are ms since 1970 UTC."""

    at: int
    batch_id: int
    channel: str
    first_id: int
    last_id: int
    seen: int = 0
    """What was sent up to then has been looked at."""


@dataclass(slots=True)
class _Watch:
    """When to look at which batches of a campaign for members who did not act."""

    waits: Mapping[str, timedelta]
    looked_at: datetime | None = None
    known: set[int] = field(default_factory=set)
    due: list[_Span] = field(default_factory=list)
    """A heap."""


_watches: WeakKeyDictionary[Store, dict[int, _Watch]] = WeakKeyDictionary()
"""ledger → campaign → its watch. A process that starts anew looks at every batch once more, which changes nothing."""


async def remind_silent(runtime: Runtime, *, now: datetime) -> int:
    """Ask those who did not act in time once more, where the ask wants that; returns how many."""
    watches = _watches.setdefault(runtime.store, {})
    wanting: dict[int, tuple[Running, dict[str, timedelta]]] = {}
    for one in await read_running(runtime.store, now=now):
        alive = one.status is not CampaignStatus.PAUSED and one.goal_met_at is None
        if alive and (waits := reminders(one.ask, runtime.policy.waits)):
            wanting[one.id] = one, waits
    for number in watches.keys() - wanting.keys():
        del watches[number]
    reminded = tried = 0
    for number, (one, waits) in wanting.items():
        watch = watches.get(number)
        if watch is None or watch.waits != waits:
            watch = watches[number] = _Watch(waits)
        if watch.looked_at is None or now >= watch.looked_at + LOOK:
            await _find_batches(runtime, one, watch, now=now)
        while watch.due and watch.due[0].at <= to_ms(now) and tried < MOST:
            span = heappop(watch.due)
            silent, later = await _look_through(runtime, one, span, waits[span.channel], now=now)
            if later is not None:
                heappush(watch.due, later)
            for start in range(0, len(silent), CHUNK):
                reminded += await _remind(runtime, one, silent[start : start + CHUNK], now=now)
            tried += max(len(silent), EACH)
    return reminded


async def _find_batches(runtime: Runtime, one: Running, watch: _Watch, *, now: datetime) -> None:
    """Note the batches that are new. What came since the last look was not sent before it."""
    async with runtime.store.read() as connection:
        rows = await connection.execute(
            sql("SELECT id, channel, first_id, last_id FROM batch WHERE campaign_id = :campaign"), {"campaign": one.id}
        )
        for row in rows:
            if row.channel in watch.waits and row.id not in watch.known:
                watch.known.add(row.id)
                at = now if watch.looked_at is None else watch.looked_at + watch.waits[row.channel]
                heappush(watch.due, _Span(to_ms(at), row.id, row.channel, row.first_id, row.last_id))
    watch.looked_at = now


async def _look_through(
    runtime: Runtime, one: Running, batch: _Span, wait: timedelta, *, now: datetime
) -> tuple[list[int], _Span | None]:
    """The deliveries of a batch that nobody acted on in time, and when to look again, None for never.

    Whoever wrote back anything at all since, or said STOP, has answered.
    """
    span = {"month": one.month, "first": batch.first_id, "last": batch.last_id}
    until = to_ms(now - wait)
    async with runtime.store.read() as connection:
        silent = (
            await connection.execute(
                sql(
                    "SELECT d.id FROM delivery d JOIN address a ON a.id = d.address_id"
                    " LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
                    " WHERE d.month = :month AND d.id BETWEEN :first AND :last"
                    " AND d.status IN ('sent', 'delivered', 'read') AND d.sent_at > :seen AND d.sent_at <= :until"
                    " AND s.address_hash IS NULL AND (a.last_inbound_at IS NULL OR a.last_inbound_at < d.sent_at)"
                    " AND NOT EXISTS (SELECT 1 FROM action x WHERE x.campaign_id = d.campaign_id"
                    " AND x.member_id = d.member_id) ORDER BY d.id"
                ),
                {**span, "seen": batch.seen, "until": until},
            )
        ).scalars()
        found = list(silent.all())
        waiting = (
            await connection.execute(
                sql(
                    "SELECT count(*) AS unsettled, min(sent_at) AS first_sent FROM delivery"
                    " WHERE month = :month AND id BETWEEN :first AND :last"
                    " AND (status IN ('queued', 'sending', 'unknown')"
                    " OR (status IN ('sent', 'delivered', 'read') AND sent_at > :until))"
                ),
                {**span, "until": until},
            )
        ).one()
    if not waiting.unsettled:
        return found, None
    # What has not left yet leaves now at the earliest.
    since = to_ms(now) if waiting.first_sent is None else waiting.first_sent
    return found, batch._replace(at=since + wait // timedelta(milliseconds=1), seen=until)


async def _remind(runtime: Runtime, one: Running, deliveries: Sequence[int], *, now: datetime) -> int:
    """Queue the same ask once more on the next channel of each of these members, where it may go there."""
    ids = await runtime.store.take_ids(IDS_PER_HOP * len(deliveries))
    step = Next(step=Step.FALLBACK, reason=Reason.SUPERSEDED)

    async def work(connection: AsyncConnection) -> int:
        await lock_campaign(connection, one.id)
        rows = await connection.execute(
            sql(
                "SELECT id, member_id, channel, hop, address_id FROM delivery WHERE month = :month"
                f" AND id {in_numbers(connection, 'ids')} ORDER BY id{for_update(connection)}"
            ),
            {"month": one.month, "ids": numbers(connection, deliveries)},
        )
        silent = [_failed(one, row, step) for row in rows]
        moves = Moves()
        taken = await take_next_hops(runtime, connection, one.id, silent, ids, moves, now=now)
        await moves.write(connection)
        return len(taken)

    return await runtime.store.transact(work)


def _failed(one: Running, row: Any, step: Next) -> Failed:
    return Failed(
        campaign_id=one.id,
        delivery_id=row.id,
        member_id=row.member_id,
        channel=row.channel,
        hop=row.hop,
        address_id=row.address_id,
        lane=lane_of(one.ask),
        next=step,
        unanswered=True,
    )
