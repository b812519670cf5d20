"""Who goes first: the stages in which a large ask leaves (FACTS.md 4.0, canary and ramp)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from router.core.ask import Ask
from router.core.launch_policy import GuardPolicy

ALL = 99
"""The stage at which everything may leave."""

TURN = 10
"""Stages from here on only order what may leave: those whose turn comes first have the lower one."""

TURNS = 5


def shares_of(policy: GuardPolicy, ask: Ask, recipients: int, starts_at: datetime) -> tuple[float, ...]:
    """The cumulative shares of the stages in which an ask to so many people leaves; none where all go at once."""
    return ()


def assign(count: int, shares: Sequence[float], offset: float, *, ordered: bool) -> list[int]:
    """The stage of each of `count` people, who come in the order in which they should be asked.

    `shares` are cumulative and rising: the part of all that has gone once a stage is over; the last stage is the rest.
    Those of a stage are spread evenly over the people, so that they are a fair sample. `offset` in [0, 1) spreads what
    does not divide evenly over many calls. With `ordered` the rest is cut into turns.
    """
    stages = [TURN + place * TURNS // count if ordered else len(shares) for place in range(count)]
    for stage, share in reversed(list(enumerate(shares))):
        # Every position at which the running share passes a whole number: an even spread.
        for place in range(count):
            if int((place + 1) * share + offset) > int(place * share + offset):
                stages[place] = stage
    return stages
