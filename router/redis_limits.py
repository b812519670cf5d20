"""Rate limits that several workers share, in Redis, and what they do while Redis is gone."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import MovedError, NoScriptError, ReadOnlyError, RedisError

from router.core.errors import Unavailable
from router.expiring import Expiring
from router.limits import DAY_KEPT, Bucket, Grant, Limits, LocalLimits
from router.redis_client import TIMEOUT, at_node

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_SCRIPT = files("router").joinpath("bucket.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()

RETRY_AFTER = 1.0
"""Seconds after which to ask a Redis again that did not answer."""

SETTLES = 30.0
"""Seconds after a change between shared and local buckets in which unused tokens may be of the other side."""


class RedisLimits:
    """`Limits` in Redis: one script (``bucket.lua``) per call, on Redis's own clock.

    All keys of an installation share one hash tag, so that one call takes from many buckets on Redis Cluster too;
    one node answers far more calls than providers take messages. Where the named node is not the one that has them,
    it says which has, and we go there until that one fails. Every key expires by itself.
    """

    def __init__(
        self,
        client: Redis,
        *,
        prefix: str = "outreach",
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`timeout` is in seconds over each call; `prefix` tells installations apart that share a Redis."""
        self._client = self._named = client
        self._node = ("", 0)
        self._prefix = f"{{{prefix}}}"
        self._timeout = timeout
        self._paused: Expiring[str, None] = Expiring(clock)

    async def aclose(self) -> None:
        """Close what was opened to another node of a cluster; the client that was given is its owner's to close."""
        await self._use(self._named, "", 0)

    async def take(self, bucket: Bucket, wanted: int, *, spare: int = 0) -> Grant:
        """See `Limits`."""
        rest = self._paused.left(bucket.name)
        if rest > 0:
            return Grant(0, rest)
        [grant] = await self._take([bucket], wanted, spare)
        return grant

    async def take_each(self, buckets: Sequence[Bucket]) -> list[float]:
        """See `Limits`. One round trip, however many they are."""
        if not buckets:
            return []
        grants = await self._take(buckets, 1, 0)
        return [0.0 if grant.granted else grant.wait for grant in grants]

    async def give_back(self, bucket: Bucket, tokens: int) -> None:
        """See `Limits`."""
        if bucket.rate > 0:
            await self._tell("give", self._key(bucket.name), bucket.rate, tokens)

    async def pause(self, name: str, seconds: float) -> None:
        """See `Limits`. This process knows at once, others with their next take."""
        self._learn(name, seconds)
        await self._tell("pause", self._key(name), math.ceil(seconds * 1e6))

    def is_paused(self, name: str) -> bool:
        """See `Limits`: pauses of this process, and those that it heard of in answer to a take."""
        return name in self._paused

    async def count(self, name: str, n: int, *, cap: int, day: str) -> int:
        """See `Limits`."""
        counted: int = await self._run("count", [self._day_key(name, day)], n, cap, int(DAY_KEPT))
        return counted

    async def uncount(self, name: str, n: int, *, day: str) -> None:
        """See `Limits`."""
        await self._tell("count", self._day_key(name, day), -n, 0, int(DAY_KEPT))

    def _key(self, name: str) -> str:
        return f"{self._prefix}:bucket:{name}"

    def _day_key(self, name: str, day: str) -> str:
        return f"{self._prefix}:day:{day}:{name}"

    def _learn(self, name: str, seconds: float) -> None:
        if seconds > self._paused.left(name):
            self._paused.put(name, None, seconds)

    async def _take(self, buckets: Sequence[Bucket], wanted: int, spare: int) -> list[Grant]:
        asked = [part for bucket in buckets for part in (bucket.rate, bucket.burst, wanted, spare)]
        answer = await self._run("take", [self._key(bucket.name) for bucket in buckets], *asked)
        grants = []
        for bucket, granted, wait, rest in zip(buckets, answer[::3], answer[1::3], answer[2::3], strict=True):
            if rest:
                self._learn(bucket.name, rest / 1e6)
            grants.append(Grant(granted, wait / 1e6))
        return grants

    async def _tell(self, act: str, key: str, *arguments: float) -> None:
        # What was to be told is lost with a Redis that is gone: `Limits` says what that costs.
        with contextlib.suppress(Unavailable):
            await self._run(act, [key], *arguments)

    async def _run(self, act: str, keys: Sequence[str], *arguments: float) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    return await self._call(act, keys, *arguments)
                except MovedError as moved:  # on a cluster, to where our slot is
                    if (moved.host, moved.port) != self._node:
                        await self._use(at_node(self._named, moved.host, moved.port), moved.host, moved.port)
                    return await self._call(act, keys, *arguments)
        except (RedisError, OSError) as error:
            await self.aclose()
            if isinstance(error, ReadOnlyError):  # it became a replica: connect anew, to whoever leads now
                await self._client.connection_pool.disconnect(inuse_connections=False)
            raise Unavailable(f"Redis does not answer: {type(error).__name__}", retry_after=RETRY_AFTER) from error

    async def _call(self, act: str, keys: Sequence[str], *arguments: float) -> Any:
        try:
            return await self._client.evalsha(_SHA, len(keys), *keys, act, *arguments)
        except NoScriptError:  # a Redis that was started anew; EVAL makes it remember the script
            return await self._client.eval(_SCRIPT, len(keys), *keys, act, *arguments)

    async def _use(self, client: Redis, host: str, port: int) -> None:
        left, self._client, self._node = self._client, client, (host, port)
        if left is not self._named:
            await left.aclose()


class FallbackLimits:
    """Shared limits and, while they are `Unavailable`, a safe share of each in this process.

    `share` is this process's part, 1 / (number of worker processes). Its buckets count as empty at the moment when
    the shared ones are lost, so that a change over gives nobody a burst; the way back may give one, once. Small
    bursts cannot be shared out: each process may have one token at hand. A day's count has no safe share, since
    nobody knows what the others took today: `count` keeps raising `Unavailable`.
    """

    def __init__(
        self, shared: Limits, local: LocalLimits, *, share: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = shared
        self._local = local
        self._share = share
        self._clock = clock
        self._lost = False
        self._ask_at = -math.inf
        self._settled_at = -math.inf

    async def take(self, bucket: Bucket, wanted: int, *, spare: int = 0) -> Grant:
        """See `Limits`; never raises."""
        # A pause that was told while the shared limits were lost is known here alone.
        if not self._local.is_paused(bucket.name) and self._may_ask():
            with contextlib.suppress(Unavailable):
                return await self._ask(self._shared.take(bucket, wanted, spare=spare))
        return await self._local.take(bucket.scaled(self._share), wanted, spare=spare)

    async def take_each(self, buckets: Sequence[Bucket]) -> list[float]:
        """See `Limits`; never raises."""
        if self._may_ask():
            with contextlib.suppress(Unavailable):
                return await self._ask(self._shared.take_each(buckets))
        return await self._local.take_each([bucket.scaled(self._share) for bucket in buckets])

    async def give_back(self, bucket: Bucket, tokens: int) -> None:
        """See `Limits`."""
        if tokens > 0 and self._clock() < self._settled_at:
            return  # taken on the other side of a change: they flow back by themselves
        if self._lost:
            await self._local.give_back(bucket.scaled(self._share), tokens)
        else:
            await self._shared.give_back(bucket, tokens)

    async def pause(self, name: str, seconds: float) -> None:
        """See `Limits`."""
        await self._local.pause(name, seconds)
        if not self._lost:
            await self._shared.pause(name, seconds)

    def is_paused(self, name: str) -> bool:
        """See `Limits`."""
        return self._local.is_paused(name) or self._shared.is_paused(name)

    async def count(self, name: str, n: int, *, cap: int, day: str) -> int:
        """See `Limits`; raises `Unavailable` as long as the shared counters are gone."""
        if not self._may_ask():
            raise Unavailable("the day's count is in Redis, which does not answer", retry_after=RETRY_AFTER)
        return await self._ask(self._shared.count(name, n, cap=cap, day=day))

    async def uncount(self, name: str, n: int, *, day: str) -> None:
        """See `Limits`."""
        if not self._lost:
            await self._shared.uncount(name, n, day=day)

    def _may_ask(self) -> bool:
        """While the shared limits are lost, one caller in a while tries them; the others need not wait for that."""
        if not self._lost:
            return True
        if self._clock() < self._ask_at:
            return False
        self._ask_at = self._clock() + RETRY_AFTER
        return True

    async def _ask(self, call: Awaitable[Answer]) -> Answer:
        try:
            answer = await call
        except Unavailable as error:
            if not self._lost:
                log.warning("rates: %s; this process goes on with %.0f %% of each", error, self._share * 100)
                self._local.drain()
                self._change(lost=True)
            self._ask_at = self._clock() + RETRY_AFTER
            raise
        if self._lost:
            log.warning("rates: Redis is back; all processes share them again")
            self._change(lost=False)
        return answer

    def _change(self, *, lost: bool) -> None:
        self._lost = lost
        self._settled_at = self._clock() + SETTLES
