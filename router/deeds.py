"""A reply or a button that answers an ask is an action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash
from router.core.channel import Inbound
from router.owners import Owner
from router.runtime import Runtime
from router.store.answers import count_answer
from router.store.bulk import in_numbers, insert_new_rows, numbers
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
            name = f"{campaign_id}:{member_id}:{kind}"
            row = (next(ids), member_id, campaign_id, kind, "button", name, to_ms(event.at))
            if await insert_new_rows(connection, action, _ACTION, [row], returning="id"):
                await count_answer(connection, address_id, event.at)
                await withdraw_hops(connection, member_id, campaign_id, kind, moves, now=now)
        return  # a message that went to somebody else is answered by nobody
    months = [now.year * 100 + now.month, (now.year * 12 + now.month - 2) // 12 * 100 + (now.month - 2) % 12 + 1]
    campaign_id = await connection.scalar(
        text(
            "SELECT campaign_id FROM delivery WHERE member_id = :member"
            f" AND month {in_numbers(connection, 'months')} AND channel = :channel"
            " AND status IN ('sent', 'delivered', 'read', 'unknown', 'sending') ORDER BY id DESC LIMIT 1"
        ),
        {"member": member_id, "months": numbers(connection, months), "channel": channel},
    )
    row = (next(ids), member_id, campaign_id or 0, kind, "keyword", event.event_id[:200], to_ms(event.at))
    if await insert_new_rows(connection, action, _ACTION, [row], returning="id"):
        await count_answer(connection, owners[0].address_id, event.at)
        await withdraw_hops(connection, member_id, campaign_id or 0, kind, moves, now=now)


_ACTION = ("id", "member_id", "campaign_id", "kind", "source", "external_id", "at")


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
