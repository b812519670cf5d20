"""Whose turn it is where not all can be reached: likely responders who were asked least lately, and newcomers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides a member's turn. Times are ms since 1970 UTC, 0 for never."""

    member: int
    acted_at: int = 0
    """The last action within the time that counts."""
    asked_at: int = 0


def in_turn(people: Sequence[Standing], newcomers_share: float) -> list[int]:
    """The members in the order in which they should be asked."""
    return [one.member for one in people]
