"""The two ways to the ledger keep their promises on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection

from router.core.errors import BadInput, Unavailable
from router.store import resting
from router.store.engine import Store, now_ms_sql
from router.store.migrate import is_current, migrate
from router.store.tables import metadata, suppression, to_ms


async def test_migrations_make_exactly_the_tables(store: Store) -> None:
    def difference(connection: Connection) -> list[object]:
        named = {"include_name": lambda name, kind, _: kind != "table" or name in metadata.tables}
        found = MigrationContext.configure(connection, opts=named)
        return list(compare_metadata(found, metadata))

    async with store.read() as connection:
        assert await connection.run_sync(difference) == []
    assert await is_current(store)


async def test_migrating_twice_and_from_two_processes_at_once(database_url: str) -> None:
    first, second = Store(database_url), Store(database_url)
    await asyncio.gather(migrate(first), migrate(second), migrate(first))
    assert await is_current(second)
    await first.aclose()
    await second.aclose()


async def test_numbers_are_given_once_and_in_unbroken_runs(database_url: str) -> None:
    stores = [Store(database_url) for _ in range(3)]
    runs = await asyncio.gather(*(s.take_ids(n) for s in stores for n in (1, 700, 12_000, 3)))
    numbers = [number for run in runs for number in run]
    assert len(set(numbers)) == len(numbers) == 3 * 12_704
    for s in stores:
        await s.aclose()


async def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    async def fail_midway() -> None:
        async with store.write() as connection:
            row = {"address_hash": "x", "channel": "sms", "reason": "stop", "at": datetime(2026, 11, 21, tzinfo=UTC)}
            await connection.execute(insert(suppression).values(row))
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        await fail_midway()
    async with store.read() as connection:
        assert (await connection.execute(select(suppression))).all() == []


async def test_the_database_clock_is_in_milliseconds(store: Store) -> None:
    async with store.read() as connection:
        there = await connection.scalar(text(f"SELECT {now_ms_sql(store.dialect)}"))
    assert there is not None
    assert abs(there - to_ms(datetime.now(UTC))) < 60_000


async def test_a_database_that_is_gone_is_unavailable() -> None:
    store = Store("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable):
        await store.ping()


async def test_a_connection_that_died_while_it_rested_is_replaced(postgresql_url: str) -> None:
    """A database that was restarted costs nobody an error."""
    store, other = Store(postgresql_url), Store(postgresql_url)
    async with store.read() as connection:
        number = await connection.scalar(text("SELECT pg_backend_pid()"))
    async with other.write() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:number, 5000)"), {"number": number})
    async with store.read() as connection:
        assert await connection.scalar(text("SELECT pg_backend_pid()")) != number
    await store.aclose()
    await other.aclose()


@pytest.mark.parametrize("believed", [0.0, 60.0])
async def test_a_connection_that_rested_is_asked_whether_it_lives(
    postgresql_url: str, believed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = AsyncAdapt_asyncpg_connection.ping
    monkeypatch.setattr(AsyncAdapt_asyncpg_connection, "ping", lambda one: asked.append(one) or real(one))
    monkeypatch.setattr(resting, "BELIEVED", believed)
    store = Store(postgresql_url)
    for _ in range(3):
        await store.ping()
    assert len(asked) == (0 if believed else 2)
    await store.aclose()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y"])
def test_a_wrong_url_names_its_variable(url: str) -> None:
    with pytest.raises(BadInput, match="OUTREACH_DATABASE_URL"):
        Store(url)
