"""What bad input gets, over HTTP: 4xx, a sentence that names the field, and nothing half done."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.runtime import Runtime
from router.store.engine import Store
from router.web import bodies
from router.web.app import ENDPOINTS
from router.web.auth import Scope, create_token
from tests.support.runtime import build_runtime
from tests.web.conftest import serving
from tests.web.test_campaigns import ASK

CAMPAIGNS = "/api/v1/campaigns"
JSON = {"Content-Type": "application/json"}


def ask(**change: Any) -> bytes:
    return json.dumps({**ASK, **change}).encode()


def said(text: str) -> dict[str, Any]:
    return {"texts": {"en": {"default": {"text": text}}}}


CASES: dict[str, tuple[bytes, int, str]] = {
    # name: (body, status, part of a field's name that must be told)
    "malformed JSON": (b'{"title": ', 400, ""),
    "no body": (b"", 400, ""),
    "10,000 deep": (b'{"audience":' * 10_000 + b"1" + b"}" * 10_000, 400, ""),
    "NaN": (b'{"title": NaN}', 400, ""),
    "a name twice": (b'{"title": "a", "title": "b"}', 400, ""),
    "not an object": (b"[]", 422, ""),
    "an unknown field": (ask(colour="red"), 422, "colour"),
    "a missing field": (b'{"title": "x"}', 422, "texts"),
    "a wrong type": (ask(urgent="yes"), 422, "urgent"),
    "a number for a text": (ask(title=7), 422, "title"),
    "too long a title": (ask(title="x" * 201), 422, "title"),
    "an unknown kind": (ask(kind="spam"), 422, "kind"),
    "a date without zone": (ask(deadline="2026-12-01T18:00"), 422, "deadline"),
    "a date that is none": (ask(deadline="tomorrow"), 422, "deadline"),
    "a link that is a script": (ask(link="javascript:alert(1)"), 422, "link"),
    "NUL in a text": (ask(title="a\x00b"), 422, "title"),
    "an unknown filter": (ask(audience={"op": "sql", "text": "1=1"}), 422, "audience"),
    "a filter too deep": (
        ask(audience=json.loads('{"op":"not","of":' * 30 + '{"op":"everyone"}' + "}" * 30)),
        422,
        "",
    ),
    "an unknown variable": (ask(**said("Hello {{ mother }}")), 422, "text"),
    "a template that reaches for the inside": (ask(**said("{{ first_name.__class__.__mro__ }}")), 422, "text"),
    "a template that loops for ever": (ask(**said("{% for x in range(9**9) %}x{% endfor %}")), 422, "text"),
    "a template that is broken": (ask(**said("Hello {{ first_name")), 422, "text"),
    "a text too long for the channel": (ask(**said("x" * 1700), channels=["sms"]), 422, "text"),
    "a channel nobody has": (ask(channels=["pigeon"]), 422, "channels"),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_body_that_cannot_be_used(client: TestClient, admin: dict[str, str], case: str) -> None:
    body, status, field = CASES[case]
    async with client.post(CAMPAIGNS, data=body, headers={**admin, **JSON}) as response:
        problem = await response.json()
        assert (response.status, response.content_type) == (status, "application/problem+json"), problem
        assert problem["status"] == status
    assert problem["detail"]
    if field:
        assert any(field in error["field"] for error in problem["errors"]), problem
        assert all(error["sentence"] for error in problem["errors"])
    async with client.get(CAMPAIGNS, headers=admin) as response:
        assert (await response.json())["campaigns"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_a_body_that_is_not_what_its_type_says(
    client: TestClient, admin: dict[str, str], headers: dict[str, str]
) -> None:
    async with client.post(CAMPAIGNS, data=ask(), headers={**admin, **headers}) as response:
        assert (response.status, response.content_type) in [(415, "application/problem+json"), (400, "text/plain")]


async def test_a_body_too_large(client: TestClient, admin: dict[str, str]) -> None:
    async with client.post(
        CAMPAIGNS, data=io.BytesIO(ask(title="x" * 1024 * 1024)), headers={**admin, **JSON}
    ) as response:
        assert (response.status, response.content_type) == (413, "application/problem+json")


async def test_a_body_that_does_not_come(
    client: TestClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.1)

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"title":'
        await asyncio.sleep(1)
        yield b'"x"}'

    async with client.post(CAMPAIGNS, data=slow(), headers={**admin, **JSON}) as response:
        assert (response.status, response.content_type) == (408, "application/problem+json")


async def test_a_step_takes_no_words_that_it_does_not_know(client: TestClient, admin: dict[str, str]) -> None:
    async with client.post(CAMPAIGNS, data=ask(), headers={**admin, **JSON}) as response:
        draft = await response.json()
    one = f"{CAMPAIGNS}/{draft['id']}"
    for step, body in (("approve", {"force": True}), ("launch", {"undo_seconds": -1}), ("pause", {"reason": 7})):
        async with client.post(f"{one}/{step}", json=body, headers=admin) as response:
            assert response.status == 422
            assert (await response.json())["errors"][0]["field"] == next(iter(body))
    async with client.get(one, headers=admin) as response:
        assert (await response.json())["status"] == "draft"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "limit=201", "before=99999999999999999999", "limit=1&limit=2", "page=3", "limit=%00"],
)
async def test_a_query_that_cannot_be_used(client: TestClient, admin: dict[str, str], query: str) -> None:
    async with client.get(f"{CAMPAIGNS}?{query}", headers=admin) as response:
        problem = await response.json()
        assert response.status == 422
        assert problem["errors"][0]["field"] in ("limit", "before", "page")


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"first_name": "Ana", "phone": "+1 555"}, "phone"),
        ({"first_name": "Ana", "phone": "call me"}, "phone"),
        ({"first_name": "Ana", "email": "ana@"}, "email"),
        ({"first_name": "Ana", "email": "ana@example.org", "zone": "Mars/Olympus"}, "zone"),
        ({"first_name": "Ana", "email": "ana@example.org", "shoe_size": "38"}, "shoe_size"),
    ],
)
async def test_a_member_that_cannot_be(
    client: TestClient, admin: dict[str, str], record: dict[str, str], field: str
) -> None:
    async with client.post("/api/v1/members", json=record, headers=admin) as response:
        problem = await response.json()
        assert response.status == 422, problem
    assert field in problem["errors"][0]["field"]


@pytest.mark.parametrize(
    ("action", "field"),
    [
        ({"kind": "signed", "member_id": 1}, "external_id"),
        ({"kind": "signed", "external_id": "x"}, ""),
        ({"kind": "Sign'ed", "external_id": "x", "member_id": 1}, "kind"),
        ({"kind": "signed", "external_id": "x", "member_id": -1}, "member_id"),
        ({"kind": "signed", "external_id": "x", "phone": "+1555"}, "phone"),
        ({"kind": "signed", "external_id": "x", "member_id": 1, "at": "1066-10-14T09:00:00Z"}, "at"),
    ],
)
async def test_an_action_that_cannot_be(
    client: TestClient, admin: dict[str, str], action: dict[str, Any], field: str
) -> None:
    async with client.post("/api/v1/actions", json=action, headers=admin) as response:
        problem = await response.json()
        assert response.status == 422, problem
    assert field in problem["errors"][0]["field"]


async def test_a_ledger_that_is_gone(runtime: Runtime, admin: dict[str, str]) -> None:
    gone = Store("postgresql://nobody@127.0.0.1:1/nothing")
    away = build_runtime(gone, clock=runtime.clock)
    async with serving(away) as client:
        problem, parts = "application/problem+json", "application/json"  # `/readyz` names each part instead
        for method, path, kind in (
            ("GET", CAMPAIGNS, problem), ("POST", "/api/v1/members", problem), ("GET", "/readyz", parts)
        ):  # fmt: skip
            async with client.request(method, path, headers=admin) as response:
                assert (response.status, response.content_type) == (503, kind)
                assert kind == parts or int(response.headers["Retry-After"]) >= 1
                assert "127.0.0.1" not in await response.text()
        async with client.get("/healthz") as response:
            assert response.status == 200
    await gone.aclose()


POSTS = [
    endpoint.public_path.replace("{id}", "1")
    for endpoint in ENDPOINTS
    if isinstance(endpoint.access, Scope) and endpoint.method in ("POST", "PUT") and endpoint.body
]
WORDS = ["title", "texts", "en", "default", "text", "audience", "op", "of", "and", "not", "members", "ids", "campaign"]
WORDS += ["kind", "ask", "deadline", "external_id", "member_id", "phone", "email", "at", "attributes", "consents"]
WORDS += ["channel", "sms", "undo_seconds", "reason", "2026-12-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "everyone"]
words = st.sampled_from(WORDS) | st.text(max_size=20)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=6),
    max_leaves=25,
)


@pytest.fixture
async def both(database_url: str) -> AsyncIterator[tuple[TestClient, dict[str, str]]]:
    """A client and an admin's headers, over each of the two databases."""
    store = Store(database_url)
    token = await create_token(store, "tests", [Scope.ADMIN], datetime.now(UTC))
    async with serving(build_runtime(store)) as client:
        yield client, {"Authorization": f"Bearer {token}"}
    await store.aclose()


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_json_makes_a_server_error(both: tuple[TestClient, dict[str, str]], data: st.DataObject) -> None:
    client, admin = both
    path = data.draw(st.sampled_from(POSTS))
    document = data.draw(documents)
    if data.draw(st.booleans()) and path == CAMPAIGNS:
        field = data.draw(st.sampled_from([*sorted(ASK), "audience", "deadline", "about", "kind"]))
        document = {**ASK, field: document}
    body = json.dumps(document).encode("utf-8", "surrogatepass")
    async with client.request(
        "PUT" if path.endswith("/ask") else "POST", path, data=body, headers={**admin, **JSON}
    ) as response:
        assert response.status < 500, await response.text()
        if response.status >= 400:
            assert response.content_type == "application/problem+json"
