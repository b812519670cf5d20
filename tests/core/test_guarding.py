"""When a blast does worse than its limits: tables, laws for any counts, and what looking at every message costs."""

from __future__ import annotations

import random
from math import exp
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import BadInput
from router.core.guarding import Count, Matter, Watch, at_least, evidence, find, limit_of, verdict
from router.core.policy import read_policy
from router.settings import load_settings, load_toml

SHIPPED = load_toml("policy", load_settings())
LIMITS = read_policy(SHIPPED).guard.limits
SURE = 0.99

counts = st.integers(0, 20_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
limits = st.floats(0.0005, 0.6)


@pytest.mark.parametrize(
    ("bad", "of", "limit", "passed"),
    [
        (0, 0, 0.01, False),
        (1, 1, 0.01, False),  # one angry person is no proof
        (2, 2, 0.01, False),
        (3, 3, 0.01, True),
        (3, 100, 0.01, False),
        (10, 1_000, 0.01, False),  # just at the limit
        (20, 1_000, 0.01, False),  # twice the limit, not yet beyond chance
        (40, 1_000, 0.01, True),
        (60, 3_000, 0.01, True),
        (1_000, 100_000, 0.01, False),
        (1_000, 1_000, 1.0, False),  # a limit of 1 is none
        (7, 7, 0.2, True),
    ],
)
def test_what_is_beyond_chance(bad: int, of: int, limit: float, passed: bool) -> None:
    assert verdict(bad, of, limit, SURE) is passed


@given(counts, limits)
def test_the_verdict_grows_with_what_is_bad_and_shrinks_with_what_is_well(count: tuple[int, int], limit: float) -> None:
    bad, of = count
    now = evidence(bad, of, limit)
    assert evidence(bad + 1, of + 1, limit) > now
    assert evidence(bad, of + 1, limit) < now


@given(counts, limits)
def test_nothing_at_or_below_its_limit_is_judged_worse(count: tuple[int, int], limit: float) -> None:
    bad, of = count
    if bad <= limit * of:
        assert not verdict(bad, of, limit, SURE)


@given(st.integers(0, 300), st.integers(0, 300), limits)
def test_evidence_is_never_expected_to_grow_at_the_limit(bad: int, well: int, limit: float) -> None:
    """The one step that makes it a martingale: what comes next leaves it, on average, where it is."""
    now = evidence(bad, bad + well, limit)
    worse, better = evidence(bad + 1, bad + well + 1, limit), evidence(bad, bad + well + 1, limit)
    expected = limit * exp(worse - now) + (1 - limit) * exp(better - now)
    assert expected == pytest.approx(1.0, abs=1e-6)


@given(counts, limits)
def test_the_bound_says_the_same_as_the_verdict(count: tuple[int, int], limit: float) -> None:
    bound = at_least(*count, SURE)
    assert bound <= count[0] / max(1, count[1])
    assert verdict(*count, limit, SURE) is (limit <= bound) or abs(limit - bound) < 1e-6


def first_stop(draw: random.Random, rate: float, limit: float, *, most: int, sure: float = SURE) -> int | None:
    """After how many messages a blast is stopped that is looked at after every bad one."""
    bad = 0
    for of in range(1, most + 1):
        if draw.random() < rate:
            bad += 1
            if verdict(bad, of, limit, sure):
                return of
    return None


def test_looking_all_the_time_stops_few_that_are_at_the_limit() -> None:
    draw = random.Random(7)
    stops = [first_stop(draw, 0.01, 0.01, most=5_000) for _ in range(300)]
    assert sum(one is not None for one in stops) / len(stops) <= 1 - SURE + 0.01


@pytest.mark.parametrize(("rate", "messages"), [(0.02, 2_000), (0.04, 400), (0.05, 250)])
def test_what_annoys_people_is_stopped_soon(rate: float, messages: int) -> None:
    draw = random.Random(7)
    stops = [first_stop(draw, rate, 0.01, most=20_000) for _ in range(100)]
    assert None not in stops
    assert median(one for one in stops if one is not None) <= messages


SMS = Watch(Matter.OPT_OUT, "sms")
MAIL = Watch(Matter.COMPLAINT, "email")


def test_the_finding_is_told_with_its_numbers_and_its_limit() -> None:
    found = find({SMS: Count(40, 1_000), MAIL: Count(1, 5_000)}, LIMITS, watches=7)
    assert found is not None
    assert found.watch == SMS
    assert 0.015 < found.at_least < 0.04
    assert found.sentence.startswith("after 1,000 messages by sms 40 people asked for silence: 4 %, and surely more")
    assert found.sentence.endswith("where 1 % is the limit")


def test_of_two_findings_the_worse_is_told() -> None:
    found = find({SMS: Count(60, 2_000), MAIL: Count(30, 1_000)}, LIMITS, watches=1)
    assert found is not None
    assert found.watch == MAIL


def test_more_counts_share_what_chance_may_stop() -> None:
    counts = {SMS: Count(26, 1_000)}
    assert find(counts, LIMITS, watches=1) is not None
    assert find(counts, LIMITS, watches=25) is None


def test_nothing_counted_is_no_finding() -> None:
    assert find({}, LIMITS, watches=1) is None
    assert find({SMS: Count(), MAIL: Count(0, 100)}, LIMITS, watches=1) is None


def test_each_channel_has_its_limit() -> None:
    assert limit_of(LIMITS, Watch(Matter.OPT_OUT, "email")) == LIMITS.opt_outs["email"]
    assert limit_of(LIMITS, Watch(Matter.OPT_OUT, "telegram")) == LIMITS.opt_outs["default"]
    assert limit_of(LIMITS, MAIL) == LIMITS.complaints
    assert limit_of(LIMITS, Watch(Matter.ERROR, "fcm")) == LIMITS.errors


def test_what_came_before_somebody_resumed_it_is_left_out() -> None:
    assert Count(50, 1_200).since(Count(40, 1_000)) == Count(10, 200)
    assert Count(1, 10).since(Count(2, 20)) == Count(0, 0)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("opt_outs", {"email": 0.01}, "default"),
        ("opt_outs", {"default": 0}, "greater than 0"),
        ("complaints", 1.5, "less than or equal to 1"),
        ("confidence", 0.2, "greater than 0.5"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(key: str, value: object, sentence: str) -> None:
    guard = {**SHIPPED["guard"], "limits": {**SHIPPED["guard"]["limits"], key: value}}
    with pytest.raises(BadInput, match=sentence) as refused:
        read_policy({**SHIPPED, "guard": guard})
    assert refused.value.place.startswith("policy.toml: guard.limits")
