"""Health, readiness, metrics, and the server itself on a real port."""

from __future__ import annotations

import re

import aiohttp
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.receive import Receiver
from router.runtime import Runtime
from router.store.engine import Store
from router.web import serve_web
from tests.support.runtime import build_runtime
from tests.web.conftest import serving


async def test_health_and_readiness(client: TestClient) -> None:
    for path in ("/healthz", "/readyz"):
        async with client.get(path) as response:
            assert (response.status, await response.json()) == (200, {"status": "ok"})


async def test_a_ledger_of_another_version_is_not_ready(client: TestClient, runtime: Runtime) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    async with client.get("/readyz") as response:
        assert response.status == 503
        assert "outreach migrate" in (await response.json())["detail"]
    async with client.get("/healthz") as response:
        assert response.status == 200


async def test_an_empty_database_is_not_ready(tmp_path: object) -> None:
    store = Store(f"sqlite:///{tmp_path}/empty.sqlite3")
    runtime = build_runtime(store)
    async with (
        serving(runtime) as client,
        client.get("/readyz") as response,
    ):
        assert response.status == 503
    await store.aclose()


SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? [0-9]+')


async def test_metrics_count_what_is_going_on(client: TestClient, runtime: Runtime, admin: dict[str, str]) -> None:
    rows = [
        "INSERT INTO campaign (id, month, title, kind, status, created_by, created_at) VALUES"
        " (1, 202611, 'a \"secret\" plan', 'ask', 'running', 'x', 0), (2, 202611, 'b', 'ask', 'finished', 'x', 0)",
        "INSERT INTO tally (campaign_id, channel, status, reason, count) VALUES (1, 'sms', 'sent', '', 5),"
        " (1, '', 'held', 'cap', 2), (1, '', 'held', 'no_consent', 3), (2, 'sms', 'sent', '', 9)",
        "INSERT INTO batch (id, month, campaign_id, channel, lane, first_id, last_id, open, not_before) VALUES"
        " (1, 202611, 1, 'sms', 2, 1, 9, true, 0), (2, 202611, 1, 'sms', 2, 10, 19, false, 0)",
    ]
    async with runtime.store.write() as connection:
        for row in rows:
            await connection.execute(text(row))
    async with client.get("/metrics", headers=admin) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        lines = (await response.text()).splitlines()
    assert 'outreach_deliveries{campaign="1",channel="sms",status="sent"} 5' in lines
    assert 'outreach_deliveries{campaign="1",channel="",status="held"} 5' in lines
    assert 'outreach_batches_open{channel="sms"} 1' in lines
    assert 'outreach_campaigns{status="finished"} 1' in lines
    assert not any('campaign="2"' in line or "secret" in line for line in lines)
    assert all(line.startswith("# ") or SAMPLE.fullmatch(line) for line in lines)


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
