"""What a member did, kept once however often it is told."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.outgoing import Kind
from router.store.answers import count_answer
from router.store.bulk import insert_new_rows
from router.store.hooks import tell_hooks
from router.store.tables import action, to_ms
from router.store.tallies import Moves
from router.waterfall import withdraw_asks


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
    await withdraw_asks(connection, deed.member_id, deed.campaign_id, deed.kind, moves, now=now)
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
