"""SQLite on the event loop's own thread, behind SQLAlchemy's aiosqlite dialect.

aiosqlite hands every statement to a thread and back, four times over with SQLAlchemy; on one core that was an eighth
of a blast's time. A statement on a batch takes less than the hand-over, so here it runs where it is called. What can
be slow stays off the loop: a commit that wrote (fsync) runs in a thread, and after `YIELD_AFTER` seconds of statements
on end other tasks get their turn. Waiting for another process's lock is `Store.write`'s, which sleeps instead of
blocking.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

YIELD_AFTER = 0.005
"""Seconds that statements may hold the loop before others get a turn."""


class InlineCursor:
    """As much of ``aiosqlite.Cursor`` as SQLAlchemy uses."""

    def __init__(self, connection: InlineConnection) -> None:
        self._connection = connection
        self._cursor = connection.raw.cursor()

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> Self:
        await self._connection.take_turn()
        self._cursor.execute(statement, parameters)
        return self

    async def executemany(self, statement: str, parameters: Sequence[Any]) -> Self:
        await self._connection.take_turn()
        self._cursor.executemany(statement, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid


class InlineConnection:
    """As much of ``aiosqlite.Connection`` as SQLAlchemy uses. Transactions are begun by hand (``Store``)."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self._connection: sqlite3.Connection | None = raw
        self._committer = ThreadPoolExecutor(1, "sqlite-commit")
        self._written = raw.total_changes
        self._since = 0.0

    async def take_turn(self) -> None:
        """Let other tasks run, if statements have held the loop for long enough."""
        now = time.monotonic()
        if now - self._since > YIELD_AFTER:
            await asyncio.sleep(0)
            self._since = time.monotonic()

    def cursor(self) -> InlineCursor:
        return InlineCursor(self)

    async def create_function(self, *arguments: Any, **options: Any) -> None:
        self.raw.create_function(*arguments, **options)

    async def commit(self) -> None:
        if self.raw.total_changes == self._written:
            self.raw.commit()
            return
        await asyncio.get_running_loop().run_in_executor(self._committer, self.raw.commit)
        self._written = self.raw.total_changes

    async def rollback(self) -> None:
        self.raw.rollback()
        self._written = self.raw.total_changes

    async def close(self) -> None:
        self._committer.shutdown()
        self.stop()

    def stop(self) -> None:
        """Close at once, without waiting."""
        self._connection = None
        self.raw.close()


async def open_inline(path: str, pragmas: Sequence[str], *, uri: bool) -> InlineConnection:
    """Open a SQLite file with these pragmas set."""
    raw = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False, uri=uri)
    for pragma in pragmas:
        raw.execute(f"PRAGMA {pragma}")
    return InlineConnection(raw)
