"""What the ledger knows of one member's part in one campaign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash, normalise
from router.core.errors import BadAddress, BadInput, NotFound
from router.core.trace import Trace, read_trace
from router.runtime import Runtime
from router.store.bulk import in_numbers, numbers
from router.store.months import dropped_at
from router.store.tables import from_ms
from router.why.model import EarlierAsk

_WINDOW = timedelta(days=30)
"""The longest window of the contact budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One delivery with all that came of it, as the tables have it."""

    delivery: Any
    trace: Trace
    attempts: Sequence[Any]
    receipts: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A member, a campaign and what is between them; `rows` is empty where nothing was decided."""

    member: Any
    campaign: Any
    rows: Sequence[Row]
    decided_at: datetime
    """When it was first decided; the present where nothing was."""
    earlier: Sequence[EarlierAsk]
    dropped_at: datetime | None
    """When what was decided was dropped, kept for its time; None where it was not."""
    range: Any
    """The piece of the audience that the member is in; None where they were entered after it was cut."""


async def read_part(connection: AsyncConnection, member_id: int, campaign_id: int, *, now: datetime) -> Part:
    """Read everything. Raises `NotFound` where the member or the campaign does not exist."""
    member = await _one(
        connection, "SELECT id, coalesce(household_id, id) AS holder FROM member WHERE id = :id", id=member_id
    )
    if member is None:
        raise NotFound(
            f"there is no member {member_id}; `outreach why` also finds them by phone, mailbox or external id"
        )
    campaign = await _one(
        connection,
        "SELECT id, month, title, kind, status, starts_at, launched_at, pause_reason FROM campaign WHERE id = :id",
        id=campaign_id,
    )
    if campaign is None:
        raise NotFound(f"there is no campaign {campaign_id}; GET /api/v1/campaigns lists those there are")
    found = await _rows(
        connection,
        "SELECT * FROM delivery WHERE month = :month AND member_id = :member AND campaign_id = :campaign"
        " ORDER BY hop, id",
        month=campaign.month, member=member_id, campaign=campaign_id,
    )  # fmt: skip
    rows = [await _row(connection, delivery) for delivery in found]
    decided_at = (rows[0].trace.decided_at or moment_of(campaign.launched_at) or now) if rows else now
    return Part(
        member=member,
        campaign=campaign,
        rows=rows,
        decided_at=decided_at,
        earlier=await _earlier(connection, member, campaign_id, decided_at) if rows else (),
        dropped_at=None if rows else await dropped_at(connection, campaign_id),
        range=await _one(
            connection,
            "SELECT routed_at FROM route_range WHERE campaign_id = :campaign AND :member BETWEEN first_member AND"
            " last_member",
            campaign=campaign_id, member=member_id,
        ),
    )  # fmt: skip


async def _row(connection: AsyncConnection, delivery: Any) -> Row:
    key = {"month": delivery.month, "id": delivery.id}
    return Row(
        delivery=delivery,
        trace=read_trace(delivery.trace),
        attempts=await _rows(
            connection, "SELECT * FROM attempt WHERE month = :month AND delivery_id = :id ORDER BY number", **key
        ),
        receipts=await _rows(
            connection, "SELECT * FROM receipt WHERE month = :month AND delivery_id = :id ORDER BY at, event_id", **key
        ),
    )


async def find_member(runtime: Runtime, name: str) -> int:
    """The number of the member whom somebody named by number, external id, phone or mailbox.

    Raises `NotFound`, and `BadInput` where several share that phone or mailbox.
    """
    name = name.strip()
    number = int(name) if name.isascii() and name.isdecimal() and len(name) <= 18 else -1
    kind = "email" if "@" in name else "phone"
    try:
        hash_ = address_hash(runtime.key, kind, normalise(kind, name, runtime.settings.default_region))
    except BadAddress:
        hash_ = ""
    async with runtime.store.read() as connection:
        found = await _rows(connection, "SELECT id FROM member WHERE id = :id", id=number)
        found = found or await _rows(connection, "SELECT id FROM member WHERE external_id = :name", name=name)
        found = found or await _rows(
            connection,
            "SELECT DISTINCT member_id AS id FROM address WHERE hash = :hash ORDER BY 1 LIMIT 10",
            hash=hash_,
        )
    if not found:
        raise NotFound("there is no such member; name them by number, phone, mailbox or external id")
    if len(found) > 1:
        several = ", ".join(str(row.id) for row in found)
        raise BadInput(f"several members share it; give the number of one of them: {several}", place="MEMBER")
    return int(found[0].id)


async def _earlier(
    connection: AsyncConnection, member: Any, campaign_id: int, decided_at: datetime
) -> list[EarlierAsk]:
    """The other asks that held a slot when this was decided, in order of time. What was refunded since left none."""
    holders = await _rows(
        connection,
        "SELECT id FROM member WHERE id IN (:holder, :id) UNION SELECT id FROM member WHERE household_id = :holder",
        holder=member.holder, id=member.id,
    )  # fmt: skip
    rows = await connection.execute(
        text(
            "SELECT d.campaign_id, c.title, d.channel, coalesce(d.sent_at, d.not_before) AS at, d.trace"
            f" FROM delivery d JOIN campaign c ON c.id = d.campaign_id WHERE d.month {in_numbers(connection, 'months')}"
            f" AND d.member_id {in_numbers(connection, 'members')} AND d.costs AND d.campaign_id <> :campaign"
            " AND d.status IN ('queued', 'sending', 'sent', 'delivered', 'read', 'unknown') ORDER BY 4, d.id"
        ),
        {
            "months": numbers(connection, _months_before(decided_at)),
            "members": numbers(connection, [row.id for row in holders]),
            "campaign": campaign_id,
        },
    )
    found = []
    for row in rows:
        at = from_ms(row.at)
        known_at = read_trace(row.trace).decided_at or at
        if at > decided_at - _WINDOW and known_at <= decided_at:
            found.append(EarlierAsk(campaign=row.campaign_id, title=row.title, channel=row.channel, at=at))
    return found


def _months_before(at: datetime) -> list[int]:
    """The months (``202611``) of campaigns whose asks can lie in the window: this one and the three before."""
    count = at.year * 12 + at.month - 1
    return [month // 12 * 100 + month % 12 + 1 for month in range(count - 3, count + 1)]


def moment_of(ms: int | None) -> datetime | None:
    """A moment as the tables keep it."""
    return None if ms is None else from_ms(ms)


async def _rows(connection: AsyncConnection, statement: str, **parameters: Any) -> list[Any]:
    return list((await connection.execute(text(statement), parameters)).all())


async def _one(connection: AsyncConnection, statement: str, **parameters: Any) -> Any:
    return (await connection.execute(text(statement), parameters)).one_or_none()
