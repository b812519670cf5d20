"""In which stages an ask leaves, and that each stage is a fair sample of everybody."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.ask import Ask
from router.core.policy import read_policy
from router.core.staging import ALL, TURN, TURNS, Spread, after, assign, first, is_canary, shares_of, wait_of
from router.settings import load_settings, load_toml

NOW = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
POLICY = read_policy(load_toml("policy", load_settings())).guard
RAMP = tuple(POLICY.ramp.shares)
HOUR = timedelta(hours=1)
WORDS = {"texts": {"en": {"default": {"text": "Dinner?"}}}}


def ask(**values: Any) -> Ask:
    return Ask.model_validate({"title": "Dinner", **WORDS, **values})


@pytest.mark.parametrize(
    ("recipients", "values", "shares"),
    [
        (200, {}, ()),
        (201, {}, RAMP),
        (5_000, {}, RAMP),
        (5_001, {}, (1_000 / 5_001,)),
        (50_000_000, {}, (1_000 / 50_000_000,)),
        (20_000, {"deadline": NOW + 3 * HOUR}, RAMP),
        (20_000, {"deadline": NOW + 3 * HOUR + timedelta(minutes=1)}, (0.05,)),
        (20_000, {"deadline": NOW + 9 * HOUR, "tonight": True}, RAMP),
        (20_000, {"urgent": True}, (0.05,)),
        (20_000, {"alert": True}, ()),
        (20_000, {"kind": "cancelled", "about": 1}, ()),
        (20_000, {"purpose": "ballot"}, (0.05,)),
    ],
)
def test_who_leaves_in_which_stages(recipients: int, values: dict[str, Any], shares: tuple[float, ...]) -> None:
    assert shares_of(POLICY, ask(**values), recipients, NOW) == shares
    assert is_canary(POLICY, ask(**values), recipients, NOW) is (len(shares) == 1)


def test_how_long_each_stage_waits() -> None:
    soon = ask(tonight=True, deadline=NOW + HOUR)
    assert wait_of(POLICY, ask(), 20_000, NOW) == timedelta(minutes=POLICY.canary.wait_minutes)
    assert wait_of(POLICY, ask(), 2_000, NOW) == timedelta(seconds=POLICY.ramp.wait_seconds)
    assert wait_of(POLICY, soon, 20_000, NOW) == timedelta(seconds=POLICY.ramp.tonight_wait_seconds)


def test_stages_follow_one_another_to_the_last() -> None:
    assert first(()) == ALL
    assert first(RAMP) == 0
    assert after(0, RAMP) == 1
    assert after(1, RAMP) == ALL
    assert after(0, (0.05,)) == ALL


# ── a fair sample ─────────────────────────────────────────────────────────────────────────────────────────────────

rising = st.lists(st.floats(0.001, 1), min_size=1, max_size=4, unique=True).map(sorted)
offsets = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 1_200), rising, offsets, st.integers(0, 10**6))
def test_each_stage_has_its_share(count: int, shares: list[float], offset: float, start: int) -> None:
    found = Counter(assign(count, shares, offset, start=start, ordered=False))
    assert set(found) <= set(range(len(shares) + 1))
    for stage, share in enumerate(shares):
        reached = sum(found[one] for one in range(stage + 1))
        assert abs(reached - share * count) <= 4


@given(st.lists(st.integers(0, 40), max_size=40), rising, offsets)
def test_small_strata_together_have_their_share(strata: list[int], shares: list[float], offset: float) -> None:
    """A thousand people who may each leave at another moment are a thousand strata of one."""
    spread = Spread(shares, offset, ordered=False)
    found = [stage for count in strata for stage in spread(count)]
    assert found == assign(sum(strata), shares, offset, ordered=False)


@given(st.integers(1, 40), rising, offsets)
def test_no_stretch_of_people_is_passed_over(stretch: int, shares: list[float], offset: float) -> None:
    stages = assign(1_000, shares, offset, ordered=False)
    for start in range(0, 1_000 - stretch, 7):
        chosen = sum(stage == 0 for stage in stages[start : start + stretch])
        assert abs(chosen - shares[0] * stretch) <= 3


def test_a_canary_of_a_movement_has_about_its_size() -> None:
    """A thousand of a million, in ranges of a thousand that begin anywhere: one of each, as good as."""
    offsets = [(place * 0.7548776662) % 1.0 for place in range(1_000)]
    chosen = sum(assign(1_000, (0.001,), offset, ordered=False).count(0) for offset in offsets)
    assert abs(chosen - 1_000) <= 30


@given(st.integers(1, 1_200), rising, offsets)
def test_in_order_the_rest_takes_turns(count: int, shares: list[float], offset: float) -> None:
    plain, ordered = (assign(count, shares, offset, ordered=flag) for flag in (False, True))
    rest = [turn for stage, turn in zip(plain, ordered, strict=True) if stage == len(shares)]
    assert rest == sorted(rest)
    assert set(rest) <= set(range(TURN, TURN + TURNS))
    assert [turn for turn in ordered if turn < TURN] == [stage for stage in plain if stage < len(shares)]
    assert max(ordered) < ALL
