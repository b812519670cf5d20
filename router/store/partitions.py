"""Large tables by month, on PostgreSQL: a month's partition is made before its first row, and goes as one.

SQLite keeps one table of each; nothing here does anything there.

A partition is made beside the table and attached then: attaching lets readers and writers of the other months go on,
where CREATE TABLE … PARTITION OF would wait for all of them
(https://www.postgresql.org/docs/15/sql-altertable.html, ATTACH PARTITION). A month without a partition of its own lands
in the one for the rest, so that no message fails for want of a table. That one has a price: with it DETACH PARTITION
CONCURRENTLY is not allowed (same page), so a month is detached under a lock of milliseconds, which nobody waits for
longer than `LOCK_WAIT`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import Unavailable
from router.store.bulk import is_sqlite
from router.store.engine import Store, is_passing
from router.store.spendings import month_of

log = logging.getLogger(__name__)

PARTITIONED = frozenset({"delivery", "attempt", "receipt", "reply_text", "inbound"})
"""By the month of their campaign; the last by the month of its arrival."""

LOCK_WAIT = "250ms"
"""Whoever makes or drops a partition waits so long for the others, who wait behind it; then they go first."""

MOVED_AT_MOST = 10_000
"""Rows of a month that are moved out of the partition for the rest; where there are more, the month stays there."""

AUTOVACUUM = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05,"
    " autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_limit = 2000"
)
"""At the server's own 0.2 a month of ten million deliveries is looked at after two million changes, and at its cost
limit of 200 a pass takes hours (https://www.postgresql.org/docs/15/runtime-config-autovacuum.html)."""

OPTIONS = {"delivery": f"fillfactor = 50, {AUTOVACUUM}"}
"""Table → storage parameters of its partitions, `AUTOVACUUM` for the others. A parent can have none. For the
fill factor see migration 0010."""

_LOCK = 0x6F757470
"""PostgreSQL advisory lock of the transaction that makes or drops a partition ("outp")."""

_CHILDREN = """
SELECT p.relname, c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE i.inhparent = ANY(CAST(:tables AS regclass[])) ORDER BY c.relname
"""
_BOUNDS = re.compile(r"FROM \((MINVALUE|\d+)\) TO \((\d+)\)")

_known: WeakKeyDictionary[Store, set[int]] = WeakKeyDictionary()
"""Months that this process has looked for and found."""


class Partition(NamedTuple):
    """One piece of a table: the months ``first`` to before ``end``."""

    name: str
    first: int
    end: int
    """0 for both: the partition for the rest."""

    @property
    def only(self) -> int | None:
        """The one month that it is for; None where it is for more."""
        return self.first if self.first and self.end == self.first + 1 else None

    def covers(self, month: int) -> bool:
        """Whether rows of this month must lie here."""
        return self.first <= month < self.end


async def keep_months(store: Store, *, now: datetime) -> int:
    """Make the partitions of this month and the next where they are missing; returns how many months were."""
    known = _known.setdefault(store, set())
    made = 0
    for month in (month_of(now), _after(month_of(now))):
        if month not in known:
            done = await ensure_month(store, month)
            made += bool(done.tables)
            if not done.in_the_way:
                known.add(month)
    return made


class Made(NamedTuple):
    """What came of `ensure_month`."""

    tables: list[str]
    """Those that got a partition now."""
    in_the_way: bool
    """Somebody held a table for too long; until the next try the month's rows go to the partition for the rest."""


async def ensure_month(store: Store, month: int) -> Made:
    """Make the month's partitions where they are missing. Safe from any number of processes at once.

    In short transactions of its own: call it before, not inside, another.
    """
    if store.is_sqlite:
        return Made([], in_the_way=False)
    async with store.read() as connection:
        there = await partitions(connection)
    missing = [table for table in sorted(PARTITIONED) if not any(piece.covers(month) for piece in there[table])]
    made = []
    for table in missing:
        try:
            async with store.write() as connection:
                if await _make(connection, table, month):
                    made.append(table)
        except (DBAPIError, Unavailable) as error:
            if not is_passing(error):
                raise
            log.info("the partition of %s for %d waits for a quieter moment", table, month)
            return Made(made, in_the_way=True)
    return Made(made, in_the_way=False)


async def partitions(
    connection: AsyncConnection, tables: Collection[str] = PARTITIONED
) -> Mapping[str, Sequence[Partition]]:
    """Table → its pieces. Not for SQLite."""
    found: dict[str, list[Partition]] = {table: [] for table in tables}
    for table, name, words in await connection.execute(text(_CHILDREN), {"tables": list(tables)}):
        bounds = _BOUNDS.search(words)
        first, end = bounds.groups() if bounds else ("0", "0")
        found[table].append(Partition(name, 1 if first == "MINVALUE" else int(first), int(end)))
    return found


async def _make(connection: AsyncConnection, table: str, month: int) -> bool:
    """Make one partition, in a transaction of its own: locks of several tables could meet those of others."""
    await _begin(connection)
    if any(piece.covers(month) for piece in (await partitions(connection, [table]))[table]):
        return False  # by another process meanwhile
    rest, name = f"{table}_default", f"{table}_{month}"
    moves = await connection.scalar(text(f"SELECT EXISTS (SELECT FROM {rest} WHERE month = :month)"), {"month": month})
    if moves:
        # Who waited for the rest alone would look for these rows there, where they are no more, and find none.
        await connection.execute(text(f"LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE"))
    await connection.execute(text(f"LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE"))  # as attaching does
    stray = await connection.scalar(
        text(f"SELECT count(*) FROM (SELECT FROM {rest} WHERE month = :month LIMIT {MOVED_AT_MOST + 1}) AS few"),
        {"month": month},
    )
    if stray and not moves:  # they came meanwhile; whoever calls tries again
        raise Unavailable("rows came to the partition for the rest")
    if stray and stray > MOVED_AT_MOST:
        return False
    options = OPTIONS.get(table, AUTOVACUUM)
    await connection.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL) WITH ({options})"))
    if stray:
        await connection.execute(
            text(
                f"WITH gone AS (DELETE FROM {rest} WHERE month = :month RETURNING *)"
                f" INSERT INTO {name} SELECT * FROM gone"
            ),
            {"month": month},
        )
    await connection.execute(
        text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({month}) TO ({month + 1})")
    )
    return True


async def drop_month(connection: AsyncConnection, table: str, month: int) -> bool:
    """Drop the month's own partition; False where it has none, and its rows lie with those of other months."""
    await _begin(connection)
    own = next((piece for piece in (await partitions(connection, [table]))[table] if piece.only == month), None)
    if own is None:
        return False
    await connection.execute(text(f"ALTER TABLE {table} DETACH PARTITION {own.name}"))
    await connection.execute(text(f"DROP TABLE {own.name}"))
    return True


async def months_before(connection: AsyncConnection, table: str, month: int) -> set[int]:
    """Earlier months than this one that the table may have rows of; each is looked up by itself."""
    if is_sqlite(connection):
        return await _months_in(connection, table, month)
    found: set[int] = set()
    for piece in (await partitions(connection, [table]))[table]:
        if piece.only is None:
            found |= await _months_in(connection, piece.name, month)
        elif piece.only < month:
            found.add(piece.only)
    return found


async def _months_in(connection: AsyncConnection, table: str, month: int) -> set[int]:
    rows = await connection.execute(
        text(
            f"WITH RECURSIVE seen (month) AS (SELECT min(month) FROM {table} UNION ALL"
            f" SELECT (SELECT min(t.month) FROM {table} t WHERE t.month > seen.month) FROM seen"
            " WHERE seen.month < :before) SELECT month FROM seen WHERE month < :before"
        ),
        {"before": month},
    )
    return set(rows.scalars())


async def refresh_statistics(store: Store) -> None:
    """What the planner knows of the tables as wholes: autovacuum only looks at their partitions.

    https://www.postgresql.org/docs/15/routine-vacuuming.html#VACUUM-FOR-STATISTICS
    """
    if store.is_sqlite:
        return
    for table in sorted(PARTITIONED):
        async with store.write() as connection:
            await connection.execute(text(f"ANALYZE {table}"))


async def _begin(connection: AsyncConnection) -> None:
    await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _after(month: int) -> int:
    return month + 1 if month % 100 < 12 else month + 89
