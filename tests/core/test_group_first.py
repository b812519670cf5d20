"""Group first: how long the members of a group wait for their own message, as a table and as laws."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.ask import Ask
from router.core.group_first import is_answer, wait_of, wait_until
from router.core.group_names import read_group_names
from router.core.launch_policy import Wait as Waits
from router.core.model import Member
from router.core.policy import read_policy
from router.core.routing import Deliver, Hold, route
from router.core.trace import Wait, read_trace
from router.settings import load_settings, load_toml
from tests.core.test_routing import HOUSE, NOON, PLAN, address, asked, member

POLICY = read_policy(load_toml("policy", load_settings()))
HOUR = timedelta(hours=1)
TWO_HOURS, TWENTY_MINUTES = timedelta(hours=2), timedelta(minutes=20)


def ask(**values: Any) -> Ask:
    return Ask.model_validate({"title": "Rent", "texts": {"en": {"default": {"text": "Come"}}}, **values})


@pytest.mark.parametrize(
    ("values", "wait"),
    [
        ({}, None),
        ({"groups": ["rent"]}, TWO_HOURS),
        ({"groups": ["group:7"], "urgent": True}, TWENTY_MINUTES),
        ({"groups": ["all"], "tonight": True, "deadline": NOON}, TWENTY_MINUTES),
        ({"groups": ["rent"], "purpose": "fundraising"}, TWO_HOURS),
        # These go to everybody at once.
        ({"groups": ["rent"], "alert": True}, None),
        ({"groups": ["rent"], "purpose": "ballot"}, None),
        ({"groups": ["rent"], "purpose": "meeting"}, None),
        ({"groups": ["rent"], "kind": "cancelled", "about": 7}, None),
    ],
)
def test_how_long_a_group_is_waited_for(values: dict[str, Any], wait: timedelta | None) -> None:
    """FACTS.md 4.0: the rest are filled in after 2 h, 20 min when urgent."""
    assert wait_of(ask(**values), POLICY.groups.first) == wait


def test_the_wait_is_the_policys() -> None:
    assert wait_of(ask(groups=["rent"]), Waits(normal=7, urgent=3)) == timedelta(minutes=7)


@pytest.mark.parametrize(
    ("asked_at", "end", "until"),
    [
        (NOON, NOON + 72 * HOUR, NOON + 2 * HOUR),
        (NOON + HOUR, NOON + 72 * HOUR, NOON + 3 * HOUR),
        (NOON - HOUR, NOON + 72 * HOUR, NOON + HOUR),
        (NOON - 5 * HOUR, NOON + 72 * HOUR, NOON),
        # half of what is left
        (NOON, NOON + 3 * HOUR, NOON + 1.5 * HOUR),
        (NOON, NOON + HOUR / 2, NOON + HOUR / 4),
        # there it is night
        (NOON + 2.1 * HOUR, NOON + 72 * HOUR, NOON),
        (NOON + 14 * HOUR, NOON + 72 * HOUR, NOON),
    ],
)
def test_from_when_on_a_member_is_asked(asked_at: Any, end: Any, until: Any) -> None:
    assert wait_until(NOON, asked_at, TWO_HOURS, end) == until


spans = st.integers(-6 * 60, 6 * 60).map(lambda minutes: timedelta(minutes=minutes))
waits = st.integers(1, 300).map(lambda minutes: timedelta(minutes=minutes))


@given(spans, waits, st.integers(1, 80 * 60))
def test_nobody_waits_longer_than_the_policy_says_nor_past_half_of_what_is_left(
    lag: timedelta, wait: timedelta, minutes: int
) -> None:
    asked_at = NOON + lag
    end = max(NOON, asked_at) + timedelta(minutes=minutes)
    until = wait_until(NOON, asked_at, wait, end)
    assert NOON <= until < end
    if until > NOON:
        assert until <= asked_at + wait
        assert until - asked_at <= (end - asked_at) / 2
        assert until <= NOON + 2 * wait


@given(
    hour=st.integers(0, 23),
    lag=st.integers(0, 180),
    life=st.integers(1, 72 * 60),
    wait=waits,
    days=st.lists(st.sampled_from([0.0, 0.3, 1.0, 3.0, 6.9, 7.0]), max_size=3),
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Tokyo", ""]),
    channels=st.sampled_from([("sms",), ("email",), ("sms", "email"), ()]),
)
def test_to_wait_for_a_group_changes_when_somebody_is_asked_and_never_whether(
    hour: int, lag: int, life: int, wait: timedelta, days: list[float], zone: str, channels: tuple[str, ...]
) -> None:
    now = NOON.replace(hour=hour)
    plan = replace(PLAN, earliest=now, expires_at=now + timedelta(minutes=life), group_wait=wait)
    addresses = [address(channel, number) for number, channel in enumerate(channels, 1)]
    person = member(*addresses, zone=zone, purse=asked(*days))
    linked = replace(person, group_asked_at=now + timedelta(minutes=lag))
    at_once, first = route(person, plan, HOUSE, now=now), route(linked, plan, HOUSE, now=now)
    if isinstance(at_once, Hold):
        assert first == at_once
        return
    assert isinstance(first, Deliver)
    assert linked.group_asked_at is not None
    until = wait_until(now, linked.group_asked_at, wait, plan.expires_at)
    assert first.not_before >= until or first == at_once, "rather at once than never"
    assert (Wait.GROUP in _waits(first)) is (until > now and first.not_before >= until)


def _waits(verdict: Deliver) -> tuple[Wait, ...]:
    [chosen] = [one for one in read_trace(verdict.trace).verdicts if one.at is not None]
    return chosen.waits


def test_whoever_would_miss_it_by_waiting_is_asked_at_once() -> None:
    """At 19:30 texts leave until 20:00, and the ask ends before the next morning."""
    now = NOON.replace(hour=18, minute=30)
    plan = replace(PLAN, earliest=now, expires_at=now + 8 * HOUR, group_wait=TWO_HOURS)
    person: Member = member(address(), group_asked_at=now)
    assert route(person, plan, HOUSE, now=now) == Deliver(address(), now)
    longer = replace(plan, expires_at=now + 48 * HOUR)
    verdict = route(person, longer, HOUSE, now=now)
    assert isinstance(verdict, Deliver)
    assert verdict.not_before > now + 12 * HOUR
    assert _waits(verdict) == (Wait.GROUP, Wait.QUIET_HOURS)


@pytest.mark.parametrize(
    ("kind", "values", "spared"),
    [
        ("yes", {}, True),
        ("no", {}, True),
        ("gave", {"purpose": "fundraising"}, True),
        ("click", {}, False),
        ("refund", {}, False),
        ("yes", {"purpose": "ballot"}, False),
        ("yes", {"purpose": "notice"}, False),
        ("yes", {"kind": "moved", "about": 7}, False),
        ("yes", {"alert": True}, True),
    ],
)
def test_who_need_not_be_asked_any_more(kind: str, values: dict[str, Any], spared: bool) -> None:
    assert is_answer(kind, ask(**values)) is spared


def test_which_groups_an_ask_names() -> None:
    names = read_group_names(["Rent", " group:42 ", "GROUP:7", "group:x", "group:٣"])
    assert names == (False, (42, 7), ("rent", "group:x", "group:٣"))
    assert read_group_names([" All "]) == (True, (), ())
