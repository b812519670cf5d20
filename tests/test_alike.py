"""Routing by likeness: whoever is alike gets one ruling, and each gets by it what they would have got alone."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.alike import Likeness, person_of
from router.core.attention import BudgetAsk, Thread
from router.core.budget_limits import rules_of
from router.core.budget_policy import read_budget
from router.core.giving_way import booked
from router.core.goals import NOBODY
from router.core.model import AskKind, Member, Purpose, Reason
from router.core.purse import ANSWERABLE, NOTHING, SPENT, FollowUps, Purse, Slot, decode, encode, to_ms
from router.core.purse_patterns import last_asked, of_pattern, split
from router.core.quiet_hours import QuietHours
from router.core.routing import Deliver, Hold, House, Plan, route
from router.fanout_people import Decisions, Person
from router.overflow import UNBOUNDED
from router.settings import load_settings, load_toml
from router.store.people import AddressRow

NOW = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
HOUR, DAY = 3_600_000, 86_400_000
NOW_MS = to_ms(NOW)
HOUSE = House(
    budget=rules_of(read_budget(load_toml("policy", load_settings()), file="policy.toml")),
    quiet_hours=QuietHours.from_toml(load_toml("quiet_hours", load_settings())),
)
CHANNELS = ["sms", "whatsapp", "email", "telegram"]
LONG_AGO = NOW_MS - 400 * DAY


class Lots:
    """What is drawn for one example. Much is drawn, which hypothesis itself would take long over."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.number = self._random.randint

    def one_of(self, *values: Any) -> Any:
        return self._random.choice(values)

    def usually(self, value: Any, *others: Any) -> Any:
        """`value` in most cases, so that many of a crowd are alike but for one thing."""
        return self._random.choice(others) if self._random.random() < 0.04 else value


def a_plan(lots: Lots) -> Plan:
    ask = BudgetAsk(
        campaign=7,
        priority=lots.one_of(0, 1, 5),
        deadline=lots.one_of(None, NOW + timedelta(hours=30)),
        urgent=lots.usually(False, True),
        override=lots.usually(False, True),
        answerable=lots.one_of(False, True),
        unseen=lots.one_of(frozenset(), frozenset({"sms"})),
        permission=lots.usually(False, True),
        free=lots.usually(False, True),
        thread=lots.one_of(None, None, Thread(campaign=3, until=NOW + timedelta(days=2))),
    )
    return Plan(
        kind=lots.usually(AskKind.ASK, AskKind.REMINDER),
        budget=ask,
        channels=frozenset(lots.one_of(["sms"], ["email"], ["sms", "email"], CHANNELS)),
        group_channels=lots.one_of(frozenset(), frozenset({"telegram"})),
        windows=lots.one_of({}, {"whatsapp": timedelta(hours=24)}),
        barred=lots.one_of({}, {"sms": ("+33",)}),
        earliest=NOW + timedelta(hours=lots.usually(0, 5)),
        expires_at=NOW + timedelta(hours=lots.one_of(6, 72, 24 * 20)),
        purpose=lots.one_of(Purpose.GENERAL, Purpose.FUNDRAISING),
        alert=lots.one_of(False, False, True),
        order=lots.one_of((), ("email", "sms")),
        cost=lots.one_of({}, {"sms": 0.05, "email": 0.01}),
        starts_at_local=lots.usually(None, datetime(2026, 11, 20, 9)),  # noqa: DTZ001
        group_wait=lots.one_of(None, timedelta(minutes=20), timedelta(hours=2)),
    )


PASTS = ((), (5,), (5, 1), (20, 9, 2), (40, 31, 12), (-1,))
"""So many days ago somebody was asked."""


def a_purse(lots: Lots, number: int, past: tuple[int, ...]) -> str:
    """With delivery numbers of one's own."""
    days = lots.usually(past, *PASTS)
    flags = lots.usually(SPENT, 0, SPENT | ANSWERABLE)
    slots = [
        Slot(NOW_MS - day * DAY, 1_000 * number + place, CHANNELS[place % 3], flags, 0 if flags else lots.usually(0, 2))
        for place, day in enumerate(days)
    ]
    purse = Purse(
        slots=tuple(sorted(slots)),
        threads=lots.usually((), (FollowUps(3, NOW_MS + 2 * DAY, (5, 6)),)),
        missed=lots.usually((), (("sms", 4),)),
        quiet_since=lots.usually(0, NOW_MS - 200 * DAY),
        answered_at=lots.usually(0, NOW_MS - 3 * DAY),
    )
    return encode(purse)


def a_crowd(lots: Lots) -> tuple[list[Any], dict[int, list[AddressRow]], dict[int, str]]:
    rows, addresses, slots = [], {}, {}
    past, channels = lots.one_of(*PASTS), lots.one_of(["sms", "email"], CHANNELS)
    for number in range(1, lots.number(2, 16) + 1):
        household = lots.usually(None, 900, 901)
        rows.append(
            (
                number,
                household,
                lots.usually("person", "group"),
                lots.usually(None, NOW_MS),
                lots.usually(LONG_AGO, LONG_AGO + HOUR, NOW_MS - 3 * DAY),
                lots.usually(0, 7),
                lots.usually("everything", "weekly", "urgent_only", "paused"),
                lots.usually(None, NOW_MS + 2 * HOUR),
                lots.usually("Europe/Paris", "Asia/Tokyo", ""),
                lots.usually("FR", "US"),
                lots.usually("", "40202"),
                "",
            )
        )
        addresses[number] = [
            AddressRow(
                number, 100 * number + place, f"h{number}-{place}", lots.usually("+331", "+151"),
                lots.usually(None, NOW_MS - 2 * HOUR, NOW_MS - 9 * DAY), channel, lots.usually("active", "dead"),
                lots.usually("granted", "none", "unconfirmed", "revoked"), lots.usually(100, 0, 1), lots.usually(0, 2),
                lots.usually(0, 1), lots.usually(False, True), lots.usually(False, True), lots.usually("", "main"),
            )
            for place, channel in enumerate(lots.usually(channels, ["email"], []))
        ]  # fmt: skip
        slots.setdefault(household or number, a_purse(lots, number, past))
    return rows, addresses, slots


def alone(
    plan: Plan,
    rows: list[Any],
    addresses: dict[int, list[AddressRow]],
    slots: dict[int, str],
    said_yes: set[int],
    asked_at: dict[int, int],
) -> list[tuple[Member, Deliver | Hold]]:
    """Each member asked for on their own, those of a household one after the other."""
    spent = dict(slots)
    found = []
    for row in rows:
        holder = row[1] or row[0]
        person = person_of(row, addresses[row[0]], spent[holder], row[0] in said_yes, asked_at.get(row[0]))
        verdict = route(person, plan, HOUSE, now=NOW)
        if isinstance(verdict, Deliver) and row[1] is not None:
            spent[holder] = encode(booked(plan, HOUSE, person, person.purse, verdict, 0, NOW))
        found.append((person, verdict))
    return found


def targets(person: Person) -> list[int]:
    return [person.target(place)[2] for place in (person.ruling.place, *person.ruling.also)]


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 1 << 40))
def test_by_likeness_each_gets_what_they_would_have_got_alone(seed: int) -> None:
    lots = Lots(seed)
    plan, (rows, addresses, slots) = a_plan(lots), a_crowd(lots)
    said_yes = {lots.number(1, 16), lots.number(1, 16)}
    asked_at = {lots.number(1, 16): NOW_MS + lots.one_of(0, HOUR, 14 * HOUR) for _ in range(lots.number(0, 8))}
    decisions = Decisions(plan, HOUSE, peace=NOBODY, owed=set(), left_out=None, room=UNBOUNDED, now=NOW)
    people = decisions.decide_all(rows, addresses, slots, said_yes, asked_at)
    each = alone(plan, rows, addresses, slots, said_yes, asked_at)
    for person, (member, verdict) in zip(people, each, strict=True):
        assert person.ruling.trace(person.addresses) == verdict.trace
        if isinstance(verdict, Hold):
            assert person.reason is verdict.reason
            continue
        assert person.reason is None
        assert person.ruling.at == to_ms(verdict.not_before)
        assert targets(person) == [address.id for address in (verdict.address, *verdict.also)]
        kept = person.ruling.book(encode(member.purse), 999_999)
        assert decode(kept) == booked(plan, HOUSE, member, member.purse, verdict, 999_999, NOW)


@given(st.integers(0, 1 << 40))
def test_a_purse_is_its_pattern_and_its_numbers(seed: int) -> None:
    text = a_purse(Lots(seed), 3, Lots(seed).one_of(*PASTS))
    pattern, numbers = split(text)
    purse = decode(text)
    assert last_asked(text) == max((slot.at for slot in purse.slots), default=0)
    assert numbers.split(",") == [str(slot.delivery) for slot in purse.slots] or not purse.slots
    places = {slot.delivery: place for place, slot in enumerate(purse.slots)}
    assert of_pattern(pattern).slots == tuple(slot._replace(delivery=places[slot.delivery]) for slot in purse.slots)
    assert of_pattern(pattern)[1:] == purse[1:]


def test_the_json_of_older_ledgers_has_a_pattern_as_well() -> None:
    assert split(NOTHING) == split('{"slots":[]}') == ("", "")
    assert split(f'[[{NOW_MS},17,"sms"]]') == (f"{NOW_MS} sms {SPENT}", "17")


def test_who_is_spared_is_spared_one_by_one() -> None:
    """What is no matter of likeness: who is owed a report-back, who is left out by lot, who answered already."""
    numbers = (1, 2, 3, 4)
    rows = [(n, None, "person", None, LONG_AGO, 0, "everything", None, "Europe/Paris", "FR", "", "") for n in numbers]
    addresses = {
        n: [AddressRow(n, 100 + n, f"h{n}", "", None, "sms", "active", "granted", 0, 0, 0, False, False, "")]
        for n in numbers
    }
    plan = Plan(
        kind=AskKind.ASK, budget=BudgetAsk(campaign=1), channels=frozenset({"sms"}), earliest=NOW,
        expires_at=NOW + timedelta(hours=72),
    )  # fmt: skip
    decisions = Decisions(
        plan, HOUSE, peace=NOBODY, owed={2}, left_out=lambda member: member == 3, room=UNBOUNDED, now=NOW,
        answered={4},
    )  # fmt: skip
    people = decisions.decide_all(rows, addresses, {}, set())
    assert [person.reason for person in people] == [None, Reason.REPORT_OWED, Reason.HELD_OUT, Reason.ACTED]
    assert len({person.ruling for person in people}) == 1


def test_the_state_makes_a_difference_where_its_hours_do() -> None:
    plan = Plan(
        kind=AskKind.ASK,
        budget=BudgetAsk(campaign=1),
        channels=frozenset({"sms"}),
        earliest=NOW,
        expires_at=NOW + timedelta(hours=72),
    )
    kentucky, elsewhere = (
        (1, None, "person", None, LONG_AGO, 0, "everything", None, "America/New_York", "US", postcode, "")
        for postcode in ("40202", "10001")
    )
    for purpose in (Purpose.GENERAL, Purpose.FUNDRAISING):
        like = Likeness(replace(plan, purpose=purpose), HOUSE, NOW)
        same = like.of(kentucky, (), NOTHING, False) == like.of(elsewhere, (), NOTHING, False)
        assert same == (purpose is Purpose.GENERAL)
