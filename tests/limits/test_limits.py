"""Token buckets: what they grant never exceeds rate and burst, whatever is asked of them and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.limits import Limits


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_at_once_and_then_the_rate() -> None:
    clock = _Clock()
    limits = Limits(clock)
    assert limits.take("sms", 100, rate=2, burst=5) == 5
    assert limits.take("sms", 100, rate=2, burst=5) == 0
    assert limits.wait("sms", rate=2) == 0.5
    clock.now += 3
    assert limits.take("sms", 100, rate=2, burst=10) == 6


def test_a_rest_fills_the_bucket_to_its_burst_and_no_further() -> None:
    clock = _Clock()
    limits = Limits(clock)
    limits.take("sms", 5, rate=2, burst=5)
    clock.now += 3_600
    assert limits.take("sms", 100, rate=2, burst=5) == 5


def test_without_a_rate_everything_is_granted_until_the_provider_says_stop() -> None:
    clock = _Clock()
    limits = Limits(clock)
    assert limits.take("sms", 500, rate=0, burst=1) == 500
    limits.pause("sms", 60)
    assert limits.is_paused("sms")
    assert limits.take("sms", 500, rate=0, burst=1) == 0
    assert limits.wait("sms", rate=0) == 60
    clock.now += 61
    assert not limits.is_paused("sms")
    assert limits.take("sms", 500, rate=0, burst=1) == 500


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    clock = _Clock()
    limits = Limits(clock)
    limits.pause("sms", 60)
    limits.pause("sms", 1)
    clock.now += 30
    assert limits.is_paused("sms")


def test_a_change_of_rate_takes_effect_at_once() -> None:
    clock = _Clock()
    limits = Limits(clock)
    limits.take("sms", 1, rate=1, burst=1)
    clock.now += 0.1
    assert limits.take("sms", 1, rate=1, burst=1) == 0
    clock.now += 0.1
    assert limits.take("sms", 1, rate=100, burst=1) == 1


def test_buckets_do_not_know_one_another() -> None:
    limits = Limits(_Clock())
    assert limits.take("sms/one", 3, rate=1, burst=3) == 3
    assert limits.take("sms/two", 3, rate=1, burst=3) == 3


def test_what_was_not_used_goes_back_and_a_debt_is_paid_first() -> None:
    clock = _Clock()
    limits = Limits(clock)
    limits.take("sms", 4, rate=1, burst=4)
    limits.give_back("sms", 3)
    assert limits.take("sms", 4, rate=1, burst=4) == 3
    limits.give_back("sms", -5)  # a text of six segments
    clock.now += 5
    assert limits.take("sms", 4, rate=1, burst=4) == 0
    clock.now += 1
    assert limits.take("sms", 4, rate=1, burst=4) == 1


@given(
    st.floats(0.1, 500),
    st.floats(1, 100),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 600)), min_size=1, max_size=60),
)
def test_no_history_of_takes_ever_exceeds_burst_plus_rate_times_time(
    rate: float, burst: float, steps: list[tuple[float, int]]
) -> None:
    clock = _Clock()
    limits = Limits(clock)
    granted, elapsed = 0, 0.0
    for pause, wanted in steps:
        clock.now += pause
        elapsed += pause
        got = limits.take("sms", wanted, rate=rate, burst=burst)
        assert 0 <= got <= wanted
        granted += got
        assert granted <= burst + rate * elapsed + 1e-6
