"""What failures teach us about addresses, and about providers whose words we do not know."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash
from router.core.model import Address
from router.runtime import Runtime
from router.stops import bury_address
from router.store.notices import notify
from router.store.tables import address as addresses
from router.store.tables import to_ms


async def move_address(runtime: Runtime, connection: AsyncConnection, old: Address, to: str) -> None:
    """The provider says that this address is another one now (a Telegram group that grew into a supergroup).

    Where we had heard of the new one before, as of another group, that group's tags come along and it is gone.
    """
    kind = runtime.specs[old.channel].address_kind
    others = await connection.execute(
        text("SELECT id, member_id FROM address WHERE hash = :hash AND channel = :channel AND id <> :id"),
        {"hash": address_hash(runtime.key, kind, to), "channel": old.channel, "id": old.id},
    )
    for other in others.all():
        names = {"from": other.member_id, "address": old.id}
        await connection.execute(
            text(
                "INSERT INTO member_tag (tag, member_id) SELECT t.tag, a.member_id FROM member_tag t, address a"
                " WHERE t.member_id = :from AND a.id = :address ON CONFLICT DO NOTHING"
            ),
            names,
        )
        await connection.execute(text("DELETE FROM member_tag WHERE member_id = :from"), {"from": other.member_id})
        await connection.execute(text("DELETE FROM address WHERE id = :id"), {"id": other.id})
        await connection.execute(
            text("DELETE FROM member WHERE id = :from AND kind = 'group'"), {"from": other.member_id}
        )
    await connection.execute(
        update(addresses)
        .where(addresses.c.hash == old.hash, addresses.c.channel == old.channel)
        .values(value=to, hash=address_hash(runtime.key, kind, to))
    )


async def note_unreachable(
    runtime: Runtime, connection: AsyncConnection, hash_: str, channel: str, *, now: datetime
) -> None:
    """Count one more time that a phone was off or a mailbox full; too often for too long, and it is taken for dead."""
    policy = runtime.policy.retry
    row = (
        await connection.execute(
            text(
                "UPDATE address SET failures = failures + 1, failing_since = coalesce(failing_since, :now)"
                " WHERE hash = :hash AND channel = :channel RETURNING failures, failing_since"
            ),
            {"hash": hash_, "channel": channel, "now": to_ms(now)},
        )
    ).first()
    if row is None or row.failures < policy.dead_after_failures:
        return
    if row.failing_since <= to_ms(now - timedelta(days=policy.dead_after_days)):
        await bury_address(connection, hash_, channel)


async def notify_unknown_code(connection: AsyncConnection, channel: str, code: str, *, now: datetime) -> None:
    """Show the operator a code that no table knows."""
    sentence = f"{channel} answered with the code {code or '(none)'}, which our table does not know; see its adapter"
    await notify(connection, "unknown_code", f"{channel}/{code}", sentence, now=now)
