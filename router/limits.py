"""Rate limits: token buckets that protect providers (the contact budget, which protects members, lives in SQL)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    paused_until: float = 0.0


class Limits:
    """Token buckets in this process, by name (``"sms/main"``). Times are monotonic seconds.

    One process needs no Redis; where several workers share a provider's limit they must share the buckets too.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, wanted: int, *, rate: float, burst: float) -> int:
        """Take up to `wanted` tokens at once; returns how many were granted, maybe 0.

        `rate` is tokens per second (0: no limit), `burst` how many gather at most. A change of either acts at once.
        """
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(tokens=burst, at=now)
        if now < bucket.paused_until:
            return 0
        if rate == 0:
            return wanted
        bucket.tokens = min(max(burst, 1.0), bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        granted = min(wanted, int(bucket.tokens))
        bucket.tokens -= granted
        return granted

    def give_back(self, name: str, tokens: int) -> None:
        """Return tokens that were taken and not used."""
        bucket = self._buckets.get(name)
        if bucket is not None:
            bucket.tokens += tokens

    def pause(self, name: str, seconds: float) -> None:
        """The provider said 429: nothing from this bucket for so long."""
        bucket = self._buckets.setdefault(name, _Bucket(tokens=0.0, at=self._clock()))
        bucket.paused_until = max(bucket.paused_until, self._clock() + seconds)

    def is_paused(self, name: str) -> bool:
        """Whether the provider's 429 still stands."""
        bucket = self._buckets.get(name)
        return bucket is not None and self._clock() < bucket.paused_until

    def wait(self, name: str, *, rate: float) -> float:
        """Seconds until at least one token will be there."""
        bucket = self._buckets.get(name)
        if bucket is None:
            return 0.0
        pause = max(0.0, bucket.paused_until - self._clock())
        if rate == 0:
            return pause
        return max(pause, (1.0 - bucket.tokens) / rate)
