"""Preferences over HTTP: shown, changed, refused; and the links by which a member joins more channels."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from channels.webpush.adapter import WebPushChannel
from channels.webpush.vapid import new_private_key
from router.core.join_links import read_join_token
from router.runtime import Runtime
from router.wire import HttpWire
from tests.web.conftest import MakeHeaders

ANA, BOARD, ERASED = 1, 2, 3
PLAIN: dict[str, Any] = {
    "member_id": ANA,
    "order": [],
    "channels": {"email": False, "sms": True},
    "alerts": {"email": False, "sms": False},
    "zone": "Europe/Paris",
    "locale": "",
    "dial": "everything",
    "paused_until": None,
}
AGREED = {"source": "the form on our site", "wording": "Yes, mail me"}


@pytest.fixture
async def runtime(runtime: Runtime) -> Runtime:
    """Ana has a phone that she agreed to, and a mailbox that she did not; 2 is a group and 3 was erased."""
    async with runtime.store.write() as connection:
        for statement in (
            "INSERT INTO member (id, kind, zone, joined_at, created_at, updated_at, erased_at) VALUES"
            " (1, 'person', 'Europe/Paris', 0, 0, 0, NULL), (2, 'group', '', 0, 0, 0, NULL),"
            " (3, 'person', '', 0, 0, 0, 7)",
            "INSERT INTO address (id, member_id, channel, value, hash, consent, rank, created_at) VALUES"
            " (4, 1, 'sms', '+12025550123', 'hash-of-ana', 'granted', 100, 0),"
            " (5, 1, 'email', 'ana@example.org', 'mail-of-ana', 'none', 100, 0)",
        ):
            await connection.execute(text(statement))
    return runtime


async def show(client: TestClient, headers: dict[str, str], member: int = ANA, status: int = 200) -> Any:
    async with client.get(f"/api/v1/members/{member}/preferences", headers=headers) as response:
        assert response.status == status
        return await response.json()


async def change(client: TestClient, headers: dict[str, str], body: Any, member: int = ANA, status: int = 200) -> Any:
    async with client.patch(f"/api/v1/members/{member}/preferences", headers=headers, json=body) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def test_what_is_wished_is_shown_and_what_is_left_out_stays(
    client: TestClient, bearer: MakeHeaders, runtime: Runtime
) -> None:
    headers = await bearer("members:write")
    assert await show(client, headers) == PLAIN
    wished = {"order": ["email", "sms"], "locale": "fr", "dial": "weekly", "paused_until": "2026-12-24T00:00:00Z"}
    assert await change(client, headers, wished) == PLAIN | wished
    more = {"channels": {"email": True}, "alerts": {"email": True}, **AGREED}
    await change(client, headers, more)
    both = {"email": True, "sms": True}
    after = PLAIN | wished | {"channels": both, "alerts": {"email": True, "sms": False}}
    assert await show(client, headers) == after
    assert await change(client, headers, {"paused_until": None, "order": []}) == after | {
        "paused_until": None,
        "order": [],
    }
    async with runtime.store.read() as connection:
        query = "SELECT who, subject, detail FROM audit WHERE what = 'member.preferences' ORDER BY id"
        audits = (await connection.execute(text(query))).all()
    assert [tuple(row)[:2] for row in audits] == [("tests", "1")] * 3
    assert "changed" in audits[0].detail
    assert "2026" not in audits[0].detail, "which, not what"


@pytest.mark.parametrize(
    ("wished", "field", "status"),
    [
        ({"dial": "never"}, "dial", 422),
        ({"zone": "Mars/Olympus"}, "zone", 422),
        ({"locale": "French"}, "locale", 422),
        ({"paused_until": "2026-12-24T00:00:00"}, "paused_until", 422),
        ({"paused_until": 1_800_000_000}, "paused_until", 422),
        ({"channels": {"email": 0}}, "channels.email", 422),
        ({"alerts": {"sms": "no"}}, "alerts.sms", 422),
        ({"order": ["pigeon"]}, "order.pigeon", 422),
        ({"channels": {"email": True}}, "source", 422),
        ({"alerts": {"email": True}, **AGREED}, "alerts.email", 422),
        ({"colour": "red"}, "colour", 422),
    ],
)
async def test_what_cannot_be_wished(
    client: TestClient, admin: dict[str, str], wished: dict[str, Any], field: str, status: int
) -> None:
    problem = await change(client, admin, wished, status=status)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert await show(client, admin) == PLAIN


async def test_no_preference_lifts_a_stop(client: TestClient, admin: dict[str, str], runtime: Runtime) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO suppression (address_hash, channel, reason, at) VALUES ('mail-of-ana', 'email', 'stop', 0)"
            )
        )
    problem = await change(client, admin, {"channels": {"email": True}, **AGREED}, status=409)
    assert "START" in problem["detail"]


@pytest.mark.parametrize("member", [BOARD, ERASED, 4])
async def test_only_people_have_preferences_and_links(client: TestClient, admin: dict[str, str], member: int) -> None:
    await show(client, admin, member, status=404)
    await change(client, admin, {"dial": "weekly"}, member, status=404)
    async with client.post(f"/api/v1/members/{member}/join-links", headers=admin) as response:
        assert response.status == 404


# ── links ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_links_of_a_house_without_such_channels_are_refused(client: TestClient, admin: dict[str, str]) -> None:
    async with client.post(f"/api/v1/members/{ANA}/join-links", headers=admin) as response:
        assert response.status == 409
        assert "docs/connect.md" in (await response.json())["detail"]


class TestWithNotifications:
    """A house with Web Push."""

    @pytest.fixture
    async def runtime(self, runtime: Runtime) -> Runtime:
        about = {"account": "main", "webhook_url": "https://outreach.example.org/hooks", "organization": "T"}
        keys = {"vapid_private_key": new_private_key(), "vapid_subject": "mailto:office@example.org"}
        return dataclasses.replace(runtime, channels={"webpush": {"main": WebPushChannel(keys | about, HttpWire())}})

    async def test_a_member_gets_links_that_name_them(
        self, client: TestClient, bearer: MakeHeaders, runtime: Runtime
    ) -> None:
        url, headers = f"/api/v1/members/{ANA}/join-links", await bearer("members:write")
        async with client.post(url, headers=headers, json={"days": 2}) as response:
            assert response.status == 200
            link = (await response.json())["links"]["webpush"]
        token = link.rpartition("/")[2]
        assert link == f"https://outreach.example.org/push/{token}"
        assert read_join_token(runtime.key, token, runtime.clock()) == ANA
        async with client.post(url, headers=headers, json={"days": 400}) as response:
            assert response.status == 422
