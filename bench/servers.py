"""The servers that a ledger needs beside it, and what they spend: PostgreSQL's processes, and a Redis of our own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg
import psutil
from redis import Redis

from router.loop import run
from tests.support.redis import OwnRedis


@dataclass(slots=True)
class Servers:
    """Whose CPU seconds are counted; None for what is not there."""

    redis_url: str = ""
    postmaster: psutil.Process | None = None

    def cpu_seconds(self, *, postgresql: bool) -> float:
        """All that they spent so far. Whatever else a PostgreSQL does is in it: let nobody else use it meanwhile."""
        spent = 0.0
        if self.redis_url:
            with contextlib.closing(Redis.from_url(self.redis_url)) as redis:
                usage = redis.info("cpu")
            spent += float(usage["used_cpu_user"] + usage["used_cpu_sys"])
        if postgresql and self.postmaster is not None:
            # A backend that has ended is in its parent's account of children.
            own = self.postmaster.cpu_times()
            spent += own.user + own.system + own.children_user + own.children_system
            for backend in self.postmaster.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = backend.cpu_times()
                    spent += times.user + times.system
        return spent


@contextlib.contextmanager
def own_redis() -> Iterator[str]:
    """A Redis that nobody else uses, gone afterwards; raises LookupError where there is no program."""
    if OwnRedis.program() is None:
        raise LookupError("no redis-server on this machine")
    server = OwnRedis()
    try:
        server.start()
        yield server.url
    finally:
        server.close()


def postmaster_of(url: str) -> psutil.Process | None:
    """The process above all of PostgreSQL's, seen by the connection's own; None where that is on another machine."""

    async def find() -> psutil.Process | None:
        connection = await asyncpg.connect(url)
        try:
            backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
            # Its title names the database: else this number is some other process's here.
            return backend.parent() if url.rpartition("/")[2] in " ".join(backend.cmdline()) else None
        except psutil.Error:
            return None
        finally:
            await connection.close()

    return run(find())
