"""Which address is tried first, and to which ones an alert goes: the decision as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.address_order import in_order
from router.core.attention import BudgetAsk, Refusal
from router.core.model import UNRANKED, Address, AddressState, AskKind, ConsentState, Member, Purpose, Reason
from router.core.postcodes import area_of_postcode
from router.core.purse import EMPTY, Purse
from router.core.routing import Deliver, Hold, Plan, route
from router.core.trace import Basis, Verdict, Wait, read_trace
from tests.core.test_routing import HOUSE, NOON, PLAN, address, asked, member

CHANNELS = ["sms", "email", "telegram", "whatsapp"]
COST = {"sms": 0.0083, "email": 0.0001, "whatsapp": 0.005}
OPEN = replace(PLAN, channels=frozenset(CHANNELS), cost=COST)
NIGHT = NOON.replace(hour=22)
"""23 o'clock in Paris."""


def silent(channel: str, number: int, **values: Any) -> Address:
    """An address whose owner never said how much they like it."""
    return address(channel, number, **{"rank": UNRANKED, **values})


def at_night(plan: Plan, hours: int = 72) -> Plan:
    return replace(plan, earliest=NIGHT, expires_at=NIGHT + timedelta(hours=hours))


# ── what works ────────────────────────────────────────────────────────────────────────────────────────────────────

SMS, MAIL, CHAT = silent("sms", 1), silent("email", 2), silent("telegram", 3)


@pytest.mark.parametrize(
    ("addresses", "plan", "first", "basis"),
    [
        ((SMS,), OPEN, 1, Basis.ONLY),
        # their own word before everything else
        ((replace(SMS, rank=0), replace(MAIL, rank=1, answers=9)), replace(OPEN, order=("email",)), 1, Basis.OWN),
        ((replace(MAIL, rank=2), replace(SMS, answers=9)), OPEN, 2, Basis.OWN),
        # a word later than that nothing was said is no word
        ((replace(SMS, rank=UNRANKED + 1), replace(MAIL, rank=UNRANKED + 2)), OPEN, 2, Basis.COST),
        # then the ask's waterfall, what it does not name coming last
        ((SMS, replace(MAIL, answers=9)), replace(OPEN, order=("sms", "email")), 1, Basis.WATERFALL),
        ((SMS, replace(MAIL, answers=9)), replace(OPEN, order=("telegram", "sms")), 1, Basis.WATERFALL),
        # then where they answer, where they can be reached, what it costs
        ((replace(MAIL, failures=0), replace(SMS, answers=1, failures=2)), OPEN, 1, Basis.ANSWERS),
        ((replace(MAIL, failures=1), SMS), OPEN, 1, Basis.REACH),
        ((SMS, MAIL), OPEN, 2, Basis.COST),
        ((SMS, CHAT), OPEN, 3, Basis.COST),
        # and where nothing tells them apart, as they stand
        ((SMS, MAIL), replace(OPEN, cost={}), 1, Basis.ONLY),
        ((MAIL, SMS), replace(OPEN, cost={}), 2, Basis.ONLY),
    ],
)
def test_what_is_tried_first(addresses: tuple[Address, ...], plan: Plan, first: int, basis: Basis) -> None:
    verdict = route(member(*addresses), plan, HOUSE, now=NOON)
    assert isinstance(verdict, Deliver)
    assert verdict.address.id == first
    assert read_trace(verdict.trace).basis is basis


@given(
    st.lists(
        st.builds(
            silent,
            st.sampled_from(CHANNELS),
            st.integers(1, 10**9),
            rank=st.sampled_from([0, 1, 2, UNRANKED, UNRANKED + 1]),
            answers=st.integers(0, 2),
            failures=st.integers(0, 2),
        ),
        min_size=2,
        max_size=6,
        unique_by=lambda one: one.id,
    ),
    st.lists(st.sampled_from(CHANNELS), unique=True, max_size=3),
    st.sets(st.sampled_from(CHANNELS), max_size=2),
)
def test_no_address_gets_lost_and_none_stands_before_a_better_one(
    addresses: list[Address], waterfall: list[str], full: set[str]
) -> None:
    addresses.sort(key=lambda one: one.rank)
    ordered, _ = in_order(addresses, waterfall, COST, full)
    assert sorted(one.id for one in ordered) == sorted(one.id for one in addresses)
    for one, other in pairwise(ordered):
        assert (one.channel in full) <= (other.channel in full)
        if (one.channel in full) == (other.channel in full):
            assert one.rank <= other.rank or other.rank >= UNRANKED


# ── channels that are full ────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_channel_gives_way_to_the_next_and_the_trace_says_so() -> None:
    person = member(address("sms", 1, rank=0), address("email", 2, rank=1))
    verdict = route(person, PLAN, HOUSE, now=NOON, full={"sms"})
    assert verdict == Deliver(person.addresses[1], NOON)
    trace = read_trace(verdict.trace)
    assert trace.basis is Basis.FULL
    assert trace.verdicts == (Verdict("sms", 1, full=True), Verdict("email", 2, at=NOON))


def test_where_only_a_full_channel_is_left_it_is_taken() -> None:
    person = member(address("sms", 1), address("email", 2, suppressed=True))
    verdict = route(person, PLAN, HOUSE, now=NOON, full={"sms"})
    assert verdict == Deliver(person.addresses[0], NOON)
    assert read_trace(verdict.trace).verdicts == (
        Verdict("email", 2, reason=Reason.SUPPRESSED),
        Verdict("sms", 1, at=NOON, full=True),
    )


# ── hours ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SUNDAY = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
"""10 o'clock in New York and in Louisville, 9 in Alabama."""
MONEY = replace(
    PLAN,
    purpose=Purpose.FUNDRAISING,
    earliest=SUNDAY,
    expires_at=SUNDAY + timedelta(hours=72),
    budget=BudgetAsk(campaign=1),
)


@pytest.mark.parametrize(
    ("postcode", "zone", "opens"),
    [
        ("10001", "America/New_York", datetime(2026, 11, 22, 17, 0, tzinfo=UTC)),
        # no asking for money on a Sunday in Alabama
        ("35203", "America/Chicago", datetime(2026, 11, 23, 15, 0, tzinfo=UTC)),
        # where the state is not known, the strictest of all: no Sunday, and from ten on
        ("", "America/New_York", datetime(2026, 11, 23, 15, 0, tzinfo=UTC)),
    ],
)
def test_asking_for_money_keeps_the_hours_of_the_state(postcode: str, zone: str, opens: datetime) -> None:
    person = member(address(), zone=zone, country="US", postcode=postcode)
    assert route(person, MONEY, HOUSE, now=SUNDAY) == Deliver(address(), opens)
    general = replace(MONEY, purpose=Purpose.MEETING)
    assert route(person, general, HOUSE, now=SUNDAY) == Deliver(address(), SUNDAY)


@pytest.mark.parametrize(
    ("country", "postcode", "area"),
    [
        ("US", "40202", "US-KY"),
        ("US", "40202-1234", "US-KY"),
        ("US", "2134", "US-MA"),
        ("US", "no code", ""),
        ("US", "", ""),
        ("FR", "40202", ""),
    ],
)
def test_the_state_of_a_postcode(country: str, postcode: str, area: str) -> None:
    assert area_of_postcode(country, postcode) == area


# ── alerts ────────────────────────────────────────────────────────────────────────────────────────────────────────

ALERT = replace(at_night(PLAN), alert=True, channels=frozenset({"sms", "email", "telegram"}))
LOUD_SMS, LOUD_MAIL = address("sms", 1, rank=0, alerts=True), address("email", 2, rank=1, alerts=True)
QUIET_CHAT = address("telegram", 3, rank=2)


def test_an_alert_goes_to_all_who_agreed_at_once_at_any_hour() -> None:
    verdict = route(member(LOUD_SMS, LOUD_MAIL, QUIET_CHAT), ALERT, HOUSE, now=NIGHT)
    assert verdict == Deliver(LOUD_SMS, NIGHT, also=(LOUD_MAIL,))
    trace = read_trace(verdict.trace)
    assert (trace.basis, trace.verdicts) == (
        Basis.ALERT,
        (Verdict("sms", 1, at=NIGHT), Verdict("email", 2, also=True)),
    )


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        # one address a channel, the better one
        ((LOUD_SMS, replace(LOUD_SMS, id=9, rank=5), LOUD_MAIL), (1, [2])),
        # consent as for anything else
        ((replace(LOUD_SMS, suppressed=True), LOUD_MAIL), (2, [])),
        ((replace(LOUD_SMS, state=AddressState.DEAD), LOUD_MAIL), (2, [])),
        ((replace(LOUD_SMS, consent=ConsentState.UNCONFIRMED), LOUD_MAIL), (2, [])),
        # a channel that the ask does not use
        ((replace(LOUD_SMS, channel="slack"), LOUD_MAIL), (2, [])),
    ],
)
def test_whom_an_alert_reaches(addresses: tuple[Address, ...], expected: tuple[int, list[int]]) -> None:
    verdict = route(member(*addresses), ALERT, HOUSE, now=NIGHT)
    assert isinstance(verdict, Deliver)
    assert (verdict.address.id, [one.id for one in verdict.also]) == expected


def test_an_alert_without_such_an_address_goes_the_way_of_any_ask() -> None:
    verdict = route(member(QUIET_CHAT), ALERT, HOUSE, now=NIGHT)
    assert verdict == Deliver(QUIET_CHAT, datetime(2026, 11, 20, 8, 0, tzinfo=UTC))


def test_an_alert_still_begins_at_the_members_own_hour_and_keeps_the_budget() -> None:
    local = replace(ALERT, starts_at_local=datetime(2026, 11, 20, 3, 0))  # noqa: DTZ001 - by the member's own clock
    verdict = route(member(LOUD_SMS), local, HOUSE, now=NIGHT)
    assert verdict == Deliver(LOUD_SMS, datetime(2026, 11, 20, 2, 0, tzinfo=UTC))
    assert read_trace(verdict.trace).verdicts[0].waits == (Wait.LOCAL_START,)
    often = member(LOUD_SMS, LOUD_MAIL, purse=asked(1, 2, 3))
    assert route(often, ALERT, HOUSE, now=NIGHT) == Hold(Reason.CAP)


# ── what the trace says ───────────────────────────────────────────────────────────────────────────────────────────

MORNING = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("person", "plan", "now", "verdicts"),
    [
        (member(), PLAN, NOON, []),
        (member(address(), erased=True), PLAN, NOON, []),
        (member(address("slack", 5)), PLAN, NOON, [Verdict("slack", 5, reason=Reason.NO_CHANNEL)]),
        (
            member(address("sms", 5, consent=ConsentState.NONE, rank=0), address("email", 6, rank=1)),
            PLAN,
            NOON,
            [Verdict("sms", 5, reason=Reason.NO_CONSENT), Verdict("email", 6, at=NOON)],
        ),
        (member(address()), at_night(PLAN), NIGHT, [Verdict("sms", 1, at=MORNING, waits=(Wait.QUIET_HOURS,))]),
        (member(address()), at_night(PLAN, 6), NIGHT, [Verdict("sms", 1, reason=Reason.QUIET_HOURS)]),
        (member(address(), purse=asked(1, 2, 3)), PLAN, NOON, [Verdict("sms", 1, reason=Refusal.CAP)]),
        (
            member(address(), purse=asked(1, 2, 6.95)),
            PLAN,
            NOON,
            [Verdict("sms", 1, at=NOON + timedelta(days=0.05), waits=(Wait.BUDGET,))],
        ),
        (
            member(address(), purse=asked(1, 2, 6.9)),
            PLAN,
            NOON,
            [Verdict("sms", 1, at=MORNING, waits=(Wait.QUIET_HOURS, Wait.BUDGET))],
        ),
    ],
)
def test_every_verdict_can_be_read_again(person: Member, plan: Plan, now: datetime, verdicts: list[Verdict]) -> None:
    trace = read_trace(route(person, plan, HOUSE, now=now).trace)
    assert (trace.decided_at, list(trace.verdicts)) == (now, verdicts)


def test_a_gap_is_told_from_a_cap() -> None:
    limits = tuple((*some, (1, 72 * 3_600_000, Refusal.GAP)) for some in HOUSE.budget.overall)
    house = replace(HOUSE, budget=replace(HOUSE.budget, overall=limits))
    verdict = route(
        member(address(), purse=asked(0.1)), replace(PLAN, expires_at=NOON + timedelta(days=1)), house, now=NOON
    )
    assert verdict == Hold(Reason.CAP)
    assert read_trace(verdict.trace).verdicts == (Verdict("sms", 1, reason=Refusal.GAP),)


# ── the law ───────────────────────────────────────────────────────────────────────────────────────────────────────

_ADDRESSES = st.lists(
    st.builds(
        Address,
        id=st.integers(1, 9),
        channel=st.sampled_from(["sms", "email", "telegram"]),
        value=st.just("v"),
        hash=st.just("h"),
        state=st.sampled_from(list(AddressState)),
        consent=st.sampled_from([ConsentState.GRANTED, *ConsentState]),
        suppressed=st.booleans(),
        rank=st.sampled_from([0, 1, UNRANKED]),
        answers=st.integers(0, 2),
        alerts=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda one: one.id,
)


@given(
    addresses=_ADDRESSES,
    purse=st.sampled_from([EMPTY, asked(1), asked(1, 2, 6.9), asked(1, 2, 3)]),
    alert=st.booleans(),
    purpose=st.sampled_from([Purpose.GENERAL, Purpose.FUNDRAISING]),
    hour=st.integers(0, 47),
    without=st.sets(st.integers(1, 9), max_size=3),
    full=st.sets(st.sampled_from(["sms", "email"]), max_size=2),
)
def test_nobody_is_written_to_without_consent_or_at_night_or_where_it_was_tried(
    addresses: list[Address],
    purse: Purse,
    alert: bool,
    purpose: Purpose,
    hour: int,
    without: set[int],
    full: set[str],
) -> None:
    now = NOON.replace(hour=0) + timedelta(hours=hour)
    plan = replace(
        OPEN, kind=AskKind.ASK, earliest=now, expires_at=now + timedelta(hours=40), alert=alert, purpose=purpose
    )
    verdict = route(member(*addresses, purse=purse), plan, HOUSE, now=now, without=without, full=full)
    trace = read_trace(verdict.trace)
    assert trace.decided_at == now
    assert not without & {one.address_id for one in trace.verdicts}
    if isinstance(verdict, Hold):
        return
    chosen = [verdict.address, *verdict.also]
    assert len({one.channel for one in chosen}) == len(chosen)
    assert now <= verdict.not_before < plan.expires_at
    for one in chosen:
        assert one.consent is ConsentState.GRANTED
        assert one.state is AddressState.ACTIVE
        assert not one.suppressed
        assert one.id not in without
    window = HOUSE.quiet_hours.window(
        verdict.address.channel, "Europe/Paris", "FR", verdict.not_before, purpose=purpose
    )
    if not (window.opens_at <= verdict.not_before < window.closes_at):
        assert alert, "only an alert comes in quiet hours"
        assert all(one.alerts for one in chosen)
    taken = [one for one in trace.verdicts if one.at is not None]
    assert [(one.address_id, one.at) for one in taken] == [(verdict.address.id, verdict.not_before)]
