"""Bind an address to the member who opened it themselves: a bot's chat, a browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash
from router.core.model import UNRANKED
from router.runtime import Runtime
from router.store.sealed_addresses import seals_of
from router.store.tables import address, consent

IDS_PER_BINDING = 2
"""An address and its consent."""


async def bind_address(
    runtime: Runtime,
    connection: AsyncConnection,
    member_id: int,
    channel: str,
    account: str,
    value: str,
    ids: Iterator[int],
    *,
    source: str,
    wording: str,
    now: datetime,
) -> bool:
    """Add the address, with consent: who opens a channel themselves needs no second confirmation (FACTS.md 4.8).

    It comes first among the member's addresses, since they have just chosen it. False where there is no such member.
    A suppression stays: only START lifts it.
    """
    spec = runtime.specs[channel]
    hash_ = address_hash(runtime.key, spec.address_kind, value)
    there = await connection.scalar(
        text("SELECT 1 FROM member WHERE id = :id AND erased_at IS NULL AND kind = 'person'"), {"id": member_id}
    )
    if there is None:
        return False
    known = await connection.scalar(
        text("SELECT id FROM address WHERE member_id = :member AND channel = :channel AND hash = :hash"),
        {"member": member_id, "channel": channel, "hash": hash_},
    )
    await connection.execute(
        text(f"UPDATE address SET rank = rank + 1 WHERE member_id = :member AND rank < {UNRANKED - 1}"),
        {"member": member_id},
    )
    kept = seals_of(connection).keep(channel, hash_, value)
    values = {"value": kept, "state": "active", "consent": "granted", "rank": 0, "failures": 0, "failing_since": None}
    values["account"] = account if spec.bound else ""
    number = next(ids)
    if known is not None:
        await connection.execute(update(address).where(address.c.id == known).values(values))
    else:
        await connection.execute(
            insert(address).values(
                id=number, member_id=member_id, channel=channel, hash=hash_, created_at=now, **values
            )
        )
    await connection.execute(
        insert(consent).values(
            id=next(ids), member_id=member_id, channel=channel, address_hash=hash_, state="granted", basis="consent",
            source=source[:400], wording=wording[:1_000], at=now, recorded_at=now,
        )
    )  # fmt: skip
    return True
