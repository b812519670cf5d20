"""Ideas over HTTP: listed, read, decided by two tokens; scopes; what is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import insert

from router.runtime import Runtime
from router.store.engine import Store
from router.store.tables import proposal, proposal_report
from router.web.auth import create_token
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders

AsOne = Callable[[str], Awaitable[dict[str, str]]]

HOSTILE = "<script>alert(1)</script> for all of us, please"


@pytest.fixture
async def ideas(runtime: Runtime, clock: Clock) -> None:
    """Three: one that is held, one with enough seconds for a wider ask, one that is over."""
    rows = ((1, "held", 3, "reports"), (2, "open", 25, ""), (3, "done", 99, ""))
    async with runtime.store.write() as connection:
        for number, status, seconds, reason in rows:
            await connection.execute(
                insert(proposal).values(
                    id=700 + number, number=number, member_id=501, text=HOSTILE, status=status, seconds=seconds,
                    reports=3 if status == "held" else 0, reason=reason, created_at=clock(), changed_at=clock(),
                )
            )  # fmt: skip
        await connection.execute(
            insert(proposal_report).values(
                proposal_id=701, member_id=502, address_hash="secret hash", reason="rude", at=clock()
            )
        )


@pytest.fixture
def as_one(store: Store, clock: Clock) -> AsOne:
    """``await as_one("Bo")`` → the headers of an organizer of that name."""

    async def make(name: str) -> dict[str, str]:
        token = await create_token(store, name, "campaigns:read campaigns:launch", clock())
        return {"Authorization": f"Bearer {token}"}

    return make


async def get(client: TestClient, headers: dict[str, str], path: str = "", status: int = 200) -> Any:
    async with client.get(f"/api/v1/proposals{path}", headers=headers) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def decide(client: TestClient, headers: dict[str, str], number: int, status: int = 200, **body: Any) -> Any:
    async with client.post(f"/api/v1/proposals/{number}/decide", headers=headers, json=body) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


@pytest.mark.usefixtures("ideas")
async def test_ideas_are_listed_without_people(client: TestClient, bearer: MakeHeaders) -> None:
    reader = await bearer("campaigns:read")
    found = (await get(client, reader))["proposals"]
    assert [one["number"] for one in found] == [1, 2, 3]
    assert found[0]["text"] == HOSTILE
    assert not {"member_id", "address_id", "channel"} & set(found[0])
    assert [one["number"] for one in (await get(client, reader, "?status=held"))["proposals"]] == [1]
    assert [one["number"] for one in (await get(client, reader, "?limit=1&after=1"))["proposals"]] == [2]
    assert (await get(client, reader, "/2"))["seconds"] == 25
    await get(client, reader, "/4", status=404)
    await get(client, reader, "?status=nice", status=422)
    await get(client, reader, "/2/votes", status=403)
    await decide(client, reader, 2, status=403, decision="keep")


@pytest.mark.usefixtures("ideas")
async def test_two_organizers_decide(client: TestClient, as_one: AsOne) -> None:
    ana, bo = await as_one("Ana"), await as_one("Bo")
    before = await get(client, ana, "/1/votes")
    assert (before["member_id"], before["votes"]) == (501, [])
    assert [set(one) for one in before["reported"]] == [{"reason", "at"}]
    for _ in range(2):
        voted = await decide(client, ana, 1, decision="keep", reason="fair")
        assert voted["proposal"]["status"] == "held"
        assert [(one["by"], one["what"]) for one in voted["votes"]] == [("ana", "keep")]
    assert (await decide(client, bo, 1, decision="keep"))["proposal"]["status"] == "open"

    for headers in (ana, bo):
        refused = await decide(client, headers, 2, decision="refuse", rule="money")
    assert (refused["proposal"]["status"], refused["proposal"]["rule"]) == ("refused", "money")


@pytest.mark.parametrize(
    ("number", "body", "status", "words"),
    [
        (2, {"decision": "keep"}, 409, "it stands"),
        (2, {"decision": "refuse"}, 409, "by a published rule"),
        (2, {"decision": "refuse", "rule": "taste"}, 409, "no such rule"),
        (2, {"decision": "remove", "rule": "harm"}, 409, "once 3 members have reported it"),
        (3, {"decision": "keep"}, 409, "done"),
        (4, {"decision": "keep"}, 404, "no such idea"),
        (1, {"decision": "burn"}, 422, ""),
        (1, {"decision": "keep", "reason": "x" * 401}, 422, ""),
        (1, {"decision": "keep", "by": "Bo"}, 422, ""),
        (1, {}, 422, ""),
    ],
)
@pytest.mark.usefixtures("ideas")
async def test_what_is_refused(
    client: TestClient, as_one: AsOne, number: int, body: dict[str, Any], status: int, words: str
) -> None:
    answer = await decide(client, await as_one("Ana"), number, status=status, **body)
    assert words in answer["detail"]
