"""Rate limits: token buckets that protect providers (the contact budget, which protects members, lives in SQL).

What is kept of a bucket is not its tokens but what it *owes*: the tokens that were taken and have not flowed back.
That is GCRA in its leaky-bucket form (ITU-T I.371, annex A). A full bucket owes nothing and can be forgotten, and a
new rate or burst acts with the next call. `LocalLimits` keeps buckets in this process; several workers share theirs
in Redis (``redis_limits.py``).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from router.expiring import Expiring

ROUNDING = 1e-9
"""A token that is short by so little, because fractions of seconds were added up, is there."""

DAY_KEPT = 172_800.0
"""Seconds that a day's count is kept after its last change: no day lasts longer in any time zone."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a bucket is. It comes with each call, so that a change of `rate` or `burst` acts at once."""

    name: str
    """``sms/main``, ``sms/main/+12025550100``, ``telegram/main/chat/42``."""
    rate: float
    """Tokens per second; 0: no limit of ours (a pause still counts)."""
    burst: float = 1.0
    """Tokens that gather at most; less than one counts as one, or nothing could ever leave."""

    def scaled(self, share: float) -> Bucket:
        """The same bucket with a share of its rate and burst."""
        return Bucket(self.name, self.rate * share, max(1.0, self.burst * share))


@dataclass(frozen=True, slots=True)
class Grant:
    """What a `take` gave."""

    granted: int
    wait: float
    """Seconds until at least one more can be had; 0.0 where it can be had now."""


class Limits(Protocol):
    """Token buckets and daily counters, by name.

    Those that ask (`take`, `take_each`, `count`) raise `Unavailable` where the answer cannot be had. Those that tell
    (`give_back`, `pause`, `uncount`) never raise: what they say may be lost, and then we are slower, or a few
    messages faster, than we could be.
    """

    async def take(self, bucket: Bucket, wanted: int, *, spare: int = 0) -> Grant:
        """Take up to `wanted` tokens at once, none while it is paused.

        `spare` tokens are left for lanes that are more urgent; a bucket keeps at most its burst less one, so that no
        lane waits for ever.
        """
        ...

    async def take_each(self, buckets: Sequence[Bucket]) -> list[float]:
        """Take one token of each (a chat's, a host's); for each 0.0 where it was granted, else the seconds to wait.

        Each is granted by itself. The same bucket may stand there several times.
        """
        ...

    async def give_back(self, bucket: Bucket, tokens: int) -> None:
        """Return tokens that were taken and not used; fewer than 0: more were used (a text of several segments)."""
        ...

    async def pause(self, name: str, seconds: float) -> None:
        """The provider said 429: nothing from this bucket for so long, in any process. The longest pause counts."""
        ...

    def is_paused(self, name: str) -> bool:
        """Whether this process knows of a pause. No I/O: read before each single send."""
        ...

    async def count(self, name: str, n: int, *, cap: int, day: str) -> int:
        """Count up to `n` towards what is left of `cap` on this `day`; returns how many that was, maybe 0.

        `day` is any name of the period (``2026-11-19``); the next one starts at nothing.
        """
        ...

    async def uncount(self, name: str, n: int, *, day: str) -> None:
        """Take back what was counted and not used."""
        ...


class LocalLimits:
    """`Limits` in this process: enough where there is one. Never raises; no call gives way to another task."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._owed: Expiring[str, tuple[float, float]] = Expiring(clock)  # tokens, and when
        self._paused: Expiring[str, None] = Expiring(clock)
        self._counted: Expiring[tuple[str, str], int] = Expiring(clock)
        self._drained_at = -math.inf

    async def take(self, bucket: Bucket, wanted: int, *, spare: int = 0) -> Grant:
        """See `Limits`."""
        return self._take(bucket, wanted, spare)

    async def take_each(self, buckets: Sequence[Bucket]) -> list[float]:
        """See `Limits`."""
        grants = [self._take(bucket, 1, 0) for bucket in buckets]
        return [0.0 if grant.granted else grant.wait for grant in grants]

    async def give_back(self, bucket: Bucket, tokens: int) -> None:
        """See `Limits`."""
        if bucket.rate > 0:
            self._keep(bucket, self._owes(bucket) - tokens)

    async def pause(self, name: str, seconds: float) -> None:
        """See `Limits`."""
        if seconds > self._paused.left(name):
            self._paused.put(name, None, seconds)

    def is_paused(self, name: str) -> bool:
        """See `Limits`."""
        return name in self._paused

    async def count(self, name: str, n: int, *, cap: int, day: str) -> int:
        """See `Limits`."""
        counted = self._counted.get((name, day)) or 0
        granted = max(0, min(n, cap - counted))
        self._counted.put((name, day), counted + granted, DAY_KEPT)
        return granted

    async def uncount(self, name: str, n: int, *, day: str) -> None:
        """See `Limits`."""
        counted = self._counted.get((name, day)) or 0
        self._counted.put((name, day), max(0, counted - n), DAY_KEPT)

    def drain(self) -> None:
        """Take all buckets for empty as of now: somebody else, whom we no longer hear, may have emptied them."""
        self._owed.clear()
        self._drained_at = self._clock()

    def _take(self, bucket: Bucket, wanted: int, spare: int) -> Grant:
        rest = self._paused.left(bucket.name)
        if rest > 0:
            return Grant(0, rest)
        if bucket.rate <= 0:
            return Grant(wanted, 0.0)
        burst = max(1.0, bucket.burst)
        kept = min(spare, burst - 1)
        owed = self._owes(bucket)
        granted = max(0, min(wanted, math.floor(burst - kept - owed + ROUNDING)))
        if granted:
            self._keep(bucket, owed + granted)
        short = owed + granted + kept + 1 - burst
        return Grant(granted, short / bucket.rate if short > ROUNDING else 0.0)

    def _owes(self, bucket: Bucket) -> float:
        owed, at = self._owed.get(bucket.name) or (max(1.0, bucket.burst), self._drained_at)
        return max(0.0, owed - (self._clock() - at) * bucket.rate)

    def _keep(self, bucket: Bucket, owed: float) -> None:
        self._owed.put(bucket.name, (owed, self._clock()), owed / bucket.rate)
