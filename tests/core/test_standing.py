"""When a sender's breaker opens and closes, how weight moves in a pool: tables, and laws for any history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.policy import BreakerPolicy, read_policy
from router.core.standing import Result, Standing, State, rebalance
from router.settings import load_settings, load_toml

NOW = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
POLICY = read_policy(load_toml("policy", load_settings())).breaker
REST = timedelta(seconds=POLICY.rest_seconds)
FLOOR = 0.1
"""The share of its own weight that a sender keeps (GOV.UK Notify's lowest is a tenth as well)."""

W, S, F, C = Result.WELL, Result.SLOW, Result.FAILED, Result.OURS
results = st.sampled_from(list(Result))


def told(*history: Result, policy: BreakerPolicy = POLICY, weight: float = 1.0) -> Standing:
    """A sender of which these results are known, told one by one."""
    standing = Standing(policy, weight=weight)
    for result in history:
        standing.record((result,), NOW, code="30002")
    return standing


def opened() -> Standing:
    return told(*[C] * POLICY.config_failures)


# ── the breaker ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("history", "state"),
    [
        ([], State.CLOSED),
        ([C] * 4, State.CLOSED),
        ([C] * 5, State.OPEN),
        ([C, W] * 4 + [W] * 90, State.CLOSED),
        ([C, W] * 4 + [W] * 60 + [C], State.OPEN),  # five among the last hundred
        ([C] * 4 + [W] * 100 + [C], State.CLOSED),  # four of them are forgotten
        ([F] * 19, State.CLOSED),  # too few to say
        ([F] * 20, State.OPEN),
        ([W] * 80 + [F] * 20, State.CLOSED),  # a fifth is borne
        ([W] * 79 + [F] * 21, State.OPEN),  # more than that is not
        ([W] * 81 + [F] * 20, State.CLOSED),
        ([S] * 100, State.CLOSED),  # slow is no failure
        ([W] * 100 + [F] * 20 + [W] * 100, State.CLOSED),
        ([W] * 96 + [F] * 20 + [C], State.OPEN),  # both kinds count together
    ],
)
def test_when_a_breaker_opens(history: list[Result], state: State) -> None:
    assert told(*history).state is state


def test_an_open_breaker_lets_nothing_through_and_then_one_to_see() -> None:
    standing = opened()
    assert standing.until == NOW + REST
    assert "5 times (30002)" in standing.reason
    assert standing.may_send(500, NOW) == 0
    assert standing.may_send(500, NOW + REST - timedelta(milliseconds=1)) == 0
    assert standing.state is State.OPEN
    assert standing.may_send(500, NOW + REST) == 1
    assert standing.state is State.PROBING
    assert standing.may_send(0, NOW + REST) == 0


@pytest.mark.parametrize("result", [W, S])
def test_a_probe_that_arrives_closes_it(result: Result) -> None:
    standing = opened()
    standing.may_send(1, NOW + REST)
    assert standing.record((result,), NOW + REST)
    assert (standing.state, standing.until, standing.reason) == (State.CLOSED, None, "")
    assert standing.may_send(500, NOW + REST) == 500
    assert not standing.record((C,), NOW + REST), "what was before the rest is forgotten"


@pytest.mark.parametrize("result", [F, C])
def test_a_probe_that_fails_means_another_rest(result: Result) -> None:
    standing = opened()
    standing.may_send(1, NOW + REST)
    assert standing.record((result,), NOW + REST, code="20003")
    assert (standing.state, standing.until) == (State.OPEN, NOW + 2 * REST)
    assert "20003" in standing.reason


def test_results_that_come_in_late_neither_lengthen_a_rest_nor_end_it() -> None:
    standing = opened()
    for late in ((W,), (C,) * 50, (F,) * 50):
        assert not standing.record(late, NOW + REST / 2)
    assert standing.until == NOW + REST
    assert not standing.record((), NOW)


@given(st.lists(results, max_size=300))
def test_the_breaker_says_what_the_last_hundred_say(history: list[Result]) -> None:
    standing = Standing(POLICY)
    known: list[Result] = []
    for result in history:
        if standing.state is State.OPEN:
            assert not standing.record((result,), NOW)
            continue
        changed = standing.record((result,), NOW)
        known = [*known, result][-POLICY.of_last :]
        bad = known.count(F) + known.count(C)
        wanted = known.count(C) >= POLICY.config_failures or (
            len(known) >= 20 and bad / len(known) > POLICY.failing_share
        )
        assert (standing.state is State.OPEN) == changed == wanted


@given(st.lists(results, max_size=200), st.integers(0, 5_000))
def test_the_same_history_comes_to_the_same(history: list[Result], after: int) -> None:
    def lived() -> tuple[object, ...]:
        standing, now = Standing(POLICY), NOW
        seen = []
        for result in history:
            now += timedelta(seconds=after)
            seen.append((standing.may_send(10, now), standing.record((result,), now, code="x"), standing.state))
        return (*seen, standing.until, standing.reason, standing.weight)

    assert lived() == lived()


@given(st.lists(st.tuples(results, st.integers(0, 2_000)), max_size=200), st.integers(0, 1_000))
def test_nothing_is_ever_sent_while_it_rests_and_one_at_a_time_afterwards(
    history: list[tuple[Result, int]], wanted: int
) -> None:
    standing, now = Standing(POLICY), NOW
    for result, seconds in history:
        now += timedelta(seconds=seconds)
        resting = standing.state is State.OPEN and standing.until is not None and now < standing.until
        allowed = standing.may_send(wanted, now)
        assert allowed <= wanted
        if resting:
            assert allowed == 0
        elif standing.state is State.PROBING:
            assert allowed == min(1, wanted)
        if allowed:
            standing.record((result,), now)


# ── weights ───────────────────────────────────────────────────────────────────────────────────────────────────────


def pool(*shares_of_failure: float, weights: Sequence[float] = ()) -> list[Standing]:
    """Senders of which so large a share of the last hundred failed (below what opens a breaker)."""
    made = []
    for place, share in enumerate(shares_of_failure):
        standing = Standing(POLICY, weight=weights[place] if weights else 1.0)
        failed = round(share * POLICY.of_last)
        standing.record((W,) * (POLICY.of_last - failed) + (F,) * failed, NOW)
        assert standing.state is State.CLOSED
        made.append(standing)
    return made


def weights_of(standings: Sequence[Standing]) -> list[float]:
    return [round(standing.weight, 9) for standing in standings]


def test_a_tenth_moves_from_the_failing_one_to_the_others_by_their_size() -> None:
    standings = pool(0.15, 0.0, 0.0, weights=(1.0, 1.0, 3.0))
    assert rebalance(standings, POLICY, drift=False)
    assert weights_of(standings) == [0.9, 1.025, 3.075]


@pytest.mark.parametrize(
    ("shares", "moves"),
    [
        ((0.0, 0.0), False),
        ((0.10, 0.0), False),  # a tenth is borne
        ((0.11, 0.0), True),
        ((0.15, 0.15), False),  # nowhere to go
    ],
)
def test_when_weight_moves(shares: tuple[float, ...], moves: bool) -> None:
    assert rebalance(pool(*shares), POLICY, drift=False) is moves


def test_slow_answers_move_weight_as_failures_do() -> None:
    slow, well = Standing(POLICY), Standing(POLICY)
    slow.record((S,) * 20, NOW)
    well.record((W,) * 20, NOW)
    assert rebalance([slow, well], POLICY, drift=False)
    assert (slow.weight, well.weight) == (0.9, 1.1)
    assert slow.state is State.CLOSED


def test_nobody_is_left_without_a_tenth_of_their_own() -> None:
    standings = pool(0.2, 0.0)
    moved = [rebalance(standings, POLICY, drift=False) for _ in range(30)]
    assert standings[0].weight == pytest.approx(FLOOR)
    assert not any(moved[10:])


def test_it_drifts_back_to_exactly_where_it_was_and_stays() -> None:
    standings = pool(0.2, 0.0, 0.0, weights=(1.0, 0.3, 0.7))
    for _ in range(7):
        rebalance(standings, POLICY, drift=False)
    for standing in standings:
        standing.close()
    drifts = 0
    while rebalance(standings, POLICY, drift=True):
        drifts += 1
    assert [standing.weight for standing in standings] == [1.0, 0.3, 0.7]
    assert 7 <= drifts <= 10


def test_nothing_drifts_back_between_the_hours_nor_while_it_goes_badly() -> None:
    standings = pool(0.2, 0.0)
    rebalance(standings, POLICY, drift=False)
    before = weights_of(standings)
    standings[0].close()
    assert not rebalance(standings, POLICY, drift=False)
    assert weights_of(standings) == before


pools = st.lists(
    st.tuples(st.floats(0.05, 10), st.floats(0, POLICY.failing_share)), min_size=1, max_size=6
)  # (weight at rest, share of failures)


@given(pools, st.lists(st.booleans(), max_size=40))
def test_weight_is_never_made_nor_lost_nor_taken_below_the_floor(
    senders: list[tuple[float, float]], drifts: list[bool]
) -> None:
    weights = [weight for weight, _ in senders]
    standings = pool(*(share for _, share in senders), weights=weights)
    for drift in drifts:
        before = [standing.weight for standing in standings]
        changed = rebalance(standings, POLICY, drift=drift)
        assert changed == (before != [standing.weight for standing in standings])
        assert sum(standing.weight for standing in standings) == pytest.approx(sum(weights))
        for standing in standings:
            assert standing.weight >= FLOOR * standing.resting * (1 - 1e-9)


@given(pools, st.integers(1, 30), st.integers(1, 30))
def test_weight_is_conserved_on_its_way_back_too(
    senders: list[tuple[float, float]], bad_minutes: int, hours: int
) -> None:
    weights = [weight for weight, _ in senders]
    standings = pool(*(share for _, share in senders), weights=weights)
    for _ in range(bad_minutes):
        rebalance(standings, POLICY, drift=False)
    for standing in standings:
        standing.close()
    for _ in range(hours):
        rebalance(standings, POLICY, drift=True)
        assert sum(standing.weight for standing in standings) == pytest.approx(sum(weights))


@given(pools, st.integers(0, 30))
def test_a_pool_that_does_well_again_comes_back_to_rest(senders: list[tuple[float, float]], bad_minutes: int) -> None:
    weights = [weight for weight, _ in senders]
    standings = pool(*(share for _, share in senders), weights=weights)
    for _ in range(bad_minutes):
        rebalance(standings, POLICY, drift=False)
    for standing in standings:
        standing.close()
    for _ in range(10_000):
        if not rebalance(standings, POLICY, drift=True):
            break
    assert [standing.weight for standing in standings] == weights


@given(pools, st.lists(st.booleans(), max_size=20))
def test_rebalancing_is_a_matter_of_what_is_known_alone(senders: list[tuple[float, float]], drifts: list[bool]) -> None:
    def after() -> list[float]:
        standings = pool(*(share for _, share in senders), weights=[weight for weight, _ in senders])
        for drift in drifts:
            rebalance(standings, POLICY, drift=drift)
        return [standing.weight for standing in standings]

    assert after() == after()
