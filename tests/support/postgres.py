"""A PostgreSQL for the tests: the one that is named, the one that listens, or one of our own."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Coroutine
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")

_NOT_DURABLE = ("-c", "fsync=off", "-c", "full_page_writes=off")
"""A server of our own is thrown away, so nothing in it needs to survive a power cut."""


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
    found = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        *Path("/opt/homebrew/opt").glob("postgresql*/bin/initdb"),
    ]
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if not initdb:
        return None
    folder = Path(tempfile.mkdtemp(prefix="outreach-pg-"))
    data = str(folder / "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "nobody")
        as_user = ["runuser", "-u", "nobody", "--"]
    make = [initdb, "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
    subprocess.run([*as_user, *make], check=True, capture_output=True, cwd=folder)
    postgres = str(Path(initdb).with_name("postgres"))
    serve = [postgres, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder), *_NOT_DURABLE]
    server = subprocess.Popen([*as_user, *serve], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    atexit.register(shutil.rmtree, folder, True)
    atexit.register(server.wait)
    atexit.register(server.terminate)
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    for _ in range(100):
        if _connects(url):
            return url
        time.sleep(0.1)
    return None
