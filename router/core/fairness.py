"""Whose turn it is among campaigns that want the same people: the more important first, equals in fair shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A running campaign, as far as its turn is concerned."""

    campaign: int
    organizer: str
    lane: int
    """`core.model.Lane`: the lower one goes first."""
    priority: int
    """Within a lane the higher one goes first."""
    expires_at: datetime
    reached: int
    """How many people it was routed to, those apart who were held."""
    waiting: bool
    """Whether part of its audience is still to be routed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Who goes next."""

    campaign: int
    contested: bool
    """Another organizer with an equally important ask waits as well, so that the turn should be a short one."""


def next_turn(running: Sequence[Contender]) -> Turn | None:
    """The campaign of which a part is to be routed next; None where nothing waits.

    Among equally important asks it is the organizer's turn whose running asks have reached the fewest people, all of
    theirs taken together: so two organizers share scarce members about evenly, and whoever launches five asks gets no
    more than who launches one. Of an organizer's own asks the one that runs out first goes first.
    """
    waiting = [one for one in running if one.waiting]
    if not waiting:
        return None
    first = min(map(_rank, waiting))
    equals = [one for one in running if _rank(one) == first]
    reached: Counter[str] = Counter()
    for one in equals:
        reached[one.organizer] += one.reached
    ready = [one for one in equals if one.waiting]
    chosen = min(ready, key=lambda one: (reached[one.organizer], one.expires_at, one.campaign))
    return Turn(chosen.campaign, contested=any(one.organizer != chosen.organizer for one in ready))


def _rank(one: Contender) -> tuple[int, int]:
    return one.lane, -one.priority
