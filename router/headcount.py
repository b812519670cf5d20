"""Count what an ask would do to a large audience: the very decisions of routing, each asked once for all who are alike.

Routing looks at few things of a member (`router.store.profiles`). Members who are alike in all of them get the same
verdict, so it is asked for the first and remembered; ``tests/store/test_preview.py`` compares with asking for each.
Only those who see what becomes of others, in a household or at a shared address, are looked at one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from router.asked_groups import AskedGroups
from router.core import budget, consent, purse
from router.core.ask import Ask
from router.core.consent import Allow
from router.core.lot import is_held_out, variant_of
from router.core.model import AskKind, Member, Purpose, Reason
from router.core.purse_patterns import split
from router.core.routing import Deliver, House, Plan, recipient_of, route
from router.core.surge import Ways
from router.letters import Writer
from router.read_ahead import one_ahead
from router.runtime import Runtime
from router.store.debts import who_is_owed
from router.store.people import who_answered, who_said_yes
from router.store.profiles import (
    KIND,
    LOCALE,
    Crowd,
    Telling,
    read_crowds,
    read_person,
    read_slots,
    read_whole_person,
    shared_hashes,
)
from router.store.tables import from_ms, to_ms
from router.weighing import Weights, unsent_letter

_MOST_KEPT = 50_000
"""Verdicts that are remembered at a time."""
_PIECE = 250
"""People who are counted before others have their turn."""
_SEEN = 3
"""People of whom one is the sample for a channel: what they have may change while the others are counted."""

SAID_YES, OWED, HELD_OUT, SECOND, ANSWERED = 1, 2, 4, 8, 16
"""What may be known of a member beside the profile: marks, added up."""

_Key = tuple[tuple[Any, ...], str, str, int, int]
"""(profile, addresses, slots, marks, when a group of theirs is asked or 0): the same for people who are alike and whose
words are as long as one another."""


class _Told(NamedTuple):
    """A crowd, and what is known of its people beside their profiles: by member, slots also by household."""

    crowd: Crowd
    slots: Mapping[int, str]
    marks: Mapping[int, int]
    asked_at: Mapping[int, int]


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
    own_at: int = 0
    """From when on it could go if no group were asked first."""
    people: Counter[tuple[str, bool, int]] = field(default_factory=Counter)
    """(locale of the text, whether it is the default for want of theirs, units) → how many."""


class Headcount:
    """The counts of one ask over the audience that `read` goes through."""

    def __init__(
        self,
        runtime: Runtime,
        ask: Ask,
        plan: Plan,
        house: House,
        now: datetime,
        *,
        ways: bool,
        campaign: int = 0,
        owed: Sequence[int] = (),
        groups: AskedGroups | None = None,
    ) -> None:
        self._runtime = runtime
        self._ask = ask
        self._plan = plan
        self._house = house
        self._now = now
        self._all_ways = ways
        self._campaign = campaign
        self._owed = owed
        self._groups = groups
        self._telling = _telling(plan, house, now)
        self._weights = Weights(runtime, ask, self._telling, now)
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
        acted_on = self._ask.about if self._ask.kind is AskKind.REPORT_BACK else None
        words = self._weights.columns
        crowds = read_crowds(connection, where, self._telling, words, acted_on=acted_on)
        seen: dict[str, list[tuple[int, int]]] = {}
        async with contextlib.aclosing(one_ahead(self._told(connection, crowds))) as told:
            async for one in told:
                await self._count(one, shared, seen)
        for channel, people in seen.items():
            for number, place in people:
                text = await self._sample(connection, number, channel, place)
                if text is not None:
                    self.samples[channel] = text
                    break

    async def _told(self, connection: AsyncConnection, crowds: AsyncIterator[Crowd]) -> AsyncIterator[_Told]:
        """Each crowd with what routing looks at beside the members themselves."""
        async for crowd in crowds:
            slots: Mapping[int, str] = {}
            if not self._plan.kind.is_service:
                slots = await read_slots(connection, [household or number for number, household, _ in crowd.people])
            ids = [number for number, _, _ in crowd.people]
            marks = await self._marks(connection, ids)
            asked_at = await self._groups.asked_at(connection, ids, now=self._now) if self._groups is not None else {}
            yield _Told(crowd, slots, marks, asked_at)

    async def _marks(self, connection: AsyncConnection, ids: Sequence[int]) -> Mapping[int, int]:
        """What is known of each of these beside the profile, where anything is."""
        found: Counter[int] = Counter()
        if self._plan.budget.thread is not None:
            yes = await who_said_yes(connection, ids, self._plan.budget.thread.campaign)
            found.update(dict.fromkeys(yes, SAID_YES))
        if self._owed:
            found.update(dict.fromkeys(await who_is_owed(connection, ids, self._owed), OWED))
        if self._groups is not None and self._campaign:
            found.update(dict.fromkeys(await who_answered(connection, ids, self._campaign), ANSWERED))
        key = self._runtime.key
        if self._ask.hold_out:
            year, share = self._plan.earliest.year, self._runtime.policy.hold_out.share
            found.update({number: HELD_OUT for number in ids if is_held_out(key, number, year, share)})
        if self._ask.second:
            found.update({number: SECOND for number in ids if variant_of(key, self._campaign, number)})
        return found

    async def _count(
        self, told: _Told, shared: Mapping[int, Sequence[str]], seen: dict[str, list[tuple[int, int]]]
    ) -> None:
        """Count a crowd; `seen` gets somebody of it for each channel of which few were seen: (member, place)."""
        crowd, slots, marks, asked_at = told
        keys: list[_Key] = []
        new: dict[str, tuple[_Key, int]] = {}
        for at, (number, household, profile) in enumerate(crowd.people, 1):
            mine, spent = crowd.addresses.get(number, ""), slots.get(household or number, "")
            key = profile, mine, spent, marks.get(number, 0), asked_at.get(number, 0)
            if household is None and number not in shared:
                keys.append(key)
            else:
                self._count_one(key, household, shared.get(number), new)
            if at % _PIECE == 0:
                await asyncio.sleep(0)  # the next crowd is read meanwhile, and whoever looks at a page is answered
        for at, (key, many) in enumerate(Counter(keys).items(), 1):
            self._add(self._fate(key), key, many, new)
            if at % _PIECE == 0:
                await asyncio.sleep(0)
        for channel, (key, place) in new.items():
            if len(known := seen.setdefault(channel, [])) < _SEEN:
                alike = (n for n, _, it in crowd.people if it == key[0] and crowd.addresses.get(n, "") == key[1])
                known.append((next(alike), place))

    def _count_one(
        self, key: _Key, household: int | None, hashes: Sequence[str] | None, seen: dict[str, tuple[_Key, int]]
    ) -> None:
        """Count somebody who sees what became of others: an address, or a household's slots, may be taken."""
        if household is not None:
            key = key[0], key[1], self._shared.get(household, key[2]), *key[3:]
        fate = self._fate(key)
        if self._objection(fate, key) is None:
            if hashes is not None:
                if hashes[fate.place] in self._taken:
                    self.held[Reason.DUPLICATE] += 1
                    return
                self._taken.add(hashes[fate.place])
            if household is not None and not self._plan.kind.is_service:
                self._shared[household] = self._booked(key, fate)
        self._add(fate, key, 1, seen)

    def _add(self, fate: Fate, key: _Key, many: int, seen: dict[str, tuple[_Key, int]]) -> None:
        """Count `many` who are alike; `seen` gets the first of them for each channel that is not in it yet."""
        reason = self._objection(fate, key)
        if reason is not None:
            self.held[reason] += many
            return
        channel = fate.ways[0][0]
        if channel not in seen:
            seen[channel] = key, fate.place
        fate.people[self._weights.of(key[0], channel, int(key[3] & SECOND > 0))] += many

    def _objection(self, fate: Fate, key: _Key) -> Reason | None:
        """Why nothing is sent to them, in the order in which routing asks."""
        profile, _, _, marks, _ = key
        if fate.reason is not None or not marks:
            return fate.reason
        if marks & ANSWERED:
            return Reason.ACTED
        if marks & OWED:
            return Reason.REPORT_OWED
        return Reason.HELD_OUT if marks & HELD_OUT and profile[KIND] != "group" else None

    def _fate(self, key: _Key) -> Fate:
        profile, addresses, slots, marks, asked_at = key
        like = profile[:LOCALE], addresses, slots, marks & SAID_YES, asked_at
        fate = self._known.get(like)
        if fate is None:
            fate = self._decide(self._person(key))
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[like] = fate
        return fate

    def _person(self, key: _Key) -> Member:
        profile, addresses, slots, marks, asked_at = key
        person = read_person(profile, addresses, slots, bool(marks & SAID_YES), self._telling)
        return replace(person, group_asked_at=from_ms(asked_at)) if asked_at else person

    def _decide(self, person: Member) -> Fate:
        verdict = route(person, self._plan, self._house, now=self._now)
        if not isinstance(verdict, Deliver):
            return self._one(verdict.reason)
        place = verdict.address.id
        ways = [(verdict.address.channel, to_ms(verdict.not_before))]
        also, own_at = tuple(address.channel for address in verdict.also), ways[0][1]
        if person.group_asked_at is not None:
            alone = route(replace(person, group_asked_at=None), self._plan, self._house, now=self._now)
            own_at = to_ms(alone.not_before) if isinstance(alone, Deliver) else own_at
        tried = {address.id for address in person.addresses if address.channel in (ways[0][0], *also)}
        while self._all_ways:
            further = route(person, self._plan, self._house, now=self._now, without=tried)
            if not isinstance(further, Deliver):
                break
            channel = further.address.channel
            ways.append((channel, to_ms(further.not_before)))
            tried |= {address.id for address in person.addresses if address.channel == channel}
        return self._one(None, place, tuple(ways), also, own_at)

    def _one(
        self, reason: Reason | None, place: int = 0, ways: Ways = (), also: tuple[str, ...] = (), own_at: int = 0
    ) -> Fate:
        return self.fates.setdefault((reason, place, ways, also, own_at), Fate(reason, place, ways, also, own_at))

    def _booked(self, key: _Key, fate: Fate) -> str:
        """A household's slots with this ask in them."""
        person = self._person(key)
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
        return split(purse.encode(booked))[0]

    async def _sample(self, connection: AsyncConnection, number: int, channel: str, place: int) -> str | None:
        """The message as this member would read it; None where that changed just now."""
        person = await read_whole_person(connection, number)
        allow = consent.check(person.addresses[place]) if person and len(person.addresses) > place else None
        if person is None or not isinstance(allow, Allow) or allow.address.channel != channel:
            return None
        writer = Writer(self._runtime, self._ask, self._runtime.specs[channel], campaign_id=0)
        return writer.write(unsent_letter(self._now, person, allow), self._now).text


def _telling(plan: Plan, house: House, now: datetime) -> Telling:
    """What of a member `core.routing.route` looks at with this plan."""
    spans = [*plan.windows.values(), plan.replied_within]
    return Telling(
        now=to_ms(now),
        joined_since=to_ms(now - timedelta(milliseconds=house.budget.newcomer_ms)),
        by_area=plan.purpose is not Purpose.GENERAL,
        barred={**dict.fromkeys(plan.windows, ()), **plan.barred},
        wrote_since=to_ms(now - max(spans)),
    )
