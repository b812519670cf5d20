"""Laws of giving way: for any household and any asks, nobody is over budget and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.attention import BudgetAsk, Dial
from router.core.giving_way import Contest, Rival, booked
from router.core.model import Address, AskKind, ConsentState, Member
from router.core.purse import EMPTY, Purse, from_ms
from router.core.quiet_hours import QuietHours
from router.core.routing import Deliver, Hold, House, Plan, route
from router.settings import load_settings, load_toml
from tests.core.budgets import RULES, SECTION

NOW = datetime(2026, 11, 19, 12, tzinfo=UTC)
HOUSE = House(budget=RULES, quiet_hours=QuietHours.from_toml(load_toml("quiet_hours", load_settings())))
CHANNELS = ("sms", "email", "telegram")
HOLDER = 9


class Wish(NamedTuple):
    """An ask in the making."""

    priority: int
    hours: int
    channels: frozenset[str]

    def plan(self, campaign: int) -> Plan:
        expires_at = NOW + timedelta(hours=self.hours)
        return Plan(
            kind=AskKind.ASK,
            budget=BudgetAsk(campaign=campaign, priority=self.priority, deadline=expires_at),
            channels=self.channels,
            earliest=NOW,
            expires_at=expires_at,
        )


def person(number: int, dial: Dial) -> Member:
    addresses = tuple(
        Address(id=10 * number + rank, channel=channel, value="x", hash=f"{number}{channel}", rank=rank,
                consent=ConsentState.GRANTED)
        for rank, channel in enumerate(CHANNELS)
    )  # fmt: skip
    return Member(id=number, zone="Europe/Paris", country="FR", dial=dial, household_id=HOLDER, addresses=addresses)


wishes = st.builds(
    Wish,
    st.integers(0, 3),
    st.sampled_from([3, 30, 72, 300, 600]),
    st.sets(st.sampled_from(CHANNELS), min_size=1).map(frozenset),
)
several = st.lists(wishes, min_size=2, max_size=5)
rising = several.map(lambda asked: sorted(asked, key=lambda one: (one.priority, -one.hours)))
"""Each more important and shorter than the one before, so that much is taken."""
households = st.lists(st.sampled_from([Dial.EVERYTHING, Dial.EVERYTHING, Dial.WEEKLY]), min_size=1, max_size=3).map(
    lambda dials: [person(number, dial) for number, dial in enumerate(dials, start=1)]
)


class Waiting(NamedTuple):
    """A queued delivery."""

    plan: Plan
    person: Member
    address: Address
    at: datetime


def decide_for(plan: Plan) -> Callable[[Member, Purse], Deliver | Hold]:
    def decide(one: Member, purse: Purse) -> Deliver | Hold:
        return route(replace(one, purse=purse), plan, HOUSE, now=NOW)

    return decide


@settings(max_examples=200, deadline=None)
@given(households, several | rising, st.sets(st.integers(1, 18), max_size=3))
def test_whatever_is_asked_of_a_household_its_budget_holds(
    household: list[Member], asked: list[Wish], on_their_way: set[int]
) -> None:
    """`on_their_way` are the deliveries that a dispatcher has taken meanwhile: they keep their slots."""
    purse, queued, last = EMPTY, dict[int, Waiting](), 0
    for campaign, wish in enumerate(asked, start=1):
        plan = wish.plan(campaign)
        decide = decide_for(plan)
        contest = Contest(plan, HOUSE, {HOLDER: purse}, decide, NOW)
        rivals = {
            number: Rival(
                delivery=number,
                plan=one.plan,
                person=replace(one.person, addresses=(one.address,)),
                not_before=one.at,
            )
            for number, one in queued.items()
            if number not in on_their_way
        }
        before, seen, chosen = dict(rivals), purse, dict[int, Deliver]()
        for one in household:
            verdict = decide(one, seen)
            if isinstance(verdict, Deliver):
                contest.fill(one, HOLDER, verdict)
                seen = booked(plan, HOUSE, one, seen, verdict, 0, NOW)
                chosen[one.id] = verdict
        for one in household:
            held = one.id not in chosen
            if held and (found := contest.take(one, HOLDER, rivals)):
                chosen[one.id] = found
        contest.settle()
        gone = before.keys() - rivals.keys()
        assert gone == contest.deferred.keys() | set(contest.outranked), "who gave way comes later, or not at all"
        assert all(queued[number].plan.budget.priority < wish.priority for number in gone)
        for number, at in contest.deferred.items():
            assert queued[number].at <= at < queued[number].plan.expires_at
            queued[number] = queued[number]._replace(at=at)
        for number in contest.outranked:
            del queued[number]
        purse = contest.changed.get(HOLDER, purse)
        for one in household:
            if one.id in chosen:
                last += 1
                purse = booked(plan, HOUSE, one, purse, chosen[one.id], last, NOW)
                queued[last] = Waiting(plan, one, chosen[one.id].address, chosen[one.id].not_before)
        assert {slot.delivery: from_ms(slot.at) for slot in purse.slots} == {n: one.at for n, one in queued.items()}
        assert_within(purse)


def assert_within(purse: Purse) -> None:
    moments = sorted(slot.at for slot in purse.slots)
    for hours, most in ((24, SECTION.overall.day), (168, SECTION.overall.week), (720, SECTION.overall.month)):
        for start in moments:
            assert sum(start <= at < start + hours * 3_600_000 for at in moments) <= most
    for name, caps in SECTION.channels.items():
        own = sorted(slot.at for slot in purse.slots if slot.channel in (caps.covers or [name]))
        for sooner, later in pairwise(own):
            assert later - sooner >= caps.gap_hours * 3_600_000


def test_who_gives_way_comes_no_sooner_than_it_was_to_come() -> None:
    """There is room right now, but its batch sleeps until then, and so may its hour have been chosen."""
    someone, then = person(1, Dial.EVERYTHING), NOW + timedelta(hours=72)
    low = Wish(0, 200, frozenset({"email"})).plan(1)
    purse = booked(low, HOUSE, someone, EMPTY, Deliver(someone.addresses[1], then), 7, NOW)
    high = replace(Wish(1, 74, frozenset({"email"})).plan(2), earliest=then)
    contest = Contest(high, HOUSE, {HOLDER: purse}, decide_for(high), NOW)
    alone = replace(someone, addresses=someone.addresses[1:2])
    assert contest.take(someone, HOLDER, {7: Rival(delivery=7, plan=low, person=alone, not_before=then)})
    contest.settle()
    assert contest.deferred == {7: then + timedelta(hours=48)}
