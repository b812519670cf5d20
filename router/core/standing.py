"""How well a sender does: its circuit breaker, and its weight among those that could send in its place.

The breaker opens on faults of ours at the provider (`FailureClass.SENDER_CONFIG`) and where too large a share of the
last sends failed for reasons that have nothing to do with who they went to; later one message probes whether all is
well again (FACTS.md 4.4). Weights move away from a failing or slow sender and drift back when it does well: GOV.UK
Notify's rule for two providers (alphagov/notifications-api, app/dao/provider_details_dao.py), for any number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from router.core.policy import BreakerPolicy

_FEWEST = 20
"""With fewer results than this a share says nothing."""

_FLOOR = 0.1
"""The share of its own weight that a sender keeps however badly it does, so that it is noticed when it recovers."""


class Result(StrEnum):
    """What a send tells of its sender. Refusals for the recipient's sake tell nothing but that it works."""

    WELL = "well"
    SLOW = "slow"
    FAILED = "failed"
    """The network, or the provider's server."""
    OURS = "ours"
    """The provider found fault with our account, number or key."""


class State(StrEnum):
    """A circuit breaker's states, in the words of the trade."""

    CLOSED = "closed"
    """All is well: current flows."""
    OPEN = "open"
    """Nothing is sent until `Standing.until`."""
    PROBING = "probing"
    """One message is let through to see."""


class Standing:
    """One sender's standing. Times are given, so that the same results always come to the same."""

    def __init__(self, policy: BreakerPolicy, *, weight: float = 1.0) -> None:
        self._policy = policy
        self.resting = weight
        """The weight that it has when all is well."""
        self.weight = weight
        self.state = State.CLOSED
        self.until: datetime | None = None
        self.reason = ""
        self._recent: deque[Result] = deque(maxlen=policy.of_last)
        self._probing = False
        self._good_in_a_row = 0

    def begin(self) -> bool:
        """Whether a send may start now; the one that does while it is probed is the probe."""
        if self.state is State.OPEN or self._probing:
            return False
        self._probing = self.state is State.PROBING
        return True

    def may_send(self, wanted: int, now: datetime) -> int:
        """How many of `wanted` it may send now; an open breaker whose time is over lets one through."""
        if self.state is State.OPEN and self.until is not None and now >= self.until:
            self.state, self.until = State.PROBING, None
        if self.state is State.CLOSED:
            return wanted
        return min(wanted, 1) if self.state is State.PROBING and not self._probing else 0

    def record(self, results: Sequence[Result], now: datetime, *, code: str = "") -> bool:
        """Take note of what came of sends, the last of which failed with `code`; True where the state changed."""
        if not results or self.state is State.OPEN:
            return False
        if self.state is State.PROBING:
            self._probing = False
            if results[-1] in (Result.FAILED, Result.OURS):
                return self._open(f"the provider still answers with an error ({code})", now)
            self.close()
            return True
        self._recent.extend(results)
        bad = Result.FAILED in results or Result.OURS in results
        self._good_in_a_row = 0 if bad else self._good_in_a_row + len(results)
        if self._good_in_a_row >= len(self._recent):
            return False
        ours = self._recent.count(Result.OURS)
        if ours >= self._policy.config_failures:
            return self._open(f"the provider found fault with our account or number {ours} times ({code})", now)
        share = self.share_of(Result.FAILED, Result.OURS)
        if share > self._policy.failing_share:
            return self._open(f"{share:.0%} of the last {len(self._recent)} sends failed ({code})", now)
        return False

    def share_of(self, *results: Result) -> float:
        """The share of the last sends that came to one of these; 0 while there are too few to say."""
        if len(self._recent) < min(_FEWEST, self._policy.of_last):
            return 0.0
        return sum(self._recent.count(result) for result in results) / len(self._recent)

    @property
    def does_well(self) -> bool:
        """Whether its breaker is closed and something it sent lately arrived."""
        return self.state is State.CLOSED and (Result.WELL in self._recent or Result.SLOW in self._recent)

    def close(self) -> None:
        """All is well again."""
        self.state, self.until, self.reason = State.CLOSED, None, ""
        self._probing = False
        self._recent.clear()

    def _open(self, reason: str, now: datetime) -> bool:
        self.state, self.reason, self._probing = State.OPEN, reason, False
        self.until = now + timedelta(seconds=self._policy.rest_seconds)
        self._recent.clear()
        return True


def rebalance(standings: Sequence[Standing], policy: BreakerPolicy, *, drift: bool) -> bool:
    """Move weight away from those that fail or are slow; with `drift` back towards rest. True where it changed.

    Meant to be called once in `BreakerPolicy.shift_seconds`, and with `drift` once in `BreakerPolicy.drift_seconds`.
    """
    bad = [one for one in standings if one.share_of(Result.FAILED, Result.OURS, Result.SLOW) > policy.worrying_share]
    good = [one for one in standings if one not in bad and one.resting > 0]
    changed = False
    if bad and good:
        for one in bad:
            step = min(policy.shift * one.resting, one.weight - _FLOOR * one.resting)
            if step <= 0:
                continue
            one.weight -= step
            for other in good:
                other.weight += step * other.resting / sum(rival.resting for rival in good)
            changed = True
    elif drift:
        # All go back by the same part of their way, so that together they always weigh the same.
        farthest = max((abs(one.resting - one.weight) / one.resting for one in standings if one.resting), default=0.0)
        for one in standings if farthest else ():
            part = min(1.0, policy.shift / farthest)
            one.weight = one.resting if part == 1.0 else one.weight + part * (one.resting - one.weight)
            changed = True
    return changed
