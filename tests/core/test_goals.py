"""How far a goal is and whom it leaves in peace: the decision as tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.core.ask import Ask, Goal
from router.core.goals import NOBODY, Count, Peace, peace_of, progress_of, units

PEOPLE = Goal(measure="signed", target=200)
MONEY = Goal(measure="gave", target=50_000, currency="EUR")
PLACES = Goal(measure="host", places={"Lyon": 2, "Nîmes": 1})


@pytest.mark.parametrize(
    ("goal", "counts", "reached", "met"),
    [
        (PEOPLE, {}, 0, False),
        (PEOPLE, {"": Count(199, 0)}, 199, False),
        (PEOPLE, {"": Count(200, 0)}, 200, True),
        (MONEY, {"": Count(9_000, 4_999_999)}, 49_999, False),
        (MONEY, {"": Count(1, 5_000_000)}, 50_000, True),
        (MONEY.model_copy(update={"currency": "JPY"}), {"": Count(1, 50_000)}, 50_000, True),
        (MONEY.model_copy(update={"currency": "KWD"}), {"": Count(1, 50_000_000)}, 50_000, True),
        (PLACES, {"Lyon": Count(9, 0)}, 9, False),
        (PLACES, {"Lyon": Count(2, 0), "nîmes ": Count(1, 0)}, 3, True),
        (PLACES, {" LYON": Count(1, 0), "Lyon": Count(1, 0), "Paris": Count(5, 0), "": Count(7, 0)}, 2, False),
    ],
)
def test_how_far_a_goal_is(goal: Goal, counts: dict[str, Count], reached: int, met: bool) -> None:
    progress = progress_of(goal, counts)
    assert (progress.reached, progress.is_met) == (reached, met)


@pytest.mark.parametrize(
    ("peace", "place", "spared"),
    [
        (NOBODY, "Lyon", False),
        (NOBODY, "", False),
        (Peace(everywhere=True), "Lyon", True),
        (Peace(everywhere=True), "", True),
        (peace_of(progress_of(PLACES, {"Lyon": Count(2, 0)})), "lyon ", True),
        (peace_of(progress_of(PLACES, {"Lyon": Count(2, 0)})), "Nîmes", False),
        (peace_of(progress_of(PLACES, {"Lyon": Count(2, 0)})), "", False),
        (peace_of(progress_of(PLACES, {"Lyon": Count(2, 0), "Nîmes": Count(1, 0)})), "Paris", True),
        (peace_of(progress_of(PEOPLE, {"": Count(200, 0)})), "Paris", True),
        (peace_of(progress_of(PEOPLE, {"": Count(199, 0)})), "Paris", False),
    ],
)
def test_who_is_left_in_peace(peace: Peace, place: str, spared: bool) -> None:
    assert peace.covers(place) is spared


@given(
    st.dictionaries(st.sampled_from(["Lyon", "LYON", "Nîmes", "Paris", ""]), st.integers(0, 5)),
    st.sampled_from([PLACES, PEOPLE.model_copy(update={"target": 4})]),
)
def test_more_actions_never_take_anybody_out_of_peace(counted: dict[str, int], goal: Goal) -> None:
    before = peace_of(progress_of(goal, {place: Count(n, 0) for place, n in counted.items()}))
    for more in counted:
        grown = {place: Count(n + (place == more), 0) for place, n in counted.items()}
        after = peace_of(progress_of(goal, grown))
        assert all(after.covers(place) for place in ("Lyon", "Nîmes", "Paris", "") if before.covers(place))


def test_whole_units_have_their_minor_ones() -> None:
    assert [units(name) for name in ("EUR", "USD", "JPY", "TND")] == [100, 100, 1, 1_000]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        ({"goal": {"measure": "yes"}}, "either a target or places"),
        ({"goal": {"measure": "yes", "target": 1, "places": {"Lyon": 1}}}, "either a target or places"),
        ({"goal": {"measure": "yes", "places": {"Lyon": 1, "lyon ": 2}}}, "twice"),
        ({"goal": {"target": 5}}, "Field required"),
        ({"stop_at_goal": True}, "needs a goal"),
        ({"stop_at_goal": True, "goal": {"measure": "yes", "target": 1}, "purpose": "ballot"}, "owed"),
        ({"stop_at_goal": True, "goal": {"measure": "yes", "target": 1}, "purpose": "meeting"}, "owed"),
        ({"stop_at_goal": True, "goal": {"measure": "yes", "target": 1}, "purpose": "notice"}, "owed"),
        ({"stop_at_goal": True, "goal": {"measure": "yes", "target": 1}, "kind": "reminder", "about": 1}, "owed"),
    ],
)
def test_a_goal_that_cannot_be_meant_is_refused(ask: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Ask.model_validate({"title": "Hosts", "texts": {"en": {"default": {"text": "Host?"}}}, **ask})
