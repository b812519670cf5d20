"""A reply or a button that answers an ask is an action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash
from router.core.channel import Inbound
from router.core.outgoing import Kind
from router.owners import Owner
from router.runtime import Runtime
from router.store.answers import count_answer
from router.store.bulk import in_numbers, insert_new_rows, numbers
from router.store.hooks import tell_hooks
from router.store.tables import action, to_ms
from router.store.tallies import Moves
from router.waterfall import withdraw_hops


async def act_on(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    owners: Sequence[Owner],
    ids: Iterator[int],
    kind: str,
    event: Inbound,
    moves: Moves,
    now: datetime,
) -> None:
    """A keyword that answers an ask is an action on the message it answers, or on the last that reached them here."""
    if not owners:
        return
    member_id = owners[0].member_id
    if event.delivery is not None:
        answered = await _answered(runtime, connection, channel, owners, event)
        if answered is not None:
            campaign_id, member_id, address_id = answered
            # The same button pressed twice is one answer.
            deed = Deed(
                member_id, campaign_id, kind, "button", f"{campaign_id}:{member_id}:{kind}", event.at, channel,
                address_id,
            )  # fmt: skip
            await keep_deed(connection, next(ids), deed, moves, now=now)
        return  # a message that went to somebody else is answered by nobody
    months = [now.year * 100 + now.month, (now.year * 12 + now.month - 2) // 12 * 100 + (now.month - 2) % 12 + 1]
    campaign_id = await connection.scalar(
        text(
            "SELECT d.campaign_id FROM delivery d JOIN campaign c ON c.id = d.campaign_id WHERE d.member_id = :member"
            f" AND d.month {in_numbers(connection, 'months')} AND d.channel = :channel AND c.kind <> 'reply'"
            " AND d.status IN ('sent', 'delivered', 'read', 'unknown', 'sending') ORDER BY d.id DESC LIMIT 1"
        ),
        {"member": member_id, "months": numbers(connection, months), "channel": channel},
    )
    deed = Deed(
        member_id, campaign_id or 0, kind, "keyword", event.event_id[:200], event.at, channel, owners[0].address_id
    )
    await keep_deed(connection, next(ids), deed, moves, now=now)


class Deed(NamedTuple):
    """Something that a member did; `source` and `external_id` name it, so that told twice it counts once."""

    member_id: int
    campaign_id: int
    """0 where it belongs to none."""
    kind: str
    source: str
    """``link``, ``button``, ``keyword``, ``api`` …"""
    external_id: str
    at: datetime
    channel: str = ""
    """By which it came, "" where not by one of ours."""
    address_id: int | None = None
    amount: int = 0
    """Minor units of `currency`."""
    currency: str = ""


async def keep_deed(connection: AsyncConnection, number: int, deed: Deed, moves: Moves, *, now: datetime) -> bool:
    """Keep an action under this number; False where it was told before. What waits for the member is withdrawn."""
    row = (
        number, deed.member_id, deed.campaign_id, deed.kind, deed.source, deed.external_id, to_ms(deed.at),
        deed.amount, deed.currency, deed.channel, deed.address_id,
    )  # fmt: skip
    if not await insert_new_rows(connection, action, _ACTION, [row], returning="id"):
        return False
    if deed.address_id is not None:
        await count_answer(connection, deed.address_id, deed.at)
    await withdraw_hops(connection, deed.member_id, deed.campaign_id, deed.kind, moves, now=now)
    details = {
        "action": {"id": number, "kind": deed.kind, "amount": deed.amount, "currency": deed.currency},
        "campaign_id": deed.campaign_id or None, "channel": deed.channel, "at": deed.at.isoformat(),
    }  # fmt: skip
    await tell_hooks(connection, Kind.ACTION, details, member_id=deed.member_id, now=now)
    return True


_ACTION = (
    "id", "member_id", "campaign_id", "kind", "source", "external_id", "at", "amount", "currency", "channel",
    "address_id",
)  # fmt: skip


async def _answered(
    runtime: Runtime, connection: AsyncConnection, channel: str, owners: Sequence[Owner], event: Inbound
) -> tuple[int, int, int | None] | None:
    """The campaign whose message this answers, who of the owners answers, and the address that the message went to.

    None where it went to somebody else.
    """
    assert event.delivery is not None
    row = (
        await connection.execute(
            text(
                "SELECT d.campaign_id, d.member_id, d.address_id, a.hash"
                " FROM delivery d LEFT JOIN address a ON a.id = d.address_id"
                " WHERE d.month = :month AND d.id = :id"
            ),
            {"month": event.delivery.month, "id": event.delivery.id},
        )
    ).one_or_none()
    if row is None:
        return None
    if event.group:
        chat = address_hash(runtime.key, runtime.specs[channel].address_kind, event.group)
        return (row.campaign_id, owners[0].member_id, row.address_id) if row.hash == chat else None
    answering = next((owner.member_id for owner in owners if owner.member_id == row.member_id), None)
    return None if answering is None else (row.campaign_id, answering, row.address_id)
