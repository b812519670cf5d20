"""How well the hosts do that people's own addresses name (the push services of their browsers).

Anybody can name a host in an address that they give us. So each has a circuit breaker of its own, and a failure counts
against the sender only where no other host does well: else one hostile host could silence a channel for everybody.
Until the first host has done well after a start the sender is blamed, since its own key may be at fault.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from router.core.policy import BreakerPolicy
from router.core.standing import Result, Standing

MOST = 1_000
"""Hosts that are remembered; the one heard of first is forgotten first."""

_BUSY = timedelta(seconds=1)
"""How long the others wait while one message sees whether a host is well again."""


class HostStandings:
    """The standings of all hosts that one sender writes to. Times are given, as for `Standing`."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._known: dict[str, Standing] = {}
        self._slowed: dict[str, datetime] = {}

    def rests_until(self, host: str, now: datetime) -> datetime | None:
        """Until when nothing is sent there; None where something may be now."""
        slowed = self._slowed.get(host)
        if slowed is not None:
            if now < slowed:
                return slowed
            del self._slowed[host]
        standing = self._known.get(host)
        if standing is None or standing.may_send(1, now):
            return None
        return standing.until or now + _BUSY

    def begin(self, host: str) -> None:
        """A send starts, which `rests_until` allowed."""
        if host not in self._known:
            if len(self._known) >= MOST:
                del self._known[next(iter(self._known))]
            self._known[host] = Standing(self._policy)
        self._known[host].begin()

    def slow_down(self, host: str, until: datetime) -> None:
        """The host asked for a rest."""
        if len(self._slowed) >= MOST:
            del self._slowed[next(iter(self._slowed))]
        self._slowed[host] = until

    def record(self, host: str, result: Result, now: datetime, *, code: str = "") -> Result:
        """Take note of what came of a send; returns what it says of the sender."""
        if host in self._known:
            self._known[host].record((result,), now, code=code)
        if result in (Result.WELL, Result.SLOW):
            return result
        return Result.WELL if any(o.does_well for name, o in self._known.items() if name != host) else result
