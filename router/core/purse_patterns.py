"""What of a purse's text decides, and what does not: many people were asked the same, each by deliveries of their own.

The *pattern* is the text of a purse without the numbers of its deliveries (``core/purse.py``, `encode`). People with
the same pattern are reserved the same slot in the same way, so that this is worked out once, as a `Booking`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from router.core.purse import EMPTY, NOTHING, Purse, decode, encode


def split(text: str) -> tuple[str, str]:
    """The pattern of a purse and, in the order of its slots, the numbers of their deliveries with commas between."""
    if text == NOTHING:
        return "", ""
    if text[-1] in "]}":  # as older ledgers kept it
        text = encode(decode(text))
        if text == NOTHING:
            return "", ""
    pattern, _, numbers = text.rpartition("|")
    return pattern, numbers


def of_pattern(pattern: str) -> Purse:
    """A purse of this pattern, with places instead of the numbers of deliveries."""
    if not pattern:
        return EMPTY
    slots = pattern.partition("{")[0]
    return decode(f"{pattern}|{','.join(map(str, range(slots.count(';') + 1 if slots else 0)))}")


def last_asked(text: str) -> int:
    """The latest moment in a purse, in ms since 1970 UTC; 0 where there is none."""
    slots = split(text)[0].partition("{")[0]
    return int(slots.rpartition(";")[2].partition(" ")[0]) if slots else 0


class Booking(NamedTuple):
    """How one more slot changes the text of every purse with a certain pattern."""

    pattern: str
    kept: tuple[int, ...] | None
    """The places of the old numbers that stay, with -1 for the new one; None: all of them, and then the new one."""

    def apply(self, numbers: str, delivery: int) -> str:
        """The text of a purse whose deliveries had these numbers, with this one more."""
        if self.kept is None:
            return f"{self.pattern}|{numbers},{delivery}" if numbers else f"{self.pattern}|{delivery}"
        old = [*numbers.split(","), str(delivery)]
        return f"{self.pattern}|{','.join([old[place] for place in self.kept])}"


def booking(pattern: str, reserve: Callable[[Purse, int], Purse]) -> Booking | None:
    """What `reserve`, given a purse and the number of a delivery, does to purses of this pattern.

    None where the number comes to stand elsewhere than among the slots (a free follow-up): then each is a case of its
    own.
    """
    before = of_pattern(pattern)
    count = len(before.slots)
    # Places stand in for the numbers. The new one is the highest, as it nearly always is in truth.
    after = reserve(before, count)
    order = [slot.delivery for slot in after.slots]
    if count not in order:
        return None
    found = encode(after).rpartition("|")[0]
    if order == list(range(count + 1)):
        return Booking(found, None)
    return Booking(found, tuple(place if place < count else -1 for place in order))
