"""Providers, databases and disks that fail in the middle of a blast: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import asyncpg
import pytest
from aiohttp import ClientSession
from sqlalchemy import text

from channels.sandbox import Knobs
from router.web.auth import create_token
from router.wire import HttpWire
from router.worker import run_worker
from tests.support.movement import Movement
from tests.support.postgres import admin_url


async def test_a_provider_that_errs_throttles_hangs_and_cuts_gets_nothing_twice(
    movement: Movement, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Waits for a provider that hangs, one after the other: long enough to count as slow (rule 8), not the full 8 s.
    monkeypatch.setitem(HttpWire.request.__kwdefaults__, "timeout", 2.5)
    await movement.add_members(300)
    movement.sandbox.knobs = Knobs(
        error_rate=0.05, throttle_rate=0.03, retry_after=1, timeout_after_accept=0.01, drop_after_accept=0.03, seed=3
    )
    campaign = await movement.launch()
    await movement.work()
    assert max(movement.received().values()) == 1
    statuses = Counter(await movement.statuses(campaign))
    assert statuses["unknown"] > 0, "this provider must have left us in doubt"
    assert sum(statuses.values()) == 300
    assert set(statuses) <= {"sent", "delivered", "unknown", "failed"}
    await movement.sandbox.idle()
    accepted = movement.received()
    await movement.until(lambda: _settled(movement, campaign, len(accepted)))


async def _settled(movement: Movement, campaign: int, accepted: int) -> bool:
    """Every message that the provider took is delivered by its receipt, those we were in doubt of too."""
    return (await movement.statuses(campaign)).get("delivered") == accepted


async def test_a_reply_of_stop_and_one_click_silence_for_good(movement: Movement) -> None:
    await movement.add_members(3)
    await movement.add_members(3, channel="email")
    await movement.launch()
    await movement.work()
    await movement.sandbox.idle()
    phone = next(one.to for one in movement.sandbox.memory.accepted if one.to.startswith("+"))
    mail = next(one for one in movement.sandbox.memory.accepted if "@" in one.to)
    movement.sandbox.phones.reply(phone, "STOP")
    movement.sandbox.mailboxes.unsubscribe(mail.to, movement.sandbox.memory.accepted.numbers(mail.to)[0])
    await movement.sandbox.idle()
    before = movement.received()
    again = await movement.launch()
    await movement.work()
    assert (await movement.view(again)).held == {"suppressed": 2}
    after = movement.received()
    assert after[mail.to] == before[mail.to] == 1
    confirmations = after[phone] - before[phone]
    assert confirmations == 0, "the provider answers STOP itself; we must not answer again"


async def test_a_blast_survives_a_database_that_cuts_every_connection(
    movement: Movement, request: pytest.FixtureRequest
) -> None:
    if movement.runtime.store.is_sqlite:
        await _survive_a_full_disk(movement)
        return
    await movement.add_members(1_200)
    movement.sandbox.turn(latency=0.01)
    campaign = await movement.launch()
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(movement.runtime, stop=stop))
    for _ in range(5):
        await asyncio.sleep(0.4)
        await _cut_connections(movement)
    await movement.until(lambda: _left(movement, campaign), 60)
    stop.set()
    await worker
    assert max(movement.received().values()) == 1
    assert len(movement.received()) == 1_200


async def _cut_connections(movement: Movement) -> None:
    connection = await asyncpg.connect(admin_url())
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
        movement.runtime.store.url.database,
    )
    await connection.close()


async def _left(movement: Movement, campaign: int) -> bool:
    statuses = await movement.statuses(campaign)
    return sum(statuses.values()) == 1_200 and not ({"queued", "sending"} & set(statuses))


async def _survive_a_full_disk(movement: Movement) -> None:
    """SQLite: writing fails with "disk full"; the API says 503, the worker waits, and both go on afterwards."""
    store = movement.runtime.store
    await movement.add_members(50)
    campaign = await movement.launch()
    token = await create_token(store, "test", "admin", movement.clock())
    base = movement.runtime.settings.public_url
    person = {"first_name": "Ada", "email": "ada@example.org"}
    headers = {"Authorization": f"Bearer {token}"}
    await _limit_pages(movement, grow=0)
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(movement.runtime, stop=stop))
    async with ClientSession(base, headers=headers) as session:
        statuses = set()
        for number in range(200):
            async with session.post("/api/v1/members", json=person | {"last_name": "x" * 150 + str(number)}) as reply:
                statuses.add(reply.status)
                if reply.status == 503:
                    assert int(reply.headers["Retry-After"]) > 0
                    break
        assert 503 in statuses
        assert 500 not in statuses
        assert not worker.done()
        await _limit_pages(movement, grow=100_000)
        async with session.post("/api/v1/members", json=person) as reply:
            assert reply.status == 200
    await movement.until(lambda: _all_sent(movement, campaign), 30)
    stop.set()
    await worker
    assert set(movement.received().values()) == {1}


async def _limit_pages(movement: Movement, *, grow: int) -> None:
    async with movement.runtime.store.write() as connection:
        pages = await connection.scalar(text("PRAGMA page_count"))
        await connection.execute(text(f"PRAGMA max_page_count = {int(pages or 0) + grow}"))


async def _all_sent(movement: Movement, campaign: int) -> bool:
    statuses = await movement.statuses(campaign)
    return statuses.get("sent", 0) + statuses.get("delivered", 0) == 50


async def test_two_workers_share_a_blast(movement: Movement) -> None:
    await movement.add_members(1_500)
    campaign = await movement.launch()
    await asyncio.gather(*(run_worker(movement.runtime, until_idle=True) for _ in range(2)))
    assert len(movement.received()) == 1_500
    assert set(movement.received().values()) == {1}
    assert sum((await movement.statuses(campaign)).values()) == 1_500


async def test_a_worker_asked_to_stop_finishes_what_is_in_the_air_and_gives_the_rest_back(movement: Movement) -> None:
    await movement.add_members(600)
    movement.sandbox.turn(latency=0.02)
    campaign = await movement.launch()
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(movement.runtime, stop=stop))
    await movement.until(lambda: len(movement.sandbox.memory.accepted) > 50)
    stop.set()
    await asyncio.wait_for(worker, 12)
    statuses = await movement.statuses(campaign)
    assert "sending" not in statuses
    assert "unknown" not in statuses
    assert statuses["queued"] > 0
    movement.sandbox.turn(latency=0)
    await movement.work()
    assert set(movement.received().values()) == {1}
    assert len(movement.received()) == 600


async def test_a_link_leads_where_the_organizers_say_and_a_click_is_an_answer(movement: Movement) -> None:
    await movement.add_members(1)
    words = {"en": {"default": {"text": "Details at {{ link }}"}}}
    await movement.launch(link="https://example.org/hearing", texts=words)
    await movement.work()
    [message] = movement.sandbox.memory.accepted
    movement.clock.jump(timedelta(minutes=1))
    path = message.text.rsplit(" ", 1)[1].removeprefix(movement.runtime.settings.public_url)
    async with ClientSession(movement.runtime.settings.public_url) as session:
        for agent in ("Mozilla/5.0 (iPhone)", "facebookexternalhit/1.1"):
            async with session.get(path, allow_redirects=False, headers={"User-Agent": agent}) as reply:
                assert (reply.status, reply.headers["Location"]) == (302, "https://example.org/hearing")
    async with movement.runtime.store.read() as connection:
        kinds = (await connection.execute(text("SELECT kind FROM action"))).scalars().all()
    assert kinds == ["click"], "a preview robot is no person"
