"""A Redis for the tests: the one that is named, the one that listens, or one of our own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from functools import cache

from redis.asyncio import Redis

from router.redis_client import open_redis

NONE = "no Redis: install redis-server, or set OUTREACH_TEST_REDIS_URL"

_count = itertools.count(1)


@cache
def redis_url() -> str | None:
    """Where tests may keep keys, or None with no Redis on this machine."""
    named = os.environ.get("OUTREACH_TEST_REDIS_URL")
    if named:
        return named
    if _listens(6379):
        return "redis://127.0.0.1:6379/0"
    if OwnRedis.program() is None:
        return None
    own = OwnRedis()
    atexit.register(own.close)
    own.start()
    return own.url


def fresh_prefix() -> str:
    """A name before all keys of one test that no other test uses."""
    return f"outreach-test-{os.getpid()}-{next(_count)}"


@contextlib.asynccontextmanager
async def fresh_redis() -> AsyncIterator[tuple[Redis, str]]:
    """A client and a prefix of its own, whose keys are gone at the end; skips the test where there is no Redis."""
    import pytest  # the bench uses this module too, in an environment without it

    url = redis_url()
    if url is None:
        pytest.skip(NONE)
    prefix = fresh_prefix()
    async with open_redis(url) as client:
        yield client, prefix
        await remove_keys(client, prefix)


async def remove_keys(client: Redis, prefix: str) -> None:
    """What FLUSHALL does, for one test's keys."""
    async for key in client.scan_iter(match=f"*{prefix}*", count=1000):
        await client.delete(key)


class OwnRedis:
    """A throw-away server that a test may kill, freeze and start anew, on the same port."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._folder = tempfile.mkdtemp(prefix="outreach-redis-")
        self._server: subprocess.Popen[bytes] | None = None
        # It and its cluster's port, 10,000 above, below those that systems hand out, so that both stay free.
        self.port = next(port for port in iter(lambda: random.randint(10_000, 20_000), 0) if not _listens(port))
        self.url = f"redis://127.0.0.1:{self.port}/0"

    @staticmethod
    def program() -> str | None:
        """Where the server's binary is, if it is on this machine."""
        return shutil.which("redis-server") or shutil.which("valkey-server")

    def start(self) -> None:
        """Start it and wait until it listens."""
        program = self.program()
        if program is None:
            import pytest

            pytest.skip(NONE)
        self._server = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder, "--save", "",
             "--appendonly", "no", *self._options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 20
        while not _listens(self.port):
            assert self._server.poll() is None, "redis-server did not start"
            assert time.monotonic() < until, "redis-server does not listen"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut does; it forgets everything."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def freeze(self) -> None:
        """Let it keep its connections and answer nothing."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End `freeze`."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and remove what it left on the disk."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def own_redis(*options: str) -> AsyncIterator[OwnRedis]:
    """A server of this test's own, running."""
    server = OwnRedis(*options)
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.close)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
