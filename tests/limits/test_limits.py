"""Token buckets and daily counters, in process and in Redis: what they grant never exceeds rate and burst."""

from __future__ import annotations

import asyncio
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.limits import Grant
from tests.limits.conftest import LocalPlace

laws = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def about(seconds: float, place: LocalPlace) -> Any:
    """So many seconds, less those that passed while the test ran."""
    return pytest.approx(seconds - place.slack / 2, abs=place.slack / 2 + 1e-5)


async def test_a_burst_at_once_and_then_the_rate(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.5, burst=5)
    assert await place.limits.take(bucket, 100) == Grant(5, about(2, place))
    assert await place.limits.take(bucket, 100) == Grant(0, about(2, place))
    await place.advance(12 - place.slack)
    assert (await place.limits.take(bucket, 100)).granted == pytest.approx(5, abs=1)


async def test_no_more_is_taken_than_was_wanted(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.1, burst=5)
    assert await place.limits.take(bucket, 2) == Grant(2, 0.0)
    assert (await place.limits.take(bucket, 2)).granted == 2
    assert await place.limits.take(bucket, 2) == Grant(1, about(10, place))
    assert await place.limits.take(bucket, 0) == Grant(0, about(10, place))


async def test_a_rest_fills_the_bucket_to_its_burst_and_no_further(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.5, burst=5)
    await place.limits.take(bucket, 5)
    await place.advance(3_600)
    assert (await place.limits.take(bucket, 100)).granted == 5


async def test_the_wait_is_as_long_as_it_says(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.1, burst=3)
    wait = (await place.limits.take(bucket, 3)).wait
    await place.advance(wait - 0.5 - place.slack)
    assert (await place.limits.take(bucket, 1)).granted == 0
    await place.advance(0.5 + place.slack)
    assert (await place.limits.take(bucket, 1)).granted == 1


async def test_spare_tokens_are_left_for_more_urgent_lanes(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.5, burst=5)
    assert await place.limits.take(bucket, 100, spare=2) == Grant(3, about(2, place))
    assert await place.limits.take(bucket, 100, spare=2) == Grant(0, about(2, place))
    assert (await place.limits.take(bucket, 100)).granted == 2


async def test_no_lane_waits_for_ever_for_what_is_spared(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.5, burst=1)
    assert (await place.limits.take(bucket, 10, spare=3)).granted == 1


async def test_a_burst_of_less_than_one_still_lets_one_leave(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.5, burst=0.2)
    assert await place.limits.take(bucket, 10) == Grant(1, about(2, place))


async def test_what_was_not_used_goes_back_and_a_debt_is_paid_first(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.1, burst=4)
    await place.limits.take(bucket, 4)
    await place.limits.give_back(bucket, 3)
    assert (await place.limits.take(bucket, 4)).granted == 3
    await place.limits.give_back(bucket, -5)  # a text of six segments
    assert await place.limits.take(bucket, 4) == Grant(0, about(60, place))
    await place.advance(60)
    assert (await place.limits.take(bucket, 4)).granted == 1


async def test_giving_back_never_fills_a_bucket_above_its_burst(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.1, burst=4)
    await place.limits.take(bucket, 1)
    await place.limits.give_back(bucket, 50)
    assert (await place.limits.take(bucket, 100)).granted == 4


async def test_a_change_of_rate_or_burst_takes_effect_with_the_next_call(place: LocalPlace) -> None:
    slow = place.bucket(rate=0.1, burst=1)
    await place.limits.take(slow, 1)
    await place.advance(1)
    assert (await place.limits.take(slow, 1)).granted == 0
    fast = type(slow)(slow.name, rate=100, burst=1)
    assert (await place.limits.take(fast, 1)).granted == 1
    wide = type(slow)(slow.name, rate=0.1, burst=9)
    assert (await place.limits.take(wide, 100)).granted in (8, 9)
    assert (await place.limits.take(slow, 1)).wait > 60, "what was taken is still owed"


async def test_without_a_rate_everything_is_granted_until_the_provider_says_stop(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0)
    assert await place.limits.take(bucket, 500) == Grant(500, 0.0)
    await place.limits.give_back(bucket, -500)
    assert (await place.limits.take(bucket, 500)).granted == 500
    await place.limits.pause(bucket.name, 60)
    assert place.limits.is_paused(bucket.name)
    assert await place.limits.take(bucket, 500) == Grant(0, about(60, place))
    await place.advance(61)
    assert not place.limits.is_paused(bucket.name)
    assert (await place.limits.take(bucket, 500)).granted == 500


async def test_a_pause_holds_in_every_process_and_each_learns_of_it_with_its_next_take(place: LocalPlace) -> None:
    bucket = place.bucket(rate=50, burst=10)
    await place.limits.take(bucket, 3)
    await place.limits.pause(bucket.name, 60)
    assert await place.other.take(bucket, 1) == Grant(0, about(60, place))
    assert place.other.is_paused(bucket.name)
    assert await place.other.take_each([bucket]) == [about(60, place)]


async def test_a_shorter_pause_does_not_end_a_longer_one(place: LocalPlace) -> None:
    bucket = place.bucket(rate=50, burst=10)
    await place.limits.pause(bucket.name, 60)
    await place.limits.pause(bucket.name, 1)
    await place.advance(30)
    assert place.limits.is_paused(bucket.name)
    assert (await place.other.take(bucket, 1)).granted == 0


async def test_a_pause_forgets_no_debt(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.01, burst=10)
    await place.limits.take(bucket, 10)
    await place.limits.pause(bucket.name, 5)
    await place.advance(10)
    assert (await place.limits.take(bucket, 10)).granted == 0


async def test_what_comes_back_during_a_pause_does_not_end_it(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.01, burst=10)
    await place.limits.take(bucket, 10)
    await place.limits.pause(bucket.name, 5)
    await place.limits.give_back(bucket, 2)
    assert (await place.other.take(bucket, 10)).granted == 0
    await place.advance(6)
    assert (await place.other.take(bucket, 10)).granted == 2


async def test_one_token_of_each_of_many(place: LocalPlace) -> None:
    chats = [place.bucket(rate=0.1) for _ in range(300)]
    await place.limits.take(chats[7], 1)
    waits = await place.limits.take_each(chats)
    assert waits[7] == about(10, place)
    assert [wait for wait in waits if wait] == [waits[7]]
    assert all(wait == about(10, place) for wait in await place.other.take_each(chats))
    assert await place.limits.take_each([]) == []


async def test_the_same_chat_twice_in_one_call_gets_one_token(place: LocalPlace) -> None:
    chat, other = place.bucket(rate=0.1), place.bucket(rate=0.1)
    assert await place.limits.take_each([chat, other, chat]) == [0.0, 0.0, about(10, place)]


async def test_two_processes_share_one_bucket(place: LocalPlace) -> None:
    bucket = place.bucket(rate=0.01, burst=50)
    grants = await asyncio.gather(*[(place.limits, place.other)[n % 2].take(bucket, 3) for n in range(40)])
    assert sum(grant.granted for grant in grants) == 50
    chats = [place.bucket(rate=0.01) for _ in range(20)]
    answers = await asyncio.gather(*[(place.limits, place.other)[n % 2].take_each(chats) for n in range(10)])
    for waits in zip(*answers, strict=True):
        assert sum(wait == 0.0 for wait in waits) == 1


async def test_a_days_count_ends_at_its_cap_and_another_day_is_another_count(place: LocalPlace) -> None:
    name = place.bucket(0).name
    assert await place.limits.count(name, 3, cap=5, day="2026-11-19") == 3
    assert await place.other.count(name, 3, cap=5, day="2026-11-19") == 2
    assert await place.limits.count(name, 3, cap=5, day="2026-11-19") == 0
    assert await place.limits.count(name, 3, cap=5, day="2026-11-20") == 3
    await place.limits.uncount(name, 2, day="2026-11-19")
    assert await place.limits.count(name, 3, cap=5, day="2026-11-19") == 2
    await place.limits.uncount(name, 100, day="2026-11-19")
    assert await place.limits.count(name, 100, cap=5, day="2026-11-19") == 5
    assert await place.limits.count(name, 1, cap=4, day="2026-11-19") == 0, "a lower cap takes nothing back"


async def test_a_days_cap_holds_against_many_at_once(place: LocalPlace) -> None:
    name = place.bucket(0).name
    counted = await asyncio.gather(
        *[(place.limits, place.other)[n % 2].count(name, n % 7, cap=100, day="today") for n in range(60)]
    )
    assert sum(counted) == 100


@laws
@given(
    rate=st.floats(0.05, 500),
    burst=st.floats(1, 100),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["take", "take", "take", "each", "back"]),
            st.floats(0, 20),
            st.integers(0, 200),
            st.integers(0, 5),
        ),
        min_size=1,
        max_size=25,
    ),
)
async def test_in_no_interval_more_than_the_burst_and_the_rate(
    place: LocalPlace, rate: float, burst: float, steps: list[tuple[str, float, int, int]]
) -> None:
    bucket = place.bucket(rate, burst)
    history: list[tuple[float, float, int]] = []  # earliest and latest moment of each step, tokens gone
    unused = 0
    for act, rest, number, spare in steps:
        await place.advance(rest / rate)
        before = place.now()
        if act == "take":
            grant = await place.limits.take(bucket, number, spare=spare)
            assert 0 <= grant.granted <= number
            assert grant.wait >= 0
            gone = grant.granted
        elif act == "each":
            gone = sum(wait == 0.0 for wait in await place.limits.take_each([bucket] * spare))
        else:
            gone = -min(number, unused)
            await place.limits.give_back(bucket, -gone)
        unused += gone
        history.append((before, place.now(), gone))
    for first in range(len(history)):
        for (_, until, _), gone in zip(history[first:], accumulate(h[2] for h in history[first:]), strict=True):
            assert gone <= burst + rate * (until - history[first][0]) + 1e-4


@laws
@given(
    rate=st.floats(0.05, 20),
    burst=st.integers(1, 20),
    wants=st.lists(st.integers(1, 8), min_size=1, max_size=25),
)
async def test_whoever_waits_as_long_as_told_gets_one(
    place: LocalPlace, rate: float, burst: int, wants: list[int]
) -> None:
    bucket = place.bucket(rate, burst)
    for wanted in wants:
        grant = await place.limits.take(bucket, wanted)
        if not grant.granted:
            await place.advance(grant.wait)
            assert (await place.limits.take(bucket, wanted)).granted >= 1


@laws
@given(cap=st.integers(0, 50), steps=st.lists(st.integers(-10, 20), max_size=25))
async def test_a_days_cap_is_never_exceeded_and_always_reached(place: LocalPlace, cap: int, steps: list[int]) -> None:
    name, counted = place.bucket(0).name, 0
    for step in steps:
        if step < 0:
            await place.other.uncount(name, -step, day="today")
            counted = max(0, counted + step)
        else:
            got = await place.limits.count(name, step, cap=cap, day="today")
            assert got == min(step, cap - counted)
            counted += got
