"""Groups over HTTP: entered, listed page by page, refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from channels.telegram.adapter import TelegramChannel
from router.core.channel import GroupChange, GroupEvent, Received
from router.receive import Receiver
from router.runtime import Runtime
from router.wire import HttpWire
from tests.web.conftest import MakeHeaders

ABOUT = {"account": "main", "webhook_url": "https://outreach.example.org/hooks", "organization": "T"}
BOARD: dict[str, Any] = {
    "channel": "telegram",
    "address": "-1001234567890",
    "title": "The board",
    "tags": ["Board", "tenants", "board"],
}


@pytest.fixture
async def runtime(runtime: Runtime) -> Runtime:
    """With a bot."""
    telegram = TelegramChannel({"token": "12345:token", "webhook_secret": "s"} | ABOUT, HttpWire())
    return dataclasses.replace(runtime, channels={**runtime.channels, "telegram": {"main": telegram}})


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
        "locale": "",
        "country": "",
        "place": "",
        "steward": None,
        "linked": 0,
        "quiet_until": None,
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
        ({"account": "second"}, "account"),
        ({"channel": "slack", "address": "C123"}, "account"),
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


async def patch(client: TestClient, headers: dict[str, str], number: int, body: Any, status: int = 200) -> Any:
    async with client.patch(f"/api/v1/groups/{number}", headers=headers, json=body) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def test_a_group_that_a_provider_told_us_of_can_be_tagged(
    client: TestClient, admin: dict[str, str], runtime: Runtime
) -> None:
    now = runtime.clock()
    added = GroupEvent(event_id="1", group="-42", change=GroupChange.ADDED, at=now, title="Block 5")
    async with Receiver(runtime).running() as receiver:
        await receiver.submit("telegram", "main", Received(events=(added,)), now)
    [group] = await listed(client, admin)
    assert group["tags"] == []
    tagged = await patch(client, admin, group["id"], {"tags": ["Harbour", "rent"]})
    assert tagged == group | {"tags": ["harbour", "rent"]}
    await patch(client, admin, group["id"], {"title": "Block 6"})
    assert await listed(client, admin) == [tagged | {"title": "Block 6"}]
    await patch(client, admin, group["id"], {"tags": []})
    assert [one["tags"] for one in await listed(client, admin)] == [[]]
    async with runtime.store.read() as connection:
        audits = await connection.scalar(text("SELECT count(*) FROM audit WHERE what = 'group.change'"))
    assert audits == 3


async def test_what_is_no_group_has_no_tags(client: TestClient, admin: dict[str, str], runtime: Runtime) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(text("INSERT INTO member (id, joined_at, created_at, updated_at) VALUES (1, 0, 0, 0)"))
    for number in (1, 2):
        await patch(client, admin, number, {"tags": ["rent"]}, status=404)


async def test_a_group_gets_a_language_a_place_and_a_steward(
    client: TestClient, admin: dict[str, str], runtime: Runtime
) -> None:
    number = (await post(client, admin, BOARD))["id"]
    async with runtime.store.write() as connection:
        await connection.execute(text("INSERT INTO member (id, joined_at, created_at, updated_at) VALUES (1, 0, 0, 0)"))
    about = {"locale": "es", "country": "ES", "place": "Vallecas", "steward": 1}
    assert (await patch(client, admin, number, about)).items() >= about.items()
    assert (await patch(client, admin, number, {"steward": 0}))["steward"] is None
    await patch(client, admin, number, {"steward": 2}, status=404)
    await patch(client, admin, number, {"country": "Spain"}, status=422)
