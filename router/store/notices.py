"""What the operator should look at: each thing once, with how often and since when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.tables import to_ms


async def notify(
    connection: AsyncConnection, kind: str, subject: str, sentence: str, *, now: datetime, times: int = 1
) -> None:
    """Tell the operator, or count once more what was told already. A notice that was cleared comes back."""
    await connection.execute(
        text(
            "INSERT INTO notice (kind, subject, sentence, count, first_at, last_at)"
            " VALUES (:kind, :subject, :sentence, :times, :now, :now) ON CONFLICT (kind, subject) DO UPDATE SET"
            " sentence = excluded.sentence, count = notice.count + excluded.count, last_at = excluded.last_at,"
            " cleared_at = NULL"
        ),
        {
            "kind": kind,
            "subject": subject[:200],
            "sentence": sentence[:400],
            "times": times,
            "now": to_ms(now),
        },
    )


async def clear(connection: AsyncConnection, kind: str, subject: str, *, now: datetime) -> None:
    """It is over."""
    await connection.execute(
        text("UPDATE notice SET cleared_at = :now WHERE kind = :kind AND subject = :subject AND cleared_at IS NULL"),
        {"kind": kind, "subject": subject[:200], "now": to_ms(now)},
    )
