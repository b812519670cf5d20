"""What failures teach us about addresses, and about providers whose words we do not know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash
from router.core.model import Address, Reason
from router.runtime import Runtime
from router.stops import Queued, bury_address, cancel_rows
from router.store.bulk import for_update, in_numbers, numbers
from router.store.notices import notify
from router.store.tables import address as addresses
from router.store.tables import member, to_ms
from router.store.tallies import Moves


async def move_address(
    runtime: Runtime, connection: AsyncConnection, old: Address, to: str, moves: Moves, *, now: datetime
) -> None:
    """The provider says that this address is another one now (a Telegram group that grew into a supergroup).

    Where we had heard of the new one before, as of another group, that group's tags and people come along, what waits
    for it is cancelled, and it counts as erased: its rows stay, so that its deliveries find their end.
    """
    kind = runtime.specs[old.channel].address_kind
    others = await connection.execute(
        text("SELECT id, member_id FROM address WHERE hash = :hash AND channel = :channel AND id <> :id"),
        {"hash": address_hash(runtime.key, kind, to), "channel": old.channel, "id": old.id},
    )
    for other in others.all():
        await _cancel_waiting(connection, other.id, moves, now=now)
        await connection.execute(
            text(
                "INSERT INTO member_tag (tag, member_id) SELECT t.tag, a.member_id FROM member_tag t, address a"
                " WHERE t.member_id = :from AND a.id = :address ON CONFLICT DO NOTHING"
            ),
            {"from": other.member_id, "address": old.id},
        )
        await connection.execute(text("DELETE FROM member_tag WHERE member_id = :from"), {"from": other.member_id})
        await connection.execute(
            text(
                "INSERT INTO group_member (group_id, member_id, source, at) SELECT a.member_id, g.member_id, g.source,"
                " g.at FROM group_member g, address a WHERE g.group_id = :from AND a.id = :address"
                " ON CONFLICT DO NOTHING"
            ),
            {"from": other.member_id, "address": old.id},
        )
        await connection.execute(text("DELETE FROM group_member WHERE group_id = :from"), {"from": other.member_id})
        await connection.execute(
            update(addresses)
            .where(addresses.c.id == other.id)
            .values(state="dead", value="", hash=address_hash(runtime.key, "gone", str(other.id)))
        )
        await connection.execute(
            update(member).where(member.c.id == other.member_id, member.c.kind == "group").values(erased_at=now)
        )
    await connection.execute(
        update(addresses)
        .where(addresses.c.hash == old.hash, addresses.c.channel == old.channel)
        .values(value=to, hash=address_hash(runtime.key, kind, to))
    )


async def _cancel_waiting(connection: AsyncConnection, address_id: int, moves: Moves, *, now: datetime) -> None:
    rows = await connection.execute(
        text(
            "SELECT d.month, d.id, d.campaign_id, d.member_id, d.channel, d.costs FROM delivery d"
            " JOIN address a ON a.member_id = d.member_id AND a.id = d.address_id WHERE a.id = :address"
            " AND d.month IN (SELECT c.month FROM campaign c WHERE c.status IN ('running', 'paused'))"
            f" AND d.status = 'queued' ORDER BY d.month, d.id{for_update(connection, 'd')}"
        ),
        {"address": address_id},
    )
    queued = [Queued(row.month, row.id, row.campaign_id, row.member_id, row.channel, bool(row.costs)) for row in rows]
    await cancel_rows(connection, queued, Reason.MERGED, moves, now=now)


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


async def note_reached(connection: AsyncConnection, reached: Mapping[int, datetime]) -> None:
    """Something came through to these addresses at these moments: what had failed before then is forgotten."""
    if not reached:
        return
    failing = await connection.execute(
        text(
            "SELECT id, hash, channel, failing_since FROM address"
            f" WHERE id {in_numbers(connection, 'ids')} AND failures > 0 ORDER BY hash, channel"
        ),
        {"ids": numbers(connection, sorted(reached))},
    )
    for row in failing.all():
        if row.failing_since is None or row.failing_since <= to_ms(reached[row.id]):
            await connection.execute(
                text("UPDATE address SET failures = 0, failing_since = NULL WHERE hash = :hash AND channel = :channel"),
                {"hash": row.hash, "channel": row.channel},
            )


async def notify_unknown_code(connection: AsyncConnection, channel: str, code: str, *, now: datetime) -> None:
    """Show the operator a code that no table knows."""
    sentence = f"{channel} answered with the code {code or '(none)'}, which our table does not know; see its adapter"
    await notify(connection, "unknown_code", f"{channel}/{code}", sentence, now=now)
