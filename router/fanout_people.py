"""What becomes of each member of one range: the rulings on all who are alike, and what is each one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from router.alike import person_of
from router.core.goals import Peace
from router.core.model import Member, Reason
from router.core.purse import NOTHING, Purse
from router.core.routing import Deliver, Hold, House, Plan
from router.fanout_rows import Target
from router.overflow import UNBOUNDED, Room
from router.rulings import Ruling, Rulings
from router.store.people import ACCOUNT, CHANNEL, HASH, HOUSEHOLD, ID, KIND, PLACE

_verdict = attrgetter("verdict")
_NONE: frozenset[str] = frozenset()
_NONE_OF_THEM: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class Person:
    """One member of a range as plain rows, and what becomes of them."""

    id: int
    holder: int
    """Whose purse they share: their household's, or their own."""
    row: Any
    addresses: Sequence[Any]
    said_yes: bool
    asked_at: int | None
    """When a group of theirs is asked, ms since 1970 UTC."""
    ruling: Ruling
    reason: Reason | None
    """Why nothing is sent to them; None where something is."""

    @property
    def hash(self) -> str:
        """Of the address that it goes to."""
        hash_: str = self.addresses[self.ruling.place][HASH]
        return hash_

    @property
    def also(self) -> list[tuple[str, int]]:
        """Hash and place of the further addresses that an alert goes to."""
        return [(self.addresses[place][HASH], place) for place in self.ruling.also]

    @property
    def could_take(self) -> bool:
        """There is no room for this ask, and a slot of a lesser one might make it."""
        return self.ruling.has_lesser

    def target(self, place: int) -> Target:
        """The address at this place."""
        address = self.addresses[place]
        return address[CHANNEL], address[ACCOUNT], address[ID]

    def as_member(self, slots: str) -> Member:
        """With all that routing looks at."""
        return person_of(self.row, self.addresses, slots, self.said_yes, self.asked_at)


class Decisions:
    """The decision of one ask at one moment: by likeness for a whole range, or for one member with a certain purse."""

    def __init__(
        self,
        plan: Plan,
        house: House,
        *,
        peace: Peace,
        owed: Set[int],
        left_out: Callable[[int], bool] | None,
        room: Room,
        now: datetime,
        answered: Set[int] = _NONE_OF_THEM,
    ) -> None:
        self._plan, self._house, self._room, self._now = plan, house, room, now
        self._rulings = Rulings(plan, house, now)
        self._peace, self._owed, self._left_out, self._answered = peace, owed, left_out, answered
        self._spares = bool(peace.everywhere or peace.places or owed or left_out or answered)

    def decide_all(
        self,
        rows: Sequence[Any],
        addresses: Mapping[int, Sequence[Any]],
        slots: Mapping[int, str],
        said_yes: Set[int],
        asked_at: Mapping[int, int] = MappingProxyType({}),
    ) -> list[Person]:
        """In the order of `rows`. People of one household see each other's slots.

        `asked_at` is member → when a group of theirs is asked, in ms.
        """
        settle, ruling_on, open_to_all = self._room.settle, self._rulings.of, self._room is UNBOUNDED
        shared = {row[HOUSEHOLD] for row in rows if row[HOUSEHOLD] is not None}
        spent: dict[int, str] = {}
        decided = []
        for row in rows:
            number, household = row[0], row[HOUSEHOLD]
            holder = household or number
            purse = spent.get(holder) or slots.get(holder, NOTHING)
            mine, yes, asked = addresses[number], number in said_yes, asked_at.get(number)
            if open_to_all:
                ruling = ruling_on(_NONE, row, mine, purse, yes, asked)
            else:
                decide = partial(ruling_on, row=row, addresses=mine, slots=purse, said_yes=yes, asked_at=asked)
                ruling = settle(decide, _verdict)
            reason = ruling.reason
            if reason is None:
                reason = self._spared(number, row[PLACE], row[KIND] == "group") if self._spares else None
                if reason is None and holder in shared:
                    spent[holder] = ruling.book(purse, 0)
            decided.append(Person(number, holder, row, mine, yes, asked, ruling, reason))
        return decided

    def decide(self, person: Member, purse: Purse) -> Deliver | Hold:
        """For one member, if that were the purse."""
        known = person if purse is person.purse else replace(person, purse=purse)
        verdict = self._room.route(known, self._plan, self._house, now=self._now)
        if not isinstance(verdict, Deliver):
            return verdict
        reason = self._spared(person.id, person.place, person.is_group)
        return verdict if reason is None else Hold(reason, verdict.trace)

    def _spared(self, member: int, place: str, is_group: bool) -> Reason | None:
        """Why somebody to whom it could go is left in peace all the same."""
        if member in self._answered:
            return Reason.ACTED
        if self._peace.covers(place):
            return Reason.GOAL_MET
        if member in self._owed:
            return Reason.REPORT_OWED
        if self._left_out is not None and not is_group and self._left_out(member):
            return Reason.HELD_OUT
        return None
