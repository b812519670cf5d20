"""Who goes first: the stages in which a large ask leaves (FACTS.md 4.0, canary and ramp).

A *canary* is one stage of a fixed size, after which one waits for what people say; a *ramp* is a few growing ones,
with short waits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from router.core.ask import Ask
from router.core.launch_policy import GuardPolicy

ALL = 99
"""The stage at which everything may leave."""

TURN = 10
"""Stages from here on only order what may leave: those whose turn comes first have the lower one."""

TURNS = 5

_GOLDEN = 0.6180339887498949
"""(√5 - 1) / 2. Its multiples, of which only what is behind the point counts, fill [0, 1) as evenly as can be, in any
stretch of them (H. Weyl 1916; the three-gap theorem)."""


def is_canary(policy: GuardPolicy, ask: Ask, recipients: int, starts_at: datetime) -> bool:
    """Whether a canary goes first: for a large ask that is not for tonight and has hours to spare."""
    canary = policy.canary
    if ask.kind.is_pressing or ask.alert or ask.tonight or recipients <= canary.above:
        return False
    return ask.deadline is None or ask.deadline - starts_at > timedelta(hours=canary.hours_before_deadline)


def shares_of(policy: GuardPolicy, ask: Ask, recipients: int, starts_at: datetime) -> tuple[float, ...]:
    """The cumulative shares of the stages in which an ask to so many people leaves; none where all go at once.

    Service messages and alerts leave at once: people rely on them.
    """
    if is_canary(policy, ask, recipients, starts_at):
        return (min(1.0, policy.canary.size / recipients),)
    if ask.kind.is_pressing or ask.alert or recipients <= policy.ramp.above:
        return ()
    return tuple(policy.ramp.shares)


def wait_of(policy: GuardPolicy, ask: Ask, recipients: int, starts_at: datetime) -> timedelta:
    """How long the next stage waits after the last of the present one has left."""
    if is_canary(policy, ask, recipients, starts_at):
        return timedelta(minutes=policy.canary.wait_minutes)
    ramp = policy.ramp
    return timedelta(seconds=ramp.tonight_wait_seconds if ask.tonight else ramp.wait_seconds)


def first(shares: Sequence[float]) -> int:
    """The stage at which a campaign begins; `ALL` where it has none."""
    return 0 if shares else ALL


def after(stage: int, shares: Sequence[float]) -> int:
    """The stage that follows; `ALL` after the last share."""
    return stage + 1 if stage + 1 < len(shares) else ALL


def assign(count: int, shares: Sequence[float], offset: float, *, start: int = 0, ordered: bool) -> list[int]:
    """The stage of each of `count` people, who come in the order in which they should be asked.

    `shares` are cumulative and rising: the part of all that has gone once a stage is over; the last stage is the rest.
    Those of a stage are spread evenly over the people, so that they are a fair sample, and over the strata where these
    are given one after the other: `start` is how many were given before, `offset` in [0, 1) where it all begins. With
    `ordered` the rest is cut into turns.
    """
    rest = len(shares)
    stages = [bisect_right(shares, (offset + (start + place) * _GOLDEN) % 1.0) for place in range(count)]
    if not ordered:
        return stages
    return [TURN + place * TURNS // count if stage == rest else stage for place, stage in enumerate(stages)]


class Spread:
    """`assign` for one stratum after the other (a channel, an account, an hour), as if they were one."""

    def __init__(self, shares: Sequence[float], offset: float, *, ordered: bool) -> None:
        self._shares = shares
        self._offset = offset
        self._ordered = ordered
        self._start = 0

    def __call__(self, count: int) -> list[int]:
        """The stages of the next `count` people."""
        start, self._start = self._start, self._start + count
        return assign(count, self._shares, self._offset, start=start, ordered=self._ordered)
