"""When the report-back of an ask falls due: a table, and what must hold whatever the dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.debt import due_at, with_warning
from router.core.policy import read_policy
from router.settings import load_settings, load_toml

GRACE = timedelta(days=7)


def day(number: int) -> datetime:
    return datetime(2026, 12, 1, 18, 0, tzinfo=UTC) + timedelta(days=number - 1)


@pytest.mark.parametrize(
    ("deadline", "goal", "note", "due"),
    [
        (10, None, None, 17),
        (10, 4, None, 11),  # the goal came first
        (10, 12, None, 17),  # the deadline did
        (10, None, 3, 17),  # a note before the deadline counts from the deadline
        (10, 4, 5, 17),  # also where the goal had been met
        (10, 4, 2, 17),
        (10, None, 12, 19),  # after it, from the note
        (10, None, 30, 37),  # long overdue: paid for as long again
    ],
)
def test_when_it_falls_due(deadline: int, goal: int | None, note: int | None, due: int) -> None:
    met, noted = (None if one is None else day(one) for one in (goal, note))
    assert due_at(ends_at=day(deadline), goal_met_at=met, noted_at=noted, grace=GRACE) == day(due)


@given(st.integers(1, 60), st.none() | st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_a_note_never_brings_it_nearer_and_a_later_note_never_counts_for_less(
    deadline: int, goal: int | None, note: int, later: int
) -> None:
    met = None if goal is None else day(goal)

    def due(noted: int | None) -> datetime:
        at = None if noted is None else day(noted)
        return due_at(ends_at=day(deadline), goal_met_at=met, noted_at=at, grace=GRACE)

    assert due(note) >= due(None)
    assert due(note) >= day(note) + GRACE
    assert due(max(note, later)) >= due(note)


def test_nobody_falls_into_debt_unwarned() -> None:
    # An old campaign, of before anybody reckoned: the whole time is left from now on.
    assert with_warning(day(1), known=None, now=day(5), grace=GRACE) == day(12)
    assert with_warning(day(6), known=None, now=day(5), grace=GRACE) == day(6)
    assert with_warning(day(1), known=day(9), now=day(5), grace=GRACE) == day(1)


def test_the_house_gives_a_week() -> None:
    assert read_policy(load_toml("policy", load_settings())).report_back.grace == GRACE
