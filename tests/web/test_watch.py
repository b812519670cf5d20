"""What the operator should look at, over HTTP: senders and notices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.runtime import Runtime
from router.store.notices import notify
from router.store.standings import StandingRow, write_standings
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders


async def get(client: TestClient, headers: dict[str, str], path: str) -> Any:
    async with client.get(f"/api/v1/{path}", headers=headers) as response:
        assert response.status == 200
        return (await response.json())[path]


async def note(runtime: Runtime, clock: Clock, subject: str) -> None:
    async with runtime.store.write() as connection:
        await notify(connection, "unknown_code", subject, f"{subject} is known to no table", now=clock())


async def test_how_the_senders_do(client: TestClient, bearer: MakeHeaders, runtime: Runtime, clock: Clock) -> None:
    rows = [
        StandingRow("sms", "main", "+12025550100", "open", "why", clock() + timedelta(minutes=5), 0.9, clock()),
        StandingRow("sms", "main", "+12025550101", "closed", "", None, 1.1, clock()),
    ]
    async with runtime.store.write() as connection:
        await write_standings(connection, rows)
    first, second = await get(client, await bearer("campaigns:read"), "senders")
    assert first == {
        "channel": "sms",
        "account": "main",
        "name": "+12025550100",
        "state": "open",
        "reason": "why",
        "until": "2026-11-20T18:05:00Z",
        "weight": 0.9,
        "updated_at": "2026-11-20T18:00:00Z",
    }
    assert (second["state"], second["until"]) == ("closed", None)


async def test_a_notice_is_cleared_and_comes_back(
    client: TestClient, bearer: MakeHeaders, runtime: Runtime, clock: Clock
) -> None:
    reader, launcher = await bearer("campaigns:read"), await bearer("campaigns:launch")
    for subject in ("sms/1", "sms/2", "sms/1"):
        clock.advance(minutes=1)
        await note(runtime, clock, subject)
    found = await get(client, reader, "notices")
    assert [(one["subject"], one["count"]) for one in found] == [("sms/1", 2), ("sms/2", 1)]
    this = {"kind": "unknown_code", "subject": "sms/1"}
    for _ in range(2):  # twice is as good as once
        async with client.post("/api/v1/notices/clear", headers=launcher, json=this) as response:
            assert response.status == 200
            assert [one["subject"] for one in (await response.json())["notices"]] == ["sms/2"]
    await note(runtime, clock, "sms/1")
    assert [one["count"] for one in await get(client, reader, "notices")] == [3, 1]
    async with runtime.store.read() as connection:
        rows = (await connection.execute(text("SELECT who, subject FROM audit WHERE what = 'notice.clear'"))).all()
    assert [tuple(row) for row in rows] == [("tests", "sms/1")]


async def test_a_notice_that_is_not_there(client: TestClient, admin: dict[str, str]) -> None:
    nothing = {"kind": "sender", "subject": "sms/main"}
    async with client.post("/api/v1/notices/clear", headers=admin, json=nothing) as response:
        assert response.status == 404
        assert (await response.json())["detail"]
