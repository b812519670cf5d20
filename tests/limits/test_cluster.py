"""Redis Cluster: whatever one call touches lies in one of its 16,384 slots."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot

from router.core.errors import Unavailable
from router.limits import Bucket
from router.redis_client import open_redis
from router.redis_limits import RedisLimits
from tests.support.redis import OwnRedis, own_redis


class Noting:
    """A client that notes the keys of each call, as Redis Cluster looks at them, and grants everything."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    async def evalsha(self, _sha: str, count: int, *rest: Any) -> Any:
        self.calls.append(list(rest[:count]))
        return [1, 0, 0] * count if rest[count] == "take" else 1


async def test_all_keys_of_every_call_lie_in_one_slot() -> None:
    client = Noting()
    limits = RedisLimits(client, prefix="outreach:0123456789ab")  # type: ignore[arg-type]
    buckets = [Bucket(f"telegram/main/chat/{{{n}}}", rate=1.0, burst=1.0) for n in range(200)]
    await limits.take_each(buckets)
    await limits.take(buckets[0], 5)
    await limits.give_back(buckets[1], 2)
    await limits.pause("sms/main", 3.0)
    await limits.count("sms/daily", 1, cap=9, day="2026-11-22")
    await limits.uncount("sms/daily", 1, day="2026-11-22")
    keys = [key for call in client.calls for key in call]
    assert [len(call) for call in client.calls] == [200, 1, 1, 1, 1, 1]
    assert len({key_slot(key.encode()) for key in keys}) == 1, "also where an address brings braces of its own"
    others = {key_slot(RedisLimits(client, prefix=f"outreach:{n}")._key("sms").encode()) for n in range(20)}  # type: ignore[arg-type]
    assert len(others) > 10, "other installations lie elsewhere"


async def test_a_cluster_is_followed_to_the_node_that_has_our_keys_and_left_when_it_fails() -> None:
    slot = key_slot(RedisLimits(Noting(), prefix="outreach:a")._key("sms").encode())  # type: ignore[arg-type]
    async with (
        own_redis("--cluster-enabled", "yes") as named,
        own_redis("--cluster-enabled", "yes") as owner,
        open_redis(named.url) as client,
        open_redis(owner.url) as there,
    ):
        await _share(client, there, owner, slot)
        limits = RedisLimits(client, prefix="outreach:a")
        bucket = Bucket("sms", rate=0.01, burst=5.0)
        assert (await limits.take(bucket, 3)).granted == 3
        assert (await RedisLimits(there, prefix="outreach:a").take(bucket, 5)).granted == 2, "it is one bucket"
        await asyncio.to_thread(owner.kill)
        with pytest.raises(Unavailable):
            await limits.take(bucket, 1)
        # Asked again, the named node still sends us there: so we hear when it names another.
        with pytest.raises(Unavailable):
            await limits.take(bucket, 1)
        await limits.aclose()


async def _share(client: Redis, there: Redis, owner: OwnRedis, slot: int) -> None:
    """Make two nodes a cluster of which the second one has `slot`."""
    await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, slot - 1, slot + 1, 16383)
    await there.execute_command("CLUSTER", "ADDSLOTSRANGE", slot, slot)
    await there.execute_command("CLUSTER", "SET-CONFIG-EPOCH", 2)
    await client.execute_command("CLUSTER", "MEET", "127.0.0.1", owner.port)
    for _ in range(400):
        states = [await node.execute_command("CLUSTER", "INFO") for node in (client, there)]
        if all(b"cluster_state:ok" in state for state in states):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the two nodes did not become a cluster")
