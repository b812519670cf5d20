"""Shares and their differences: the published examples, laws for any counts, and what is said of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.comparing import Results, difference, judge_hold_out, judge_texts, share
from router.core.policy import read_policy
from router.settings import load_settings, load_toml

POLICY = read_policy(load_toml("policy", load_settings())).comparison

counts = st.integers(1, 50_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
confidences = st.floats(0.6, 0.999)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_one_share_as_published(count: int, of: int, low: float, high: float) -> None:
    """R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17, 1998,
    table I, method 3.
    """
    found = share(count, of, 0.95)
    assert (found.estimate, found.low, found.high) == pytest.approx((count / of, low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("larger", "smaller", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_differences_as_published(larger: tuple[int, int], smaller: tuple[int, int], low: float, high: float) -> None:
    """Newcombe's "comparison of eleven methods", table II, method 10."""
    found = difference(share(*smaller, 0.95), share(*larger, 0.95))
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(counts, confidences)
def test_a_share_lies_inside_its_interval(count: tuple[int, int], confidence: float) -> None:
    found = share(*count, confidence)
    assert 0 <= found.low <= found.estimate <= found.high <= 1


@given(counts, st.integers(2, 20), confidences)
def test_an_interval_shrinks_as_more_are_asked(count: tuple[int, int], times: int, confidence: float) -> None:
    few = share(*count, confidence)
    many = share(count[0] * times, count[1] * times, confidence)
    assert many.high - many.low < few.high - few.low


@given(counts, counts, confidences)
def test_a_difference_lies_inside_its_interval_and_turns_with_its_sides(
    one: tuple[int, int], other: tuple[int, int], confidence: float
) -> None:
    first, second = share(*one, confidence), share(*other, confidence)
    found, turned = difference(first, second), difference(second, first)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    assert turned.is_beyond_chance == found.is_beyond_chance


def test_nobody_asked_leaves_everything_open_and_too_many_wishes_count_as_all() -> None:
    nobody, all_ = share(0, 0, 0.95), share(7, 5, 0.95)
    assert (nobody.low, nobody.high) == (0, 1)
    assert (all_.estimate, all_.high) == (1, 1)


def results(of: int, acted: int, opted_out: int) -> Results:
    told = {"acted": acted, "clicked": 0, "declined": 0, "opted_out": opted_out}
    return Results(**{name: share(count, of, POLICY.confidence) for name, count in told.items()})


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ((312, 0, 0), (298, 298, 0), "Too few to say: 312 and 298 of at least 1,000 each."),
        ((5_000, 100, 20), (999, 500, 0), "Too few to say: 5,000 and 999 of at least 1,000 each."),
        (
            (1_000, 20, 5),
            (1_000, 24, 4),
            "No difference beyond chance: actions 2.40 % against 2.00 %, which may be chance; opt-outs 0.40 % against"
            " 0.50 %, which may be chance.",
        ),
        (
            (10_000, 200, 50),
            (10_000, 300, 52),
            "The second text against the first: more actions, 3.00 % against 2.00 % (0.57 to 1.44 points more);"
            " opt-outs 0.52 % against 0.50 %, which may be chance.",
        ),
        (
            (10_000, 300, 150),
            (10_000, 302, 50),
            "The second text against the first: actions 3.02 % against 3.00 %, which may be chance; fewer opt-outs,"
            " 0.50 % against 1.50 % (0.73 to 1.28 points less).",
        ),
    ],
)
def test_what_is_said_of_two_texts(first: tuple[int, ...], second: tuple[int, ...], sentence: str) -> None:
    assert judge_texts(results(*first), results(*second), POLICY) == sentence


@pytest.mark.parametrize(
    ("asked", "held_out", "sentence"),
    [
        ((900, 20_000), (3, 999), "Too few to say: 20,000 and 999 of at least 1,000 each."),
        (
            (900, 20_000),
            (45, 1_000),
            "No difference beyond chance: 4.50 % of those asked acted, and 4.50 % of those held out.",
        ),
        (
            (900, 20_000),
            (20, 1_000),
            "The ask changed what people did: 4.50 % of those asked acted, and 2.00 % of those held out (1.40 to 3.26"
            " points more).",
        ),
        (
            (200, 20_000),
            (40, 1_000),
            "The ask changed what people did: 1.00 % of those asked acted, and 4.00 % of those held out (1.94 to 4.41"
            " points less).",
        ),
    ],
)
def test_what_is_said_of_a_hold_out(asked: tuple[int, int], held_out: tuple[int, int], sentence: str) -> None:
    found = judge_hold_out(share(*asked, POLICY.confidence), share(*held_out, POLICY.confidence), POLICY)
    assert found == sentence
