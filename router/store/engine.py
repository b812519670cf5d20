"""One way to the ledger: `Store.write` and `Store.read`, on SQLite and on PostgreSQL.

SQLite has one writer connection and every writing transaction begins IMMEDIATE; readers never wait for it (WAL).
PostgreSQL runs READ COMMITTED. A transaction that lost a deadlock or found the database locked is tried again by
`Store.transact`. A database that is gone is raised as `Unavailable`, never as a driver's own error.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool, StaticPool

from router.core.errors import BadInput, Unavailable
from router.store.inline import InlineConnection, open_inline
from router.store.resting import ask_the_rested
from router.store.sealed_addresses import NO_SEALS, OPTION, Seals

T = TypeVar("T")

IDS_PER_BLOCK = 10_000
"""Numbers a process takes from the counter at once; what it does not use is lost, which harms nothing."""

LOCK_WAIT = 10.0
"""Seconds to wait for another process's write lock on SQLite."""

WRITER_CACHE, READER_CACHE = 8 * 1024, 4 * 1024
"""KiB of pages that a connection to SQLite keeps: one writes, and as many read as work at a time. Memory must not grow
with the audience."""

_TRIES = 5
_RETRIED = ("40P01", "40001", "55P03", "23514")
"""PostgreSQL: deadlock, serialization failure, lock not available; and no CHECK of ours (there is none) but a row whose
month got its own partition while it waited for the one that takes the rest."""


class Store:
    """The ledger of one installation.

    `write()` and `read()` give an `AsyncConnection` inside a transaction; `transact(work)` runs `work(connection)`
    in a writing transaction and again where that lost a deadlock, so `work` must not keep state between tries.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        try:
            self.url = make_url(url)
        except Exception as error:
            raise BadInput(
                "not a database URL; try sqlite:///outreach.sqlite3", place="OUTREACH_DATABASE_URL"
            ) from error
        if self.url.drivername == "postgres":  # as Heroku and others print it
            self.url = self.url.set(drivername="postgresql")
        self.dialect = self.url.get_backend_name()
        if self.dialect not in ("sqlite", "postgresql"):
            raise BadInput("use sqlite:///FILE or postgresql://…", place="OUTREACH_DATABASE_URL")
        self._most = 2 * pool_size
        self._writer: AsyncEngine
        self._reader: AsyncEngine
        if self.dialect == "sqlite":
            url_async = self.url.set(drivername="sqlite+aiosqlite")
            self._writer = _sqlite_engine(url_async, StaticPool, wait_ms=0, cache=WRITER_CACHE)
            self._reader = _sqlite_engine(
                url_async, AsyncAdaptedQueuePool, wait_ms=5_000, cache=READER_CACHE,
                pool_size=pool_size, max_overflow=pool_size,
            )  # fmt: skip
        else:
            from router.store.postgres_url import read_postgres_url  # brings the driver, for those who need it

            url_async, arguments = read_postgres_url(self.url)
            self._writer = self._reader = create_async_engine(
                url_async,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_use_lifo=True,  # few connections do most of the work, and know their statements
                connect_args=arguments,
                json_serializer=_dumps,
                hide_parameters=True,  # they are people's numbers and words, and errors are logged
            )
            ask_the_rested(self._writer)
        self._one_writer = asyncio.Lock()
        self._ids = range(0)
        self._more_ids = asyncio.Lock()
        self.took: Callable[[str, float], None] | None = None
        """Told of each transaction: ``read`` or ``write``, and its seconds."""
        self.seals = NO_SEALS

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"

    def seal_with(self, seals: Seals) -> None:
        """From the next transaction on these seal and open addresses."""
        self.seals = seals
        for engine in {self._writer, self._reader}:
            engine.sync_engine.update_execution_options(**{OPTION: seals})

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A writing transaction; commits at the end, rolls back on an exception."""
        began = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            if self.is_sqlite:
                await stack.enter_async_context(self._one_writer)
            with _gone_is_unavailable():
                async with self._writer.connect() as connection, connection.begin():
                    if self.is_sqlite:
                        await _begin_immediate(connection)
                    yield connection
        if self.took is not None:
            self.took("write", time.monotonic() - began)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A reading transaction: one snapshot on SQLite, one per statement on PostgreSQL."""
        began = time.monotonic()
        with _gone_is_unavailable():
            async with self._reader.connect() as connection, connection.begin():
                if self.is_sqlite:
                    await connection.exec_driver_sql("BEGIN")
                yield connection
        if self.took is not None:
            self.took("read", time.monotonic() - began)

    async def transact(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run `work` in a writing transaction, again where it lost a deadlock or found the database locked."""
        for attempt in range(_TRIES):
            try:
                async with self.write() as connection:
                    return await work(connection)
            except DBAPIError as error:
                if not _worth_another_try(error):
                    raise
                if attempt == _TRIES - 1:
                    raise Unavailable("the database is too busy") from error
                await asyncio.sleep(0.02 * 2**attempt)
        raise AssertionError("unreachable")

    async def take_ids(self, count: int) -> range:
        """`count` fresh numbers in one unbroken run. Own short transaction; call it before, not inside, another."""
        async with self._more_ids:
            if len(self._ids) < count:
                block = max(count, IDS_PER_BLOCK)

                async def take(connection: AsyncConnection) -> int:
                    taken = await connection.scalar(
                        text("UPDATE id_block SET next_id = next_id + :n WHERE one = 1 RETURNING next_id"), {"n": block}
                    )
                    assert taken is not None, "id_block has its row since the first migration"
                    return int(taken)

                end = await self.transact(take)
                self._ids = range(end - block, end)
            given, self._ids = self._ids[:count], self._ids[count:]
            return given

    def connections(self) -> tuple[int, int, int]:
        """Connections to the database (on SQLite, those that read): in use, open and idle, and at most."""
        pool = self._reader.pool
        return (pool.checkedout(), pool.checkedin(), self._most) if isinstance(pool, QueuePool) else (0, 0, self._most)

    async def ping(self) -> None:
        """Raise `Unavailable` unless the database answers."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


def now_ms_sql(dialect: str) -> str:
    """The database's own clock in milliseconds since 1970, as an SQL expression: leases are compared on it."""
    if dialect == "sqlite":
        return "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"


_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # an intent must survive a power cut (DESIGN.md 6, rule 20)
    "foreign_keys = ON",
    "temp_store = MEMORY",
)


def _sqlite_engine(url: URL, pool: type[Any], *, wait_ms: int, cache: int, **options: Any) -> AsyncEngine:
    pragmas = (*_PRAGMAS, f"busy_timeout = {wait_ms}", f"cache_size = -{cache}")

    async def connect(path: str, *_: Any, **arguments: Any) -> InlineConnection:
        return await open_inline(path, pragmas, uri=bool(arguments.get("uri")))

    arguments = {"async_creator_fn": connect}
    return create_async_engine(
        url, poolclass=pool, json_serializer=_dumps, hide_parameters=True, connect_args=arguments, **options
    )


async def _begin_immediate(connection: AsyncConnection) -> None:
    """Take SQLite's one write lock, sleeping while another process has it."""
    until = time.monotonic() + LOCK_WAIT
    pause = 0.001
    while True:
        try:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        except DBAPIError as error:
            if not _worth_another_try(error) or time.monotonic() > until:
                raise
        await asyncio.sleep(pause)
        pause = min(0.02, pause * 2)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_passing(error: Exception) -> bool:
    """Whether it is the database's trouble of the moment, and not the fault of what it was asked."""
    if isinstance(error, DBAPIError):
        return _worth_another_try(error) or _is_gone(error)
    return isinstance(error, Unavailable | OSError)


def _worth_another_try(error: DBAPIError) -> bool:
    name = str(getattr(error.orig, "sqlite_errorname", ""))
    return _sqlstate(error) in _RETRIED or name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _is_gone(error: DBAPIError) -> bool:
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return str(name).startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY"))
    gone = ("57P01", "57P02", "57P03", "53300", "53100")
    return error.connection_invalidated or isinstance(error, InterfaceError) or _sqlstate(error) in gone


def _sqlstate(error: DBAPIError) -> str:
    return (
        getattr(error.orig, "sqlstate", None) or getattr(getattr(error.orig, "__cause__", None), "sqlstate", None) or ""
    )


@contextlib.contextmanager
def _gone_is_unavailable() -> Any:
    """Tell a database that is gone from a statement that is wrong."""
    try:
        yield
    except (ConnectionError, TimeoutError, OSError) as error:
        raise Unavailable("the database does not answer") from error
    except DBAPIError as error:
        if _is_gone(error):
            raise Unavailable(f"the database does not answer ({type(error.orig).__name__})") from error
        raise
