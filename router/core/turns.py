"""Whose turn it is where not all can be reached: likely responders who were asked least lately, and newcomers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_FOLD = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio (Knuth, The Art of Computer Programming 3, 6.4): scatters neighbouring numbers."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides a member's turn. Times are ms since 1970 UTC, 0 for never."""

    member: int
    acted_at: int = 0
    """The last action within the time that counts."""
    asked_at: int = 0
    acted_before: bool = False
    """They acted, and not within that time: neither likely to act nor new to it."""

    @property
    def is_newcomer(self) -> bool:
        """New to acting, however long they have been a member."""
        return not self.acted_at and not self.acted_before


def in_turn(people: Sequence[Standing], newcomers_share: float, *, salt: int = 0) -> list[int]:
    """The members in the order in which they should be asked.

    Those who acted lately come first, then those who acted long ago, in each the least lately asked first. Newcomers
    get `newcomers_share` of the places, evenly spread, so that a start of the list of any length has their share within
    one place, as long as there are both; then the rest follows. Who is equal is ordered by a hash of member and `salt`
    (the campaign), so that nobody is always first.
    """

    def turn(one: Standing) -> tuple[bool, int, int]:
        return not one.acted_at, one.asked_at, _folded(one.member, salt)

    known = sorted((one for one in people if not one.is_newcomer), key=turn, reverse=True)
    new = sorted((one for one in people if one.is_newcomer), key=turn, reverse=True)
    order: list[int] = []
    promised = 0.0
    given = 0
    while known and new:
        promised += newcomers_share
        is_new = promised - given >= 1 - _ROUNDING
        given += is_new
        order.append((new if is_new else known).pop().member)
    order += [one.member for one in reversed(known or new)]
    return order


_ROUNDING = 1e-9
"""Of adding up a share many times."""


def _folded(member: int, salt: int) -> int:
    mixed = (member * _FOLD + salt) & 0xFFFFFFFFFFFFFFFF
    return (mixed ^ mixed >> 29) * _FOLD & 0xFFFFFFFFFFFFFFFF
