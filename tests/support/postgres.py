"""A PostgreSQL for the tests: the one that is named, the one that listens, or one of our own."""

from __future__ import annotations

import asyncio
import atexit
import os
import socket
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

import asyncpg

from tests.support.own_postgres import OwnPostgres

T = TypeVar("T")


@cache
def admin_url() -> str | None:
    """Where databases may be made, or None with no PostgreSQL on this machine."""
    named = os.environ.get("OUTREACH_TEST_DATABASE_URL")
    if named:
        return named
    if _answers("127.0.0.1", 5432):
        for user in ("postgres", os.environ.get("USER", "root")):
            url = f"postgresql://{user}@127.0.0.1:5432/postgres"
            if _connects(url):
                return url
    return _start_own()


def url_of(database: str) -> str:
    """The address of another database of the same server."""
    base = admin_url()
    assert base is not None
    return base.rsplit("/", 1)[0] + f"/{database}"


def execute(statement: str) -> None:
    """Run a statement that makes or drops a database."""
    url = admin_url()

    async def go() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    in_thread(go())


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on one other loop, also from inside a running one, but not from inside that one."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="databases", daemon=True)
    thread.start()

    def close() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    atexit.register(close)
    return loop


def _connects(url: str) -> bool:
    async def go() -> None:
        await (await asyncpg.connect(url, timeout=5)).close()

    try:
        in_thread(go())
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    return True


def _answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def _start_own() -> str | None:
    """Start a throw-away server from the binaries on this machine."""
    if OwnPostgres.program() is None:
        return None
    server = OwnPostgres()
    atexit.register(server.close)
    server.start()
    return server.url
