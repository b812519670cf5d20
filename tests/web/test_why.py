"""Why a member got a message or did not, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from router.competing import next_route
from router.fanout import route_range_of
from router.launch import start_due_campaigns
from router.runtime import Runtime
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders

ANA: dict[str, Any] = {
    "first_name": "Ana",
    "last_name": "Ruiz",
    "phone": "+33639980001",
    "email": "ana@example.org",
    "country": "FR",
    "consents": [{"channel": "sms", "source": "form", "wording": "Text me"}],
}
ASK = {"title": "Dinner", "texts": {"en": {"default": {"text": "Dinner?"}}}}


async def post(client: TestClient, headers: dict[str, str], path: str, body: Any) -> Any:
    async with client.post(f"/api/v1/{path}", headers=headers, json=body) as response:
        answer = await response.json()
        assert response.status < 300, answer
        return answer


@pytest.fixture
async def routed(client: TestClient, admin: dict[str, str], runtime: Runtime, clock: Clock) -> tuple[int, int]:
    """A member and a campaign that was routed."""
    member = (await post(client, admin, "members", ANA))["member_id"]
    campaign = (await post(client, admin, "campaigns", ASK))["id"]
    await post(client, admin, f"campaigns/{campaign}/approve", {})
    await post(client, admin, f"campaigns/{campaign}/launch", {"undo_seconds": 0})
    clock.advance(seconds=1)
    await start_due_campaigns(runtime, now=clock())
    while (prepared := await next_route(runtime)) is not None:
        await route_range_of(runtime, prepared, now=clock())
    return member, campaign


async def test_it_says_why_and_nothing_personal(
    client: TestClient, bearer: MakeHeaders, routed: tuple[int, int]
) -> None:
    member, campaign = routed
    path = f"/api/v1/members/{member}/why/{campaign}"
    async with client.get(path, headers=await bearer("campaigns:read")) as response:
        assert response.status == 200
        told, said = await response.json(), await response.text()
    assert (told["member"], told["campaign"], told["outcome"]) == (member, campaign, "queued")
    assert [one["verdict"] for one in told["hops"][0]["candidates"]] == ["no_channel", "chosen"]
    assert told["for_organizers"]
    assert told["for_member"]
    for personal in ("Ana", "Ruiz", "639980001", "example.org"):
        assert personal not in said


@pytest.mark.parametrize(("who", "what"), [("member", "no member"), ("campaign", "no campaign")])
async def test_what_is_not_there(
    client: TestClient, admin: dict[str, str], routed: tuple[int, int], who: str, what: str
) -> None:
    member, campaign = routed
    path = f"{999_999 if who == 'member' else member}/why/{999_999 if who == 'campaign' else campaign}"
    async with client.get(f"/api/v1/members/{path}", headers=admin) as response:
        assert response.status == 404
        assert what in (await response.json())["detail"]
