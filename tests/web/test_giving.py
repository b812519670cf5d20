"""What a donation page tells, and the total that everybody may see."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.core.links import action_token
from router.core.model import DeliveryRef
from router.runtime import Runtime
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders
from tests.web.test_campaigns import post

ASK: dict[str, Any] = {
    "title": "A title that is nobody's business",
    "texts": {"en": {"default": {"text": "Give?"}}},
    "wants": "give",
    "link": "https://give.example.org/",
    "goal": {"measure": "gave", "target": 500, "currency": "EUR"},
}
ANA = {"external_id": "crm-7", "first_name": "Ana", "email": "ana@example.org"}


async def launched(client: TestClient, admin: dict[str, str], **more: Any) -> int:
    number = int((await post(client, "/campaigns", admin, ASK | more, status=201))["id"])
    await post(client, f"/campaigns/{number}/approve", admin)
    await post(client, f"/campaigns/{number}/launch", admin, {"undo_seconds": 0})
    return number


@pytest.fixture
async def asked(client: TestClient, admin: dict[str, str], runtime: Runtime) -> tuple[int, int, str]:
    """(campaign, member, the ref that a donation page gets)."""
    campaign = await launched(client, admin)
    member = (await post(client, "/members", admin, ANA))["member_id"]
    async with runtime.store.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO delivery (month, id, campaign_id, member_id, channel, status)"
                " VALUES (202611, 99, :campaign, :member, 'email', 'sent')"
            ),
            {"campaign": campaign, "member": member},
        )
    return campaign, member, action_token(runtime.key, DeliveryRef(202611, 99))


def gift(ref: str, **more: Any) -> dict[str, Any]:
    return {"external_id": "gift-1", "kind": "gave", "ref": ref, "amount": 12_500, "currency": "EUR"} | more


async def test_a_gift_by_ref_counts_once_for_its_member_and_campaign(
    client: TestClient, bearer: MakeHeaders, asked: tuple[int, int, str], runtime: Runtime
) -> None:
    campaign, member, ref = asked
    crm = await bearer("actions:write")
    assert (await post(client, "/actions", crm, gift(ref), status=201))["new"]
    assert not (await post(client, "/actions", crm, gift(ref)))["new"]
    async with runtime.store.read() as connection:
        rows = (await connection.execute(text("SELECT member_id, campaign_id, kind, amount FROM action"))).all()
    assert [tuple(row) for row in rows] == [(member, campaign, "gave", 12_500)]


async def test_a_forged_ref_names_the_field(
    client: TestClient, admin: dict[str, str], asked: tuple[int, int, str]
) -> None:
    ref = asked[2]
    for wrong in (ref[:-1] + ("A" if ref[-1] != "A" else "B"), "x", "../../etc"):
        problem = await post(client, "/actions", admin, gift(wrong), status=404)
        assert [error["field"] for error in problem["errors"]] == ["ref"]
        assert wrong not in problem["detail"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"member_id": 1}, "leave the others out"),
        ({"email": "ana@example.org"}, "leave the others out"),
        ({"campaign_id": 1}, "leave the others out"),
        ({"kind": "refund", "amount": 0, "currency": ""}, "a refund has an amount"),
        ({"kind": "refund", "amount": -5}, "greater than or equal to 0"),
        ({"ref": ""}, "at least 1 character"),
    ],
)
async def test_what_cannot_be_meant(
    client: TestClient, admin: dict[str, str], asked: tuple[int, int, str], more: dict[str, Any], said: str
) -> None:
    problem = await post(client, "/actions", admin, gift(asked[2]) | more, status=422)
    assert said in str(problem["errors"])


# ── the total ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_total_in_every_form(
    client: TestClient, admin: dict[str, str], asked: tuple[int, int, str], clock: Clock
) -> None:
    campaign, _, ref = asked
    await post(client, "/actions", admin, gift(ref), status=201)
    clock.advance(seconds=3)
    async with client.get(f"/total/{campaign}.json") as response:
        assert response.headers["Cache-Control"] == "public, max-age=2"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        sentence = "So far 125 EUR of 500 EUR. Every bit counts, thank you."
        assert await response.json() == {
            "reached": 125, "target": 500, "currency": "EUR", "met": False, "sentence": sentence,
        }  # fmt: skip
    async with client.get(f"/total/{campaign}.txt?lang=fr-CA") as response:
        assert response.content_type == "text/plain"
        assert await response.text() == "Jusqu'ici 125 EUR sur 500 EUR. Chaque geste compte, merci.\n"
    async with client.get(f"/total/{campaign}.svg") as response:
        assert response.content_type == "image/svg+xml"
        assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        drawn = await response.text()
    assert ElementTree.fromstring(drawn)[0].text == "Tenants Together: how far we are"
    assert sentence in drawn
    assert ASK["title"] not in drawn


async def test_a_refund_is_taken_off_again(
    client: TestClient, admin: dict[str, str], asked: tuple[int, int, str], clock: Clock
) -> None:
    campaign, _, ref = asked
    await post(client, "/actions", admin, gift(ref), status=201)
    back = gift(ref, external_id="back-1", kind="refund", amount=2_500)
    await post(client, "/actions", admin, back, status=201)
    assert not (await post(client, "/actions", admin, back))["new"]
    clock.advance(seconds=3)
    async with client.get(f"/total/{campaign}.json") as response:
        assert (await response.json())["reached"] == 100


async def test_what_has_no_public_total(client: TestClient, admin: dict[str, str]) -> None:
    draft = (await post(client, "/campaigns", admin, ASK, status=201))["id"]
    without = await launched(client, admin, goal=None)
    for number in (draft, without, 4711):
        for form in ("json", "svg", "txt"):
            async with client.get(f"/total/{number}.{form}") as response:
                assert response.status == 404
    async with client.get(f"/total/{draft}.png") as response:
        assert response.status == 404


async def test_trying_one_number_after_the_other_is_slowed_down(client: TestClient) -> None:
    statuses = set()
    for number in range(200):
        async with client.get(f"/total/{number}.txt") as response:
            statuses.add(response.status)
    assert statuses == {404, 429}
