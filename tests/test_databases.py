"""Databases that tests share one after the other: nothing of one test reaches the next."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest

from router.store.engine import Store
from tests.support.databases import Databases
from tests.support.ledger import Ledger
from tests.support.postgres import admin_url


@pytest.fixture(scope="module")
def own() -> Iterator[Databases]:
    """Databases of this file only."""
    if admin_url() is None:
        pytest.skip("no PostgreSQL: install it, or set OUTREACH_TEST_DATABASE_URL")
    with Databases() as databases:
        yield databases


async def rows_in_all_tables(url: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT relname AS tablename FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        return {table: [str(row) for row in await connection.fetch(f'SELECT * FROM "{table}"')] for (table,) in tables}
    finally:
        await connection.close()


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def test_a_database_comes_back_as_the_migrations_made_it(own: Databases) -> None:
    with own.fresh() as first:
        new = await rows_in_all_tables(first)
        ledger = Ledger(Store(first))
        await ledger.add_members(3)
        await ledger.launch_and_route()
        await ledger.send()
        await ledger.execute("UPDATE alembic_version SET version_num = 'another'")
        await ledger.store.aclose()
        used = await rows_in_all_tables(first)
        assert sum(used[table] != new[table] for table in new) > 10
    with own.fresh() as second:
        assert second == first
        assert await rows_in_all_tables(second) == new


async def test_several_are_out_at_once(own: Databases) -> None:
    with own.fresh() as one, own.fresh() as other:
        await run(one, "DELETE FROM id_block")
        assert (await rows_in_all_tables(other))["id_block"]
        assert one != other


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE more (id int)",
        "ALTER TABLE member ADD COLUMN more text",
        "ALTER TABLE member ALTER COLUMN first_name SET DEFAULT 'Ana'",
        "CREATE INDEX more ON member (last_name)",
        "ALTER TABLE member ADD CONSTRAINT more CHECK (id <> 5)",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SEQUENCE more",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 1', current_database()); END $$",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$",
    ],
)
async def test_one_with_other_tables_is_not_passed_on(own: Databases, change: str) -> None:
    with own.fresh() as first:
        await run(first, change)
    with own.fresh() as second:
        assert second != first
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(first)


async def test_one_that_somebody_still_holds_is_not_passed_on(own: Databases) -> None:
    with own.fresh() as first:
        forgotten = await asyncpg.connect(first)
    with own.fresh() as second:
        assert second != first
    with pytest.raises(asyncpg.PostgresError):
        await forgotten.execute("SELECT 1")


async def test_at_the_end_none_is_left() -> None:
    if admin_url() is None:
        pytest.skip("no PostgreSQL: install it, or set OUTREACH_TEST_DATABASE_URL")
    with Databases() as databases, databases.fresh() as url:
        pass
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)
