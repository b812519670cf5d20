"""Count what an ask would do to a large audience: the very decisions of routing, each asked once for all who are alike.

Routing looks at few things of a member. Members who are alike in all of them get the same verdict, so it is asked for
the first and remembered (`router.alike`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.alike import Likeness, address_of, member_of
from router.core import budget, consent, purse
from router.core.ask import Ask
from router.core.consent import Allow
from router.core.model import Reason
from router.core.routing import Deliver, House, Plan, recipient_of, route
from router.core.surge import Ways
from router.letters import Writer
from router.runtime import Runtime
from router.store.people import who_said_yes
from router.store.profiles import (
    read_profiles,
    read_slots,
    shared_hashes,
)
from router.store.tables import from_ms, to_ms
from router.weighing import Weights, unsent_letter

RANGE = 1_000
"""Member numbers that are read at a time."""

_MOST_KEPT = 50_000
"""Verdicts that are remembered at a time."""


@dataclass(slots=True, eq=False)
class Fate:
    """What becomes of everybody who is alike, and how many they are."""

    reason: Reason | None
    """Why nothing is sent; None where something is."""
    place: int = 0
    """Which of their addresses it goes to."""
    ways: Ways = ()
    """Every channel by which it could go and from when on, the one it goes by first."""
    also: tuple[str, ...] = ()
    """Channels on which an alert goes to them as well."""
    people: Counter[tuple[str, bool, int]] = field(default_factory=Counter)
    """(locale of the text, whether it is the default for want of theirs, units) → how many."""


class Headcount:
    """The counts of one ask over the audience that `read` goes through."""

    def __init__(self, runtime: Runtime, ask: Ask, plan: Plan, house: House, now: datetime, *, ways: bool) -> None:
        self._runtime = runtime
        self._ask = ask
        self._plan = plan
        self._house = house
        self._now = now
        self._all_ways = ways
        self._likeness = Likeness(plan, house, now)
        self._weights = Weights(runtime, ask, now)
        self._known: dict[Any, Fate] = {}
        self._taken: set[str] = set()
        self._shared: dict[int, str] = {}
        self.fates: dict[Any, Fate] = {}
        self.held: Counter[Reason] = Counter()
        self.samples: dict[str, str] = {}

    @property
    def units(self) -> dict[str, float]:
        """channel → units (messages; SMS: segments) of all that would leave by it, alerts beside the first included."""
        counted: Counter[str] = Counter()
        for fate in self.fates.values():
            if fate.reason is None:
                counted[fate.ways[0][0]] += sum(units * many for (_, _, units), many in fate.people.items())
        each = self.weights
        found = {channel: float(units) for channel, units in counted.items()}
        for fate in self.fates.values():
            for channel in fate.also:
                found[channel] = found.get(channel, 0.0) + each.get(channel, 1.0) * fate.people.total()
        return found

    @property
    def weights(self) -> dict[str, float]:
        """channel → units of one message on average, where any was weighed."""
        people: Counter[str] = Counter()
        units: Counter[str] = Counter()
        for fate in self.fates.values():
            for (_, _, each), many in fate.people.items():
                people[fate.ways[0][0]] += many
                units[fate.ways[0][0]] += each * many
        return {channel: units[channel] / many for channel, many in people.items() if many}

    async def read(self, connection: AsyncConnection, where: Any) -> None:
        """Count the members that `where` lets in."""
        shared = await shared_hashes(connection)
        first, last = (await connection.execute(text("SELECT min(id), max(id) FROM member"))).one()
        for low in range(first or 0, (last or -1) + 1, RANGE):
            people, addresses = await read_profiles(
                connection, where, first=low, last=low + RANGE - 1, also=self._weights.columns,
                telling=self._likeness.telling,
            )  # fmt: skip
            slots: Mapping[int, str] = {}
            yes: set[int] = set()
            if people and not self._plan.kind.is_service:
                slots = await read_slots(connection, {row[1] or row[0] for row in people})
            if people and self._plan.budget.thread is not None:
                yes = await who_said_yes(connection, list(addresses), self._plan.budget.thread.campaign)
            for row in people:
                self._count(row, addresses[row[0]], slots.get(row[1] or row[0], "[]"), row[0] in yes, shared)

    def _count(self, row: Any, addresses: Sequence[Any], slots: str, said_yes: bool, shared: set[str]) -> None:
        household = row[1]
        if household is not None:  # its members see one another's slots
            slots = self._shared.get(household, slots)
        like = self._likeness.of(row, addresses, slots, said_yes)
        fate = self._known.get(like)
        if fate is None:
            fate = self._decide(row, addresses, slots, said_yes)
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[like] = fate
        if fate.reason is not None:
            self.held[fate.reason] += 1
            return
        chosen = addresses[fate.place]
        if chosen[2] in shared:
            if chosen[2] in self._taken:
                self.held[Reason.DUPLICATE] += 1
                return
            self._taken.add(chosen[2])
        if household is not None:
            self._shared[household] = self._booked(row, slots, said_yes, fate)
        channel = chosen[5]
        if channel not in self.samples:
            self.samples[channel] = self._sample(row, chosen)
        fate.people[self._weights.of(row, channel)] += 1

    def _decide(self, row: Any, addresses: Sequence[Any], slots: str, said_yes: bool) -> Fate:
        person = member_of(row, addresses, slots, said_yes)
        verdict = route(person, self._plan, self._house, now=self._now)
        if not isinstance(verdict, Deliver):
            return self._one(verdict.reason)
        place = next(place for place, address in enumerate(person.addresses) if address is verdict.address)
        ways = [(verdict.address.channel, to_ms(verdict.not_before))]
        also = tuple(address.channel for address in verdict.also)
        tried = {address.id for address in person.addresses if address.channel in (ways[0][0], *also)}
        while self._all_ways:
            further = route(person, self._plan, self._house, now=self._now, without=tried)
            if not isinstance(further, Deliver):
                break
            channel = further.address.channel
            ways.append((channel, to_ms(further.not_before)))
            tried |= {address.id for address in person.addresses if address.channel == channel}
        return self._one(None, place, tuple(ways), also)

    def _one(self, reason: Reason | None, place: int = 0, ways: Ways = (), also: tuple[str, ...] = ()) -> Fate:
        return self.fates.setdefault((reason, place, ways, also), Fate(reason, place, ways, also))

    def _booked(self, row: Any, slots: str, said_yes: bool, fate: Fate) -> str:
        """A household's slots with this ask in them."""
        if self._plan.kind.is_service:
            return slots
        person = member_of(row, (), slots, said_yes)
        channel, at = fate.ways[0]
        booked = budget.book(
            person.purse,
            self._plan.budget,
            self._house.budget,
            delivery=0,
            channel=channel,
            at=from_ms(at),
            now=self._now,
            recipient=recipient_of(person, self._house, self._now),
        )
        return purse.encode(booked)

    def _sample(self, row: Any, chosen: Any) -> str:
        person = member_of(row, (), "[]", False)
        address = address_of(chosen)
        allow = consent.check(address)
        assert isinstance(allow, Allow), "routing allowed it a moment ago"
        writer = Writer(self._runtime, self._ask, self._runtime.specs[address.channel], campaign_id=0)
        return writer.write(unsent_letter(self._now, person, allow), self._now).text
