"""Health, readiness, and the server itself on a real port."""

from __future__ import annotations

from dataclasses import replace

import aiohttp
from aiohttp.test_utils import TestClient
from redis.asyncio import Redis
from sqlalchemy import text

from router.receive import Receiver
from router.redis_client import ping
from router.runtime import Runtime
from router.store.engine import Store, now_ms_sql
from router.tending import stop_tending, tend
from router.web import serve_web
from tests.support.runtime import build_runtime
from tests.web.conftest import serving


async def ask(client: TestClient, path: str = "/readyz") -> tuple[int, dict[str, tuple[str, str]]]:
    """The status, and each part's state and sentence."""
    async with client.get(path) as response:
        found = await response.json()
        return response.status, {part["name"]: (part["state"], part["sentence"]) for part in found["parts"]}


async def test_health(client: TestClient) -> None:
    async with client.get("/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


async def test_each_part_says_how_it_is_and_workers_are_a_warning(client: TestClient, runtime: Runtime) -> None:
    status, parts = await ask(client)
    assert (status, list(parts)) == (200, ["database", "version", "redis", "worker"])
    assert {state for state, _ in parts.values()} == {"ok", "warning"}
    assert parts["worker"] == ("warning", "No worker is at work; start `outreach worker`, or nothing is sent.")
    assert (await ask(client, "/readyz?strict=true"))[0] == 503

    await tend(runtime, "worker-1", now=runtime.clock())
    assert (await ask(client, "/readyz?strict=true"))[0] == 200
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE lease SET leased_until = leased_until - 40000"))
    status, parts = await ask(client)
    assert status == 200
    assert parts["worker"][0] == "warning"
    assert "No worker has looked for 40 s" in parts["worker"][1]
    await stop_tending(runtime, "worker-1")


async def test_what_a_dead_worker_left_is_told(client: TestClient, runtime: Runtime) -> None:
    await tend(runtime, "worker-1", now=runtime.clock())
    async with runtime.store.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO batch (id, month, campaign_id, channel, lane, first_id, last_id, open, not_before, owner,"
                f" leased_until) VALUES (1, 202611, 1, 'sms', 2, 1, 9, true, 0, 'dead', {now_ms_sql('sqlite')} - 60000)"
            )
        )
    _, parts = await ask(client)
    assert parts["worker"][0] == "warning"
    assert "has waited for 60 s" in parts["worker"][1]


async def test_redis_that_is_gone_does_not_take_the_web_away(runtime: Runtime) -> None:
    nobody = Redis(host="127.0.0.1", port=1)
    async with serving(replace(runtime, ask_redis=lambda: ping(nobody))) as client:
        status, parts = await ask(client)
        assert (status, parts["redis"][0]) == (200, "warning")
        assert "OUTREACH_REDIS_URL" in parts["redis"][1]
    await nobody.aclose()


async def test_a_ledger_of_another_version_is_not_ready(client: TestClient, runtime: Runtime) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    async with client.get("/readyz") as response:
        assert response.status == 503
        assert (
            "version: It is not at this program's version; run `outreach migrate`." in (await response.json())["detail"]
        )
    async with client.get("/healthz") as response:
        assert response.status == 200


async def test_an_empty_database_and_one_that_is_gone_are_not_ready(tmp_path: object) -> None:
    for url, part in ((f"sqlite:///{tmp_path}/empty.sqlite3", "version"), ("postgresql://x@127.0.0.1:1/x", "database")):
        store = Store(url)
        async with serving(build_runtime(store)) as client:
            status, parts = await ask(client)
            assert (status, parts[part][0]) == (503, "failed")
        await store.aclose()


async def test_the_server_starts_and_stops_in_this_process(runtime: Runtime) -> None:
    runner = await serve_web(runtime, Receiver(runtime), "127.0.0.1", 0)
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/healthz") as response:
        assert response.status == 200
    await runner.cleanup()
    async with aiohttp.ClientSession() as session:
        try:
            await session.get(f"http://{host}:{port}/healthz")
        except aiohttp.ClientConnectorError:
            return
    raise AssertionError("it still listens")
