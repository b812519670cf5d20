"""Receipts and replies that come all at once while a blast runs, and the services that go away meanwhile.

``python -m tests.e2e.storm`` is the same at full size, with its figures. That answers do not wait behind a blast is
``test_lanes``' matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.sandbox import Sandbox
from router.core.rates import ChannelRules
from router.settings import Settings
from router.worker import run_worker
from tests.e2e.storm import own_house, restarting, storm
from tests.support.movement import Movement, free_port
from tests.support.own_postgres import NONE as NO_POSTGRES
from tests.support.own_postgres import OwnPostgres
from tests.support.redis import NONE as NO_REDIS
from tests.support.redis import OwnRedis, own_redis, redis_url

MEMBERS, RUNNING, RECEIPTS, REPLIES = 200, 600, 700, 40


@pytest.mark.skipif(OwnPostgres.program() is None, reason=NO_POSTGRES)
async def test_a_database_that_goes_away_in_a_storm_costs_only_time(tmp_path: Path) -> None:
    redis = redis_url()
    if redis is None:
        pytest.skip(NO_REDIS)
    async with own_house(tmp_path, redis) as (server, house):
        found = await storm(
            house, members=MEMBERS, running=RUNNING, receipts=RECEIPTS, replies=REPLIES, broken=restarting(server)
        )
        weather = found.weather
        assert set(weather.refused) <= {0, 503}, weather.refused
        assert weather.refused[503] > 0, "nobody knocked while the database was away"
        assert len(weather.taken) == RECEIPTS + REPLIES
        assert (found.receipts, found.inbound) == (2 * MEMBERS, REPLIES)
        assert found.asked.statuses == {"delivered": MEMBERS}
        # Nobody died, so the worker knows of every message what became of it.
        assert found.running.statuses == {"sent": RUNNING}
        assert (found.running.lost, found.running.twice) == (0, 0)
        assert (found.unanswered, found.answered_twice) == (0, 0)
        for process in house.workers():
            assert "Traceback" not in process.said(), process.said()


# ── Redis ─────────────────────────────────────────────────────────────────────────────────────────────────────────

RATE = 100.0
SHARE = 0.5


@pytest.fixture
async def server() -> AsyncIterator[OwnRedis]:
    """A Redis that may be killed."""
    async with own_redis() as server:
        yield server


@pytest.mark.parametrize("down", ["wait", "share"])
async def test_a_redis_that_is_gone_is_waited_for_or_done_without(down: str, sqlite_url: str, server: OwnRedis) -> None:
    port = free_port()
    settings = Settings(
        database_url=sqlite_url,
        secret_key="a secret for the tests, forty characters long",  # type: ignore[arg-type]
        public_url=f"http://127.0.0.1:{port}",
        redis_url=server.url,
        redis_down=down,  # type: ignore[arg-type]
        redis_share=SHARE,
    )
    rules = {"sms": ChannelRules(rate=RATE, burst=10, concurrency=10)}
    async with Sandbox() as sandbox, Movement.open(settings, sandbox, port=port, rules=rules) as movement:
        accepted = sandbox.memory.accepted
        await movement.add_members(400)
        campaign = await movement.launch()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(movement.runtime, stop=stop))
        await movement.until(lambda: len(accepted) > 50)
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(1.0)  # what was claimed before may still leave
        before = len(accepted)
        await asyncio.sleep(2.0)
        meanwhile = len(accepted) - before
        if down == "wait":
            assert meanwhile == 0, "without Redis nobody knows how much others send"
        else:
            assert 0 < meanwhile <= 1.2 * SHARE * RATE * 2.0 + 10, meanwhile
        await asyncio.to_thread(server.start)
        await movement.until(lambda: len(accepted) == 400, 40)
        await movement.until(lambda: _all_delivered(movement, campaign))
        stop.set()
        await worker
        assert set(movement.received().values()) == {1}


async def _all_delivered(movement: Movement, campaign: int) -> bool:
    return await movement.statuses(campaign) == {"delivered": 400}
