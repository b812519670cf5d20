"""The way of a campaign over HTTP, from draft to cancelled, and who may take which step."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from router.store.engine import Store
from router.web.auth import Scope, create_token
from tests.support.ledger import Ledger
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders

ASK: dict[str, Any] = {
    "title": "Come on Friday",
    "texts": {"en": {"default": {"text": "Hello {{ first_name }}, come on Friday: {{ link }}"}}},
    "link": "https://example.org/come",
}


async def post(client: TestClient, path: str, headers: dict[str, str], body: Any = None, status: int = 200) -> Any:
    async with client.post(f"/api/v1{path}", headers=headers, **({} if body is None else {"json": body})) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def test_from_draft_to_cancelled(client: TestClient, bearer: MakeHeaders) -> None:
    writer = await bearer("campaigns:write", "campaigns:read")
    launcher = await bearer("campaigns:launch")
    draft = await post(client, "/campaigns", writer, ASK, status=201)
    one = f"/campaigns/{draft['id']}"
    assert (draft["status"], draft["created_by"], draft["ask"]["title"]) == ("draft", "tests", "Come on Friday")
    preview = await post(client, f"{one}/preview", writer)
    assert preview["members"] == 0
    assert (await post(client, f"{one}/approve", launcher))["status"] == "approved"
    launched = await post(client, f"{one}/launch", launcher, {"undo_seconds": 600})
    assert launched["status"] == "scheduled"
    refused = await post(client, f"{one}/launch", launcher, status=409)
    assert refused["detail"]
    paused = await post(client, f"{one}/pause", launcher, {"reason": "wrong day"})
    assert (paused["status"], paused["pause_reason"]) == ("paused", "wrong day")
    async with client.put(f"/api/v1{one}/ask", json={**ASK, "title": "Come on Monday"}, headers=writer) as response:
        assert (await response.json())["ask"]["title"] == "Come on Monday"
    assert (await post(client, f"{one}/resume", launcher))["status"] in ("scheduled", "running")
    assert (await post(client, f"{one}/cancel", launcher, {}))["status"] == "cancelled"
    async with client.get(f"/api/v1{one}", headers=writer) as response:
        assert (await response.json())["status"] == "cancelled"
    async with client.get("/api/v1/campaigns", headers=writer) as response:
        assert [each["id"] for each in (await response.json())["campaigns"]] == [draft["id"]]


async def test_the_list_goes_on_where_it_ended(client: TestClient, admin: dict[str, str]) -> None:
    ids = [(await post(client, "/campaigns", admin, {**ASK, "title": f"ask {n}"}, status=201))["id"] for n in range(3)]
    async with client.get("/api/v1/campaigns?limit=2", headers=admin) as response:
        assert [each["id"] for each in (await response.json())["campaigns"]] == [ids[2], ids[1]]
    async with client.get(f"/api/v1/campaigns?limit=2&before={ids[1]}", headers=admin) as response:
        assert [each["id"] for each in (await response.json())["campaigns"]] == [ids[0]]


async def test_for_many_the_refusal_names_who_can_approve(client: TestClient, store: Store, clock: Clock) -> None:
    async def bearer(name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {await create_token(store, name, [Scope.ADMIN], clock())}"}

    ana, ben = await bearer("Ana"), await bearer("Ben")
    await Ledger(store).add_members(1_001)
    draft = await post(client, "/campaigns", ana, ASK, status=201)
    one = f"/campaigns/{draft['id']}"
    refused = await post(client, f"{one}/approve", ana, status=409)
    assert refused["detail"] == (
        f"Ben must approve it: outreach approve {draft['id']} --by NAME, or POST /api/v1{one}/approve; it goes to 1,001"
        " people, and above 1,000 its author's own approval is not enough"
    )
    approved = await post(client, f"{one}/approve", ben)
    assert (approved["approved_by"], approved["recipients"]) == ("Ben", 1_001)
    assert (await post(client, f"{one}/launch", ana))["status"] == "scheduled"


async def test_the_budget_is_raised_by_somebody_else_with_a_reason_and_an_end(
    client: TestClient, store: Store, clock: Clock, admin: dict[str, str]
) -> None:
    ana = {"Authorization": f"Bearer {await create_token(store, 'Ana', [Scope.ADMIN], clock())}"}
    draft = await post(client, "/campaigns", ana, {**ASK, "urgent": True}, status=201)
    path, body = f"/campaigns/{draft['id']}/raise", {"reason": "The vote was moved to tonight", "hours": 6}
    refused = await post(client, path, ana, body, status=409)
    assert refused["detail"].startswith("tests must raise it, because it takes somebody beside its author")
    for wrong in ({**body, "reason": "now"}, {**body, "hours": 25}, {"hours": 6}):
        await post(client, path, admin, wrong, status=422)
    raised = await post(client, path, admin, body)
    assert (raised["raised_by"], raised["raised_reason"]) == ("tests", body["reason"])
    assert raised["raised_until"] == "2026-11-21T00:00:00Z"


@pytest.mark.parametrize("step", ["preview", "approve", "launch", "pause", "resume", "cancel"])
async def test_a_campaign_that_is_not_there(client: TestClient, admin: dict[str, str], step: str) -> None:
    assert (await post(client, f"/campaigns/77/{step}", admin, status=404))["detail"]


@pytest.mark.parametrize("path", ["/campaigns/abc", "/campaigns/-1", "/campaigns/" + "9" * 30, "/campaigns/١"])
async def test_what_is_no_number_is_no_campaign(client: TestClient, admin: dict[str, str], path: str) -> None:
    async with client.get(f"/api/v1{path}", headers=admin) as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")


async def test_who_writes_may_not_launch(client: TestClient, bearer: MakeHeaders) -> None:
    writer = await bearer("campaigns:write")
    draft = await post(client, "/campaigns", writer, ASK, status=201)
    for step in ("approve", "launch", "pause", "resume", "cancel"):
        problem = await post(client, f"/campaigns/{draft['id']}/{step}", writer, status=403)
        assert "campaigns:launch" in problem["detail"]
