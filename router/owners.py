"""Whose an address is, and what they agreed to there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.channel import Inbound
from router.core.model import DeliveryRef
from router.core.outgoing import Kind
from router.runtime import Runtime
from router.stops import covered, suppress
from router.store.bulk import sql
from router.store.hooks import tell_hooks
from router.store.tables import address, consent
from router.store.tallies import Moves


class Owner(NamedTuple):
    """Somebody whom an address belongs to."""

    member_id: int
    address_id: int
    locale: str
    account: str
    """The only account that can write to it, "" for any."""


async def owners_of(connection: AsyncConnection, hash_: str, channel: str) -> list[Owner]:
    """Everybody who has this address on this channel; more than one is a household."""
    rows = await connection.execute(
        sql(
            "SELECT a.member_id, a.id, m.locale, a.account FROM address a JOIN member m ON m.id = a.member_id"
            " WHERE a.hash = :hash AND a.channel = :channel ORDER BY a.member_id LIMIT 10"
        ),
        {"hash": hash_, "channel": channel},
    )
    return [Owner(*row) for row in rows]


async def revoke_consent(
    runtime: Runtime,
    connection: AsyncConnection,
    hash_: str,
    channel: str,
    owners: Sequence[Owner],
    ids: Iterator[int],
    moves: Moves,
    reason: str,
    source: str,
    now: datetime,
    about: DeliveryRef | None = None,
) -> None:
    """STOP, or what amounts to it: suppress the address on all channels that it covers, and keep who revoked what."""
    channels = await suppress(
        runtime, connection, hash_, channel, moves, reason=reason, source=source, now=now, about=about
    )
    await _consent(connection, hash_, channels, owners, ids, "revoked", source, "", now)


async def grant_consent(
    runtime: Runtime,
    connection: AsyncConnection,
    hash_: str,
    channel: str,
    owners: Sequence[Owner],
    ids: Iterator[int],
    event: Inbound,
    now: datetime,
) -> None:
    """START: lift the suppression, and keep who agreed again in which words."""
    for name in covered(runtime, channel):
        await connection.execute(
            sql("DELETE FROM suppression WHERE address_hash = :hash AND channel = :channel"),
            {"hash": hash_, "channel": name},
        )
        runtime.signals.restore(hash_, name)
    await _consent(connection, hash_, [channel], owners, ids, "granted", f"reply by {channel}", event.text, now)


async def agree(
    connection: AsyncConnection,
    hash_: str,
    channel: str,
    owners: Sequence[Owner],
    ids: Iterator[int],
    *,
    source: str,
    wording: str,
    now: datetime,
) -> None:
    """Its owners agreed to hear from us there, in these words. A suppression stays: only START lifts it."""
    await _consent(connection, hash_, [channel], owners, ids, "granted", source, wording, now)


async def is_silenced(connection: AsyncConnection, hash_: str, channel: str) -> bool:
    """Whether somebody said STOP there."""
    found = await connection.scalar(
        sql("SELECT 1 FROM suppression WHERE address_hash = :hash AND channel = :channel"),
        {"hash": hash_, "channel": channel},
    )
    return found is not None


async def _consent(
    connection: AsyncConnection,
    hash_: str,
    channels: Sequence[str],
    owners: Sequence[Owner],
    ids: Iterator[int],
    state: str,
    source: str,
    wording: str,
    now: datetime,
) -> None:
    """Append the consent rows, bring the addresses' present state along, and tell other systems."""
    kind = Kind.OPT_OUT if state == "revoked" else Kind.OPT_IN
    for owner in owners:
        told = {"channels": list(channels), "source": source[:400]}
        await tell_hooks(connection, kind, told, member_id=owner.member_id, now=now)
        await connection.execute(
            insert(consent).values(
                id=next(ids),
                member_id=owner.member_id,
                channel=channels[0],
                address_hash=hash_,
                state=state,
                basis="consent",
                source=source[:400],
                wording=wording[:1_000],
                at=now,
                recorded_at=now,
            )
        )
    await connection.execute(
        update(address).where(address.c.hash == hash_, address.c.channel.in_(list(channels))).values(consent=state)
    )
