"""Whose turn it is: tables for the order, laws for the newcomers' share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.turns import Standing, in_turn

people = st.lists(
    st.builds(
        Standing,
        member=st.integers(1, 10**12),
        acted_at=st.integers(0, 3),
        asked_at=st.integers(0, 3),
        acted_before=st.booleans(),
    ),
    max_size=120,
    unique_by=lambda one: one.member,
)
shares = st.sampled_from([0.0, 0.1, 0.2, 1 / 3, 0.5, 0.9, 1.0])


def acted(member: int, asked_at: int = 0) -> Standing:
    return Standing(member, acted_at=1, asked_at=asked_at)


def lapsed(member: int, asked_at: int = 0) -> Standing:
    return Standing(member, acted_before=True, asked_at=asked_at)


def new(member: int, asked_at: int = 0) -> Standing:
    return Standing(member, asked_at=asked_at)


@pytest.mark.parametrize(
    ("people", "order"),
    [
        ([], []),
        ([acted(1, 30), acted(2, 10), acted(3, 20)], [2, 3, 1]),
        ([acted(1, 30), acted(2, 0)], [2, 1]),
        ([lapsed(1), acted(2, 99)], [2, 1]),
        ([lapsed(1, 5), lapsed(2, 4), acted(3, 9)], [3, 2, 1]),
        ([new(1, 5), new(2, 4)], [2, 1]),
        ([new(9, 99), *(acted(n, n) for n in range(1, 7))], [1, 2, 3, 4, 9, 5, 6]),
        ([*(new(90 + n, n) for n in range(4)), acted(1), lapsed(2)], [1, 2, 90, 91, 92, 93]),
    ],
    ids=["nobody", "least lately asked", "never asked", "acted", "then lapsed", "newcomers alone", "a fifth", "rest"],
)
def test_the_order(people: list[Standing], order: list[int]) -> None:
    assert in_turn(people, 0.2) == order


@given(people, shares, st.integers(0, 2**63))
def test_everybody_has_one_place(people: list[Standing], share: float, salt: int) -> None:
    assert sorted(in_turn(people, share, salt=salt)) == sorted(one.member for one in people)


@given(people, shares)
def test_the_order_does_not_depend_on_how_they_come(people: list[Standing], share: float) -> None:
    assert in_turn(people, share) == in_turn(people[::-1], share)


@given(people, shares)
def test_every_start_of_the_list_has_its_newcomers(people: list[Standing], share: float) -> None:
    newcomers = {one.member for one in people if one.is_newcomer}
    known = len(people) - len(newcomers)
    given_places = 0
    for length, member in enumerate(in_turn(people, share), start=1):
        given_places += member in newcomers
        if given_places == len(newcomers) or length - given_places == known:
            break
        assert abs(given_places - share * length) <= 1 + 1e-6


@given(people, shares)
def test_among_those_who_acted_nobody_comes_after_one_asked_later(people: list[Standing], share: float) -> None:
    by_member = {one.member: one for one in people}
    asked = [by_member[number].asked_at for number in in_turn(people, share) if by_member[number].acted_at]
    assert asked == sorted(asked)


def test_among_equals_no_number_is_always_first() -> None:
    crowd = [new(number) for number in range(1, 1_001)]
    first = [in_turn(crowd, 0.2, salt=campaign)[:100] for campaign in range(20)]
    assert all(350 < sum(part) / 100 < 650 for part in first), "low numbers and high ones alike"
    assert len({number for part in first for number in part}) > 600, "other campaigns, other people"
