"""A request in the log: one line with the shape of its address, and an id that its answer shows."""

from __future__ import annotations

import logging

import pytest
from aiohttp.test_utils import TestClient

from router.runtime import Runtime

SECRET_PATH = "/m/AbCdEfGh1234/why/7?phone=%2B12025550143"
ID = "550e8400-e29b-41d4-a716-446655440000"


async def test_one_line_for_each_request_and_never_its_address(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="router.web.requests")
    for path in (SECRET_PATH, "/api/v1/campaigns/7", "/nothing/+12025550143", "/healthz"):
        async with client.get(path) as response:
            await response.read()
    async with client.request("PROPFIND", "/hooks/sms") as response:
        await response.read()
    seen = [record for record in caplog.records if record.name == "router.web.requests"]
    fields = [(record.levelname, record.method, record.route, record.status) for record in seen]  # type: ignore[attr-defined]
    assert fields == [
        ("INFO", "GET", "/m/{token}/why/{id}", 404),
        ("INFO", "GET", "/api/v1/campaigns/{id}", 401),
        ("INFO", "GET", "(none)", 404),
        ("DEBUG", "GET", "/healthz", 200),
        ("INFO", "OTHER", "(none)", 405),
    ]
    assert all(record.ms >= 0 for record in seen)  # type: ignore[attr-defined]
    # The test's own server may keep aiohttp's log beside ours; a served one is told not to.
    ours = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records
                     if record.name != "aiohttp.access")  # fmt: skip
    assert "AbCdEfGh" not in ours
    assert "2025550143" not in ours


async def test_an_answer_shows_the_id_that_the_log_has(client: TestClient, runtime: Runtime) -> None:
    made = set()
    for given in ("", "12025550143", "x"):
        async with client.get("/api/v1/campaigns", headers={"X-Request-ID": given} if given else {}) as response:
            assert response.status == 401
            document = await response.json()
            assert document["request_id"] == response.headers["X-Request-ID"] != given
            made.add(document["request_id"])
    assert len(made) == 3
    async with client.get("/healthz", headers={"X-Request-ID": ID}) as response:
        assert response.headers["X-Request-ID"] == ID


async def test_a_fault_of_ours_is_found_in_the_log_by_its_id(
    client: TestClient, runtime: Runtime, admin: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with runtime.store.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE campaign RENAME TO campaign_gone")
    async with client.get("/api/v1/campaigns", headers={**admin, "X-Request-ID": ID}) as response:
        assert (response.status, (await response.json())["request_id"]) == (500, ID)
    [line] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert ID in line.getMessage()
