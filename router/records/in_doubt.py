"""What nobody knows after a restore: messages and turns that may have come after the backup was made.

A message becomes ``unknown``: it keeps its place in the contact budget, is never sent again, and a receipt that comes
late may settle it. A member who had not got their turn is held as unsettled, so that nobody is asked twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import DeliveryStatus, Reason
from router.ranges import cut_ranges
from router.store.audience import audience_of
from router.store.batches import write_attempts
from router.store.bulk import in_numbers, insert_rows, numbers, sql
from router.store.campaigns import read_ask
from router.store.engine import Store
from router.store.tables import delivery, member, to_ms
from router.store.tallies import Moves

CODE = "restore"
"""What the tries of messages that may have left after the backup say."""

_AT_ONCE = 20
"""Batches (about 500 messages each) or ranges (about 1,000 members) looked through in one transaction."""

_HELD = ("month", "id", "campaign_id", "member_id", "channel", "hop", "status", "reason")


async def give_up_in_doubt(store: Store, *, nothing_sent_since: bool, now: datetime) -> tuple[int, int]:
    """Give up what was in the air and, unless nothing was sent, what waited; returns how many of each."""
    in_the_air = withheld = after = 0
    while True:
        async with store.read() as connection:
            rows = (
                await connection.execute(
                    sql(
                        "SELECT b.id, b.month, b.campaign_id, b.channel, b.first_id, b.last_id,"
                        " c.status <> 'cancelled' AND c.goal_met_at IS NULL AS may_leave"
                        " FROM batch b JOIN campaign c ON c.id = b.campaign_id"
                        " WHERE b.open AND b.id > :after ORDER BY b.id LIMIT :most"
                    ),
                    {"after": after, "most": _AT_ONCE},
                )
            ).all()
        if not rows:
            return in_the_air, withheld

        async def work(connection: AsyncConnection, rows: Sequence[Any] = rows) -> tuple[int, int]:
            moves, gone, waited = Moves(), 0, 0
            for row in rows:
                gone += await _give_up(connection, row, DeliveryStatus.SENDING, moves, now)
                if row.may_leave and not nothing_sent_since:
                    waited += await _give_up(connection, row, DeliveryStatus.QUEUED, moves, now)
            await connection.execute(
                sql(
                    "UPDATE batch SET owner = NULL, leased_until = 0, epoch = epoch + 1, open = EXISTS (SELECT 1"
                    " FROM delivery d WHERE d.month = batch.month AND d.id BETWEEN batch.first_id AND batch.last_id"
                    f" AND d.status IN ('queued', 'sending')) WHERE id {in_numbers(connection, 'ids')}"
                ),
                {"ids": numbers(connection, [row.id for row in rows])},
            )
            await moves.write(connection)
            return gone, waited

        gone, waited = await store.transact(work)
        in_the_air, withheld, after = in_the_air + gone, withheld + waited, rows[-1].id


async def _give_up(connection: AsyncConnection, row: Any, was: DeliveryStatus, moves: Moves, now: datetime) -> int:
    """Messages of one batch may have been sent: they become unknown and are never sent again (rule 9)."""
    # What waited and left after the backup had one more try than we know of.
    more = 1 if was is DeliveryStatus.QUEUED else 0
    lost = (
        await connection.execute(
            sql(
                "UPDATE delivery SET status = 'unknown', attempts = attempts + :more WHERE month = :month"
                " AND id BETWEEN :first AND :last AND status = :was RETURNING id, attempts"
            ),
            {"more": more, "month": row.month, "first": row.first_id, "last": row.last_id, "was": was.value},
        )
    ).all()
    tries = [(row.month, one.id, one.attempts, "", "unknown", "transport", CODE, "", to_ms(now)) for one in lost]
    await write_attempts(connection, tries)
    moves.take(row.campaign_id, row.channel, was, n=len(lost))
    moves.add(row.campaign_id, row.channel, DeliveryStatus.UNKNOWN, n=len(lost))
    return len(lost)


async def hold_in_doubt(store: Store, *, now: datetime) -> int:
    """Hold everybody of a paused campaign whose turn may have come after the backup; returns how many that are."""
    async with store.read() as connection:
        found = (
            await connection.execute(
                sql(
                    "SELECT c.id, c.month, c.text_version, EXISTS"
                    " (SELECT 1 FROM route_range r WHERE r.campaign_id = c.id) AS begun FROM campaign c"
                    " WHERE c.status = 'paused' AND c.kind <> 'reply' AND c.starts_at <= :now ORDER BY c.id"
                ),
                {"now": to_ms(now)},
            )
        ).all()
    held = 0
    for row in found:
        if not row.begun:

            async def begin(connection: AsyncConnection, number: int = row.id) -> None:
                await cut_ranges(connection, number)

            await store.transact(begin)
        while (more := await _hold(store, row, now)) is not None:
            held += more
    return held


async def _hold(store: Store, row: Any, now: datetime) -> int | None:
    """Hold the members of the next ranges of one campaign; None with none left."""
    async with store.read() as connection:
        ranges = (
            await connection.execute(
                sql(
                    "SELECT first_member, last_member FROM route_range WHERE campaign_id = :id AND routed_at IS NULL"
                    " ORDER BY first_member LIMIT :most"
                ),
                {"id": row.id, "most": _AT_ONCE},
            )
        ).all()
        if not ranges:
            return None
        ask = await read_ask(connection, row.id, row.text_version)
        people: list[int] = []
        for one in ranges:
            where = member.c.id.between(one.first_member, one.last_member), audience_of(ask, dialect=store.dialect)
            people += (await connection.execute(select(member.c.id).where(*where).order_by(member.c.id))).scalars()
    ids = await store.take_ids(max(1, len(people)))
    held, reason = DeliveryStatus.HELD, Reason.UNSETTLED

    async def work(connection: AsyncConnection) -> None:
        rows = [
            (row.month, number, row.id, person, "", 0, held.value, reason.value)
            for number, person in zip(ids, people, strict=False)
        ]
        await insert_rows(connection, delivery, _HELD, rows)
        await connection.execute(
            sql(
                "UPDATE route_range SET routed_at = :now WHERE campaign_id = :id"
                f" AND first_member {in_numbers(connection, 'firsts')}"
            ),
            {"now": to_ms(now), "id": row.id, "firsts": numbers(connection, [one.first_member for one in ranges])},
        )
        moves = Moves()
        moves.add(row.id, "", held, reason, n=len(people))
        await moves.write(connection)

    await store.transact(work)
    return len(people)
