"""What only one process may do at a time, by name, on the database's clock."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.bulk import sql
from router.store.engine import now_ms_sql

LEASE_MS = 30_000
"""How long a lease lasts without being renewed, where `Settings.lease` says nothing else; then another may take it."""


async def take_lease(connection: AsyncConnection, name: str, owner: str, *, lasts: int = LEASE_MS) -> bool:
    """Take a lease of so many ms, or lengthen one's own; False while somebody else holds it."""
    clock = now_ms_sql(connection.dialect.name)
    result = await connection.execute(
        sql(
            f"INSERT INTO lease (name, owner, leased_until) VALUES (:name, :owner, {clock} + {lasts:d})"
            " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until"
            f" WHERE lease.owner = excluded.owner OR lease.leased_until < {clock}"
        ),
        {"name": name[:100], "owner": owner[:64]},
    )
    return result.rowcount == 1


async def give_lease_back(connection: AsyncConnection, name: str, owner: str) -> None:
    """Let go of one's own lease, so that another need not wait for its end."""
    await connection.execute(
        sql("DELETE FROM lease WHERE name = :name AND owner = :owner"), {"name": name[:100], "owner": owner[:64]}
    )
