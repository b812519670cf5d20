"""Signals in one process and across processes: they act at once, cross, and outlive a lost connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

import pytest

from router.redis_client import open_redis
from router.redis_signals import RedisSignals
from router.signals import KEPT, MISSED, Event, Listener, Signals, Wake
from tests.limits.conftest import Time
from tests.support.redis import fresh_redis, own_redis

PATIENCE = 5.0


@pytest.fixture(params=["local", "redis"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Signals, Signals]]:
    """What two parts of the program have: the same signals, or those of two processes."""
    if request.param == "local":
        async with Signals() as signals:
            yield signals, signals
        return
    async with (
        fresh_redis() as (client, prefix),
        RedisSignals(client, prefix=prefix) as one,
        RedisSignals(client, prefix=prefix) as other,
    ):
        yield one, other


async def soon(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until it is so."""
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come about in time")


async def next_of(events: Listener) -> Event:
    return await asyncio.wait_for(anext(events), PATIENCE)


async def is_woken(signals: Signals, work: Wake, seconds: float = PATIENCE) -> bool:
    began = time.monotonic()
    await signals.wait_for(work, seconds)
    return time.monotonic() - began < seconds * 0.9


async def test_a_stop_is_known_at_once_here_and_soon_elsewhere(pair: tuple[Signals, Signals]) -> None:
    one, other = pair
    one.revoke("hash", "sms")
    one.halt(7)
    assert ("hash", "sms") in one.revoked
    assert 7 in one.halted
    await soon(lambda: ("hash", "sms") in other.revoked and 7 in other.halted)
    assert ("hash", "email") not in other.revoked

    other.restore("hash", "sms")
    other.proceed(7)
    await soon(lambda: ("hash", "sms") not in one.revoked and 7 not in one.halted)


async def test_the_last_word_counts(pair: tuple[Signals, Signals]) -> None:
    one, other = pair
    for _ in range(3):
        one.halt(7)
        one.proceed(7)
        one.revoke("hash", "sms")
        one.restore("hash", "sms")
    one.halt(7)
    one.revoke("hash", "sms")
    one.halt(8)
    await soon(lambda: 8 in other.halted)
    assert 7 in other.halted
    assert ("hash", "sms") in other.revoked


async def test_waking_ends_a_wait_for_that_kind_of_work_only(pair: tuple[Signals, Signals]) -> None:
    one, other = pair
    for work in Wake:
        await other.wait_for(work, 0.01)
    one.wake(Wake.SEND)
    assert await is_woken(other, Wake.SEND)
    assert not await is_woken(other, Wake.PLAN, 0.1)
    one.wake()
    for work in Wake:
        assert await is_woken(other, work)


async def test_a_resumed_campaign_wakes_everybody(pair: tuple[Signals, Signals]) -> None:
    one, other = pair
    await other.wait_for(Wake.ROUTE, 0.01)
    one.proceed(7)
    assert await is_woken(other, Wake.ROUTE)


async def test_live_events_reach_whoever_looks_on_everywhere(pair: tuple[Signals, Signals]) -> None:
    one, other = pair
    with one.listen() as here, other.listen() as there:
        for number in (1, 1, 2):  # two that are alike are two
            one.publish({"kind": "sent", "n": number})
        for events in (here, there):
            assert [await next_of(events) for _ in range(3)] == [{"kind": "sent", "n": n} for n in (1, 1, 2)]
        for events in (here, there):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(events), 0.1)


async def test_who_looks_away_slowly_misses_the_oldest_and_is_told_so() -> None:
    signals = Signals()
    with signals.listen(most=3) as slow, signals.listen() as quick:
        for number in range(5):
            signals.publish({"n": number})
        assert [await next_of(slow) for _ in range(4)] == [MISSED, {"n": 2}, {"n": 3}, {"n": 4}]
        assert [await next_of(quick) for _ in range(5)] == [{"n": n} for n in range(5)]
        signals.publish({"n": 5})
        assert await next_of(slow) == {"n": 5}


async def test_who_stopped_listening_is_forgotten() -> None:
    signals = Signals()
    with signals.listen() as events:
        pass
    signals.publish({"n": 1})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(events), 0.05)


def test_stops_are_forgotten_when_no_claim_can_be_so_old() -> None:
    clock = Time()
    signals = Signals(clock)
    for number in range(50_000):
        signals.revoke(f"hash{number}", "sms")
        signals.halt(number)
        clock.now += 1
    assert len(signals.revoked) < 3_000
    assert len(signals.halted) < 3_000
    clock.now -= 1
    assert (f"hash{50_000 - int(KEPT)}", "sms") in signals.revoked
    assert ("hash1", "sms") not in signals.revoked


# ── Redis in trouble ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_cut_connection_is_made_anew_and_everybody_looks_for_what_was_missed() -> None:
    async with (
        own_redis() as server,
        open_redis(server.url) as client,
        RedisSignals(client) as one,
        RedisSignals(client) as other,
    ):
        with other.listen() as events:
            for work in Wake:
                await other.wait_for(work, 0.01)
            listening = await client.client_list(_type="pubsub")
            assert len(listening) == 2
            for each in listening:
                await client.client_kill_filter(_id=each["id"])
            assert await next_of(events) == MISSED
            assert await is_woken(other, Wake.SEND)
            await soon(lambda: one.hears and other.hears)
            one.revoke("hash", "sms")
            await soon(lambda: ("hash", "sms") in other.revoked)


async def test_a_redis_that_is_gone_fails_and_delays_nobody_and_nothing_old_is_told_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with own_redis() as server, open_redis(server.url) as client:
        async with RedisSignals(client) as one, RedisSignals(client) as other:
            server.kill()
            await soon(lambda: not one.hears and not other.hears)
            began = time.monotonic()
            for number in range(1_000):
                one.revoke(f"hash{number}", "sms")
                one.publish({"n": number})
            one.halt(7)
            assert time.monotonic() - began < 0.5
            assert ("hash999", "sms") in one.revoked
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.start)
            await soon(lambda: one.hears and other.hears, 20)
            one.halt(8)
            await soon(lambda: 8 in other.halted)
            assert 7 not in other.halted
        lost = [record for record in caplog.records if "is lost" in record.message]
        assert [record.levelno for record in lost] == [logging.WARNING] * 2, "once for each of the two"


async def test_a_stop_crosses_although_the_connection_it_was_to_take_was_cut() -> None:
    async with (
        own_redis() as server,
        open_redis(server.url) as client,
        RedisSignals(client) as one,
        open_redis(server.url) as theirs,
        RedisSignals(theirs) as other,
    ):
        one.halt(1)
        await soon(lambda: 1 in other.halted)
        async with open_redis(server.url) as admin:
            assert await admin.client_kill_filter(_type="normal", skipme=True) >= 1
        one.halt(2)
        await soon(lambda: 2 in other.halted)


async def test_a_redis_that_is_not_there_yet_is_waited_for_in_the_background() -> None:
    async with own_redis() as server, open_redis(server.url) as client:
        server.kill()
        async with RedisSignals(client) as one:
            assert not one.hears
            one.halt(7)
            assert 7 in one.halted
            await asyncio.to_thread(server.start)
            await soon(lambda: one.hears, 20)


async def test_a_silent_redis_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.redis_signals.SILENCE", 0.2)
    async with own_redis() as server, open_redis(server.url) as client, RedisSignals(client) as one:
        with one.listen() as events, pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 1)  # nothing is missed: it answers when asked
        server.freeze()
        await soon(lambda: not one.hears)
        server.thaw()
        await soon(lambda: one.hears, 20)


async def test_a_process_that_ends_still_tells_what_it_had_to_tell() -> None:
    async with fresh_redis() as (client, prefix), RedisSignals(client, prefix=prefix) as other:
        async with RedisSignals(client, prefix=prefix) as one:
            one.halt(1)
            await asyncio.sleep(0)
            one.halt(2)
        await soon(lambda: 1 in other.halted and 2 in other.halted)


async def test_what_is_not_understood_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    async with fresh_redis() as (client, prefix), RedisSignals(client, prefix=prefix) as one:
        for message in (
            "",
            "not json",
            "7",
            "[]",
            '["x", 7, ["shout", 1], ["halt"], ["halt", "x"], ["wake", "fly", {}]]',
        ):
            await client.publish(f"{prefix}:signals", message)
        await client.publish(f"{prefix}:signals", '["x", ["halt", 7]]')
        await soon(lambda: 7 in one.halted)
        assert one.hears
    assert sum("is not ours" in record.message for record in caplog.records) == 4


async def test_installations_that_share_a_redis_do_not_hear_one_another() -> None:
    async with fresh_redis() as (client, prefix), contextlib.AsyncExitStack() as stack:
        one, same, other = [
            await stack.enter_async_context(RedisSignals(client, prefix=name))
            for name in (prefix, prefix, prefix + "b")
        ]
        one.halt(7)
        await soon(lambda: 7 in same.halted)
        await asyncio.sleep(0.05)
        assert 7 not in other.halted


async def test_an_event_that_cannot_travel_is_an_error_of_whoever_publishes_it() -> None:
    async with fresh_redis() as (client, prefix), RedisSignals(client, prefix=prefix) as one:
        with pytest.raises(TypeError):
            one.publish({"at": object()})
