"""STOP, and everything that amounts to it: who must not be written to, and what was waiting for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.guarding import Matter
from router.core.model import CampaignStatus, DeliveryRef, DeliveryStatus, Reason
from router.runtime import Runtime
from router.store.batches import lease_batch, let_go
from router.store.budgets import refund
from router.store.bulk import for_update, in_numbers, insert_new_rows, numbers, sql
from router.store.campaigns import lock_campaign
from router.store.months import months_waiting
from router.store.reactions import asked_by, last_asked
from router.store.tables import suppression, to_ms
from router.store.tallies import Moves

COMPLAINT = "complaint"
"""The reason of a suppression after which the provider was told that we send spam."""


class Queued(NamedTuple):
    """A queued delivery that is to be withdrawn."""

    month: int
    id: int
    campaign_id: int
    member_id: int
    channel: str
    costs: bool


def covered(runtime: Runtime, channel: str) -> list[str]:
    """The channels that a STOP on this one silences (``config/policy.toml``)."""
    return list(runtime.policy.stop_covers.get(channel, [channel]))


async def suppress(
    runtime: Runtime,
    connection: AsyncConnection,
    address_hash: str,
    channel: str,
    moves: Moves,
    *,
    reason: str,
    now: datetime,
    source: str = "",
    about: DeliveryRef | None = None,
) -> list[str]:
    """Write the suppression of an address, known to us or not; returns the channels it covers.

    In-process senders see it at once; everybody else sees it in their next intent. A new one is counted for the guard
    (`router.guard`), as an answer to the message it is `about`, else to the ask that they got last there.
    """
    channels = covered(runtime, channel)
    rows = [(address_hash, name, reason, source[:400], to_ms(now)) for name in channels]
    columns = ("address_hash", "channel", "reason", "source", "at")
    new = await insert_new_rows(connection, suppression, columns, rows, returning="channel")
    for name in channels:
        runtime.signals.revoke(address_hash, name)
    if channel in new:
        asked = await asked_by(connection, about) if about is not None else None
        asked = asked or await last_asked(connection, address_hash, channel, now=now)
        if asked is not None:
            kind = Matter.COMPLAINT if reason == COMPLAINT else Matter.OPT_OUT
            moves.react(asked.campaign_id, channel, kind.value, asked.variant)
    return channels


async def cancel_queued(
    connection: AsyncConnection, address_hash: str, channels: Sequence[str], moves: Moves, *, now: datetime
) -> list[tuple[int, int]]:
    """Cancel and refund what waits for this address, and further hops of what went to it.

    Returns (month, id) of what of it is in flight right now.
    """
    months = await months_waiting(connection, now=now)
    rows = (
        await connection.execute(
            sql(
                "SELECT d.month, d.id, d.campaign_id, d.member_id, d.channel, d.status, d.costs, a.channel AS silenced"
                " FROM address a JOIN delivery d ON d.member_id = a.member_id AND (d.address_id = a.id"
                " OR (d.hop > 0 AND EXISTS (SELECT 1 FROM delivery p WHERE p.month = d.month"
                " AND p.member_id = d.member_id AND p.campaign_id = d.campaign_id AND p.address_id = a.id"
                " AND p.hop < d.hop AND p.status NOT IN ('queued', 'cancelled', 'expired', 'held'))))"
                " WHERE a.hash = :hash AND d.status IN ('queued', 'sending')"
                f" AND d.month {in_numbers(connection, 'months')}"
                # The one confirmation of the STOP itself waits there too, and shall go out.
                " AND NOT EXISTS (SELECT 1 FROM reply_text t WHERE t.month = d.month AND t.delivery_id = d.id"
                f" AND t.kind = 'answer' AND t.month {in_numbers(connection, 'months')})"
                f" ORDER BY d.month, d.id{for_update(connection, 'd')}"
            ),
            {"hash": address_hash, "months": numbers(connection, months)},
        )
    ).all()
    silenced = [row for row in rows if row.silenced in channels]
    queued = [
        Queued(row.month, row.id, row.campaign_id, row.member_id, row.channel, bool(row.costs))
        for row in silenced
        if row.status == "queued"
    ]
    await cancel_rows(connection, queued, Reason.SUPPRESSED, moves, now=now)
    return [(row.month, row.id) for row in silenced if row.status == "sending"]


async def cancel_rows(
    connection: AsyncConnection,
    rows: Iterable[Queued],
    reason: Reason,
    moves: Moves,
    *,
    now: datetime,
    to: DeliveryStatus = DeliveryStatus.CANCELLED,
) -> None:
    """Withdraw queued rows, which the caller has locked, and refund those that move."""
    by_place: dict[tuple[int, int, str], list[Queued]] = {}
    for row in rows:
        by_place.setdefault((row.month, row.campaign_id, row.channel), []).append(row)
    for (month, campaign_id, channel), found in by_place.items():
        result = await connection.execute(
            sql(
                "UPDATE delivery SET status = :to, reason = :reason, done_at = :now"
                f" WHERE month = :month AND id {in_numbers(connection, 'ids')} AND status = 'queued' RETURNING id"
            ),
            {
                "to": to.value,
                "reason": reason.value,
                "now": to_ms(now),
                "month": month,
                "ids": numbers(connection, [row.id for row in found]),
            },
        )
        moved = set(result.scalars())
        moves.take(campaign_id, channel, DeliveryStatus.QUEUED, n=len(moved))
        moves.add(campaign_id, channel, to, reason, n=len(moved))
        await refund(connection, [(row.member_id, row.id) for row in found if row.costs and row.id in moved])


async def in_flight(connection: AsyncConnection, deliveries: Sequence[tuple[int, int]]) -> bool:
    """Whether any of these (month, id) is still being sent."""
    for month in {month for month, _ in deliveries}:
        found = await connection.scalar(
            sql(
                "SELECT 1 FROM delivery WHERE month = :month"
                f" AND id {in_numbers(connection, 'ids')} AND status = 'sending' LIMIT 1"
            ),
            {"month": month, "ids": numbers(connection, [n for m, n in deliveries if m == month])},
        )
        if found:
            return True
    return False


async def bury_address(connection: AsyncConnection, address_hash: str, channel: str) -> None:
    """This address does not exist any more on this channel, whoever has it."""
    await connection.execute(
        sql("UPDATE address SET state = 'dead' WHERE hash = :hash AND channel = :channel"),
        {"hash": address_hash, "channel": channel},
    )


async def withdraw_batch(runtime: Runtime, owner: str, *, now: datetime) -> bool:
    """Withdraw what a cancelled campaign, or one whose goal is met, left in one batch, and refund it.

    False with no such batch left.
    """
    store = runtime.store
    leased = await store.transact(
        lambda connection: lease_batch(
            connection, list(runtime.specs), owner=owner, now=now, withdrawn=True, lasts=runtime.settings.lease_ms
        )
    )
    if leased is None:
        return False
    if leased.taken_over:
        runtime.metrics.takeovers.labels(leased.channel).inc()

    async def work(connection: AsyncConnection) -> None:
        campaign = await lock_campaign(connection, leased.campaign_id)
        cancelled = campaign is None or campaign.status is CampaignStatus.CANCELLED
        reason = Reason.CAMPAIGN_CANCELLED if cancelled else Reason.GOAL_MET
        rows = (
            await connection.execute(
                sql(
                    "SELECT month, id, campaign_id, member_id, channel, costs FROM delivery"
                    " WHERE month = :month AND id BETWEEN :first AND :last AND status = 'queued'"
                    f" ORDER BY id{for_update(connection)}"
                ),
                {"month": leased.month, "first": leased.first_id, "last": leased.last_id},
            )
        ).all()
        moves = Moves()
        queued = [Queued(r.month, r.id, r.campaign_id, r.member_id, r.channel, bool(r.costs)) for r in rows]
        await cancel_rows(connection, queued, reason, moves, now=now)
        await let_go(connection, leased)
        await moves.write(connection)

    await store.transact(work)
    return True
