"""Hosts that strangers name: each answers for itself, and only together for the sender."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.policy import read_policy
from router.core.standing import Result, Standing, State
from router.core.standing_hosts import MOST, HostStandings
from router.settings import load_settings, load_toml

NOW = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
POLICY = read_policy(load_toml("policy", load_settings())).breaker
REST = timedelta(seconds=POLICY.rest_seconds)
W, S, F, C = Result.WELL, Result.SLOW, Result.FAILED, Result.OURS
GOOD, BAD = "push.example.org", "hostile.example.net"


def told(hosts: HostStandings, host: str, *results: Result) -> list[Result]:
    """What these results of a host say of the sender."""
    said = []
    for result in results:
        hosts.begin(host)
        said.append(hosts.record(host, result, NOW, code="500"))
    return said


@pytest.mark.parametrize("failure", [F, C])
def test_a_hosts_failures_are_its_own_while_another_does_well(failure: Result) -> None:
    hosts = HostStandings(POLICY)
    told(hosts, GOOD, W)
    assert set(told(hosts, BAD, *[failure] * 30)) == {W}
    assert hosts.rests_until(BAD, NOW) == NOW + REST
    assert hosts.rests_until(GOOD, NOW) is None


@pytest.mark.parametrize("failure", [F, C])
def test_where_no_host_does_well_it_is_the_senders_fault(failure: Result) -> None:
    """A key that is wrong is refused everywhere: the operator hears of it once the last host refused it."""
    hosts, sender = HostStandings(POLICY), Standing(POLICY)
    told(hosts, GOOD, W)
    told(hosts, BAD, W)
    for host in (GOOD, BAD):
        for result in told(hosts, host, *[failure] * 40):
            sender.record((result,), NOW, code="403")
    assert sender.state is State.OPEN


def test_the_only_host_answers_for_the_sender() -> None:
    assert told(HostStandings(POLICY), GOOD, W, S, F, C) == [W, S, F, C]


def test_a_host_that_rests_is_tried_by_one_message_and_then_free() -> None:
    hosts = HostStandings(POLICY)
    told(hosts, GOOD, W)
    told(hosts, BAD, *[C] * POLICY.config_failures)
    later = NOW + REST
    assert hosts.rests_until(BAD, later) is None
    hosts.begin(BAD)
    assert hosts.rests_until(BAD, later) == later + timedelta(seconds=1), "one message sees whether it is well"
    hosts.record(BAD, W, later)
    assert hosts.rests_until(BAD, later) is None


def test_a_host_that_asks_for_a_rest_gets_it_alone() -> None:
    hosts = HostStandings(POLICY)
    hosts.slow_down(BAD, NOW + REST)
    assert (hosts.rests_until(BAD, NOW), hosts.rests_until(GOOD, NOW)) == (NOW + REST, None)
    assert hosts.rests_until(BAD, NOW + REST) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([F, C, S, W])), max_size=200))
def test_no_number_of_hostile_hosts_opens_the_breaker_while_one_does_well(history: list[tuple[int, Result]]) -> None:
    hosts, sender = HostStandings(POLICY), Standing(POLICY)
    told(hosts, GOOD, W)
    for number, result in history:
        for said in told(hosts, f"{number}.{BAD}", result):
            sender.record((said,), NOW)
    assert sender.state is State.CLOSED


def test_hosts_without_end_are_forgotten() -> None:
    hosts = HostStandings(POLICY)
    for number in range(3 * MOST):
        told(hosts, f"{number}.{BAD}", F)
        hosts.slow_down(f"{number}.{BAD}", NOW + REST)
    assert (len(hosts._known), len(hosts._slowed)) == (MOST, MOST)
