"""Two texts beside each other, over HTTP."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestClient

from tests.web.conftest import MakeHeaders

ASK: dict[str, Any] = {"title": "Dinner", "texts": {"en": {"default": {"text": "Dinner?"}}}}
TWO = ASK | {"second": {"en": {"default": {"text": "Come and eat"}}}}


async def save(client: TestClient, headers: dict[str, str], ask: dict[str, Any]) -> tuple[int, Any]:
    async with client.post("/api/v1/campaigns", headers=headers, json=ask) as response:
        return response.status, await response.json()


async def test_two_texts_side_by_side(client: TestClient, admin: dict[str, str], bearer: MakeHeaders) -> None:
    _, saved = await save(client, admin, TWO)
    path = f"/api/v1/campaigns/{saved['id']}/comparison"
    async with client.get(path, headers=await bearer("campaigns:read")) as response:
        assert response.status == 200
        found = await response.json()
    assert found["texts"]["lines"] == ["Dinner?", "Come and eat"]
    assert found["texts"]["first"]["acted"] == {"count": 0, "of": 0, "estimate": 0, "low": 0, "high": 1}
    assert found["texts"]["sentence"] == "Too few to say: 0 and 0 of at least 1,000 each."
    assert found["hold_out"] is None


async def test_what_cannot_be_compared(client: TestClient, admin: dict[str, str]) -> None:
    _, saved = await save(client, admin, ASK)
    for number, status, said in ((saved["id"], 409, "nothing to compare"), (999_999, 404, "no campaign")):
        async with client.get(f"/api/v1/campaigns/{number}/comparison", headers=admin) as response:
            assert response.status == status
            assert said in (await response.json())["detail"]


async def test_what_is_wrong_with_a_second_text_has_its_place(client: TestClient, admin: dict[str, str]) -> None:
    status, problem = await save(client, admin, TWO | {"second": {"en": {"default": {"text": "{{ link }}"}}}})
    assert status == 422
    assert "second.en.default.text" in str(problem)
    status, problem = await save(client, admin, ASK | {"hold_out": True})
    assert status == 422
    assert "it needs more than 50,000" in str(problem)
