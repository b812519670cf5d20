"""Laws of the contact budget, against a slow reading of the rules that shares nothing with the quick one.

All times are whole hours, and every span of the shipped policy is one, so that trying each hour tries every moment at
which anything could change.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise, permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.attention import BudgetAsk, Dial, Recipient, Refusal, Thread
from router.core.budget import pick_victim
from router.core.purse import (
    ANSWERABLE,
    EMPTY,
    OVERRIDE,
    PERMISSION,
    SPENT,
    Purse,
    Slot,
    answered,
    decode,
    encode,
    forget,
    merge,
    refund,
    reserve,
    spend,
)
from tests.core.budgets import DAY, NOW, RULES, SECTION, add, ask, find, hour_of, ms, placed, when

CHANNELS = ["sms", "whatsapp", "telegram", "fcm", "webpush", "email", "apprise"]
WINDOWS = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY}
LATEST = 45 * DAY
STRICTER = [Dial.EVERYTHING, Dial.WEEKLY, Dial.URGENT_ONLY, Dial.PAUSED]


@dataclass(frozen=True)
class Past:
    """One ask, as the slow reading knows it."""

    hour: int
    number: int
    channel: str
    flags: int


def family(channel: str) -> list[str]:
    for name, caps in SECTION.channels.items():
        if channel in (caps.covers or [name]):
            return list(caps.covers or [name])
    return []


def row(channel: str) -> Any:
    return next((caps for name, caps in SECTION.channels.items() if channel in (caps.covers or [name])), None)


def windows_hold(hours: list[int], at: int, cap: int, length: int) -> bool:
    """Whether every window of `length` hours that holds `at` holds at most `cap` of these and `at` itself."""
    return all(
        sum(begin <= hour < begin + length for hour in [*hours, at]) <= cap
        for begin in [*hours, at]
        if begin <= at < begin + length
    )


def gap_holds(hours: list[int], at: int, gap: int) -> bool:
    return all(abs(hour - at) >= gap for hour in hours)


def allowed(past: list[Past], heard: int | None, asking: BudgetAsk, channel: str, at: int, who: Recipient) -> bool:
    """Whether the rules let this ask come at this hour, read off one by one."""
    if who.dial is Dial.PAUSED or (who.paused_until is not None and at < hour_of(who.paused_until)):
        return False
    if who.dial is Dial.URGENT_ONLY and not asking.urgent:
        return False
    open_ = [slot for slot in past if slot.flags & ANSWERABLE and (heard is None or slot.hour > heard)]
    silent = min((slot.hour for slot in open_), default=at) + SECTION.silence.days * DAY
    if at >= silent:
        asked_again = any(slot.flags & PERMISSION and slot.hour >= silent for slot in past)
        if asked_again or not asking.permission:
            return False
    if within(past, open_, asking, channel, at, who, raised=False):
        return True
    recent = [slot.hour for slot in past if slot.flags & OVERRIDE]
    return (
        asking.override
        and windows_hold(recent, at, SECTION.urgent.per_member, WINDOWS["month"])
        and within(past, open_, asking, channel, at, who, raised=True)
    )


def within(
    past: list[Past], open_: list[Past], asking: BudgetAsk, channel: str, at: int, who: Recipient, *, raised: bool
) -> bool:
    def holds(hours: list[int], cap: int, window: str) -> bool:
        if raised:
            top = getattr(SECTION.urgent.ceiling, window)
            cap = max(cap, min(cap + getattr(SECTION.urgent, window), top))
        return windows_hold(hours, at, cap, WINDOWS[window])

    everything = [slot.hour for slot in past]
    sets = [(everything, SECTION.overall)]
    new = SECTION.newcomers
    if who.joined_at is not None:
        joined = hour_of(who.joined_at)
        exempt = who.joined_by == asking.campaign and at < joined + new.joining_campaign_days * DAY
        if at < joined + new.first_days * DAY and not exempt:
            sets.append((everything, new))
    caps = row(channel)
    own = [slot.hour for slot in past if slot.channel in family(channel)]
    if caps:
        sets.append((own, caps))
        unanswered = sum(slot.channel in family(channel) and slot.hour <= at for slot in open_)
        monthly = unanswered >= SECTION.unanswered.month_after
        widened = SECTION.unanswered.widen_by if unanswered >= SECTION.unanswered.widen_after else 1
        if monthly and not holds(own, 1, "month"):
            return False
        if not raised and not monthly and not gap_holds(own, at, caps.gap_hours * widened):
            return False
    if who.dial is not Dial.EVERYTHING and not holds(everything, SECTION.dial.weekly, "week"):
        return False
    if not raised and not gap_holds(everything, at, SECTION.overall.gap_hours):
        return False
    return all(holds(hours, getattr(table, window), window) for hours, table in sets for window in WINDOWS)


flags = st.sampled_from([0, SPENT, SPENT | ANSWERABLE, ANSWERABLE, ANSWERABLE | OVERRIDE, SPENT | PERMISSION])
GRID = 4
"""Every span of the shipped policy is so many hours, or a multiple of it: on this grid the edges meet often."""


def grid(low: int, high: int) -> st.SearchStrategy[int]:
    """Hours of the grid, between these days."""
    return st.integers(low * DAY // GRID, high * DAY // GRID).map(lambda n: n * GRID)


hours = st.one_of(grid(-30, 20), grid(-6, 3), grid(-200, 0))
pasts = st.lists(st.tuples(hours, st.sampled_from(CHANNELS), flags), max_size=12).map(
    lambda rows: [Past(hour, number, channel, flag) for number, (hour, channel, flag) in enumerate(rows, start=1)]
)
orderly = (
    st.lists(st.integers(5, 50).map(lambda n: n * GRID), max_size=9)
    .flatmap(
        lambda gaps: st.tuples(
            *(
                st.tuples(st.just(7 * GRID + sum(gaps[:n]) - sum(gaps)), st.sampled_from(CHANNELS[:3]), flags)
                for n in range(len(gaps))
            )
        )
    )
    .map(lambda rows: [Past(hour, n, channel, flag) for n, (hour, channel, flag) in enumerate(rows, start=1)])
)
asks = st.builds(
    BudgetAsk,
    campaign=st.integers(1, 3),
    priority=st.integers(0, 3),
    deadline=st.none() | st.integers(1, LATEST).map(when),
    urgent=st.booleans(),
    override=st.booleans(),
    answerable=st.booleans(),
    permission=st.booleans(),
)
people = st.builds(
    Recipient,
    dial=st.sampled_from([Dial.EVERYTHING, *STRICTER]),
    paused_until=st.none() | grid(0, 10).map(when),
    joined_at=st.none() | grid(-40, 5).map(when),
    joined_by=st.integers(0, 3),
)
answers = st.none() | grid(-40, 5) | grid(-200, 0)
channels = st.sampled_from(CHANNELS)


def purse_of(past: list[Past], heard: int | None = None) -> Purse:
    purse = add(EMPTY, (Slot(ms(slot.hour), slot.number, slot.channel, slot.flags) for slot in past))
    return purse if heard is None else answered(purse, when(heard))


@settings(max_examples=300, deadline=None)
@given(pasts | orderly, answers, asks, channels, people, grid(0, 5), st.integers(1, 35 * DAY))
def test_the_first_allowed_hour_is_found_and_none_earlier(
    past: list[Past], heard: int | None, asking: BudgetAsk, channel: str, who: Recipient, at: int, length: int
) -> None:
    until = at + length
    found = find(purse_of(past, heard), asking, channel=channel, at=at, until=until, who=who)
    slow = next((hour for hour in range(at, until) if allowed(past, heard, asking, channel, hour, who)), None)
    assert (None if isinstance(found, Refusal) else found) == slow


@settings(max_examples=300, deadline=None)
@given(pasts | orderly, answers, asks, channels, people, grid(0, 20) | grid(0, 100))
def test_what_is_forgotten_was_seen_by_no_rule(
    past: list[Past], heard: int | None, asking: BudgetAsk, channel: str, who: Recipient, now: int
) -> None:
    purse = purse_of(past, heard)
    less = forget(purse, when(now))
    assert all(slot.at > ms(now - 30 * DAY) for slot in less.slots)
    sought = {"channel": channel, "at": now, "until": now + LATEST, "who": who}
    assert find(less, asking, **sought) == find(purse, asking, **sought)
    again = forget(forget(purse, when(now // 2)), when(now))
    assert again == less


@given(pasts, answers, st.integers(0, 60 * DAY), st.lists(st.integers(1, 4), max_size=4))
def test_what_is_written_is_read(past: list[Past], heard: int | None, now: int, followed: list[int]) -> None:
    purse = forget(purse_of(past, heard), when(now))
    for number, campaign in enumerate(followed):
        purse = placed(
            purse,
            ask(campaign=9, thread=Thread(campaign=campaign, until=when(now + 5))),
            now,
            delivery=100 + number,
            now=now,
            who=Recipient(said_yes=True),
        )
    purse = reserve(purse, Slot(ms(now), 77, "sms", ANSWERABLE, 2, ms(now + 3)))
    assert decode(encode(purse)) == purse
    assert encode(decode(encode(purse))) == encode(purse)


@given(pasts, answers, asks, channels, people, st.integers(0, DAY), st.integers(-DAY, 2 * DAY))
def test_a_refund_undoes_exactly_one_reservation(
    past: list[Past], heard: int | None, asking: BudgetAsk, channel: str, who: Recipient, now: int, ahead: int
) -> None:
    asking = replace(asking, thread=Thread(campaign=2, until=when(DAY))) if asking.campaign == 3 else asking
    who = replace(who, said_yes=True)
    before = forget(purse_of(past, heard), when(now))
    booked = placed(before, asking, now + max(ahead, 0), delivery=99, channel=channel, now=now, who=who)
    assert booked != before
    assert refund(booked, [99]) == before
    assert refund(spend(booked, [99]), [99]) == before
    assert refund(refund(booked, [99]), [99]) == before


@given(pasts, asks, channels, people, st.integers(0, 5 * DAY), st.integers(1, 35 * DAY))
def test_who_turns_the_dial_down_never_hears_earlier(
    past: list[Past], asking: BudgetAsk, channel: str, who: Recipient, at: int, length: int
) -> None:
    def moment(dial: Dial) -> float:
        found = find(purse_of(past), asking, channel=channel, at=at, until=at + length, who=replace(who, dial=dial))
        return float("inf") if isinstance(found, Refusal) else found

    found = [moment(dial) for dial in STRICTER]
    assert found == sorted(found)


@given(pasts, st.permutations(range(12)))
def test_a_purse_does_not_depend_on_the_order_of_a_household(past: list[Past], order: list[int]) -> None:
    slots = [Slot(ms(slot.hour), slot.number, slot.channel, slot.flags) for slot in past]
    shuffled = [slots[n] for n in order if n < len(slots)]
    assert add(EMPTY, shuffled) == add(EMPTY, slots)
    numbers = [slot.delivery for slot in shuffled[::2]]
    one_by_one = add(EMPTY, slots)
    for number in numbers:
        one_by_one = refund(one_by_one, [number])
    assert one_by_one == refund(add(EMPTY, slots), numbers)


@given(pasts, answers, pasts, answers, st.integers(0, 60 * DAY))
def test_two_purses_become_the_same_one_either_way(
    mine: list[Past], heard: int | None, yours: list[Past], noticed: int | None, now: int
) -> None:
    one, other = forget(purse_of(mine, heard), when(now)), purse_of(yours, noticed)
    assert merge(one, other) == merge(other, one)
    both = merge(one, other)
    assert merge(both, one) == both
    assert merge(both, both) == both


@settings(max_examples=300, deadline=None)
@given(
    pasts | orderly,
    st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(1, LATEST)), min_size=12, max_size=12),
    asks,
    channels,
    people,
    st.integers(1, 5 * DAY),
)
def test_a_slot_is_taken_only_from_a_lesser_ask_and_only_where_it_helps(
    past: list[Past],
    ranks: list[tuple[int, int | None]],
    asking: BudgetAsk,
    channel: str,
    who: Recipient,
    length: int,
) -> None:
    slots = {
        slot.number: Slot(ms(slot.hour), slot.number, slot.channel, slot.flags, priority, ms(deadline or 0))
        for slot, (priority, deadline) in zip(past, ranks, strict=False)
    }
    purse = add(EMPTY, slots.values())
    sought = {"channel": channel, "until": length, "who": who}

    def helps(slot: Slot) -> bool:
        return not isinstance(find(refund(purse, [slot.delivery]), asking, **sought), Refusal)

    found = pick_victim(purse, asking, RULES, channel=channel, at=NOW, until=when(length), recipient=who)
    lesser = [slot for slot in slots.values() if slot.priority < asking.priority and not slot.flags & SPENT]
    if found is None:
        has_room = not isinstance(find(purse, asking, **sought), Refusal)
        assert has_room or not any(helps(slot) for slot in lesser)
        return
    assert isinstance(find(purse, asking, **sought), Refusal)
    assert found in lesser
    assert helps(found)
    assert found.priority == min(slot.priority for slot in lesser if helps(slot))


@dataclass
class Ledger:
    """A purse with, beside it, everything that ever held a slot: what the purse forgot is still judged."""

    purse: Purse = EMPTY
    live: dict[int, tuple[Slot, BudgetAsk, Recipient]] = field(default_factory=dict)
    now: int = 0
    last: int = 0
    """The number of the last delivery."""

    def ask(self, asking: BudgetAsk, channel: str, length: int, who: Recipient) -> None:
        found = find(self.purse, asking, channel=channel, at=self.now, until=self.now + length, who=who)
        if isinstance(found, Refusal):
            self.take(asking, channel, length, who)
            return
        self.place(asking, channel, found, who)

    def take(self, asking: BudgetAsk, channel: str, length: int, who: Recipient) -> None:
        """The slot of a lesser ask, which looks for another, no sooner than it was to come and for so long."""
        sought = {"channel": channel, "at": when(self.now), "until": when(self.now + length), "recipient": who}
        victim = pick_victim(self.purse, asking, RULES, **sought)
        if victim is None:
            return
        slot, loser, loser_who = self.live.pop(victim.delivery)
        assert loser.priority < asking.priority
        self.purse = refund(self.purse, [victim.delivery])
        self.ask(asking, channel, length, who)
        at = max(self.now, (slot.at - ms(0)) // 3_600_000)
        later = find(self.purse, loser, channel=slot.channel, at=at, until=at + length, who=loser_who)
        if not isinstance(later, Refusal):
            self.place(loser, slot.channel, later, loser_who)

    def place(self, asking: BudgetAsk, channel: str, at: float, who: Recipient) -> None:
        self.last = number = self.last + 1
        self.purse = placed(self.purse, asking, at, delivery=number, channel=channel, now=self.now, who=who)
        slot = next(slot for slot in self.purse.slots if slot.delivery == number)
        self.live[number] = (slot, asking, who)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), asks, channels, st.sampled_from([1, DAY, 3 * DAY, 20 * DAY])),
        st.tuples(st.just("ask"), asks, channels, st.sampled_from([DAY, 3 * DAY, 20 * DAY])),
        st.tuples(st.just("ask"), asks.map(lambda one: replace(one, priority=9)), channels, st.sampled_from([1, DAY])),
        st.tuples(st.just("wait"), st.integers(1, 5 * DAY)),
        st.tuples(st.sampled_from(["refund", "spend"]), st.integers(0, 30)),
        st.tuples(st.just("answer")),
        st.tuples(st.just("rewrite")),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(steps, st.lists(people.map(lambda who: replace(who, joined_at=None, paused_until=None)), min_size=1, max_size=3))
def test_nobody_is_ever_over_budget(steps: list[tuple[Any, ...]], household: list[Recipient]) -> None:
    """Any interleaving of campaigns that take from one another, refunds, answers and restarts, in one household."""
    ledger = Ledger()
    for turn, (verb, *rest) in enumerate(steps):
        numbers = list(ledger.live)
        if verb == "ask":
            ledger.ask(*rest, household[turn % len(household)])
        elif verb == "wait":
            ledger.now += rest[0]
        elif verb == "answer":
            ledger.purse = answered(ledger.purse, when(ledger.now))
        elif verb == "rewrite":
            ledger.purse = decode(encode(ledger.purse))
        elif numbers and verb == "spend":
            ledger.purse = spend(ledger.purse, [numbers[rest[0] % len(numbers)]])
        elif numbers:
            number = numbers[rest[0] % len(numbers)]
            # Nobody refunds what is over: its receipt came long ago.
            if ledger.live[number][0].at > ms(ledger.now - 2 * DAY):
                ledger.purse = refund(ledger.purse, [number])
                del ledger.live[number]
        assert_within(ledger)


def assert_within(ledger: Ledger) -> None:
    slots = sorted(slot for slot, _asking, _who in ledger.live.values())
    keep(slots, SECTION.overall, SECTION.overall.gap_hours)
    for name, caps in SECTION.channels.items():
        keep([slot for slot in slots if slot.channel in (caps.covers or [name])], caps, caps.gap_hours)
    overridden = [slot.at for slot in slots if slot.flags & OVERRIDE]
    for begin in overridden:
        assert sum(begin <= at < begin + ms(30 * DAY) - ms(0) for at in overridden) <= SECTION.urgent.per_member


def keep(slots: list[Slot], caps: Any, gap: int) -> None:
    """Every window: within the cap, or, where it holds an override, within what that may add, up to the ceiling."""
    for window, length in WINDOWS.items():
        for first in slots:
            seen = [slot for slot in slots if first.at <= slot.at < first.at + length * 3_600_000]
            cap = getattr(caps, window)
            if any(slot.flags & OVERRIDE for slot in seen):
                added = cap + getattr(SECTION.urgent, window)
                cap = max(cap, min(added, getattr(SECTION.urgent.ceiling, window)))
            assert len(seen) <= cap, (window, seen)
    usual = [slot.at for slot in slots if not slot.flags & OVERRIDE]
    assert all(later - sooner >= gap * 3_600_000 for sooner, later in pairwise(usual))


@settings(max_examples=50, deadline=None)
@given(asks, channels)
def test_a_household_gets_as_many_asks_in_whatever_order_it_is_routed(asking: BudgetAsk, channel: str) -> None:
    """Who of the household comes first does not change how many of them one campaign asks."""
    asking = replace(asking, override=False)
    members = [Recipient(), Recipient(dial=Dial.WEEKLY), Recipient(dial=Dial.PAUSED)]
    counts = set()
    for order in permutations(members):
        ledger = Ledger()
        for who in order:
            ledger.ask(asking, channel, 1, who)
        counts.add(len(ledger.live))
    assert counts == {1}
