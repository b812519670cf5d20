"""The people of the made-up movement: what we know of them, and what nobody knows. Same seed, same people."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import log

from router.core.purse import DAY_MS, to_ms
from router.simulation.parameters import Parameters

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
"""The Monday on which the year begins."""
BEGIN_MS = to_ms(BEGIN)
_YEAR_MS = 365 * DAY_MS
_NEVER = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One member as they come into the year, and what is hidden from us."""

    channels: tuple[str, ...]
    """Where they have an address and agreed to messages, in the order in which they like it."""
    dies_at: Mapping[str, int]
    """When the address on each of these channels stops working, ms since 1970 UTC."""
    zone: str
    country: str
    joined_days: int
    """Whole days before the year."""
    readiness: float
    """To act: a factor with mean 1."""
    annoyance: float
    """How easily they are annoyed: a factor with mean 1."""


@dataclass(slots=True, eq=False)
class Life:
    """One person's year in one arm, as it goes. Times are ms since 1970 UTC."""

    person: Person
    number: int
    asked: list[int] = field(default_factory=list)
    """When they were asked within the last 30 days."""
    last_ask: int = 0
    acted_at: int = 0
    acted_on: int = 0
    """The number of the last ask that they acted on."""
    deaf: bool = False
    """They stopped reading, and said nothing."""
    reached: bool = False
    messages: int = 0
    actions: int = 0


def make_people(parameters: Parameters, members: int, seed: int) -> list[Person]:
    """So many people."""
    draw = random.Random(f"people {seed}")  # noqa: S311 (made-up people, no secret)
    return [_person(parameters, draw) for _ in range(members)]


def _person(parameters: Parameters, draw: random.Random) -> Person:
    movement = parameters.movement
    clock = draw.choices(movement.zones, [one.share for one in movement.zones])[0]
    channels = [name for name, share in movement.channels.items() if draw.random() < share] or ["email"]
    draw.shuffle(channels)
    return Person(
        channels=tuple(channels),
        dies_at={channel: _end(parameters.decay[channel], draw) for channel in channels},
        zone=clock.zone,
        country=clock.country,
        joined_days=draw.randrange(365 * movement.joined_years),
        readiness=_mean_one(movement.readiness_shape, draw),
        annoyance=_mean_one(movement.annoyance_shape, draw),
    )


def _mean_one(shape: float, draw: random.Random) -> float:
    return draw.gammavariate(shape, 1 / shape)


def _end(share: float, draw: random.Random) -> int:
    """When an address stops working of which `share` do so in a year, evenly."""
    return BEGIN_MS + int(draw.expovariate(-log(1 - share)) * _YEAR_MS) if share else _NEVER
