"""What the databases do with the program's own statements: written down while it works, then planned once more."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import Engine, event

from router.store.engine import Store


class Statement(NamedTuple):
    """One statement as it went to the driver, with the parameters of the first time."""

    sql: str
    parameters: tuple[Any, ...]


class Plan(NamedTuple):
    """How a database would run a statement."""

    whole: tuple[str, ...]
    """Tables that are read from end to end."""
    indexes: frozenset[str]
    """Indexes that are looked into, by the names that the migrations gave them."""


@contextmanager
def written_down(store: Store) -> Iterator[dict[str, Statement]]:
    """All statements that go over this store meanwhile, each once."""
    found: dict[str, Statement] = {}
    engines: set[Engine] = {store._writer.sync_engine, store._reader.sync_engine}

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement not in found and statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
            found[statement] = Statement(statement, tuple((parameters[0] if many else parameters) or ()))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


_PARTIAL = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"


class SqlitePlanner:
    """Plans on a SQLite file. ``SCAN`` reads a whole table, or an index from its one end until there is enough."""

    def __init__(self, url: str) -> None:
        self._path = url.removeprefix("sqlite:///")

    async def plan(self, statements: list[Statement]) -> list[Plan]:
        with closing(sqlite3.connect(self._path)) as connection:
            return [self._plan(connection, statement) for statement in statements]

    async def execute(self, sql: str) -> None:
        with closing(sqlite3.connect(self._path)) as connection:
            connection.execute(sql)
            connection.commit()

    def _plan(self, connection: sqlite3.Connection, statement: Statement) -> Plan:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.parameters).fetchall()
        steps = [row[3] for row in rows]
        sorted_in = {parent for _, parent, _, step in rows if "TEMP B-TREE FOR ORDER" in step}
        partial = {name for (name,) in connection.execute(_PARTIAL)}
        names = _names(statement.sql)
        whole = []
        for _, parent, _, step in rows:
            scan = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
            if month := re.match(r"SEARCH (\w+) USING .*\(month=\?\)$", step):
                whole.append(names.get(month[1], month[1]))
            in_order = "LIMIT" in statement.sql.upper() and parent not in sorted_in
            if scan and not in_order and scan[2] not in partial:
                whole.append(names.get(scan[1], scan[1]))
        used = {found[1] for step in steps if (found := re.search(r"USING (?:COVERING )?INDEX (\w+)", step))}
        return Plan(tuple(whole), frozenset(used))


class PostgresPlanner:
    """Plans on PostgreSQL, as of large tables. Partitions go by the name of their table.

    Of ten thousand rows PostgreSQL rightly reads all rather than looking a thousand up, and joins by hashing them.
    What is to be known is whether there is a way that does not grow with the table. So these are made dear: a plan
    that has them all the same has no other way.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    async def plan(self, statements: list[Statement]) -> list[Plan]:
        connection = await asyncpg.connect(self._url)
        try:
            inherited = await connection.fetch(
                "SELECT c.relname AS child, c.relkind AS kind, p.relname AS parent FROM pg_inherits i"
                " JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent"
            )
            parents = {row["child"]: row["parent"] for row in inherited}
            kinds = {row["child"]: row["kind"] for row in inherited}
            partial = {
                row["relname"]
                for row in await connection.fetch(
                    "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indpred IS NOT NULL"
                )
            }
            empty = {
                child
                for child in parents
                if kinds[child] == b"r" and not await connection.fetchval(f'SELECT EXISTS (SELECT FROM "{child}")')
            }
            for way in ("seqscan", "hashjoin", "mergejoin"):
                await connection.execute(f"SET enable_{way} = off")
            plans = []
            for statement in statements:
                found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement.sql}", *statement.parameters)
                plans.append(_postgres_plan(json.loads(found)[0]["Plan"], parents, partial, empty))
            return plans
        finally:
            await connection.close()

    async def execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


def _postgres_plan(root: dict[str, Any], parents: dict[str, str], partial: set[str], empty: set[str]) -> Plan:
    whole: list[str] = []
    used: set[str] = set()

    def look(node: dict[str, Any], *, limited: bool) -> None:
        kind, table = node["Node Type"], node.get("Relation Name", "")
        if "Index Name" in node:
            used.add(parents.get(node["Index Name"], node["Index Name"]))
        # A partial index is read whole on purpose: it has only the few rows that wait for something.
        is_index = kind in ("Index Scan", "Index Only Scan") and "Index Cond" not in node
        is_index = is_index and node["Index Name"] not in partial
        reads_all = kind == "Seq Scan" or (is_index and not limited) or _by_month_alone(node.get("Index Cond", ""))
        if (
            reads_all and table not in empty
        ):  # all ways through an empty partition cost the same: the choice says nothing
            whole.append(parents.get(table, table))
        # What is sorted or grouped first is read to its end whatever limit stands above it.
        limited = kind == "Limit" or (limited and kind not in ("Sort", "Aggregate", "Hash", "WindowAgg"))
        for child in node.get("Plans", ()):
            look(child, limited=limited)

    look(root, limited=False)
    return Plan(tuple(whole), frozenset(used))


def _by_month_alone(condition: str) -> bool:
    """Whether all there is of a month is read."""
    return set(re.findall(r"\b(\w+) (?:=|<|>|<=|>=) ", condition)) == {"month"}


def _names(sql: str) -> dict[str, str]:
    """Alias → table."""
    found = re.findall(r'(?:FROM|JOIN|UPDATE|INTO|,)\s+"?(\w+)"?\s+(?:AS\s+)?(\w+)', sql, re.IGNORECASE)
    return {alias: table for table, alias in found}
