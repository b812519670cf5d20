"""What we write back to a keyword: a delivery in the reply lane, with words of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask, Text
from router.core.model import AskKind, CampaignStatus, DeliveryStatus, Lane
from router.owners import Owner
from router.store.batches import queue_alone
from router.store.campaigns import write_ask
from router.store.tables import campaign, to_ms
from router.store.tallies import Moves


async def answer_back(
    connection: AsyncConnection,
    channel: str,
    owner: Owner,
    ids: Iterator[int],
    words: str,
    moves: Moves,
    now: datetime,
) -> None:
    """Put an answer into the reply lane: a delivery of this month's standing campaign, with words of its own."""
    month = now.year * 100 + now.month
    campaign_id = await _standing_campaign(connection, month, next(ids), now)
    member_id, address_id = owner.member_id, owner.address_id
    hop = await connection.scalar(
        text(
            "SELECT count(*) FROM delivery WHERE month = :month AND member_id = :member AND campaign_id = :campaign"
            " AND channel = :channel"
        ),
        {"month": month, "member": member_id, "campaign": campaign_id, "channel": channel},
    )
    number = await queue_alone(
        connection,
        (next(ids), next(ids)),
        month=month,
        campaign_id=campaign_id,
        member_id=member_id,
        channel=channel,
        account=owner.account,
        address_id=address_id,
        hop=int(hop or 0),
        lane=int(Lane.REPLY),
        at=to_ms(now),
        costs=False,
    )
    await connection.execute(
        text("INSERT INTO reply_text (month, delivery_id, text, asked_at) VALUES (:month, :id, :text, :at)"),
        {"month": month, "id": number, "text": words, "at": to_ms(now)},
    )
    moves.add(campaign_id, channel, DeliveryStatus.QUEUED)


async def _standing_campaign(connection: AsyncConnection, month: int, fresh_id: int, now: datetime) -> int:
    """The campaign whose deliveries are the answers of this month."""
    found = await connection.scalar(
        text("SELECT min(id) FROM campaign WHERE kind = 'reply' AND month = :month"), {"month": month}
    )
    if found is not None:
        return int(found)
    await connection.execute(
        insert(campaign).values(
            id=fresh_id,
            month=month,
            title="Replies",
            kind=AskKind.REPLY.value,
            status=CampaignStatus.RUNNING.value,
            created_by="router",
            approved_by="router",
            created_at=now,
            launched_at=now,
            starts_at=now,
        )
    )
    ask = Ask(title="Replies", kind=AskKind.REPLY, texts={"en": {"default": Text(text="Reply")}})
    await write_ask(connection, fresh_id, 1, ask, by="router", now=now)
    return fresh_id
