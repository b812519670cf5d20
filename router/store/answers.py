"""Where people answer: counted at the address by which each answer came (`core.address_order` looks at it)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.bulk import sql
from router.store.tables import to_ms


async def count_answer(connection: AsyncConnection, address_id: int | None, at: datetime) -> None:
    """One more answer by this address, given at `at`. Call it once for each action that is new."""
    await connection.execute(
        sql(
            "UPDATE address SET answers = answers + 1, answered_at = CASE WHEN answered_at > CAST(:at AS bigint)"
            " THEN answered_at ELSE CAST(:at AS bigint) END WHERE id = :id"
        ),
        {"id": address_id, "at": to_ms(at)},
    )
