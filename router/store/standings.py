"""The standing of each sender as all processes and the operator see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.tables import from_ms, to_ms


class StandingRow(NamedTuple):
    """One sender's standing."""

    channel: str
    account: str
    name: str
    state: str
    reason: str
    until: datetime | None
    weight: float
    updated_at: datetime


async def write_standings(connection: AsyncConnection, rows: Sequence[StandingRow]) -> None:
    """Keep these; whoever wrote last is right."""
    for row in rows:
        await connection.execute(
            text(
                "INSERT INTO sender (channel, account, name, state, reason, until, weight, updated_at)"
                " VALUES (:channel, :account, :name, :state, :reason, :until, :weight, :at)"
                " ON CONFLICT (channel, account, name) DO UPDATE SET state = excluded.state,"
                " reason = excluded.reason, until = excluded.until, weight = excluded.weight,"
                " updated_at = excluded.updated_at"
            ),
            {
                "channel": row.channel,
                "account": row.account,
                "name": row.name,
                "state": row.state,
                "reason": row.reason[:400],
                "until": None if row.until is None else to_ms(row.until),
                "weight": row.weight,
                "at": to_ms(row.updated_at),
            },
        )


async def read_standings(connection: AsyncConnection) -> list[StandingRow]:
    """All that were ever out of the ordinary, by channel."""
    rows = await connection.execute(
        text(
            "SELECT channel, account, name, state, reason, until, weight, updated_at FROM sender"
            " ORDER BY channel, account, name"
        )
    )
    return [
        StandingRow(
            row.channel,
            row.account,
            row.name,
            row.state,
            row.reason,
            None if row.until is None else from_ms(row.until),
            row.weight,
            from_ms(row.updated_at),
        )
        for row in rows
    ]
