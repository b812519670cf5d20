"""People of whom the router knows the same are one state: a decision is asked for once and holds for all of them.

It may be, because the decision is pure. What differs between them is hidden: readiness, annoyance, luck.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from router.core import budget
from router.core import purse as purses
from router.core.attention import BudgetAsk, Dial
from router.core.consent import Allow, check
from router.core.model import Address, AddressState, ConsentState, Member
from router.core.purse import Purse, from_ms
from router.core.routing import House, Plan, recipient_of
from router.simulation.behaviour import ANSWERED, LESS, STOPPED
from router.simulation.calendar import CalendarAsk
from router.simulation.people import BEGIN, Life, Person

_AHEAD = timedelta(days=400)
"""Beyond the end of the year."""
_NO_CAMPAIGN = -1


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A delivery that was reserved and has not left: when, of which ask, to which of their addresses."""

    at: int
    ask: CalendarAsk
    plan: Plan
    address: int


@dataclass(eq=False)
class State:
    """What the ledger knows of some people: `member` stands for each of them, `waiting` is in order of time.

    The ids of their addresses are 0, 1, 2 …, and the number of a delivery is that of its ask.
    """

    member: Member
    waiting: tuple[Waiting, ...] = ()
    _room: datetime | None = None

    @cached_property
    def key(self) -> str:
        """Equal for states that no decision can tell apart."""
        member = self.member
        addresses = [f"{one.channel} {one.state.value} {one.suppressed} {one.answers}" for one in member.addresses]
        waiting = [f"{one.at} {one.ask.number} {one.address}" for one in self.waiting]
        parts = (member.zone, member.country, str(member.joined_at), member.dial.value, purses.encode(member.purse))
        return "|".join((*parts, *addresses, "", *waiting))

    def room(self, house: House, now: datetime) -> datetime:
        """Before this moment there is no room in the contact budget for an ordinary ask, on whichever channel.

        Looked up once, since it can only change with the state itself: no room stays no room as time goes by.
        """
        if self._room is None:
            until = now + _AHEAD
            ask = BudgetAsk(campaign=_NO_CAMPAIGN)
            found = [
                budget.earliest(
                    self.member.purse,
                    ask,
                    house.budget,
                    channel=address.channel,
                    at=now,
                    until=until,
                    recipient=recipient_of(self.member, house, now),
                )
                for address in self.member.addresses
                if isinstance(check(address), Allow)
            ]
            self._room = min((moment for moment in found if isinstance(moment, datetime)), default=until)
        return self._room

    def with_purse(self, purse: Purse) -> State:
        """The same people with another purse."""
        return State(replace(self.member, purse=purse), self.waiting)

    def address(self, number: int) -> Address:
        """One of their addresses."""
        return self.member.addresses[number]

    def aged(self, newcomer_before: datetime) -> State:
        """The same people; who joined before this moment is not new any more, and when it was makes no difference."""
        joined_at = self.member.joined_at
        if joined_at is None or joined_at >= newcomer_before:
            return self
        return State(replace(self.member, joined_at=None), self.waiting)

    def bounced(self, one: Waiting) -> State:
        """The address of this delivery does not work any more; the ask is given back to the purse."""
        addresses = tuple(
            replace(known, state=AddressState.DEAD) if known.id == one.address else known
            for known in self.member.addresses
        )
        purse = purses.refund(self.member.purse, (one.ask.number,))
        return State(replace(self.member, addresses=addresses, purse=purse), self.waiting)

    def heard(self, one: Waiting, heard: int, stops: frozenset[str]) -> State:
        """They got this delivery and did so about it; a stop covers these channels."""
        member = self.member
        purse = purses.spend(member.purse, (one.ask.number,))
        addresses, dial = member.addresses, member.dial
        if heard & ANSWERED:
            purse = purses.answered(purse, from_ms(one.at))
            addresses = tuple(
                replace(known, answers=known.answers + 1) if known.id == one.address else known for known in addresses
            )
        if heard & STOPPED:
            addresses = tuple(
                replace(known, suppressed=True) if known.channel in stops else known for known in addresses
            )
        if heard & LESS:
            dial = Dial.WEEKLY
        return State(replace(member, purse=purse, addresses=addresses, dial=dial), self.waiting)


class Groups:
    """States, each with those who are in it."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[State, list[Life]]] = {}

    def add(self, state: State, lives: list[Life]) -> None:
        """So many more in this state. The list is kept, and may grow."""
        _, there = self._found.setdefault(state.key, (state, lives))
        if there is not lives:
            there.extend(lives)

    def items(self) -> Sequence[tuple[State, list[Life]]]:
        """All of them, in the order in which they came."""
        return list(self._found.values())


def first_state(person: Person, channels: Set[str]) -> State:
    """What is known of somebody on the first morning, on these channels."""
    addresses = tuple(
        Address(id=number, channel=channel, value=channel, hash=channel, consent=ConsentState.GRANTED, rank=number)
        for number, channel in enumerate(name for name in person.channels if name in channels)
    )
    joined_at = BEGIN - timedelta(days=person.joined_days)
    return State(Member(id=1, zone=person.zone, country=person.country, joined_at=joined_at, addresses=addresses))
