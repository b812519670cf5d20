"""What people wrote to us, kept once however often a provider tells it.

The text lies with its month, so that it goes with it (`records.retention`). That it came stands in a table of its own
over all months, because a provider may tell it again when the month is over.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.bulk import is_sqlite, sql


class Heard(NamedTuple):
    """A message that came in."""

    id: int
    month: int
    """yyyymm of its arrival."""
    channel: str
    account: str
    event_id: str
    sender_hash: str
    member_id: int | None
    text: str
    intent: str
    at: int
    """ms since 1970 UTC, as the provider says."""


_CLAIM = (
    "INSERT INTO inbound_claim (channel, account, event_id, month)"
    " VALUES (:channel, :account, :event_id, :month) ON CONFLICT DO NOTHING RETURNING month"
)
_COLUMNS = "id, month, channel, account, event_id, sender_hash, member_id, text, intent, at"
_VALUES = (
    "CAST(:id AS bigint), CAST(:month AS integer), :channel, :account, :event_id, :sender_hash,"
    " CAST(:member_id AS bigint), :text, :intent, CAST(:at AS bigint)"
)
_AT_ONCE = f"WITH fresh AS ({_CLAIM}) INSERT INTO inbound ({_COLUMNS}) SELECT {_VALUES} FROM fresh"
"""For PostgreSQL, where it is the way there and back that takes long."""


async def keep_heard(connection: AsyncConnection, heard: Heard) -> bool:
    """Keep it; False where it is known already."""
    values: dict[str, Any] = heard._asdict()
    if not is_sqlite(connection):
        return (await connection.execute(sql(_AT_ONCE), values)).rowcount == 1
    if (await connection.execute(sql(_CLAIM), values)).one_or_none() is None:
        return False
    await connection.execute(sql(f"INSERT INTO inbound ({_COLUMNS}) VALUES ({_VALUES})"), values)
    return True
