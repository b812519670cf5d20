"""The pages on which people join: no scripts, no oracle, and nothing happens by looking."""

from __future__ import annotations

import html.parser
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.core.join_links import confirm_token, join_token
from router.core.phrases import LANGUAGES
from router.runtime import Runtime
from tests.support.runtime import Clock

EVIL = '"><script>alert(1)</script>'
FORM = {"first_name": "Ana", "phone": "+33639980009", "agree_sms": "yes", "postcode": "75011", "language": "fr"}


@pytest.fixture
async def code(client: TestClient, admin: dict[str, str]) -> Mapping[str, Any]:
    """One way in, whose title its author meant ill."""
    body = {"code": "DINNERS", "title": f"Dinners {EVIL}", "tags": ["dinner"], "first_step": "Tell a neighbour."}
    async with client.post("/api/v1/join-codes", json=body, headers=admin) as response:
        assert response.status == 201, await response.text()
        found: Mapping[str, Any] = await response.json()
    return found


async def rows(runtime: Runtime, statement: str) -> list[tuple[Any, ...]]:
    async with runtime.store.read() as connection:
        return [tuple(row) for row in (await connection.execute(text(statement))).all()]


async def submit(client: TestClient, **changes: str) -> tuple[int, str]:
    async with client.post("/join/DINNERS", data={**FORM, **changes}) as response:
        return response.status, await response.text()


class Page(html.parser.HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_speaks_and_runs_nothing(client: TestClient, language: str) -> None:
    headers = {"Accept-Language": f"tlh, {language}-XX;q=0.9, en;q=0.1"}
    async with client.get("/join/dinners", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Set-Cookie" not in response.headers
        page = Page(await response.text())
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "style", "img", "iframe"}
    assert not any(attribute.startswith("on") or attribute == "style" for _, a in page.tags for attribute in a)
    [root] = [a for tag, a in page.tags if tag == "html"]
    assert root == {"lang": language} | ({"dir": "rtl"} if language == "ar" else {})
    boxes = [a for tag, a in page.tags if tag == "input" and a.get("type") == "checkbox"]
    assert [a["name"] for a in boxes] == ["agree_sms"], "only channels that are switched on"
    assert not any("checked" in a for a in boxes), "consent is given, not taken back"


@pytest.mark.usefixtures("code")
async def test_what_people_write_is_text_not_markup(client: TestClient) -> None:
    status, page = await submit(client, first_name=EVIL, phone=EVIL, postcode=EVIL)
    assert status == 422
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert 'role="alert"' in page


@pytest.mark.usefixtures("code")
async def test_the_same_page_whoever_is_known_here(client: TestClient, runtime: Runtime) -> None:
    """New, asked a moment ago, silenced, consented, a program: nobody learns who is who."""
    pages = [await submit(client), await submit(client), await submit(client, website="https://spam.example.org")]
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE address SET consent = 'granted'"))
    pages.append(await submit(client))
    async with runtime.store.write() as connection:
        await connection.execute(text("INSERT INTO suppression SELECT hash, channel, 'stop', '', 0 FROM address"))
    pages.append(await submit(client))
    assert set(pages) == {pages[0]}
    assert pages[0][0] == 200
    assert await rows(runtime, "SELECT count(*) FROM reply_text") == [(1,)]
    assert await rows(runtime, "SELECT first_name, locale, postcode FROM member") == [("Ana", "fr", "75011")]


@pytest.mark.usefixtures("code")
async def test_the_trap_keeps_programs_out(client: TestClient, runtime: Runtime) -> None:
    assert (await submit(client, website="https://spam.example.org"))[0] == 200
    assert await rows(runtime, "SELECT count(*) FROM member") == [(0,)]


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize(
    "changes",
    [
        {"agree_sms": ""},
        {"phone": ""},
        {"phone": "12"},
        {"phone": "", "email": "ana@example.org", "agree_email": "yes"},
    ],
    ids=["no consent", "no address", "no number", "a channel that is off"],
)
async def test_a_form_that_cannot_be_used_comes_back_with_what_was_written(
    client: TestClient, runtime: Runtime, changes: dict[str, str]
) -> None:
    status, page = await submit(client, **changes)
    assert status == 422
    assert 'value="75011"' in page
    assert 'role="alert"' in page
    assert await rows(runtime, "SELECT count(*) FROM member") == [(0,)]


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"&".join(b"a%d=1" % n for n in range(50))])
async def test_a_body_that_is_no_form(client: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with client.post("/join/DINNERS", data=body, headers=headers) as response:
        assert (response.status, response.content_type) == (400, "text/html")


@pytest.mark.usefixtures("code")
async def test_form_after_form_is_slowed_down(client: TestClient) -> None:
    seen = [(await submit(client))[0] for _ in range(45)]
    assert seen[:40] == [200] * 40
    assert 429 in seen[40:]


@pytest.mark.parametrize("path", ["/join/NOSUCH", "/join/NOSUCH.svg", "/join/x%00", "/join/"])
async def test_a_code_that_is_none_gets_a_page(client: TestClient, path: str) -> None:
    async with client.get(path) as response:
        assert (response.status, response.content_type) == (404, "text/html")


async def test_a_closed_code_lets_nobody_in(
    client: TestClient, runtime: Runtime, code: Mapping[str, Any], admin: dict[str, str]
) -> None:
    async with client.post("/api/v1/join-codes/dinners/close", headers=admin) as response:
        assert (await response.json())["closed_at"] is not None
    assert (await submit(client))[0] == 404
    async with client.get("/api/v1/join-codes", headers=admin) as response:
        [listed] = (await response.json())["codes"]
    assert (listed["code"], listed["joined"], listed["tags"]) == ("DINNERS", 0, ["dinner"])
    assert await rows(runtime, "SELECT count(*) FROM member") == [(0,)]


@pytest.mark.usefixtures("code")
async def test_the_qr_code_is_a_picture_of_the_page(client: TestClient) -> None:
    async with client.get("/join/DINNERS.svg") as response:
        assert (response.status, response.content_type) == (200, "image/svg+xml")
        picture = ElementTree.fromstring(await response.text())
    assert picture.tag.endswith("svg")
    [title] = [element.text for element in picture.iter() if element.tag.endswith("title")]
    assert title == "https://outreach.example.org/join/DINNERS"


# ── a mailbox confirms itself ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def address(runtime: Runtime) -> int:
    """A mailbox that a form named."""
    async with runtime.store.write() as connection:
        await connection.execute(
            text("INSERT INTO member (id, locale, joined_at, created_at, updated_at) VALUES (1, 'es', 0, 0, 0)")
        )
        await connection.execute(
            text(
                "INSERT INTO address (id, member_id, channel, value, hash, consent, created_at)"
                " VALUES (2, 1, 'email', 'ana@example.org', 'hash-of-ana', 'unconfirmed', 0)"
            )
        )
    return 2


def link(runtime: Runtime, address: int, *, days: float = 7) -> str:
    return f"/join/confirm/{confirm_token(runtime.key, address, runtime.clock() + timedelta(days=days))}"


CONSENT = "SELECT consent FROM address"


async def test_looking_confirms_nothing_and_the_button_does(client: TestClient, runtime: Runtime, address: int) -> None:
    path = link(runtime, address)
    for method in ("GET", "HEAD", "OPTIONS", "PUT"):
        async with client.request(method, path) as response:
            assert response.status < 500
            page = await response.text()
        assert await rows(runtime, CONSENT) == [("unconfirmed",)]
        if method == "GET":
            assert "Quieres recibir noticias" in page
    for _ in range(2):
        async with client.post(path) as response:
            assert response.status == 200
            assert "Ya estás dentro" in await response.text()
    assert await rows(runtime, CONSENT) == [("granted",)]
    assert await rows(runtime, "SELECT count(*) FROM reply_text") == [(1,)], "one welcome"


async def test_an_old_forged_or_foreign_token_confirms_nothing(
    client: TestClient, runtime: Runtime, address: int, clock: Clock
) -> None:
    good = link(runtime, address)
    foreign = f"/join/confirm/{join_token(runtime.key, address, runtime.clock() + timedelta(days=7))}"
    for path in (link(runtime, address, days=-0.01), foreign, good[:-1] + "_", link(runtime, 4711), "/join/confirm/x"):
        for method in ("GET", "POST"):
            async with client.request(method, path) as response:
                assert (response.status, response.content_type) == (404, "text/html"), path
    clock.advance(days=8)
    async with client.post(good) as response:
        assert response.status == 404
    assert await rows(runtime, CONSENT) == [("unconfirmed",)]


# ── through the API ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_member_of_another_system_is_welcomed_where_it_says_so(
    client: TestClient, runtime: Runtime, admin: dict[str, str]
) -> None:
    consent = {"channel": "sms", "source": "sign-up page", "wording": "yes"}
    for number, more in enumerate(({}, {"welcome": True}, {"welcome": True})):
        body = {"phone": f"+3363998000{max(number, 1)}" if number else "+33639980000", "consents": [consent], **more}
        async with client.post("/api/v1/members", json={**body, "first_name": f"P{number}"}, headers=admin) as response:
            assert response.status == 200, await response.text()
    async with client.post("/api/v1/members", json={**body, "first_name": "P2"}, headers=admin) as response:
        assert (await response.json())["outcome"] == "unchanged"
    assert await rows(runtime, "SELECT count(*) FROM reply_text") == [(2,)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"code": "dinners", "title": "x"}, "code"),
        ({"code": "D", "title": "x"}, "code"),
        ({"code": "A" * 33, "title": "x"}, "code"),
        ({"code": "DINNERS", "title": ""}, "title"),
        ({"code": "DINNERS", "title": "x", "first_step": "x" * 161}, "first_step"),
        ({"code": "DINNERS", "title": "x", "tags": ["x"] * 21}, "tags"),
        ({"code": "DINNERS", "title": "x", "campaign_id": 99}, "campaign_id"),
        ({"code": "DINNERS", "title": "x", "more": 1}, "more"),
        ({"code": "NOW", "title": "x"}, "code"),
    ],
)
async def test_a_code_that_cannot_be_meant(
    client: TestClient, admin: dict[str, str], body: dict[str, Any], field: str
) -> None:
    async with client.post("/api/v1/join-codes", json=body, headers=admin) as response:
        assert response.status == 422
        assert field in [one["field"] for one in (await response.json())["errors"]]


async def test_what_comes_next_for_a_campaign(client: TestClient, admin: dict[str, str]) -> None:
    ask = {"title": "Sign", "wants": "sign", "texts": {"en": {"default": {"text": "Sign?"}}}}
    async with client.post("/api/v1/campaigns", json=ask, headers=admin) as response:
        campaign = (await response.json())["id"]
    async with client.get(f"/api/v1/campaigns/{campaign}/next", headers=admin) as response:
        assert await response.json() == {"campaign_id": campaign, "people": 0, "groups": []}
    async with client.get("/api/v1/campaigns/4711/next", headers=admin) as response:
        assert response.status == 404
