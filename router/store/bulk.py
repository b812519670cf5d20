"""Many rows at once, on both databases: the few places where their SQL differs for speed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import CursorResult, Table, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection


@lru_cache(maxsize=2_000)
def sql(statement: str) -> TextClause:
    """A statement, looked through for its parameters once: each time anew it is a third of what a small one costs."""
    return text(statement)


def is_sqlite(connection: AsyncConnection) -> bool:
    """Whether this connection speaks to SQLite."""
    return connection.dialect.name == "sqlite"


def in_numbers(connection: AsyncConnection, parameter: str) -> str:
    """SQL for "is one of the numbers in :parameter"; bind it with `numbers`."""
    if is_sqlite(connection):
        return f"IN (SELECT value FROM json_each(:{parameter}))"
    return f"= ANY(CAST(:{parameter} AS bigint[]))"


def numbers(connection: AsyncConnection, values: Iterable[int]) -> Any:
    """The value to bind for `in_numbers`. Not as text: where PostgreSQL filters by it, that is read for each row."""
    return json.dumps(list(values)) if is_sqlite(connection) else list(values)


def array(values: Iterable[int | None]) -> str:
    """Numbers as PostgreSQL writes an array: the driver takes several times as long over a list of them."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def for_share(connection: AsyncConnection, of: str = "") -> str:
    """Row lock against changes, where there is one; SQLite has one writer anyway."""
    return "" if is_sqlite(connection) else " FOR SHARE" + (f" OF {of}" if of else "")


def for_update(connection: AsyncConnection, of: str = "", *, skip_locked: bool = False) -> str:
    """Row lock of a row that will change (its key will not)."""
    if is_sqlite(connection):
        return ""
    return " FOR NO KEY UPDATE" + (f" OF {of}" if of else "") + (" SKIP LOCKED" if skip_locked else "")


def plain_rows(result: CursorResult[Any]) -> Sequence[Any]:
    """All rows as the driver gives them: by position only, moments in milliseconds. Half the price of SQLAlchemy's."""
    assert result.cursor is not None, "the statement returns rows"
    rows: Sequence[Any] = result.cursor.fetchall()
    result.close()
    return rows


async def insert_rows(
    connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert tuples in the order of `columns`: COPY on PostgreSQL, executemany on SQLite.

    Values are as the database stores them (moments in milliseconds).
    """
    if not rows:
        return
    if is_sqlite(connection):
        holes = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table.name} ({_names(columns)}) VALUES ({holes})"
        await connection.exec_driver_sql(statement, list(rows))
        return
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    if not raw.is_in_transaction():
        await connection.execute(sql("SELECT 1"))  # the driver opens its transaction with the first statement
    await raw.copy_records_to_table(table.name, records=rows, columns=list(columns))


async def insert_new_rows(
    connection: AsyncConnection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    returning: str,
) -> list[Any]:
    """Insert what does not collide with any unique key; returns `returning` of the rows that went in.

    The rows go in in the order given, which decides who waits for whom.
    """
    if not rows:
        return []
    if is_sqlite(connection):
        extracts = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(columns)))
        source = f"SELECT {extracts} FROM json_each(:rows) WHERE true"
        parameters: dict[str, Any] = {"rows": json.dumps(rows, ensure_ascii=False)}
    else:
        types = [_pg_type(table, name) for name in columns]
        arrays = ", ".join(
            f"CAST({f'CAST(:c{place} AS text)' if kind == 'bigint' else f':c{place}'} AS {kind}[])"
            for place, kind in enumerate(types)
        )
        source = f"SELECT * FROM unnest({arrays})"
        cells = zip(*rows, strict=True)
        parameters = {
            f"c{place}": array(some) if kind == "bigint" else list(some)
            for place, (kind, some) in enumerate(zip(types, cells, strict=True))
        }
    statement = f"INSERT INTO {table.name} ({_names(columns)}) {source} ON CONFLICT DO NOTHING RETURNING {returning}"
    return [row[0] for row in plain_rows(await connection.execute(sql(statement), parameters))]


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


@cache
def _pg_type(table: Table, name: str) -> str:
    kind = table.c[name].type.compile()
    return kind.lower().partition("(")[0] if not kind.lower().startswith("varchar") else "text"
