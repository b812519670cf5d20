"""What can leave before a deadline: tables for the arithmetic, and laws against a slow queue of single messages."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.surge import Forecast, Load, Pipe, Ways, forecast, latest_start, senders_needed

SECOND = 1_000
END = 60 * SECOND


def ways(*names: str, at: int = 0) -> Ways:
    return tuple((name, at) for name in names)


# ── one channel ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("pipe", "at", "room"),
    [
        (Pipe(rate=1), 0, 60),
        (Pipe(rate=1, each=2), 0, 30),
        (Pipe(rate=2.5), 30 * SECOND, 75),
        (Pipe(rate=1), END, 0),
        (Pipe(rate=1, queued={0: 45}), 0, 15),
        (Pipe(rate=1, queued={0: 45}), 30 * SECOND, 15),
        (Pipe(rate=1, queued={0: 45}), 50 * SECOND, 10),
        (Pipe(rate=1, queued={30 * SECOND: 20}), 0, 40),
        (Pipe(rate=1, queued={30 * SECOND: 20}), 40 * SECOND, 10),
        (Pipe(rate=1, queued={30 * SECOND: 20}), 50 * SECOND, 10),
        (Pipe(rate=1, queued={0: 99}), 0, 0),
        (Pipe(rate=1, queued={END: 99}), 0, 60),
        (Pipe(rate=1, allowance=7), 0, 7),
        (Pipe(rate=0, allowance=7), 0, 7),
    ],
)
def test_room(pipe: Pipe, at: int, room: int) -> None:
    assert Load(pipe, start=0, end=END).room(at) == room


def test_without_a_rate_of_ours_there_is_room_until_the_end() -> None:
    load = Load(Pipe(), start=0, end=END)
    assert load.take(0, 10**9) == 10**9
    assert load.take(END, 1) == 0
    assert load.finishes_at == 0


def test_what_opens_later_leaves_the_time_before_to_others() -> None:
    load = Load(Pipe(rate=1), start=0, end=END)
    assert load.take(40 * SECOND, 100) == 20
    assert load.finishes_at == END
    assert load.take(0, 100) == 40
    assert load.finishes_at == END


pipes = st.builds(
    Pipe,
    rate=st.sampled_from([0.5, 1.0, 2.0, 3.7]),
    each=st.sampled_from([1.0, 1.3, 2.0]),
    allowance=st.sampled_from([math.inf, 0, 5, 40]),
    queued=st.dictionaries(st.integers(0, 70).map(lambda s: s * SECOND), st.integers(1, 30), max_size=3),
)


@given(pipes, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=12))
def test_what_was_taken_leaves_in_time(pipe: Pipe, wanted: list[tuple[int, int]]) -> None:
    """Against a queue that sends one message after the other, whenever one may leave."""
    load = Load(pipe, start=0, end=END)
    taken: Counter[int] = Counter()
    for second, people in wanted:
        taken[second * SECOND] += load.take(second * SECOND, people)
    clock = last = 0.0
    jobs = [(at, 1, pipe.each) for at in taken.elements()]
    jobs += [(at, 0, 1.0) for at, units in pipe.queued.items() if at < END for _ in range(int(units))]
    for at, is_ours, units in sorted(jobs):
        clock = max(clock, at) + units / pipe.rate * SECOND
        last = clock if is_ours else last
    assert last <= END + 1
    if taken.total():
        assert load.finishes_at == pytest.approx(last, abs=1)
    assert load.messages == taken.total() <= pipe.allowance


@given(pipes, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=12))
def test_taking_one_by_one_is_taking_at_once(pipe: Pipe, wanted: list[tuple[int, int]]) -> None:
    at_once, one_by_one = Load(pipe, start=0, end=END), Load(pipe, start=0, end=END)
    for second, people in wanted:
        at = second * SECOND
        assert sum(one_by_one.take(at) for _ in range(people)) == at_once.take(at, people)
        assert one_by_one.room(at) == at_once.room(at)


def test_who_is_late_stands_in_the_way_of_those_after() -> None:
    load = Load(Pipe(rate=1), start=0, end=END)
    assert load.take(0, 50) == 50
    load.squeeze(0, 5)
    assert load.take(0, 50) == 5


# ── several channels ──────────────────────────────────────────────────────────────────────────────────────────────────

SLOW = {"sms": Pipe(rate=1), "email": Pipe(rate=0.5), "push": Pipe()}


def test_what_does_not_fit_overflows_to_the_next_way_and_then_is_late() -> None:
    found = forecast({ways("sms", "email"): 80, ways("sms"): 40, ways("push"): 5}, SLOW, start=0, end=END)
    sms, email = found.channels["sms"], found.channels["email"]
    assert (sms.wanted, sms.in_time, sms.overflow, sms.late) == (120, 60, {"email": 30}, 30)
    assert (email.wanted, email.in_time, email.late, email.finishes_at) == (0, 30, 0, END)
    assert (found.in_time, found.late, found.last_at) == (95, 30, END)


def test_who_has_no_other_way_keeps_the_scarce_one() -> None:
    found = forecast({ways("sms", "push"): 60, ways("sms"): 60}, SLOW, start=0, end=END)
    assert found.late == 0
    assert found.channels["sms"].overflow == {"push": 60}


@pytest.mark.parametrize(("seconds", "people", "start"), [(600, 300, 300), (600, 600, 0), (600, 601, None)])
def test_the_latest_start(seconds: int, people: int, start: int | None) -> None:
    end = seconds * SECOND
    found = latest_start({ways("sms", at=end - SECOND): people}, SLOW, earliest=0, start=end - SECOND, end=end)
    assert found == (None if start is None else start * SECOND)


@pytest.mark.parametrize(("people", "more"), [(60, 1), (61, 1), (120, 1), (121, 2), (10**6, None)])
def test_how_many_senders_more(people: int, more: int | None) -> None:
    assert senders_needed({ways("sms"): people}, SLOW, "sms", start=0, end=END) == more


def test_a_channel_without_a_rate_needs_no_more_senders() -> None:
    assert senders_needed({ways("push", at=END): 5}, SLOW, "push", start=0, end=END) is None


NAMES = ["sms", "email", "telegram"]
one_way = st.tuples(st.sampled_from(NAMES), st.sampled_from([0, 10, 20, 45]).map(lambda s: s * SECOND))
crowds = st.dictionaries(
    st.lists(one_way, min_size=1, max_size=3, unique_by=lambda way: way[0]).map(tuple), st.integers(1, 60), max_size=8
)
every_pipe = st.fixed_dictionaries(dict.fromkeys(NAMES, pipes))


def carried(found: Forecast, crowds: dict[Ways, int]) -> None:
    people = sum(crowds.values())
    assert sum(share.wanted for share in found.channels.values()) == people
    assert found.in_time + found.late == people, "everybody once"
    for share in found.channels.values():
        assert share.late + sum(share.overflow.values()) <= share.wanted


@given(crowds, every_pipe)
def test_nobody_is_planned_twice_and_nothing_beyond_what_is_carried(
    crowds: dict[Ways, int], pipes: dict[str, Pipe]
) -> None:
    found = forecast(crowds, pipes, start=0, end=END)
    carried(found, crowds)
    for name, share in found.channels.items():
        assert share.in_time <= pipes[name].allowance
        assert share.in_time * pipes[name].each <= pipes[name].rate * 60 + 0.01
        if share.in_time:
            assert share.finishes_at <= END + 1


@given(crowds, every_pipe, st.sampled_from(NAMES), st.sampled_from([1.01, 1.5, 3.0, 10.0]))
@settings(max_examples=300)
def test_a_faster_channel_never_leaves_more_people_out(
    crowds: dict[Ways, int], pipes: dict[str, Pipe], name: str, faster: float
) -> None:
    before = forecast(crowds, pipes, start=0, end=END)
    wider = {**pipes, name: replace(pipes[name], rate=pipes[name].rate * faster)}
    assert forecast(crowds, wider, start=0, end=END).late <= before.late


@given(crowds, every_pipe)
def test_an_earlier_end_never_reaches_more(crowds: dict[Ways, int], pipes: dict[str, Pipe]) -> None:
    free = {name: replace(pipe, queued={}) for name, pipe in pipes.items()}
    reached = [forecast(crowds, free, start=0, end=end * SECOND).in_time for end in (10, 20, 40, 60)]
    assert reached == sorted(reached)
