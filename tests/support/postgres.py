"""A PostgreSQL for the tests: the one that is named, the one that listens, or one of our own."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import socket
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import asyncpg

from router.store.engine import Store
from router.store.migrate import migrate

_PREFIX = f"outreach_test_{os.getpid()}"


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


@cache
def template() -> str:
    """Name of a migrated database that tests are copied from."""
    name = f"{_PREFIX}_template"
    _run(f'CREATE DATABASE "{name}"')
    atexit.register(_run, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def fill() -> None:
        store = Store(_url_of(name))
        await migrate(store)
        await store.aclose()

    _in_thread(fill())
    return name


class FreshDatabase:
    """A database of its own, gone at the end of the ``with``."""

    _count = 0

    def __enter__(self) -> str:
        FreshDatabase._count += 1
        self.name = f"{_PREFIX}_{FreshDatabase._count}"
        _run(f'CREATE DATABASE "{self.name}" TEMPLATE "{template()}"')
        return _url_of(self.name)

    def __exit__(self, *_: object) -> None:
        _run(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


def _url_of(name: str) -> str:
    base = admin_url()
    assert base is not None
    return base.rsplit("/", 1)[0] + f"/{name}"


def _run(statement: str) -> None:
    async def go() -> None:
        connection = await asyncpg.connect(admin_url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    _in_thread(go())


def _in_thread(work: object) -> None:
    """Run a coroutine to its end from anywhere, also from inside a running loop."""
    import threading

    failure: list[BaseException] = []

    def target() -> None:
        try:
            asyncio.run(work)  # type: ignore[arg-type]
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


def _connects(url: str) -> bool:
    async def go() -> None:
        await (await asyncpg.connect(url, timeout=5)).close()

    try:
        _in_thread(go())
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "nobody")
        as_user = ["runuser", "-u", "nobody", "--"]
    postgres = str(Path(initdb).with_name("postgres"))
    subprocess.run(
        [
            *as_user,
            initdb,
            "-D",
            str(folder / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-N",
            "-E",
            "UTF8",
            "--locale=C",
        ],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    server = subprocess.Popen(
        [*as_user, postgres, "-D", str(folder / "data"), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    atexit.register(shutil.rmtree, folder, True)
    atexit.register(server.wait)
    atexit.register(server.terminate)
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    for _ in range(100):
        if _connects(url):
            return url
        import time

        time.sleep(0.1)
    return None
