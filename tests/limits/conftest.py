"""The two kinds of limits, each with a way to let time pass."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from router.limits import Bucket, Limits, LocalLimits
from router.redis_limits import RedisLimits
from tests.support.redis import fresh_redis

_names = itertools.count(1)


class Time:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class LocalPlace:
    """Limits in this process, on a clock of the test's."""

    slack = 0.0
    """Seconds that pass unasked between two lines of a test."""

    def __init__(self) -> None:
        self.time = Time()
        self.limits: Limits = LocalLimits(self.time)
        self.other = self.limits
        """What a second process has: another client, the same buckets."""

    def now(self) -> float:
        """Seconds, as the buckets see them."""
        return self.time.now

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time.now += seconds

    def bucket(self, rate: float, burst: float = 1.0) -> Bucket:
        """One that nobody has used."""
        return Bucket(f"sms/{next(_names)}", rate, burst)


class RedisPlace(LocalPlace):
    """Limits in Redis. Its clock cannot be moved, so whatever is in Redis is moved into the past instead."""

    slack = 0.25

    def __init__(self, client: Redis, prefix: str) -> None:
        super().__init__()
        self.client, self.prefix = client, prefix
        self.limits = RedisLimits(client, prefix=prefix, clock=self._clock)
        self.other = RedisLimits(client, prefix=prefix, clock=self._clock)

    def _clock(self) -> float:
        return self.time.now + time.monotonic()

    def now(self) -> float:
        """Seconds, as the buckets see them."""
        return self._clock()

    async def advance(self, seconds: float) -> None:
        """Let time pass: what was touched now was touched earlier, and lives so much shorter."""
        await super().advance(seconds)
        back = round(seconds * 1e6)
        async for key in self.client.scan_iter(match=f"{{{self.prefix}}}:bucket:*"):
            for field, value in (await self.client.hgetall(key)).items():
                if field in (b"at", b"rests") and int(value):
                    await self.client.hincrby(key, field, -back)
            await self.client.pexpire(key, await self.client.pttl(key) - back // 1000)  # below 0: gone now


@pytest.fixture(params=["local", "redis"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[LocalPlace]:
    """Each of the two."""
    if request.param == "local":
        yield LocalPlace()
        return
    async with fresh_redis() as (client, prefix):
        yield RedisPlace(client, prefix)
