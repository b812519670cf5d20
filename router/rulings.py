"""One decision for all who are alike: what becomes of them, said by the place of each address instead of its number.

`core.routing.route` is asked for the first member of a kind (`router.alike`). What differs between those who are alike
is filled in for each: the numbers of their addresses in the trace, and those of old deliveries in the purse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from router.alike import Likeness, person_of
from router.core import budget
from router.core.giving_way import ROOM_WOULD_HELP, booked
from router.core.model import Member, Reason
from router.core.purse import Purse, decode, encode
from router.core.purse_patterns import Booking, booking, split
from router.core.routing import Deliver, Hold, House, Plan, route
from router.store.people import ID
from router.store.tables import to_ms

_NUMBER = re.compile(r"(?<=:)[0-9]+")


@dataclass(slots=True, eq=False)
class Ruling:
    """A verdict on everybody who is like `member`."""

    plan: Plan
    house: House
    now: datetime
    member: Member
    verdict: Deliver | Hold
    reason: Reason | None
    """Why nothing is sent; None where something is."""
    at: int
    """When it is sent, ms since 1970 UTC."""
    place: int
    """Which of their addresses it goes to."""
    also: tuple[int, ...]
    """Which addresses get an alert as well."""
    has_lesser: bool
    """A slot less might let it through, and a less important ask has one."""
    _form: str
    _tried: tuple[int, ...]
    _bookings: dict[str, Booking | None] = field(default_factory=dict)

    def trace(self, addresses: Sequence[Any]) -> str:
        """How it came to this, for somebody with these addresses."""
        tried = self._tried
        numbers = addresses[tried[0]][ID] if len(tried) == 1 else tuple([addresses[place][ID] for place in tried])
        told: str = self._form % numbers
        return told

    def book(self, slots: str, delivery: int) -> str:
        """The text of a purse with this delivery in it."""
        pattern, numbers = split(slots)
        try:
            known = self._bookings[pattern]
        except KeyError:
            known = self._bookings[pattern] = booking(pattern, self._reserve)
        if known is None:
            return encode(self._reserve(decode(slots), delivery))
        return known.apply(numbers, delivery)

    def _reserve(self, purse: Purse, delivery: int) -> Purse:
        assert isinstance(self.verdict, Deliver), "only what is sent is booked"
        return booked(self.plan, self.house, self.member, purse, self.verdict, delivery, self.now)


def ruling_of(verdict: Deliver | Hold, member: Member, plan: Plan, house: House, now: datetime) -> Ruling:
    """This verdict on `member`, as one on all who are like them."""
    places = {address.id: place for place, address in enumerate(member.addresses)}
    tried = tuple(places[int(number)] for number in _NUMBER.findall(verdict.trace))
    form = _NUMBER.sub("%d", verdict.trace.replace("%", "%%"))
    if isinstance(verdict, Deliver):
        also = tuple(places[address.id] for address in verdict.also)
        at, place = to_ms(verdict.not_before), places[verdict.address.id]
        return Ruling(plan, house, now, member, verdict, None, at, place, also, False, form, tried)
    has_lesser = verdict.reason in ROOM_WOULD_HELP and bool(budget.lesser(member.purse, plan.budget, house.budget))
    return Ruling(plan, house, now, member, verdict, verdict.reason, 0, -1, (), has_lesser, form, tried)


class Rulings:
    """The decisions of one ask at one moment."""

    def __init__(self, plan: Plan, house: House, now: datetime) -> None:
        self._plan, self._house, self._now = plan, house, now
        self._likeness = Likeness(plan, house, now)
        self._known: dict[Any, Ruling] = {}

    def of(
        self,
        full: Set[str],
        row: Any,
        addresses: Sequence[Any],
        slots: str,
        said_yes: bool,
        asked_at: int | None = None,
    ) -> Ruling:
        """The ruling on one member while these channels are full; rows and moments as in `router.alike`."""
        like = self._likeness.of(row, addresses, slots, said_yes, asked_at)
        key = (like, full) if full else like
        ruling = self._known.get(key)
        if ruling is None:
            person = person_of(row, addresses, slots, said_yes, asked_at)
            verdict = route(person, self._plan, self._house, now=self._now, full=full)
            ruling = self._known[key] = ruling_of(verdict, person, self._plan, self._house, self._now)
        return ruling
