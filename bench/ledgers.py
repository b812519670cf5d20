"""Fresh ledgers for the bench: members are imported once, each run starts from a copy.

SQLite files lie under ``bench/out`` and not under ``/tmp``, which is memory on many machines and makes fsync free.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from bench import harness
from bench.members import write_bench_csv
from router.loop import run


class Ledger(Protocol):
    """A database with members in it, of which fresh copies can be had."""

    name: str

    def copy(self) -> contextlib.AbstractContextManager[str]:
        """The URL of a copy that is gone afterwards."""
        ...

    def query(self, url: str, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a SELECT."""
        ...

    def durability(self) -> dict[str, str]:
        """What the database does for a commit to last."""
        ...


class SqliteLedger:
    """One file."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "members.sqlite3"
        self.url = f"sqlite:///{self.path}"

    @contextlib.contextmanager
    def copy(self) -> Iterator[str]:
        path = self.path.with_name("run.sqlite3")
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(self.path, path)
        try:
            yield f"sqlite:///{path}"
        finally:
            for left in path.parent.glob(f"{path.name}*"):
                left.unlink()

    def query(self, url: str, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(statement).fetchall()

    def durability(self) -> dict[str, str]:
        return {
            "pragmas": "journal_mode=WAL synchronous=FULL (set by router/store/engine.py)",
            "fsync": f"on; one takes {fsync_ms(self.path.parent):.2f} ms here (median of 50)",
        }


class PostgresLedger:
    """A database of its own on a PostgreSQL that is there or is started."""

    name = "PostgreSQL"

    def __init__(self) -> None:
        from tests.support import postgres

        self.admin = postgres.admin_url()
        if self.admin is None:
            raise LookupError("no PostgreSQL on this machine")
        self._template = f"outreach_bench_{os.getpid()}"
        self.url = self._named(self._template)
        self._execute(f'CREATE DATABASE "{self._template}"')

    def _named(self, name: str) -> str:
        return f"{str(self.admin).rsplit('/', 1)[0]}/{name}"

    @contextlib.contextmanager
    def copy(self) -> Iterator[str]:
        name = f"{self._template}_run"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        try:
            yield self._named(name)
        finally:
            self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def drop(self) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{self._template}" WITH (FORCE)')

    def query(self, url: str, statement: str) -> list[tuple[Any, ...]]:
        async def ask() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(url)
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()

        rows: list[tuple[Any, ...]] = _run(ask())
        return rows

    def durability(self) -> dict[str, str]:
        settings = dict(
            self.query(
                self.url,
                "SELECT name, setting FROM pg_settings"
                " WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'server_version')",
            )
        )
        return {
            "pragmas": f"synchronous_commit={settings['synchronous_commit']}"
            f" full_page_writes={settings['full_page_writes']}"
            f" (PostgreSQL {settings['server_version']}, its processes not pinned)",
            "fsync": settings["fsync"],
        }

    def _execute(self, statement: str) -> None:
        async def do() -> None:
            connection = await asyncpg.connect(self.admin)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        _run(do())


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return run(work)


def fsync_ms(folder: Path) -> float:
    """How long the disk under `folder` takes to make 4 KiB durable."""
    page, times = b"\0" * 4096, []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(50):
            file.write(page)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


@contextlib.contextmanager
def filled(kind: str, members: int, folder: Path, cores: harness.Cores) -> Iterator[Ledger]:
    """A ledger of this kind (``sqlite`` or ``postgresql``) into which `members` members were imported."""
    file = folder / f"{members}.csv"
    if not file.exists():
        write_bench_csv(file, members)
    with contextlib.ExitStack() as stack:
        ledger: SqliteLedger | PostgresLedger
        if kind == "sqlite":
            place = folder / f"sqlite-{members}"
            place.mkdir()
            stack.callback(shutil.rmtree, place)
            ledger = SqliteLedger(place)
        else:
            ledger = PostgresLedger()
            stack.callback(ledger.drop)
        harness.run(["-m", "bench.importing", "--file", str(file), "--url", ledger.url], core=cores.sender)
        [(found,)] = ledger.query(ledger.url, "SELECT count(*) FROM member")
        assert found == members, f"{found} members in the ledger, {members} in the file"
        yield ledger
