"""Redis in trouble: gone, frozen, started anew, emptied, a replica, a cluster."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import RedisCluster

from router.core.errors import BadInput, Unavailable
from router.limits import Bucket, Grant, LocalLimits
from router.redis_client import open_redis
from router.redis_limits import FallbackLimits, RedisLimits
from tests.limits.conftest import Time
from tests.support.redis import OwnRedis, fresh_redis, own_redis, remove_keys

SMS = Bucket("sms/main", rate=0.1, burst=10)


@pytest.fixture
async def server() -> AsyncIterator[OwnRedis]:
    async with own_redis() as server:
        yield server


@pytest.fixture
async def limits(server: OwnRedis) -> AsyncIterator[RedisLimits]:
    async with open_redis(server.url) as client:
        yield RedisLimits(client, timeout=0.5)


async def test_nothing_is_kept_for_ever() -> None:
    async with fresh_redis() as (client, prefix):
        limits = RedisLimits(client, prefix=prefix)
        await limits.take(SMS, 3)
        await limits.take(Bucket("unlimited", rate=0), 3)
        await limits.give_back(Bucket("debt", rate=0.1), -20)
        await limits.pause("paused", 30)
        await limits.pause(SMS.name, 60)
        await limits.count("tmobile", 3, cap=5, day="today")
        lives = {
            key.decode().split(":", 1)[1]: await client.pttl(key) / 1000
            async for key in client.scan_iter(f"*{prefix}*")
        }
        assert lives == {
            "bucket:sms/main": pytest.approx(61, abs=2),
            "bucket:debt": pytest.approx(201, abs=2),
            "bucket:paused": pytest.approx(31, abs=2),
            "day:today:tmobile": pytest.approx(172_800, abs=2),
        }  # fmt: skip
        await limits.give_back(Bucket("debt", rate=0.1), 20)
        assert not await client.exists(f"{{{prefix}}}:bucket:debt"), "a full bucket is not kept"


async def test_an_emptied_redis_is_a_full_bucket_and_no_error() -> None:
    async with fresh_redis() as (client, prefix):
        limits = RedisLimits(client, prefix=prefix)
        assert (await limits.take(SMS, 99)).granted == 10
        await client.script_flush()
        await remove_keys(client, prefix)
        assert (await limits.take(SMS, 99)).granted == 10
        await limits.give_back(SMS, 4)
        assert (await limits.take(SMS, 99)).granted == 4


async def test_a_clock_that_goes_back_stops_the_flow_and_forgets_nothing() -> None:
    async with fresh_redis() as (client, prefix):  # another node took over, whose clock is behind
        limits, bucket = RedisLimits(client, prefix=prefix), Bucket("fast", rate=10, burst=10)
        await limits.take(bucket, 10)
        await client.hincrby(f"{{{prefix}}}:bucket:fast", "at", 3_600_000_000)
        assert (await limits.take(bucket, 1)).granted == 0
        await limits.give_back(bucket, 4)
        assert (await limits.take(bucket, 10)).granted == 4


async def test_a_redis_that_is_gone_is_said_to_be_and_heard_again_when_it_is_back(
    server: OwnRedis, limits: RedisLimits
) -> None:
    assert (await limits.take(SMS, 4)).granted == 4
    server.kill()
    for ask in (limits.take(SMS, 1), limits.take_each([SMS]), limits.count("day", 1, cap=9, day="today")):
        with pytest.raises(Unavailable, match="Redis does not answer"):
            await ask
    await limits.give_back(SMS, 4)
    await limits.uncount("day", 1, day="today")
    await limits.pause(SMS.name, 0.2)
    assert limits.is_paused(SMS.name), "what this process knows it knows without Redis"
    await asyncio.to_thread(server.start)
    await asyncio.sleep(0.25)
    assert (await limits.take(SMS, 99)).granted == 10


async def test_a_restart_in_the_middle_of_many_takes_costs_only_time(server: OwnRedis, limits: RedisLimits) -> None:
    granted, lost = 0, 0

    async def take(until: float) -> None:
        nonlocal granted, lost
        while time.monotonic() < until:
            try:
                granted += (await limits.take(Bucket("fast", rate=1000, burst=1), 5)).granted
            except Unavailable:
                lost += 1
            await asyncio.sleep(0.01)

    takers = [asyncio.create_task(take(time.monotonic() + 2)) for _ in range(8)]
    await asyncio.sleep(0.5)
    server.kill()
    await asyncio.sleep(0.3)
    before = granted
    await asyncio.to_thread(server.start)
    await asyncio.gather(*takers)
    assert lost > 0
    assert granted > before, "it went on after the restart"


async def test_a_frozen_redis_costs_no_call_more_than_its_time_limit(server: OwnRedis, limits: RedisLimits) -> None:
    await limits.take(SMS, 1)
    server.freeze()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await limits.take(SMS, 1)
    assert 0.4 < time.monotonic() - began < 2.5
    server.thaw()
    assert (await limits.take(SMS, 1)).granted == 1


async def test_a_redis_that_became_a_replica_is_left_for_whoever_leads_now(
    server: OwnRedis, limits: RedisLimits
) -> None:
    async with open_redis(server.url) as admin:
        await limits.take(SMS, 1)
        await admin.replicaof("127.0.0.1", str(server.port))
        with pytest.raises(Unavailable, match="ReadOnlyError"):
            await limits.take(SMS, 1)
        clients = [client["id"] for client in await admin.client_list()]
        assert clients == [str(await admin.client_id())], "the connection to the replica was let go"
        await admin.replicaof("NO", "ONE")
        assert (await limits.take(SMS, 1)).granted == 1


async def test_all_keys_of_one_call_lie_on_one_node_of_a_cluster() -> None:
    async with own_redis("--cluster-enabled", "yes") as server:
        async with open_redis(server.url) as client:
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            for _ in range(200):
                if b"cluster_state:ok" in await client.execute_command("CLUSTER", "INFO"):
                    break
                await asyncio.sleep(0.05)
            limits = RedisLimits(client)
            assert await limits.take_each([Bucket(f"chat/{n}", rate=0.1) for n in range(50)]) == [0.0] * 50
            assert await limits.count("day", 3, cap=2, day="today") == 2
        async with RedisCluster.from_url(server.url) as cluster:
            assert all(await RedisLimits(cluster).take_each([Bucket(f"chat/{n}", rate=0.1) for n in range(50)]))


def test_an_address_that_cannot_be_one_names_the_setting() -> None:
    with pytest.raises(BadInput, match="OUTREACH_REDIS_URL: use redis://"):
        open_redis("postgresql://somewhere")


# ── a safe share while Redis is gone ──────────────────────────────────────────────────────────────────────────────────


async def test_a_safe_share_of_each_rate_while_redis_is_gone(
    server: OwnRedis, limits: RedisLimits, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Time()
    both = FallbackLimits(limits, LocalLimits(clock), share=0.25, clock=clock)
    bucket = Bucket("sms/main", rate=4, burst=20)
    chats = [Bucket("chat/1", rate=1), Bucket("chat/2", rate=1)]
    assert (await both.take(bucket, 5)).granted == 5

    server.kill()
    assert await both.take(bucket, 99) == Grant(0, 1.0), "as if the others had just emptied it"
    assert await both.take_each(chats) == [4.0, 4.0]
    clock.now += 4
    assert await both.take_each(chats) == [0.0, 0.0]
    assert await both.take_each(chats) == [4.0, 4.0]
    assert (await both.take(bucket, 99)).granted == 4
    clock.now += 1_000
    assert (await both.take(bucket, 99)).granted == 5
    with pytest.raises(Unavailable):
        await both.count("tmobile", 1, cap=9, day="today")

    await asyncio.to_thread(server.start)
    clock.now += 5
    assert (await both.take(bucket, 99)).granted == 20, "all of it again"
    assert await both.count("tmobile", 1, cap=9, day="today") == 1
    assert [record.levelno for record in caplog.records if "rates:" in record.message] == [logging.WARNING] * 2


async def test_only_one_caller_in_a_while_waits_for_a_redis_that_is_frozen(
    server: OwnRedis, limits: RedisLimits
) -> None:
    clock = Time()
    both = FallbackLimits(limits, LocalLimits(clock), share=0.5, clock=clock)

    async def seconds_of_a_take() -> float:
        began = time.monotonic()
        await both.take(SMS, 1)
        return time.monotonic() - began

    await both.take(SMS, 1)
    server.freeze()
    assert await seconds_of_a_take() > 0.4
    for moved, slow in ((0, 0), (5, 1), (0, 0)):
        clock.now += moved
        assert sum(took > 0.4 for took in await asyncio.gather(*[seconds_of_a_take() for _ in range(50)])) == slow
    server.thaw()


async def test_a_pause_holds_over_both_changes(server: OwnRedis, limits: RedisLimits) -> None:
    clock = Time()
    both = FallbackLimits(limits, LocalLimits(clock), share=0.5, clock=clock)
    await both.pause("before", 60)
    server.kill()
    await both.take(SMS, 1)
    await both.pause("meanwhile", 60)
    assert (await both.take(Bucket("before", rate=0), 5)).granted == 0
    await asyncio.to_thread(server.start)
    clock.now += 5
    await both.take(SMS, 1)
    for name in ("before", "meanwhile"):
        assert both.is_paused(name)
        assert (await both.take(Bucket(name, rate=0), 5)).granted == 0


async def test_tokens_of_the_other_side_are_not_given_back(server: OwnRedis, limits: RedisLimits) -> None:
    clock = Time()
    both = FallbackLimits(limits, LocalLimits(clock), share=0.5, clock=clock)
    bucket = Bucket("sms/main", rate=4, burst=20)
    await both.take(bucket, 20)
    server.kill()
    await both.take(bucket, 1)
    clock.now += 5
    assert (await both.take(bucket, 99)).granted == 10
    await both.give_back(bucket, 20)
    assert (await both.take(bucket, 1)).granted == 0
    clock.now += 100
    assert (await both.take(bucket, 99)).granted == 10
    await both.give_back(bucket, 2)
    assert (await both.take(bucket, 99)).granted == 2
