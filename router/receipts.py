"""Receipts to the ledger: find the delivery, move it forward only, follow up on failures (rules 12 to 15)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.channel import Receipt
from router.core.delivery import Next, advance, after_receipt
from router.core.errors import FailureClass
from router.core.model import DeliveryRef, DeliveryStatus, Lane, Reason
from router.hops import IDS_PER_HOP, Failed, take_next_hop
from router.reach import note_reached, note_unreachable, notify_unknown_code
from router.runtime import Runtime
from router.senders import next_day
from router.stops import bury_address, cancel_queued, suppress
from router.store.budgets import lock_people, refund
from router.store.bulk import for_update, in_numbers, insert_new_rows, numbers, sql
from router.store.campaigns import lock_campaign
from router.store.months import months_sent_since, months_with
from router.store.tables import parked_receipt, receipt, to_ms
from router.store.tallies import Moves
from router.waterfall import turn_of

RECEIPTS_FOR = timedelta(days=60)
"""For so long after a campaign's end a receipt of it may come without our own reference. "Read" is told last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A receipt and the channel it came by."""

    channel: str
    receipt: Receipt


def ids_needed(arrived: Sequence[Arrived]) -> int:
    """Fresh numbers that these may use."""
    return IDS_PER_HOP * sum(1 for one in arrived if one.receipt.status is DeliveryStatus.FAILED)


async def apply_receipts(
    runtime: Runtime,
    connection: AsyncConnection,
    arrived: Sequence[Arrived],
    ids: range,
    moves: Moves,
    *,
    senders: Collection[str] = (),
    now: datetime,
) -> list[tuple[int, bool]]:
    """Apply receipts in the order in which they came; those that match no delivery yet are parked.

    `senders` are the hashes of addresses whose owners the same transaction has to do with later: they are locked here,
    with those who get a refund.

    Returns, for each message whose end this was, its campaign and whether it was refused for its words.
    """
    ended: list[tuple[int, bool]] = []
    matched = await _match(connection, arrived, now=now)
    rows = await _lock_rows(connection, {ref for _, ref in matched})
    standing: dict[DeliveryRef, tuple[DeliveryStatus, str | None]] = {
        ref: (DeliveryStatus(row.status), row.reason) for ref, row in rows.items()
    }
    evidence, strangers = [], []
    moved: dict[tuple[int, DeliveryStatus, Reason | None], list[int]] = defaultdict(list)
    failures: list[tuple[Any, Receipt, Next]] = []
    reached: dict[int, datetime] = {}
    for one, ref in matched:
        row = rows.get(ref) if ref else None
        if ref is None or row is None:
            strangers.append(one)
            continue
        said = one.receipt.status
        status, reason = standing[ref]
        to = advance(status, said)
        evidence.append(
            (ref.month, ref.id, one.receipt.event_id[:200], said.value, one.receipt.code[:40], to is not None,
             to_ms(one.receipt.at))
        )  # fmt: skip
        if to is None:
            continue
        step = await _next_step(runtime, connection, row, one.receipt, now) if to is DeliveryStatus.FAILED else None
        because = step.reason if step is not None else None
        moves.take(row.campaign_id, row.channel, status, reason)
        moves.add(row.campaign_id, row.channel, to, because)
        standing[ref] = to, None if because is None else because.value
        if to in (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED):
            ended.append((row.campaign_id, one.receipt.failure is FailureClass.CONTENT))
        moved[ref.month, to, because].append(ref.id)
        if to in (DeliveryStatus.DELIVERED, DeliveryStatus.READ) and row.address_id is not None:
            reached[row.address_id] = max(one.receipt.at, reached.get(row.address_id, one.receipt.at))
        if step is not None:
            failures.append((row, one.receipt, step))
    for (month, to, because), numbers_ in moved.items():
        await _write_moves(connection, month, to, because, numbers_, now)
    columns = ("month", "delivery_id", "event_id", "status", "code", "moved", "at")
    await insert_new_rows(connection, receipt, columns, evidence, returning="delivery_id")
    await _park(connection, strangers, now)
    await lock_people(connection, [row.member_id for row, _, _ in failures], senders)
    await note_reached(connection, reached)
    for row, what, step in failures:
        hop_ids, ids = ids[:IDS_PER_HOP], ids[IDS_PER_HOP:]
        await _follow_up(runtime, connection, row, what, step, hop_ids, moves, now)
    return ended


async def _match(
    connection: AsyncConnection, arrived: Sequence[Arrived], *, now: datetime
) -> list[tuple[Arrived, DeliveryRef | None]]:
    """By our own reference where the provider carried it back, else by the provider's name for the message.

    By name it is looked for where something was sent of late.
    """
    nameless = sorted(
        {one.receipt.provider_id for one in arrived if not one.receipt.delivery and one.receipt.provider_id}
    )
    known: dict[str, DeliveryRef] = {}
    months = await months_sent_since(connection, now - RECEIPTS_FOR, now=now) if nameless else []
    for name in nameless:
        row = (
            await connection.execute(
                sql(
                    "SELECT month, delivery_id FROM attempt WHERE provider_id = :name"
                    f" AND month {in_numbers(connection, 'months')} LIMIT 1"
                ),
                {"name": name, "months": numbers(connection, months)},
            )
        ).one_or_none()
        if row is not None:
            known[name] = DeliveryRef(row[0], row[1])
    return [(one, one.receipt.delivery or known.get(one.receipt.provider_id)) for one in arrived]


async def _lock_rows(connection: AsyncConnection, refs: set[DeliveryRef | None]) -> dict[DeliveryRef, Any]:
    found: dict[DeliveryRef, Any] = {}
    by_month: dict[int, list[int]] = defaultdict(list)
    for ref in refs:
        if ref is not None:
            by_month[ref.month].append(ref.id)
    for month, ids in sorted(by_month.items()):
        rows = await connection.execute(
            sql(
                "SELECT month, id, campaign_id, member_id, channel, hop, address_id, status, reason, costs"
                f" FROM delivery WHERE month = :month AND id {in_numbers(connection, 'ids')}"
                f" ORDER BY id{for_update(connection)}"
            ),
            {"month": month, "ids": numbers(connection, sorted(ids))},
        )
        for row in rows:
            found[DeliveryRef(row.month, row.id)] = row
    return found


async def _write_moves(
    connection: AsyncConnection, month: int, to: DeliveryStatus, reason: Reason | None, ids: list[int], now: datetime
) -> None:
    await connection.execute(
        sql(
            "UPDATE delivery SET status = :to, done_at = :now, reason = :reason,"
            " sent_at = coalesce(sent_at, CASE WHEN :failed = 1 THEN NULL ELSE CAST(:now AS bigint) END)"
            f" WHERE month = :month AND id {in_numbers(connection, 'ids')}"
        ),
        {
            "to": to.value,
            "now": to_ms(now),
            "reason": None if reason is None else reason.value,
            "failed": int(to is DeliveryStatus.FAILED),
            "month": month,
            "ids": numbers(connection, ids),
        },
    )


async def _park(connection: AsyncConnection, strangers: Sequence[Arrived], now: datetime) -> None:
    rows = [
        (one.channel, one.receipt.event_id[:200], one.receipt.provider_id[:128], one.receipt.status.value,
         one.receipt.failure.value if one.receipt.failure else None, one.receipt.code[:40], to_ms(one.receipt.at),
         to_ms(now))
        for one in strangers
        if one.receipt.provider_id
    ]  # fmt: skip
    columns = ("channel", "event_id", "provider_id", "status", "failure", "code", "at", "parked_at")
    await insert_new_rows(connection, parked_receipt, columns, rows, returning="event_id")


async def _next_step(runtime: Runtime, connection: AsyncConnection, row: Any, what: Receipt, now: datetime) -> Next:
    campaign = await lock_campaign(connection, row.campaign_id)
    expires_at = campaign.expires_at if campaign else now
    daily = runtime.rules_of(row.channel).daily
    return after_receipt(
        what.failure,
        hop=row.hop,
        now=now,
        expires_at=expires_at,
        policy=runtime.policy.retry,
        daily_reset=next_day(daily, now) if daily else None,
        turn_ends=await turn_of(runtime, connection, campaign, row, now) if campaign else None,
    )


async def _follow_up(
    runtime: Runtime,
    connection: AsyncConnection,
    row: Any,
    what: Receipt,
    step: Next,
    ids: range,
    moves: Moves,
    now: datetime,
) -> None:
    """The provider had taken it and it reached nobody: refund, and take the next hop where there is one."""
    if row.costs:
        await refund(connection, [(row.member_id, row.id)])
    address_hash = await connection.scalar(sql("SELECT hash FROM address WHERE id = :id"), {"id": row.address_id})
    if address_hash is not None and step.suppress:
        channels = await suppress(runtime, connection, address_hash, row.channel, moves, reason="provider", now=now)
        await cancel_queued(connection, address_hash, channels, moves, now=now)
    if address_hash is not None and what.failure is FailureClass.RECIPIENT_TRANSIENT:
        await note_unreachable(runtime, connection, address_hash, row.channel, now=now)
    if what.failure is FailureClass.UNKNOWN:
        await notify_unknown_code(connection, row.channel, what.code, now=now)
    if address_hash is not None and step.address_dead:
        await bury_address(connection, address_hash, row.channel)
    lane = await connection.scalar(
        sql("SELECT lane FROM batch WHERE campaign_id = :campaign AND :id BETWEEN first_id AND last_id LIMIT 1"),
        {"campaign": row.campaign_id, "id": row.id},
    )
    failed = Failed(
        campaign_id=row.campaign_id,
        delivery_id=row.id,
        member_id=row.member_id,
        channel=row.channel,
        hop=row.hop,
        address_id=row.address_id,
        lane=Lane.NORMAL if lane is None else Lane(lane),
        next=step,
    )
    await take_next_hop(runtime, connection, failed, ids, moves, now=now)


async def retry_parked(runtime: Runtime, *, now: datetime) -> int:
    """Match parked receipts against what has been sent since (rule 13); returns how many found their delivery."""
    async with runtime.store.read() as connection:
        rows = (
            await connection.execute(
                sql(
                    "SELECT p.channel, p.event_id, p.provider_id, p.status, p.failure, p.code, p.at"
                    " FROM parked_receipt p JOIN attempt a ON a.provider_id = p.provider_id"
                    f" WHERE a.month {in_numbers(connection, 'months')} ORDER BY p.at LIMIT 500"
                ),
                {"months": numbers(connection, await months_sent_since(connection, now - RECEIPTS_FOR, now=now))},
            )
        ).all()
    if not rows:
        return 0
    arrived = [
        Arrived(
            channel=row.channel,
            receipt=Receipt(
                event_id=row.event_id,
                status=DeliveryStatus(row.status),
                at=now,
                provider_id=row.provider_id,
                code=row.code,
                failure=FailureClass(row.failure) if row.failure else None,
            ),
        )
        for row in rows
    ]
    ids = await runtime.store.take_ids(max(1, ids_needed(arrived)))

    async def work(connection: AsyncConnection) -> None:
        moves = Moves()
        for one in arrived:
            await connection.execute(
                sql("DELETE FROM parked_receipt WHERE channel = :channel AND event_id = :event"),
                {"channel": one.channel, "event": one.receipt.event_id[:200]},
            )
        await apply_receipts(runtime, connection, arrived, ids, moves, now=now)
        await moves.write(connection)

    await runtime.store.transact(work)
    return len(arrived)


async def close_unknowns(runtime: Runtime, *, now: datetime) -> int:
    """Rule 17: an unknown outcome older than the horizon is final and stays spent; a receipt may yet settle it."""
    horizon = to_ms(now) - runtime.policy.retry.unknown_horizon_hours * 3_600_000

    async def work(connection: AsyncConnection) -> int:
        months = await months_with(connection, "unknown", unreasoned=True)
        if not months:
            return 0
        rows = (
            await connection.execute(
                sql(
                    "SELECT d.month, d.id, d.campaign_id, d.channel FROM attempt a"
                    " JOIN delivery d ON d.month = a.month AND d.id = a.delivery_id"
                    " WHERE a.outcome = 'unknown' AND a.at < :horizon AND d.status = 'unknown' AND d.reason IS NULL"
                    f" AND a.month {in_numbers(connection, 'months')} AND d.month {in_numbers(connection, 'months')}"
                    f" ORDER BY d.month, d.id LIMIT 500{for_update(connection, 'd')}"
                ),
                {"horizon": horizon, "months": numbers(connection, months)},
            )
        ).all()
        moves = Moves()
        for row in rows:
            await connection.execute(
                sql(
                    "UPDATE delivery SET reason = 'unsettled' WHERE month = :month AND id = :id AND status = 'unknown'"
                ),
                {"month": row.month, "id": row.id},
            )
            moves.take(row.campaign_id, row.channel, DeliveryStatus.UNKNOWN)
            moves.add(row.campaign_id, row.channel, DeliveryStatus.UNKNOWN, Reason.UNSETTLED)
        await moves.write(connection)
        return len(rows)

    return await runtime.store.transact(work)
