"""Slots of a call line: who calls when, so that it stays busy and everybody gets through."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.calling import Hours, Where, choose_slot, line_for, read_report, read_wish

NINE = datetime(2026, 12, 3, 9, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def always(at: datetime) -> bool:
    return True


def hours(minutes: int = 60, slot: int = 10, per_slot: int = 2) -> Hours:
    closes_at = NINE + timedelta(minutes=minutes)
    return Hours(opens_at=NINE, closes_at=closes_at, slot=timedelta(minutes=slot), per_slot=per_slot)


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def test_the_earliest_slot_with_room() -> None:
    loads: dict[datetime, int] = {}
    given_out = []
    for _ in range(5):
        start = choose_slot(hours(), loads, since=at(-30), awake=always)
        assert start is not None
        loads[start] = loads.get(start, 0) + 1
        given_out.append(start)
    assert given_out == [at(0), at(0), at(10), at(10), at(20)]


@pytest.mark.parametrize(
    ("wish", "full", "expected"),
    [
        (at(25), [], at(20)),  # the slot that is on then
        (at(20), [at(20)], at(30)),  # the next one with room
        (at(55), [at(50)], at(40)),  # none after it: the last before
        (at(600), [], at(50)),
        (at(-90), [at(0)], at(10)),
    ],
)
def test_a_wish(wish: datetime, full: list[datetime], expected: datetime) -> None:
    loads = dict.fromkeys(full, 2)
    assert choose_slot(hours(), loads, since=at(-30), wish=wish, awake=always) == expected


def test_a_slot_of_which_less_than_half_is_left_is_past() -> None:
    assert choose_slot(hours(), {}, since=at(5), awake=always) == at(0)
    assert choose_slot(hours(), {}, since=at(5.1), awake=always) == at(10)
    assert choose_slot(hours(), {}, since=at(56), awake=always) is None


def test_nobody_calls_in_their_night() -> None:
    assert choose_slot(hours(), {}, since=at(-30), awake=lambda start: start >= at(30)) == at(30)
    assert choose_slot(hours(), {}, since=at(-30), awake=lambda start: False) is None


def test_when_all_are_full_the_least_full_takes_one_more() -> None:
    loads = {at(m): 2 for m in range(0, 60, 10)} | {at(0): 4, at(10): 3}
    assert choose_slot(hours(), loads, since=at(-30), awake=always) == at(20)


def test_a_last_slot_is_cut_short_by_the_closing() -> None:
    short = hours(minutes=25)
    assert [*short.slots()] == [at(0), at(10), at(20)]
    assert (short.end_of(at(10)), short.end_of(at(20))) == (at(20), at(25))


def test_slots_that_were_cut_anew_keep_their_callers() -> None:
    given_out = [(at(0), 2), (at(5), 1), (at(15), 3), (at(-5), 9), (at(60), 9)]
    assert hours().loads(given_out) == {at(0): 3, at(10): 3}


CALLERS = st.lists(
    st.tuples(st.integers(-30, 70), st.none() | st.integers(-60, 120), st.integers(0, 60), st.booleans()), max_size=60
)
"""(when they ask, their wish, awake from then on, whether they give an earlier caller's slot back)."""


@given(st.integers(1, 90), st.integers(1, 30), st.integers(1, 3), CALLERS)
def test_no_slot_is_overfull_while_another_has_room(
    minutes: int, slot: int, per_slot: int, callers: list[tuple[int, int | None, int, bool]]
) -> None:
    line = hours(minutes, slot, per_slot)
    loads: Counter[datetime] = Counter()
    for since, wish, up, gives_back in callers:
        if gives_back and loads:
            loads.subtract([next(iter(loads))])
            loads = +loads
        usable = [one for one in line.slots() if not line.is_past(one, at(since)) and one >= at(up)]
        start = choose_slot(
            line,
            loads,
            since=at(since),
            wish=None if wish is None else at(wish),
            awake=lambda one, up=up: one >= at(up),  # type: ignore[misc]
        )
        assert (start is None) == (not usable)
        if start is None:
            continue
        assert start in usable
        room = [one for one in usable if loads[one] < per_slot]
        assert loads[start] < per_slot if room else loads[start] == min(loads[one] for one in usable)
        if room and wish is None:
            assert start == room[0]
        loads[start] += 1


# ── whose line ────────────────────────────────────────────────────────────────────────────────────────────────────

LINES = {"": 1, "Lyon": 2, "75": 3, "7501": 4, "SW1A": 5}


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (Where("Lyon"), 2),
        (Where(" LYON "), 2),
        (Where("Nantes"), 1),
        (Where(""), 1),
        (Where("", "75011"), 4),
        (Where("", "75 020"), 3),
        (Where("", "sw1a 1aa"), 5),
        (Where("", "69001", "Lyon"), 2),
        (Where("Lyon", "75011"), 2),
        (Where("75011"), 1),  # a place is a name; postcodes are told apart before
    ],
)
def test_whose_line(where: Where, line: int) -> None:
    assert line_for(LINES, where) == line


def test_without_a_line_for_all_some_have_none() -> None:
    assert line_for({"Lyon": 2}, Where("Nantes")) is None


# ── what they write ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CALL NOW", datetime(2026, 12, 3, 9, 0, tzinfo=UTC)),
        ("ahora", datetime(2026, 12, 3, 9, 0, tzinfo=UTC)),
        ("CALL 15:00", datetime(2026, 12, 3, 14, 0, tzinfo=UTC)),
        ("call at 3pm please", datetime(2026, 12, 3, 14, 0, tzinfo=UTC)),
        ("3:30 p.m.", datetime(2026, 12, 3, 14, 30, tzinfo=UTC)),
        ("12 am", datetime(2026, 12, 3, 23, 0, tzinfo=UTC)),
        ("12pm", datetime(2026, 12, 3, 11, 0, tzinfo=UTC)),
        ("15h30", datetime(2026, 12, 3, 14, 30, tzinfo=UTC)),
        ("um 15 Uhr", datetime(2026, 12, 3, 14, 0, tzinfo=UTC)),
        ("CALL 10:00", datetime(2026, 12, 3, 9, 0, tzinfo=UTC)),  # it is ten there
        ("CALL 09:30", datetime(2026, 12, 4, 8, 30, tzinfo=UTC)),  # past there: tomorrow
        ("CALL ١٥:٠٠", datetime(2026, 12, 3, 14, 0, tzinfo=UTC)),
        ("CALL", None),
        ("CALL 15", None),
        ("CALL 25:00", None),
        ("CALL 12:75", None),
        ("call me on 0612345678", None),
        ("I do not know", None),
    ],
)
def test_when_they_wish_to_call(text: str, expected: datetime | None) -> None:
    assert read_wish(text, PARIS, NINE) == expected


@given(st.text(max_size=40))
def test_a_wish_is_never_past(text: str) -> None:
    wish = read_wish(text, PARIS, NINE)
    assert wish is None or NINE <= wish <= NINE + timedelta(days=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DONE", ""),
        ("done!", ""),
        ("Done. They were polite", "They were polite"),
        ("DONE - 5 min", "5 min"),
        ("  «done» he hung up", "» he hung up"),
        ("undone", None),
        ("I am done", None),
        ("", None),
    ],
)
def test_what_they_tell(text: str, words: str | None) -> None:
    assert read_report(text) == words
