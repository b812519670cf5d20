"""Calls: which slot of a line a caller gets, so that it stays busy all the time and can still be reached.

A line is open for some hours, cut into slots of a few minutes, each for so many callers at once. Who volunteers gets
the earliest slot that has room, or the one at the time they wish for. When all are full the least full one takes
them: a caller who finds it engaged tries again, one who was sent away does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from router.core.goals import same_place

MOST_SLOTS = 2_016
"""Of one line: a week in slots of five minutes."""

MOST_WORDS = 400
"""Characters of what somebody tells of their call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When a line is open and how its callers are spread."""

    opens_at: datetime
    closes_at: datetime
    slot: timedelta
    per_slot: int
    """Callers at once that keep it busy but reachable."""

    def slots(self) -> Iterator[datetime]:
        """When each slot begins; the last one may be cut short by the closing."""
        at = self.opens_at
        while at < self.closes_at:
            yield at
            at += self.slot

    def end_of(self, start: datetime) -> datetime:
        """When the slot that begins at `start` is over."""
        return min(start + self.slot, self.closes_at) if start < self.closes_at else start + self.slot

    def is_past(self, start: datetime, at: datetime) -> bool:
        """Whether a slot is no use any more at that moment: less than half of it is left."""
        return at > start + (self.end_of(start) - start) / 2

    def loads(self, taken: Iterable[tuple[datetime, int]]) -> dict[datetime, int]:
        """Slot → its callers, from (start as it was given out, callers): the slots may have been cut anew since."""
        loads: dict[datetime, int] = {}
        for start, callers in taken:
            if self.opens_at <= start < self.closes_at:
                slot = self.opens_at + (start - self.opens_at) // self.slot * self.slot
                loads[slot] = loads.get(slot, 0) + callers
        return loads


def choose_slot(
    hours: Hours,
    loads: Mapping[datetime, int],
    *,
    since: datetime,
    wish: datetime | None = None,
    awake: Callable[[datetime], bool],
) -> datetime | None:
    """The slot for one more caller; None where the line has none left at an hour at which they are awake.

    Slots that are past at `since` do not count. With a `wish` the slot of that moment or the first after it that has
    room, else the last before it.
    """
    usable = [start for start in hours.slots() if not hours.is_past(start, since) and awake(start)]
    free = [start for start in usable if loads.get(start, 0) < hours.per_slot]
    if wish is not None:
        later = [start for start in free if hours.end_of(start) > wish]
        free = later or free[-1:]
    if free:
        return free[0]
    return min(usable, key=lambda start: (loads.get(start, 0), start), default=None)


class Where(NamedTuple):
    """What is known of where somebody lives; each may be ""."""

    place: str
    postcode: str = ""
    town: str = ""
    """The name of the postcode's place."""


def line_for(places: Mapping[str, int], where: Where) -> int | None:
    """The line for somebody who lives there, from place → line; the one for all (``""``) where none is theirs.

    A line's place is a name as `member.place` has it, or the beginning of postcodes (``SW1``, ``75``).
    """
    by_name = {same_place(place): line for place, line in places.items() if place}
    for name in (where.place, where.town, where.postcode):
        if name and same_place(name) in by_name:
            return by_name[same_place(name)]
    code = _compact(where.postcode)
    beginnings = [place for place in by_name if any(c.isdigit() for c in place) and code.startswith(_compact(place))]
    if code and beginnings:
        return by_name[max(beginnings, key=len)]
    return places.get("")


def _compact(postcode: str) -> str:
    return "".join(postcode.casefold().split())


_NOW = re.compile(r"(?<!\w)(?:now|ahora|maintenant|jetzt|agora|الآن)(?!\w)", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?<![\w.:])(\d{1,2})(?:[:.h](\d{2})|(?= ?(?:h\b|uhr\b|[ap]\.?m\b)))(?: ?([ap])\.?m\b)?", re.IGNORECASE
)
"""``15:00``, ``15h30``, ``3 pm``, ``9:30 am``, ``15 Uhr``."""


def read_wish(text: str, zone: tzinfo, now: datetime) -> datetime | None:
    """When somebody wishes to call: NOW or a time of day by their clock, the next one to come; None for neither."""
    if _NOW.search(text):
        return now
    found = _CLOCK.search(text)
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3]:
        hour = hour % 12 + (12 if found[3].lower() == "p" else 0)
    if hour > 23 or minute > 59:
        return None
    there = now.astimezone(zone)
    wish = there.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if wish + timedelta(minutes=1) <= there:
        wish = (wish.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
    return wish.astimezone(UTC)


_DONE = re.compile(r"\W*done\b[\s.,:;!-]*", re.IGNORECASE)


def read_report(text: str) -> str | None:
    """What somebody tells of their call after DONE, "" where they say no more; None where it does not begin so."""
    found = _DONE.match(text)
    return None if found is None else text[found.end() :].strip()[:MOST_WORDS]
