"""Who gets a seat, who moves up, how two sides share a room; distances and boxes on the earth."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.seating import (
    Party,
    Point,
    Room,
    Seat,
    box,
    decide_seat,
    distance_km,
    shares_end,
    who_moves_up,
)


def room(capacity: int, taken: int = 0) -> Room:
    return Room(capacity=capacity, taken={"": taken})


def line(*seats: int) -> list[Party]:
    return [Party(number, size) for number, size in enumerate(seats, 1)]


# ── the rule of the line ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("capacity", "taken", "waiting", "wanted", "seat"),
    [
        (8, 0, (), 1, Seat.CONFIRMED),
        (8, 7, (), 1, Seat.CONFIRMED),
        (8, 8, (), 1, Seat.WAITING),
        (8, 7, (), 2, Seat.WAITING),
        (8, 9, (), 1, Seat.WAITING),  # made smaller since
        (8, 7, (2,), 1, Seat.CONFIRMED),  # two wait for two; the one seat is of no use to them
        (8, 6, (2,), 1, Seat.WAITING),  # two wait who could sit now: nobody overtakes them
        (8, 5, (2,), 1, Seat.CONFIRMED),  # room for them and for the newcomer
        (8, 6, (3, 2), 1, Seat.WAITING),
        (8, 6, (3, 1), 1, Seat.CONFIRMED),
    ],
)
def test_a_newcomer_stands_at_the_end_of_the_line(
    capacity: int, taken: int, waiting: tuple[int, ...], wanted: int, seat: Seat
) -> None:
    assert decide_seat(room(capacity, taken), line(*waiting), Party(99, wanted)) is seat


@pytest.mark.parametrize(
    ("capacity", "taken", "waiting", "up"),
    [
        (8, 8, (1, 1), []),
        (8, 7, (1, 1), [1]),
        (8, 6, (1, 1), [1, 2]),
        (8, 6, (3, 1), [2]),  # too large a party is passed over …
        (8, 5, (3, 1), [1]),  # … and first in line once there is room
        (8, 4, (2, 3, 1, 1), [1, 3, 4]),
        (8, 9, (1,), []),
        (8, 0, (), []),
    ],
)
def test_who_moves_up(capacity: int, taken: int, waiting: tuple[int, ...], up: list[int]) -> None:
    assert [party.key for party in who_moves_up(room(capacity, taken), line(*waiting))] == up


sides = st.sampled_from(["NEWCOMER", "NEIGHBOUR"])
parties = st.builds(Party, st.integers(), st.integers(1, 6), sides)
lines = st.lists(parties, max_size=12, unique_by=lambda party: party.key)
rooms = st.builds(
    lambda capacity, first, second, shared: Room(
        capacity=capacity, taken={"NEWCOMER": first, "NEIGHBOUR": second}, shared=shared
    ),
    st.integers(1, 30),
    st.integers(0, 20),
    st.integers(0, 20),
    st.booleans(),
)


@given(rooms, lines)
def test_nobody_sits_on_a_seat_that_there_is_not(hall: Room, waiting: list[Party]) -> None:
    up = who_moves_up(hall, waiting)
    before = sum(hall.taken.values())
    assert before + sum(party.seats for party in up) <= max(hall.capacity, before)


@given(rooms, lines)
def test_they_move_up_in_their_order_and_each_once(hall: Room, waiting: list[Party]) -> None:
    up = who_moves_up(hall, waiting)
    assert up == [party for party in waiting if party in up]


@given(rooms, lines)
def test_whoever_is_passed_over_could_not_have_sat_then_nor_can_now(hall: Room, waiting: list[Party]) -> None:
    seated = set(who_moves_up(hall, waiting))
    after = hall
    for party in waiting:
        if party in seated:
            after = after.with_party(party)
        else:
            assert party.seats > after.left(party.side)
    assert all(party.seats > after.left(party.side) for party in waiting if party not in seated)
    assert who_moves_up(after, [party for party in waiting if party not in seated]) == []


@given(rooms, lines, parties)
def test_a_newcomer_takes_nothing_from_those_before(hall: Room, waiting: list[Party], newcomer: Party) -> None:
    others = [party for party in waiting if party.key != newcomer.key]
    assert [p for p in who_moves_up(hall, [*others, newcomer]) if p != newcomer] == who_moves_up(hall, others)


@given(rooms, lines)
def test_while_the_shares_hold_neither_side_has_more_than_half(hall: Room, waiting: list[Party]) -> None:
    hall = Room(capacity=hall.capacity, taken=hall.taken, shared=True)
    up = who_moves_up(hall, waiting)
    for side, before in hall.taken.items():
        mine = before + sum(party.seats for party in up if party.side == side)
        assert mine <= max(before, math.ceil(hall.capacity / 2))


@given(st.integers(1, 30), lines)
def test_the_slower_side_finds_its_half_whatever_the_quicker_one_wants(capacity: int, quick: list[Party]) -> None:
    hall = Room(capacity=capacity, taken={}, shared=True)
    for party in who_moves_up(hall, [party._replace(side="NEWCOMER") for party in quick]):
        hall = hall.with_party(party)
    assert hall.left("NEIGHBOUR") >= capacity // 2


@given(rooms, lines)
def test_once_the_shares_have_ended_it_is_the_plain_line(hall: Room, waiting: list[Party]) -> None:
    open_to_all = Room(capacity=hall.capacity, taken=hall.taken)
    one_sided = Room(capacity=hall.capacity, taken={"": sum(hall.taken.values())})
    plain = [party._replace(side="") for party in waiting]
    keys = [party.key for party in who_moves_up(one_sided, plain)]
    assert [party.key for party in who_moves_up(open_to_all, waiting)] == keys


def test_who_does_not_say_their_side_is_a_side_of_its_own() -> None:
    hall = Room(capacity=4, taken={"": 2}, shared=True)
    assert hall.left("") == 0
    assert hall.left("NEWCOMER") == 2


def test_shares_end_a_day_before_or_half_way_for_what_is_made_at_short_notice() -> None:
    now = datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert shares_end(now, now + timedelta(days=10)) == now + timedelta(days=9)
    assert shares_end(now, now + timedelta(hours=10)) == now + timedelta(hours=5)


# ── the earth ───────────────────────────────────────────────────────────────────────────────────────────────────────

LONDON, PARIS, SUVA, APIA = (51.5074, -0.1278), (48.8566, 2.3522), (-18.1416, 178.4419), (-13.8333, -171.7667)
points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        (LONDON, LONDON, 0),
        (LONDON, PARIS, 343.6),
        (SUVA, APIA, 1147),  # over the 180th meridian
        ((90, 0), (-90, 0), 20015),
        ((0, 0), (0, 180), 20015),
        ((89.9, 0), (89.9, 180), 22.2),
    ],
)
def test_distances(a: Point, b: Point, km: float) -> None:
    assert distance_km(a, b) == pytest.approx(km, rel=0.005)


@given(points, points)
def test_it_is_as_far_there_as_back(a: Point, b: Point) -> None:
    assert distance_km(a, b) == pytest.approx(distance_km(b, a), abs=1e-6)
    assert 0 <= distance_km(a, b) <= 20016


@given(points, points, st.floats(0.1, 20_000))
def test_a_box_holds_everything_within_its_distance(center: Point, other: Point, km: float) -> None:
    if distance_km(center, other) > km:
        return
    area = box(center, km)
    assert area.south <= other[0] <= area.north
    assert any(west <= other[1] <= east or abs(other[1]) == 180 for west, east in area.spans)


@given(st.tuples(st.floats(-80, 80), st.floats(-180, 180)), st.floats(0, 2 * math.pi))
def test_a_box_of_three_kilometres_holds_neighbours(center: Point, heading: float) -> None:
    north = math.degrees(2.9 / 6371.0088)
    latitude = center[0] + north * math.cos(heading)
    longitude = center[1] + north * math.sin(heading) / math.cos(math.radians(max(abs(latitude), abs(center[0]))))
    longitude = (longitude + 180) % 360 - 180
    if distance_km(center, (latitude, longitude)) > 3:
        return
    area = box(center, 3)
    assert area.south <= latitude <= area.north
    assert any(west <= longitude <= east for west, east in area.spans)


def test_a_small_box_is_small() -> None:
    area = box(LONDON, 3)
    assert distance_km((area.south, LONDON[1]), LONDON) == pytest.approx(3, rel=0.01)
    [(west, east)] = area.spans
    assert distance_km((LONDON[0], west), LONDON) == pytest.approx(3, rel=0.01)
    assert east - west < 0.1


def test_a_box_over_the_date_line_has_two_spans() -> None:
    area = box((-16.8, 179.9), 50)
    assert len(area.spans) == 2
    for west, east in area.spans:
        assert -180 <= west <= east <= 180
