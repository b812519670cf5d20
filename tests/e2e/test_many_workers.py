"""Several workers and web servers, killed and replaced in the middle of a blast; poolers; signals."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.sandbox import Sandbox
from router.app import utc_now
from router.settings import Settings
from router.store.engine import Store
from router.store.migrate import migrate
from tests.e2e.many import PATIENCE, House, Process, configured, open_house
from tests.e2e.test_commands import Office
from tests.support import pgbouncer
from tests.support.movement import Movement, free_port
from tests.support.redis import NONE, redis_url

MEMBERS = 3_000


@pytest.fixture
async def house(postgresql_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """An installation on PostgreSQL and Redis, whose processes a test starts."""
    redis = redis_url()
    if redis is None:
        pytest.skip(NONE)
    async with open_house(postgresql_url, redis, tmp_path) as house:
        yield house


async def test_workers_die_and_are_replaced_and_nobody_is_lost_or_asked_twice(house: House) -> None:
    web, first, second = await asyncio.gather(house.web(), house.worker(), house.worker())
    members = await house.movement.add_members(MEMBERS)
    await house.turn(latency=1.0)
    campaign = await house.movement.launch()
    await house.movement.until(lambda: _rows(house, "SELECT 1 FROM route_range"))
    await _replaced(house, first)  # while it routes
    third, fourth, newer = await asyncio.gather(house.worker(), house.worker(), house.web())
    await second.kill()
    await web.stop()
    await _replaced(house, third)
    fifth = await house.worker()
    await _replaced(house, fourth)
    assert 0 < await house.accepted() < MEMBERS, "all of this was to be in the middle of the blast"
    await house.turn(latency=0.0)
    await house.until_finished(campaign)
    toll = await house.count(campaign, members)
    assert toll.lost == 0, toll
    assert toll.twice == 0, toll
    # What the killed one had in the air is settled by its receipt, unless it never left.
    assert toll.statuses["delivered"] == await house.accepted(), toll
    assert toll.unknown == MEMBERS - toll.statuses["delivered"], toll
    await asyncio.gather(fifth.stop(), newer.stop())


async def _replaced(house: House, worker: Process) -> None:
    """It ends well on SIGTERM, and at once others may go on with all that it had taken on."""
    await worker.stop()
    mine = f"{worker.child.pid}-%"
    assert not await _rows(house, "SELECT 1 FROM batch WHERE owner LIKE :mine AND leased_until > 0", mine=mine)
    assert not await _rows(house, "SELECT 1 FROM lease WHERE owner LIKE :mine", mine=mine)


async def _rows(house: House, statement: str, **parameters: str) -> bool:
    return bool(await house.movement.execute(f"{statement} LIMIT 1", **parameters))


async def test_a_second_signal_ends_it_at_once(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(database_url=sqlite_url, secret_key="a secret for the tests, forty characters long")  # type: ignore[arg-type]
    async with Sandbox() as sandbox, Movement.open(settings, sandbox, port=free_port(), clock=utc_now) as movement:
        sandbox.turn(latency=60.0)
        environment = sandbox.channel_environment() | {
            "OUTREACH_DATABASE_URL": sqlite_url,
            "OUTREACH_SECRET_KEY": settings.secret_key.get_secret_value(),
            "OUTREACH_CONFIG": str(configured(tmp_path)),
        }
        worker = await Office(tmp_path, environment).start("worker")
        try:
            await movement.add_members(1)
            await movement.launch()
            await movement.until(lambda: sandbox.memory.accepted, PATIENCE)
            worker.send_signal(signal.SIGTERM)
            with pytest.raises(TimeoutError):  # it waits for the provider's answer
                await asyncio.wait_for(worker.wait(), 1)
            worker.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(worker.wait(), 5) == -signal.SIGTERM
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()


async def test_an_import_that_is_ended_goes_on_where_it_was(postgresql_url: str, tmp_path: Path) -> None:
    office = Office(
        tmp_path,
        {
            "OUTREACH_DATABASE_URL": postgresql_url,
            "OUTREACH_SECRET_KEY": "a secret for the tests, forty characters long",
            "OUTREACH_DEFAULT_REGION": "FR",
        },
    )
    rows = [f"Ana{place},+3363998{place:04d},yes,form,2026-01-02" for place in range(4_000)]
    office.write("members.csv", "\n".join(["first_name,phone,sms consent,consent source,consent date", *rows]))
    store = Store(postgresql_url)
    try:
        importing = await office.start("import", "members.csv")
        while not await _count(store):
            assert importing.returncode is None, await importing.communicate()
            await asyncio.sleep(0.01)
        importing.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(importing.wait(), 15) == -signal.SIGTERM
        assert 0 < await _count(store) < len(rows)
        assert "4,000 new members" in await office.run("import", "members.csv")
        assert await _count(store) == len(rows)
    finally:
        await store.aclose()


async def _count(store: Store) -> int:
    async with store.read() as connection:
        return int((await connection.exec_driver_sql("SELECT count(*) FROM member")).scalar_one())


@pytest.mark.skipif(pgbouncer.program() is None, reason=pgbouncer.NONE)
async def test_a_blast_through_a_pooler_that_lends_connections_by_the_transaction(postgresql_url: str) -> None:
    port = free_port()
    public = f"http://127.0.0.1:{port}"
    # Two for everybody: whoever asked for a second one inside of a transaction would wait for ever.
    with pgbouncer.pooled(postgresql_url, servers=2) as through:
        settings = Settings(
            database_url=f"{through}?pgbouncer=true",
            secret_key="a secret for the tests, forty characters long",  # type: ignore[arg-type]
            public_url=public,
        )
        async with (
            Sandbox(webhooks={"sms": f"{public}/hooks/sms/main"}) as sandbox,
            Movement.open(settings, sandbox, port=port) as movement,
        ):
            await migrate(movement.runtime.store)
            sandbox.turn(p_yes=0.1, p_stop=0.1)
            await movement.add_members(100)
            campaign = await movement.launch()
            await movement.work()
            await sandbox.idle()
            assert await movement.statuses(campaign) == {"delivered": 100}
            [(stopped,)] = await movement.execute("SELECT count(*) FROM suppression")
            assert stopped > 0
