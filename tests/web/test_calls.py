"""Call lines and the live count, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.runtime import Runtime
from router.store.tables import to_ms
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders
from tests.web.test_campaigns import post

ASK: dict[str, Any] = {"title": "Call", "texts": {"en": {"default": {"text": "Call tonight?"}}}, "wants": "call"}
LINE: dict[str, Any] = {
    "place": "Lyon",
    "name": "Minister Weber",
    "phone": "+33639980999",
    "script": "Keep the heating on.",
    "opens_at": "2026-11-20T19:00:00+01:00",
    "closes_at": "2026-11-20T20:00:00Z",
    "per_slot": 3,
}


async def campaign(client: TestClient, admin: dict[str, str]) -> int:
    return int((await post(client, "/campaigns", admin, ASK, status=201))["id"])


async def test_a_line_is_added_changed_and_closed(
    client: TestClient, admin: dict[str, str], bearer: MakeHeaders, runtime: Runtime
) -> None:
    writer = await bearer("campaigns:write")
    asked = await campaign(client, admin)
    line = await post(client, f"/campaigns/{asked}/calls/lines", writer, LINE, status=201)
    assert line == LINE | {
        "id": line["id"],
        "campaign_id": asked,
        "opens_at": "2026-11-20T18:00:00Z",
        "slot_minutes": 5,
    }
    path = f"/api/v1/call-lines/{line['id']}"
    async with client.patch(path, headers=writer, json={"per_slot": 9, "script": ""}) as response:
        assert response.status == 200
        changed = await response.json()
    assert changed == line | {"per_slot": 9, "script": ""}
    closed = await post(client, f"/call-lines/{line['id']}/close", writer)
    assert closed["closes_at"] == "2026-11-20T18:00:00Z"
    async with runtime.store.read() as connection:
        told = (await connection.execute(text("SELECT who, what FROM audit WHERE what LIKE 'call%' ORDER BY id"))).all()
    assert [tuple(row) for row in told] == [
        ("tests", "call_line.add"),
        ("tests", "call_line.change"),
        ("tests", "call_line.close"),
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"phone": "1"}, "phone"),
        ({"name": ""}, "name"),
        ({"script": "x" * 301}, "script"),
        ({"per_slot": 0}, "per_slot"),
        ({"per_slot": "3"}, "per_slot"),
        ({"slot_minutes": 0}, "slot_minutes"),
        ({"opens_at": "2026-11-20T19:00:00"}, "opens_at"),
        ({"closes_at": "2026-11-20T17:00:00Z"}, "closes_at"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_a_line(
    client: TestClient, admin: dict[str, str], changes: dict[str, Any], field: str
) -> None:
    asked = await campaign(client, admin)
    problem = await post(client, f"/campaigns/{asked}/calls/lines", admin, LINE | changes, status=422)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_the_live_count(
    client: TestClient, admin: dict[str, str], bearer: MakeHeaders, runtime: Runtime, clock: Clock
) -> None:
    asked = await campaign(client, admin)
    line = await post(client, f"/campaigns/{asked}/calls/lines", admin, LINE, status=201)
    async with runtime.store.write() as connection:
        for member, status, words in ((1, "called", "They <b>listened</b>"), (2, "busy", ""), (3, "assigned", "")):
            await connection.execute(
                text(
                    "INSERT INTO call (campaign_id, member_id, line_id, slot_at, status, result, at)"
                    " VALUES (:c, :m, :l, :at, :s, :words, :at)"
                ),
                {"c": asked, "m": member, "l": line["id"], "at": to_ms(clock()), "s": status, "words": words},
            )
    reader = await bearer("campaigns:read")
    async with client.get(f"/api/v1/campaigns/{asked}/calls", headers=reader) as response:
        assert response.status == 200
        found = await response.json()
    numbers = {"assigned": 2, "called": 1, "busy": 1, "unreached": 0, "silent": 0, "released": 0}
    assert found == numbers | {"campaign": asked, "title": "Call", "lines": found["lines"]}
    [one] = found["lines"]
    assert {name: one[name] for name in numbers} == numbers
    assert one["slots"] == [{"starts_at": "2026-11-20T18:00:00Z", "assigned": 3, "called": 1}]
    async with client.get(f"/api/v1/campaigns/{asked}/calls/results?limit=1&after=1", headers=reader) as response:
        assert [result["status"] for result in (await response.json())["results"]] == ["busy"]


@pytest.mark.parametrize("path", ["campaigns/4711/calls", "campaigns/4711/calls/results"])
async def test_a_campaign_that_is_not_there(client: TestClient, admin: dict[str, str], path: str) -> None:
    async with client.get(f"/api/v1/{path}", headers=admin) as response:
        assert response.status == 404


async def test_a_line_that_is_not_there(client: TestClient, admin: dict[str, str]) -> None:
    await post(client, "/call-lines/4711/close", admin, status=404)
    async with client.patch("/api/v1/call-lines/4711", headers=admin, json={"name": "x"}) as response:
        assert response.status == 404
