"""A more important ask takes a slot that a lesser one reserved; the lesser one comes later, or not at all.

What may be taken is the caller's to find out: a delivery that is on its way cannot (DESIGN.md 6, rule 16).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from router.core import budget
from router.core.model import Member, Reason
from router.core.purse import EMPTY, Purse, refund
from router.core.routing import Deliver, Hold, House, Plan, recipient_of, route

ROOM_WOULD_HELP = frozenset({Reason.CAP, Reason.NEWCOMER, Reason.DIAL, Reason.QUIET_HOURS})
"""Holds that a free slot may lift; the last of them where the next room comes only at night."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A queued delivery that may have to give way."""

    delivery: int
    plan: Plan
    """Of its own ask."""
    person: Member
    """Its recipient, with no address but the one it goes to."""
    not_before: datetime


def booked(
    plan: Plan, house: House, person: Member, purse: Purse, verdict: Deliver, number: int, now: datetime
) -> Purse:
    """The purse with this delivery in it."""
    return budget.book(
        purse,
        plan.budget,
        house.budget,
        delivery=number,
        channel=verdict.address.channel,
        at=verdict.not_before,
        now=now,
        recipient=recipient_of(person, house, now),
    )


class Contest:
    """One ask, which wants slots in the purses of some people, household by household.

    `purses` are those before this ask: they are read, never changed. `decide` is the one decision for this ask, for a
    member with a certain purse.
    """

    def __init__(
        self,
        plan: Plan,
        house: House,
        purses: Mapping[int, Purse],
        decide: Callable[[Member, Purse], Deliver | Hold],
        now: datetime,
    ) -> None:
        self._plan = plan
        self._house = house
        self._purses = purses
        self._decide = decide
        self._now = now
        self._filled: dict[int, Purse] = {}
        self._losers: list[tuple[int, Rival]] = []
        self.changed: dict[int, Purse] = {}
        """holder → the purse without what gave way and with what was deferred, yet without this ask's own slots."""
        self.deferred: dict[int, datetime] = {}
        """delivery → its new moment, never earlier than the old one."""
        self.outranked: list[int] = []
        """Deliveries that found no other moment before their own ask runs out."""

    def fill(self, person: Member, holder: int, verdict: Deliver) -> None:
        """This ask is given to `person`."""
        self._filled[holder] = booked(self._plan, self._house, person, self._purse(holder), verdict, 0, self._now)

    def take(self, person: Member, holder: int, rivals: dict[int, Rival]) -> Deliver | None:
        """Room for `person`, where one of the `rivals` in the purse of `holder` can make it, who then is none any more.

        Those who gave way have no slot until `settle`.
        """
        purse = self._purse(holder)
        found: list[Deliver] = []

        def makes_room(left: Purse) -> bool:
            verdict = self._decide(person, left)
            found.extend([verdict] if isinstance(verdict, Deliver) else [])
            return bool(found)

        on_their_way = {slot.delivery for slot in purse.slots} - rivals.keys()
        victim = budget.weakest(purse, self._plan.budget, self._house.budget, makes_room, without=on_their_way)
        if victim is None:
            return None
        self._losers.append((holder, rivals.pop(victim.delivery)))
        self._filled[holder] = refund(purse, (victim.delivery,))
        self.changed[holder] = refund(self._kept(holder), (victim.delivery,))
        self.fill(person, holder, found[0])
        return found[0]

    def settle(self) -> None:
        """Give those who gave way another slot, the more important first; those who find none are outranked."""
        for holder, rival in sorted(self._losers, key=lambda one: -one[1].plan.budget.priority):
            verdict = _next_slot(rival, self._purse(holder), self._house, self._now)
            if not isinstance(verdict, Deliver):
                self.outranked.append(rival.delivery)
                continue
            self.deferred[rival.delivery] = verdict.not_before
            for purses, purse in ((self._filled, self._purse(holder)), (self.changed, self._kept(holder))):
                purses[holder] = booked(
                    rival.plan, self._house, rival.person, purse, verdict, rival.delivery, self._now
                )
        self._losers.clear()

    def _purse(self, holder: int) -> Purse:
        return self._filled.get(holder) or self._kept(holder)

    def _kept(self, holder: int) -> Purse:
        return self.changed.get(holder) or self._purses.get(holder, EMPTY)


def _next_slot(rival: Rival, purse: Purse, house: House, now: datetime) -> Deliver | Hold:
    """The same decision for the one who gave way: at the same address, no earlier than it was to come."""
    plan = replace(rival.plan, earliest=max(rival.not_before, rival.plan.earliest))
    return route(replace(rival.person, purse=purse), plan, house, now=now)
