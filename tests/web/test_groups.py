"""Groups over HTTP: entered, listed page by page, refused."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.runtime import Runtime
from tests.web.conftest import MakeHeaders

BOARD: dict[str, Any] = {
    "channel": "telegram",
    "address": "-1001234567890",
    "title": "The board",
    "tags": ["Board", "tenants", "board"],
}


async def post(client: TestClient, headers: dict[str, str], body: Any, status: int = 201) -> Any:
    async with client.post("/api/v1/groups", headers=headers, json=body) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def listed(client: TestClient, headers: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    async with client.get(f"/api/v1/groups{query}", headers=headers) as response:
        assert response.status == 200
        groups: list[dict[str, Any]] = (await response.json())["groups"]
        return groups


async def test_a_group_is_entered_and_listed(client: TestClient, bearer: MakeHeaders, runtime: Runtime) -> None:
    number = (await post(client, await bearer("members:write"), BOARD))["id"]
    [group] = await listed(client, await bearer("campaigns:read"))
    assert group == {
        "id": number,
        "title": "The board",
        "channel": "telegram",
        "account": "main",
        "address": "-1001234567890",
        "tags": ["board", "tenants"],
        "open": True,
    }
    async with runtime.store.read() as connection:
        row = (await connection.execute(text("SELECT who, what, subject FROM audit WHERE what = 'group.add'"))).one()
    assert tuple(row) == ("tests", "group.add", str(number))


async def test_a_group_that_put_us_out_is_not_open(client: TestClient, admin: dict[str, str], runtime: Runtime) -> None:
    await post(client, admin, BOARD)
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE address SET state = 'dead' WHERE value = '-1001234567890'"))
    assert [group["open"] for group in await listed(client, admin)] == [False]


async def test_the_list_goes_on_where_it_ended(client: TestClient, admin: dict[str, str]) -> None:
    ids = [(await post(client, admin, BOARD | {"address": f"-{n}", "tags": []}))["id"] for n in (1, 2, 3)]
    assert [group["id"] for group in await listed(client, admin, "?limit=2")] == ids[:2]
    assert [group["id"] for group in await listed(client, admin, f"?limit=2&after={ids[1]}")] == ids[2:]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"channel": "sms"}, "channel"),
        ({"channel": "pigeon"}, "channel"),
        ({"address": ""}, "address"),
        ({"account": "Main!"}, "account"),
        ({"title": ""}, "title"),
        ({"tags": [""]}, "tags.0"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_a_group(
    client: TestClient, admin: dict[str, str], changes: dict[str, Any], field: str
) -> None:
    problem = await post(client, admin, BOARD | changes, status=422)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_the_same_group_twice_is_refused(client: TestClient, admin: dict[str, str]) -> None:
    number = (await post(client, admin, BOARD))["id"]
    problem = await post(client, admin, BOARD, status=422)
    assert str(number) in problem["detail"] + str(problem["errors"])
