"""What the simulation says of its own numbers: never more than they show."""

from __future__ import annotations

from typing import Any

import pytest

from router.simulation.findings import (
    ACTIONS,
    OPT_OUTS,
    Verdict,
    Years,
    beyond_caps,
    difference,
    not_won,
    spread,
)
from router.simulation.tables import screens
from router.simulation.trials import ARMS, CAPPED, ROUTER, Trial
from router.simulation.year import Year


def year(**values: Any) -> Year:
    usual = dict.fromkeys(Year.__dataclass_fields__, 100)
    return Year(**{**usual, "let_go": 0, **values})


def years(**actions: dict[str, list[int]]) -> Years:
    """``a0``, ``a25``, ``a76`` → arm → actions by seed; everybody else has 100."""
    growths = {"a0": 0.0, "a25": 0.25, "a76": 0.76}
    return {
        Trial(seed, growths[name], arm): year(actions=by_arm.get(arm, [100, 100])[seed - 1])
        for name, by_arm in actions.items()
        for arm in ARMS
        for seed in (1, 2)
    }


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [([110, 120], Verdict.WINS), ([90, 80], Verdict.LOSES), ([110, 90], Verdict.EVEN), ([100, 120], Verdict.EVEN)],
)
def test_a_difference_counts_where_every_seed_agrees(ours: list[int], verdict: Verdict) -> None:
    found = difference(years(a0={ROUTER: ours}), ACTIONS, CAPPED, 0.0)
    assert found.verdict is verdict
    assert found.ratio == spread([one / 100 for one in ours])


def test_fewer_opt_outs_are_better() -> None:
    found: Years = {Trial(1, 0.0, arm): year(opt_outs=50 if arm == ROUTER else 100) for arm in ARMS}
    assert difference(found, OPT_OUTS, CAPPED, 0.0).verdict is Verdict.WINS


@pytest.mark.parametrize(
    ("a0", "a25", "a76", "said"),
    [
        (120, 120, 120, "wins, whatever the annoyance"),
        (90, 90, 120, "only at 0.76, which is no finding"),
        (90, 120, 120, "wins at 0.25, 0.76 only"),
        (90, 90, 90, "does not win"),
    ],
)
def test_what_is_won_only_where_people_are_very_annoyed_is_no_finding(a0: int, a25: int, a76: int, said: str) -> None:
    played = {name: {ROUTER: [value, value]} for name, value in (("a0", a0), ("a25", a25), ("a76", a76))}
    sentence = next(iter(beyond_caps(years(**played))))
    assert said in sentence
    assert f"{a0 / 100:.2f} at 0" in sentence


def test_what_is_lost_is_said_for_each_rival() -> None:
    lost = list(not_won(years(a0={ROUTER: [80, 80]})))
    assert "fewer actions than email everyone: 20% at 0" in lost
    assert f"fewer actions than {CAPPED}: 20% at 0" in lost
    assert any(line.startswith("no clear difference in opt-outs") for line in lost)


def test_one_seed_claims_no_spread() -> None:
    found: Years = {Trial(1, 0.0, arm): year() for arm in ARMS}
    captions = [getattr(screen, "caption", "") for screen in screens(found)]
    assert "One seed says nothing of the spread." in captions
