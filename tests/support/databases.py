"""Migrated, empty PostgreSQL databases for tests, used again and again.

Making and dropping a database costs many times what emptying one does, so a test that gives its database back leaves
it to the next. Only a clean one is passed on: where somebody still holds a connection, or the tables are not those of
the migrations any more, it is dropped. They are emptied over connections that stay open, because a new one reads the
server's whole catalogue first, which costs more than the emptying.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

import asyncpg

from router.store.engine import Store
from router.store.migrate import migrate
from tests.support.postgres import execute, in_thread, url_of

PATIENCE = 0.5
"""Seconds in which a connection that was closed must be gone from the server."""

_TABLES = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
    " AND relnamespace = 'public'::regnamespace"
)

_HELD = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    " AND pid <> pg_backend_pid()"
)

_SCHEMA = """
SELECT md5(string_agg(part, ' ' ORDER BY part)) FROM (
    SELECT format('%s %s %s %s %s %s', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod),
                  attnotnull, pg_get_expr(adbin, adrelid)) AS part
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND NOT relispartition)
    UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indexrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND NOT relispartition)
    UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    AND NOT coalesce((SELECT relispartition FROM pg_class WHERE oid = conrelid), false)
    UNION ALL SELECT format('%s %s', pg_get_triggerdef(oid), tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND prokind IN ('f', 'p')
    UNION ALL SELECT format('%s %s', setrole, setconfig) FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS parts
"""
"""One word for everything that a test could change besides rows: columns, keys, indexes, triggers, settings.

Partitions are left out: the program itself makes them, and the next test may find those of the last.
"""


class Databases:
    """All databases of one run. Use it as a context manager: at its end they are dropped."""

    def __init__(self) -> None:
        self._prefix = f"outreach_test_{os.getpid()}_{secrets.token_hex(3)}"
        self._numbers = itertools.count()
        self._made: list[str] = []
        self._free: list[str] = []
        self._cleaners: dict[str, asyncpg.Connection] = {}
        """Database → our own connection to it, over which it is emptied."""
        self._template = ""
        self._schema = ""
        self._tables: list[str] = []
        self._kept: dict[str, list[Any]] = {}
        """Table → the rows that the migrations put in."""

    def __enter__(self) -> Databases:
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(self._made):
            self._drop(name)

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """The address of a database that is as the migrations make it, the caller's own until the end of the ``with``.

        Several may be out at once.
        """
        if not self._template:
            self._template = self._make()
            in_thread(self._fill_template())
        name = self._free.pop() if self._free else self._make(f' TEMPLATE "{self._template}"')
        try:
            yield url_of(name)
        finally:
            if in_thread(self._is_emptied(name)):
                self._free.append(name)
            else:
                self._made.remove(name)
                self._drop(name)

    def _make(self, of: str = "") -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        execute(f'CREATE DATABASE "{name}"{of}')
        self._made.append(name)
        return name

    async def _fill_template(self) -> None:
        store = Store(url_of(self._template))
        await migrate(store)
        await store.aclose()
        connection = await asyncpg.connect(url_of(self._template))
        self._schema = await connection.fetchval(_SCHEMA)
        self._tables = [row[0] for row in await connection.fetch(_TABLES)]
        for table in self._tables:
            rows = await _rows(connection, table)
            if rows:
                self._kept[table] = rows
        await connection.close()

    async def _is_emptied(self, name: str) -> bool:
        """Put the rows of the template in the place of those of a test; False where that is not enough or fails."""
        try:
            if name not in self._cleaners:
                self._cleaners[name] = await asyncpg.connect(url_of(name))
            connection = self._cleaners[name]
            if not await _is_left(connection) or await connection.fetchval(_SCHEMA) != self._schema:
                return False
            changed = await self._changed(connection)
            if changed:
                await connection.execute(_delete_all(changed))
                for table in changed & self._kept.keys():
                    await connection.execute(
                        f'INSERT INTO "{table}" SELECT * FROM json_populate_recordset(NULL::"{table}", $1)',
                        json.dumps(self._kept[table]),
                    )
            return not changed or not await self._changed(connection)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False

    def _drop(self, name: str) -> None:
        if name in self._cleaners:
            in_thread(self._cleaners.pop(name).close())
        execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _changed(self, connection: asyncpg.Connection) -> set[str]:
        """The tables whose rows are not those of the template."""
        usually_empty = [table for table in self._tables if table not in self._kept]
        found = await connection.fetch(
            " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\")" for table in usually_empty)
        )
        kept = {table for table, rows in self._kept.items() if await _rows(connection, table) != rows}
        return {row[0] for row in found} | kept


async def _rows(connection: asyncpg.Connection, table: str) -> list[Any]:
    rows: list[Any] = json.loads(await connection.fetchval(f"SELECT coalesce(json_agg(t), '[]') FROM \"{table}\" AS t"))
    return rows


async def _is_left(connection: asyncpg.Connection) -> bool:
    """Whether everybody else has closed their connections; the server needs a moment to notice."""
    for _ in range(int(PATIENCE / 0.01)):
        if await connection.fetchval(_HELD) == 0:
            return True
        await asyncio.sleep(0.01)
    return False


def _delete_all(tables: Iterable[str]) -> str:
    """One statement, at whose end foreign keys are looked at: so the order of the tables is of no account.

    TRUNCATE would take ten times as long: it makes a new file for each table and index.
    """
    parts = ", ".join(f'd{place} AS (DELETE FROM "{table}")' for place, table in enumerate(tables))
    return f"WITH {parts} SELECT"
