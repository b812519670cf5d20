"""Goals: how far an ask has come, and whom it leaves in peace once it is there.

A goal is measured by the actions that the ask brings: how many people did the thing, or how much money came together.
Money is kept in minor units (cents), goals are set in whole ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from router.core.ask import Goal

GIFT, REFUND = "gave", "refund"
"""Kinds of actions: money that came, and money of it that went back. The amounts of both are positive."""

_NO_MINOR_UNIT = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
)  # fmt: skip
_THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
"""Currencies whose minor unit is not a hundredth (ISO 4217, list one)."""


class Count(NamedTuple):
    """What the actions of one place come to."""

    people: int
    amount: int
    """In minor units of the goal's currency."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a goal is: what is reached and what is aimed at, in people or in whole units of the currency."""

    reached: int
    target: int
    places: Mapping[str, tuple[int, int]]
    """place → (reached, target), for goals by place."""

    @property
    def met_places(self) -> frozenset[str]:
        """The places that reached theirs, folded as `same_place` does."""
        return frozenset(same_place(name) for name, (reached, target) in self.places.items() if reached >= target)

    @property
    def is_met(self) -> bool:
        """Everything is reached: the whole, or every place."""
        return all(reached >= target for reached, target in self.places.values() or [(self.reached, self.target)])


@dataclass(frozen=True, slots=True)
class Peace:
    """Who is left in peace by a goal that was met."""

    everywhere: bool = False
    places: frozenset[str] = frozenset()
    """Folded as `same_place` does."""

    def covers(self, place: str) -> bool:
        """Whether a member of this place is not asked any more."""
        return self.everywhere or (bool(self.places) and same_place(place) in self.places)


NOBODY = Peace()
"""No goal was met: everybody may be asked."""


def same_place(name: str) -> str:
    """A place's name without what does not tell places apart: case and spaces around it."""
    return name.strip().casefold()


def units(currency: str) -> int:
    """How many minor units a whole one has."""
    if currency in _NO_MINOR_UNIT:
        return 1
    return 1_000 if currency in _THREE_DECIMALS else 100


def progress_of(goal: Goal, counts: Mapping[str, Count]) -> Progress:
    """How far it is, from what was counted by `member.place`. Whole units are rounded down; it is never below 0."""
    by_place: dict[str, int] = {}
    for place, count in counts.items():
        name = same_place(place)
        by_place[name] = by_place.get(name, 0) + (count.amount if goal.currency else count.people)
    divisor = units(goal.currency) if goal.currency else 1
    places = {
        name: (max(0, by_place.get(same_place(name), 0) // divisor), target) for name, target in goal.places.items()
    }
    if places:
        return Progress(_sum(places.values(), 0), _sum(places.values(), 1), places)
    return Progress(max(0, sum(by_place.values()) // divisor), goal.target or 0, {})


def _sum(pairs: Iterable[tuple[int, int]], which: int) -> int:
    return sum(pair[which] for pair in pairs)


def peace_of(progress: Progress) -> Peace:
    """Who is left in peace when the goal has come so far."""
    return Peace(everywhere=progress.is_met, places=progress.met_places)
