"""Words for one person: the answer to a keyword, a reminder, an organizer's reply.

Each is a delivery of this month's standing campaign, so that consent, rates, crash safety and receipts hold for it as
for any other message. What may be said depends on what it is (`Saying`); that is decided in the intent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask, Text
from router.core.model import AskKind, CampaignStatus, DeliveryStatus, Lane
from router.owners import Owner
from router.store.bulk import for_update, is_sqlite, sql
from router.store.campaigns import write_ask
from router.store.tables import campaign, to_ms
from router.store.tallies import Letter, Moves

IDS_PER_MESSAGE = 3
"""Numbers that one message may use: its delivery, its batch and, for the first of a month, the campaign."""


class Saying(StrEnum):
    """What words for one person are, and so when they may be said."""

    ANSWER = "answer"
    """To what they wrote a moment ago: at any hour, within minutes (`consent.check_reply`)."""
    SERVICE = "service"
    """They need it because of what they signed up for: with consent, outside their quiet hours, at no cost."""
    PERSON = "person"
    """From an organizer, a host or a guest, in a conversation (`consent.check_conversation`)."""
    CONFIRM = "confirm"
    """Asks an address that a form named to confirm itself (`consent.check_confirmation`)."""


class To(NamedTuple):
    """Where to write."""

    member_id: int
    channel: str
    address_id: int
    account: str = ""


async def answer_back(
    connection: AsyncConnection,
    channel: str,
    owner: Owner,
    ids: Iterator[int],
    words: str,
    moves: Moves,
    now: datetime,
) -> int:
    """Answer what somebody wrote a moment ago; returns the delivery's number."""
    to = To(owner.member_id, channel, owner.address_id, owner.account)
    return await tell(connection, to, ids, words, moves, saying=Saying.ANSWER, now=now)


async def tell(
    connection: AsyncConnection,
    to: To,
    ids: Iterator[int],
    words: str,
    moves: Moves,
    *,
    saying: Saying,
    now: datetime,
    at: datetime | None = None,
    until: datetime | None = None,
    by: str = "",
) -> int:
    """Queue words for one person; returns the delivery's number. Uses at most `IDS_PER_MESSAGE` of `ids`.

    It leaves at `at` at the earliest (now where None) and not after `until`. `by` is the organizer who wrote it.
    """
    month = now.year * 100 + now.month
    # Two processes may write to the same person at once; each message is a hop of its own.
    standing = await connection.scalar(
        sql(
            "SELECT (SELECT min(id) FROM campaign WHERE kind = 'reply' AND month = :month) FROM member"
            f" WHERE id = :member{for_update(connection)}"
        ),
        {"month": month, "member": to.member_id},
    )
    campaign_id = standing or await _begin_standing(connection, month, next(ids), now)
    number, leaves = next(ids), to_ms(at or now)
    values = {
        "month": month, "number": number, "campaign": campaign_id, "member": to.member_id, "channel": to.channel,
        "address": to.address_id, "at": leaves, "text": words, "asked_at": to_ms(now), "kind": saying.value,
        "until": None if until is None else to_ms(until), "by": by,
    }  # fmt: skip
    if is_sqlite(connection):
        for statement in _QUEUE:
            await connection.execute(statement, values)
    else:
        await connection.execute(_QUEUE_AT_ONCE, values)
    moves.add(campaign_id, to.channel, DeliveryStatus.QUEUED)
    lane = int(Lane.URGENT if saying is Saying.SERVICE else Lane.REPLY)
    moves.post(Letter(number, next(ids), month, campaign_id, to.channel, to.account, lane, leaves))
    return number


_DELIVERY = (
    "INSERT INTO delivery (month, id, campaign_id, member_id, channel, hop, address_id, status, not_before)"
    " SELECT CAST(:month AS integer), CAST(:number AS bigint), CAST(:campaign AS bigint), CAST(:member AS bigint),"
    " CAST(:channel AS varchar), count(*), CAST(:address AS bigint), 'queued', CAST(:at AS bigint) FROM delivery"
    " WHERE month = :month AND member_id = :member AND campaign_id = :campaign AND channel = :channel"
)
"""Each message is one more hop."""
_WORDS = (
    'INSERT INTO reply_text (month, delivery_id, text, asked_at, kind, until, "by")'
    " VALUES (:month, :number, :text, :asked_at, :kind, :until, :by)"
)
_QUEUE = text(_DELIVERY), text(_WORDS)
_QUEUE_AT_ONCE = text(f"WITH one AS ({_DELIVERY}) {_WORDS}")
"""The same for PostgreSQL, where it is the way there and back that takes long."""


async def where_to_write(connection: AsyncConnection, member_id: int, prefer: int | None = None) -> To | None:
    """Where somebody may be written to: at address `prefer` where that still works, else where they like it best."""
    row = (
        await connection.execute(
            text(
                "SELECT a.channel, a.id, a.account FROM address a JOIN member m ON m.id = a.member_id"
                " LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
                " WHERE a.member_id = :member AND a.consent = 'granted' AND a.state = 'active'"
                " AND s.address_hash IS NULL AND m.erased_at IS NULL"
                " ORDER BY CASE WHEN a.id = :prefer THEN 0 ELSE 1 END, a.rank, a.id LIMIT 1"
            ),
            {"member": member_id, "prefer": prefer or 0},
        )
    ).one_or_none()
    return None if row is None else To(member_id, row.channel, row.id, row.account)


async def _begin_standing(connection: AsyncConnection, month: int, fresh_id: int, now: datetime) -> int:
    """Begin the campaign whose deliveries are the answers of this month."""
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
