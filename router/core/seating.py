"""Who gets a seat, who waits for one, who moves up; and how far it is to get there.

The rule of the line: people are seated in the order in which they asked. Whoever fits is seated; a party too large for
what is left is passed over and keeps its place. A newcomer stands at the end of the line, so nobody overtakes somebody
who could be seated in their stead.

At an event for two sides (newcomers and neighbours) either side may take at most half of the seats, rounded up, while
the shares hold: so the quicker side cannot crowd out the other. Some time before the start the shares end, and what
the other side left goes to whoever waits, in order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

SHARES_END = timedelta(hours=24)
"""So long before the start the shares of the two sides end: time enough for those who move up to make plans."""

EARTH_KM = 6371.0088
"""Mean radius of the earth (IUGG)."""

Point = tuple[float, float]
"""Latitude and longitude in degrees (WGS 84)."""


class Seat(StrEnum):
    """What somebody who asks for a seat gets."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"


class Party(NamedTuple):
    """Somebody and whom they bring: they sit together or not at all."""

    key: int
    """Whose it is; means nothing here."""
    seats: int
    side: str = ""
    """At an event for two sides. Who does not say is a side of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The seats of one event."""

    capacity: int
    taken: Mapping[str, int]
    """side → seats of confirmed guests; one side called "" where there are none."""
    shared: bool = False
    """Whether either side may take only its half now."""

    def left(self, side: str = "") -> int:
        """How many seats a party of this side may have; never below zero."""
        free = self.capacity - sum(self.taken.values())
        if self.shared:
            free = min(free, math.ceil(self.capacity / 2) - self.taken.get(side, 0))
        return max(0, free)

    def with_party(self, party: Party) -> Room:
        """The room once this party sits in it."""
        taken = {**self.taken, party.side: self.taken.get(party.side, 0) + party.seats}
        return Room(capacity=self.capacity, taken=taken, shared=self.shared)


def who_moves_up(room: Room, line: Iterable[Party]) -> list[Party]:
    """Who of those that wait gets a seat now, in their order."""
    seated: list[Party] = []
    for party in line:
        if party.seats <= room.left(party.side):
            room = room.with_party(party)
            seated.append(party)
    return seated


def decide_seat(room: Room, line: Sequence[Party], newcomer: Party) -> Seat:
    """Whether a newcomer is seated at once, given who waits already."""
    seated = who_moves_up(room, [*line, newcomer])
    return Seat.CONFIRMED if newcomer in seated else Seat.WAITING


def shares_end(created_at: datetime, starts_at: datetime) -> datetime:
    """Until when the shares of two sides hold; of an event made at short notice, for half of the time there is."""
    return starts_at - min(SHARES_END, (starts_at - created_at) / 2)


class Box(NamedTuple):
    """A rectangle of latitudes and longitudes that holds a circle. What crosses the 180th meridian has two spans."""

    south: float
    north: float
    spans: tuple[tuple[float, float], ...]
    """(west, east), west never east of east."""


def distance_km(a: Point, b: Point) -> float:
    """How far it is between two points as the crow flies (haversine), in kilometres."""
    south, north = math.radians(a[0]), math.radians(b[0])
    across = math.sin((north - south) / 2) ** 2
    along = math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, across + math.cos(south) * math.cos(north) * along)))


def box(center: Point, km: float) -> Box:
    """A rectangle that holds every point within so many kilometres of `center`."""
    latitude, longitude = center
    # A hair wider, so that rounding loses nobody who stands on the very edge.
    angle = math.degrees(km / EARTH_KM) * (1 + 1e-9) + 1e-9
    south, north = latitude - angle, latitude + angle
    if south <= -90 or north >= 90:  # a pole is inside: every meridian passes through
        return Box(max(-90.0, south), min(90.0, north), ((-180.0, 180.0),))
    wide = math.degrees(math.asin(min(1.0, math.sin(math.radians(angle)) / math.cos(math.radians(latitude)))))
    west, east = longitude - wide, longitude + wide
    if west < -180:
        return Box(south, north, ((-180.0, east), (west + 360, 180.0)))
    if east > 180:
        return Box(south, north, ((west, 180.0), (-180.0, east - 360)))
    return Box(south, north, ((west, east),))
