"""The inbox over HTTP: listed, read, claimed, answered and closed; scopes; what is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.core.address import address_hash
from router.core.channel import Inbound, Received
from router.receive import Receiver
from router.runtime import Runtime
from router.store.engine import Store
from router.store.tables import to_ms
from router.web.auth import create_token
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders

PHONE = "+33639980001"
MEMBER, ADDRESS = 10**12, 10**12 + 1


@pytest.fixture
async def member(runtime: Runtime, clock: Clock) -> int:
    """Somebody who agreed to texts."""
    moment = to_ms(clock())
    async with runtime.store.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO member (id, first_name, last_name, locale, joined_at, created_at, updated_at)"
                " VALUES (:id, 'Ana', 'Ruiz', 'es', :at, :at, :at)"
            ),
            {"id": MEMBER, "at": moment},
        )
        await connection.execute(
            text(
                "INSERT INTO address (id, member_id, channel, value, hash, state, consent, created_at)"
                " VALUES (:id, :member, 'sms', :value, :hash, 'active', 'granted', :at)"
            ),
            {
                "id": ADDRESS, "member": MEMBER, "value": PHONE, "hash": address_hash(runtime.key, "phone", PHONE),
                "at": moment,
            },
        )  # fmt: skip
    return MEMBER


async def write(runtime: Runtime, words: str, number: int = 1) -> None:
    event = Inbound(event_id=f"SM{number}", sender=PHONE, recipient="+1", text=words, at=runtime.clock())
    async with Receiver(runtime).running() as receiver:
        await receiver.submit("sms", "main", Received(events=(event,)), runtime.clock())


async def get(client: TestClient, headers: dict[str, str], path: str = "", status: int = 200) -> Any:
    async with client.get(f"/api/v1/inbox{path}", headers=headers) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def post(client: TestClient, headers: dict[str, str], path: str, body: Any = None, status: int = 200) -> Any:
    async with client.post(f"/api/v1/inbox{path}", headers=headers, json=body or {}) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


@pytest.fixture
def as_one(store: Store, clock: Clock) -> Any:
    """``await as_one("Bo")`` → the headers of an organizer of that name."""

    async def make(name: str) -> dict[str, str]:
        token = await create_token(store, name, "inbox:read inbox:write", clock())
        return {"Authorization": f"Bearer {token}"}

    return make


async def test_a_thread_from_the_first_message_to_the_end(
    client: TestClient, runtime: Runtime, member: int, as_one: Any, clock: Clock
) -> None:
    ana, bo = await as_one("Ana"), await as_one("Bo")
    await write(runtime, "please stop at my door")
    page = await get(client, ana)
    [thread] = page["threads"]
    assert page["next"] == ""
    assert (thread["member_id"], thread["name"], thread["status"], thread["waiting"]) == (member, "Ana Ruiz", "open", 1)
    assert thread["suggestion"]["meaning"] == "They may want no more messages."
    assert thread["suggestion"]["answer"].startswith("¿No quieres recibir más mensajes?"), "in the member's language"

    path = f"/{member}"
    assert (await post(client, ana, f"{path}/claim"))["thread"]["claimed_by"] == "Ana"
    refused = await post(client, bo, f"{path}/claim", status=409)
    assert refused["detail"].startswith("Ana has had this thread since 18:00 UTC")
    for step, body in (("release", None), ("answer", {"text": "Hola"}), ("resolve", None)):
        await post(client, bo, f"{path}/{step}", body, status=409)
    assert [one["member_id"] for one in (await get(client, ana, "?mine=true"))["threads"]] == [member]
    assert (await get(client, bo, "?mine=true"))["threads"] == []

    await post(client, ana, f"{path}/assign", {"to": "bo"})
    await write(runtime, "and ring twice", 2)
    clock.advance(minutes=1)
    found = await post(client, bo, f"{path}/answer", {"text": "¡Claro!", "read": 1})
    assert found["thread"]["waiting"] == 1, "they wrote again meanwhile"
    assert [(one["by"], one["text"], one["status"]) for one in found["said"]] == [
        ("member", "please stop at my door", "none"),
        ("member", "and ring twice", "none"),
        ("Bo", "¡Claro!", "queued"),
    ]
    assert (await post(client, bo, f"{path}/resolve"))["thread"]["status"] == "done"
    assert (await get(client, ana))["threads"] == []
    assert len((await get(client, ana, "?status=done"))["threads"]) == 1
    async with runtime.store.read() as connection:
        rows = await connection.execute(text("SELECT who, what FROM audit WHERE what LIKE 'thread.%' ORDER BY id"))
        assert [tuple(row) for row in rows] == [
            ("Ana", "thread.claim"),
            ("Ana", "thread.assign"),
            ("Bo", "thread.answer"),
            ("Bo", "thread.done"),
        ]


async def test_a_suggestion_is_done_for_them(
    client: TestClient, runtime: Runtime, member: int, admin: dict[str, str]
) -> None:
    await write(runtime, "please stop at my door")
    await post(client, admin, f"/{member}/resolve", {"as_suggested": True})
    async with runtime.store.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM suppression")) == 2, "SMS covers WhatsApp"
    refused = await post(client, admin, f"/{member}/answer", {"text": "Hola"}, status=409)
    assert "START" in refused["detail"]


async def test_who_may_read_may_not_answer(
    client: TestClient, runtime: Runtime, member: int, bearer: MakeHeaders
) -> None:
    await write(runtime, "where is it")
    reader = await bearer("inbox:read")
    assert (await get(client, reader, f"/{member}"))["said"]
    for step in ("claim", "release", "assign", "answer", "resolve"):
        await post(client, reader, f"/{member}/{step}", {"text": "x", "to": "x"}, status=403)


@pytest.mark.parametrize(
    ("step", "body", "field"),
    [
        ("answer", {}, "text"),
        ("answer", {"text": ""}, "text"),
        ("answer", {"text": "   "}, "text"),
        ("answer", {"text": "x" * 1_601}, "text"),
        ("answer", {"text": "x", "read": -1}, "read"),
        ("answer", {"text": "x", "colour": "red"}, "colour"),
        ("assign", {}, "to"),
        ("assign", {"to": "nobody"}, "to"),
        ("claim", {"by": "Bo"}, "by"),
        ("resolve", {"as_suggested": "perhaps"}, "as_suggested"),
    ],
)
async def test_what_cannot_be(
    client: TestClient, runtime: Runtime, member: int, admin: dict[str, str], step: str, body: Any, field: str
) -> None:
    await write(runtime, "where is it")
    problem = await post(client, admin, f"/{member}/{step}", body, status=422)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_a_page_goes_on_where_the_one_before_ended(
    client: TestClient, runtime: Runtime, member: int, admin: dict[str, str], clock: Clock
) -> None:
    await write(runtime, "where is it")
    assert (await get(client, admin, "?limit=1"))["next"] == ""
    for query in ("?after=zz", "?limit=0", "?status=lost"):
        await get(client, admin, query, status=422)


async def test_who_never_wrote_has_no_thread(
    client: TestClient, runtime: Runtime, member: int, admin: dict[str, str]
) -> None:
    await get(client, admin, f"/{member}", status=404)
    for step, body in (("claim", None), ("release", None), ("resolve", None), ("answer", {"text": "x"})):
        await post(client, admin, f"/{member}/{step}", body, status=404)


async def test_somebody_erased_is_in_no_list(
    client: TestClient, runtime: Runtime, member: int, admin: dict[str, str], clock: Clock
) -> None:
    await write(runtime, "where is it")
    gone: datetime = clock()
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE member SET erased_at = :at"), {"at": to_ms(gone)})
    assert (await get(client, admin))["threads"] == []
    await get(client, admin, f"/{member}", status=404)
