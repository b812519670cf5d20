"""The door of organizers' pages: who comes in, how long they stay, and what nobody can do in their name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.core.errors import BadInput, NotAllowed
from router.core.roles import Role
from router.office.invitations import LASTS as LINK_LASTS
from router.office.invitations import accept, invite
from router.office.organizers import FREE_TRIES, change_organizer, is_empty, list_organizers
from router.office.sessions import IDLE, LASTS, read_session
from router.runtime import Runtime
from router.web.app import ENDPOINTS
from router.web.auth import Page, Scope
from router.web.endpoints import Endpoint
from tests.support.office import PASSWORD, come_in, entered
from tests.support.runtime import Clock
from tests.web.conftest import serving

PAGES = [endpoint for endpoint in ENDPOINTS if isinstance(endpoint.access, Page)]
COOKIE = "__Host-outreach"


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.public_path}"


def some_path(endpoint: Endpoint) -> str:
    return endpoint.public_path.replace("{id}", "1").replace("{campaign}", "1").replace("{number}", "1")


async def post(
    client: TestClient, path: str, form: Mapping[str, str], headers: Mapping[str, str] = {}
) -> ClientResponse:
    return await client.post(path, data=dict(form), headers=headers, allow_redirects=False)


async def signs_in(client: TestClient, name: str, password: str, back: str = "") -> ClientResponse:
    return await post(client, "/office/sign-in", {"name": name, "password": password, "next": back})


# ── every page ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("endpoint", PAGES, ids=name_of)
async def test_a_page_sends_strangers_to_sign_in(endpoint: Endpoint, client: TestClient) -> None:
    async with client.request(endpoint.method, some_path(endpoint), allow_redirects=False) as response:
        assert response.status == 303
        assert response.headers["Location"].startswith("/office/sign-in")
    headers = {"Cookie": f"{COOKIE}={'x' * 43}", "HX-Request": "true"}
    async with client.request(endpoint.method, some_path(endpoint), headers=headers) as response:
        assert response.headers["HX-Redirect"].startswith("/office/sign-in")


@pytest.mark.parametrize("endpoint", PAGES, ids=name_of)
async def test_a_page_is_for_the_roles_that_have_its_scope(
    endpoint: Endpoint, client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    assert isinstance(endpoint.access, Page)
    for role in Role:
        ada = await come_in(runtime, role, now=clock())
        may = endpoint.access.scope in role.scopes or "admin" in role.scopes
        headers = ada.headers | {"X-CSRF": ada.csrf}
        async with client.request(
            endpoint.method, some_path(endpoint), headers=headers, allow_redirects=False
        ) as response:
            assert (response.status == 403) is not may
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            assert "unsafe" not in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("endpoint", [one for one in PAGES if one.method == "POST"], ids=name_of)
async def test_a_form_of_another_page_is_refused(
    endpoint: Endpoint, client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    ada, eve = [await come_in(runtime, Role.ADMIN, name=name, now=clock()) for name in ("Ada", "Eve")]
    for form in ({}, {"csrf": ""}, {"csrf": eve.csrf}, {"csrf": "é"}):
        response = await post(client, some_path(endpoint), form, ada.headers)
        assert response.status == 409, form
        assert "another session" in await response.text()


# ── coming in ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_link_makes_one_organizer_once(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    assert await is_empty(runtime)
    link = await invite(runtime, role=Role.AUTHOR, name="Ada", by="the console", now=clock())
    path = f"/office/welcome/{link}"
    async with client.get(path) as response:
        page = await response.text()
        assert "the console invites you as <strong>author</strong>" in page
    form = {"name": "Ada  Byron", "password": PASSWORD, "again": PASSWORD}
    for wrong, words in (
        ({"password": "short", "again": "short"}, "12 to 200 characters"),
        ({"password": "aaaaaaaaaaaa", "again": "aaaaaaaaaaaa"}, "repeats itself"),
        ({"again": "other"}, "must be the same"),
        ({"name": " "}, "1 to 80 characters"),
    ):
        response = await post(client, path, form | wrong)
        assert response.status == 422
        assert words in await response.text()
    response = await post(client, path, form)
    assert (response.status, response.headers["Location"]) == (303, "/office")
    cookie = response.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
    [ada] = await list_organizers(runtime)
    assert (ada.name, ada.role, ada.created_by) == ("Ada Byron", Role.AUTHOR, "the console")
    assert (await post(client, path, form | {"name": "Eve"})).status == 404
    async with client.get(path) as response:
        assert response.status == 404


async def test_a_link_grows_old_and_a_name_is_one_persons(runtime: Runtime, clock: Clock) -> None:
    await come_in(runtime, Role.ADMIN, name="Ada", now=clock())
    link = await invite(runtime, role=Role.ADMIN, by="Ada", now=clock())
    with pytest.raises(BadInput, match="somebody else's"):
        await accept(runtime, link, name=" ADA ", password=PASSWORD, now=clock())
    late = clock() + LINK_LASTS
    assert await accept(runtime, link, name="Eve", password=PASSWORD, now=late) is None
    assert await accept(runtime, link, name="Eve", password=PASSWORD, now=late - timedelta(seconds=1)) is not None


async def test_who_signs_in_comes_back_to_where_they_were_going(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    await come_in(runtime, Role.VIEWER, name="Ada Byron", now=clock())
    async with client.get("/office/account", allow_redirects=False) as response:
        where = response.headers["Location"]
    assert where == "/office/sign-in?next=/office/account"
    async with client.get(where) as response:
        assert 'value="/office/account"' in await response.text()
    response = await signs_in(client, "ada  BYRON", PASSWORD, "/office/account")
    assert (response.status, response.headers["Location"]) == (303, "/office/account")
    for elsewhere in ("https://evil.example.org", "//evil.example.org", "/\\evil.example.org", "/office//x", "/open"):
        response = await signs_in(client, "Ada Byron", PASSWORD, elsewhere)
        assert response.headers["Location"] == "/office"


async def test_each_sign_in_is_a_session_of_its_own(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    """Whoever planted a cookie in a browser beforehand has nothing of it."""
    ada = await come_in(runtime, now=clock())
    response = await post(client, "/office/sign-in", {"name": ada.organizer.name, "password": PASSWORD}, ada.headers)
    fresh = response.cookies[COOKIE].value
    assert fresh != ada.token
    assert await read_session(runtime, ada.token, now=clock()) is None
    assert await read_session(runtime, fresh, now=clock()) is not None
    [kept] = await _rows(runtime, "SELECT token_hash FROM session")
    assert fresh not in kept


async def test_wrong_passwords_cost_time_also_after_a_restart(runtime: Runtime, clock: Clock) -> None:
    await come_in(runtime, now=clock(), name="Ada")
    async with serving(runtime) as client:
        for _ in range(FREE_TRIES):
            assert (await signs_in(client, "Ada", "a wrong password")).status == 422
    async with serving(runtime) as client:
        response = await signs_in(client, "Ada", PASSWORD)
        assert response.status == 429
        assert response.headers["Retry-After"] == "1"
        clock.advance(seconds=2)
        assert (await signs_in(client, "Ada", "a wrong password")).status == 422
        clock.advance(seconds=1)
        assert (await signs_in(client, "Ada", PASSWORD)).status == 429
        clock.advance(seconds=2)
        assert (await signs_in(client, "Ada", PASSWORD)).status == 303
        assert (await signs_in(client, "Ada", "a wrong password")).status == 422
        assert (await signs_in(client, "Nobody", PASSWORD)).status == 422


# ── staying and leaving ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_session_ends_by_idleness_and_by_age(runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, now=clock())
    begun = clock()
    while clock() < begun + LASTS - IDLE:
        clock.advance(hours=11)
        assert await read_session(runtime, ada.token, now=clock()) is not None
    assert await read_session(runtime, ada.token, now=begun + LASTS) is None
    idle = await entered(runtime, ada.organizer, now=clock())
    assert await read_session(runtime, idle.token, now=clock() + IDLE + timedelta(minutes=1)) is None


async def test_signing_out_ends_this_session_or_all(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    here = await come_in(runtime, now=clock())
    there, third = [await entered(runtime, here.organizer, now=clock()) for _ in range(2)]
    response = await post(client, "/office/sign-out", {"csrf": here.csrf}, here.headers)
    assert response.cookies[COOKIE].value == ""
    assert await read_session(runtime, here.token, now=clock()) is None
    assert await read_session(runtime, there.token, now=clock()) is not None
    await post(client, "/office/sign-out", {"csrf": there.csrf, "everywhere": "yes"}, there.headers)
    assert await read_session(runtime, third.token, now=clock()) is None


async def test_another_password_ends_all_other_sessions(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, now=clock(), name="Ada")
    form = {"csrf": ada.csrf, "old": PASSWORD, "password": "another long password", "again": "another long password"}
    wrong = await post(client, "/office/account", form | {"old": "not this one"}, ada.headers)
    assert "not your present password" in await wrong.text()
    response = await post(client, "/office/account", form, ada.headers)
    assert response.status == 303
    assert await read_session(runtime, ada.token, now=clock()) is None
    assert await read_session(runtime, response.cookies[COOKIE].value, now=clock()) is not None
    assert (await signs_in(client, "Ada", PASSWORD)).status == 422
    assert (await signs_in(client, "Ada", "another long password")).status == 303


async def test_a_role_that_changes_takes_effect_at_once_and_one_admin_stays(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    ada = await come_in(runtime, Role.ADMIN, now=clock())
    eve = await come_in(runtime, Role.APPROVER, now=clock())
    await change_organizer(runtime, eve.organizer.id, disabled=True, by="Ada", now=clock())
    assert await read_session(runtime, eve.token, now=clock()) is None
    assert (await signs_in(client, eve.organizer.name, PASSWORD)).status == 422
    for change in ({"role": Role.VIEWER}, {"disabled": True}):
        with pytest.raises(NotAllowed, match="one admin"):
            await change_organizer(runtime, ada.organizer.id, by="Ada", now=clock(), **change)  # type: ignore[arg-type]
    assert await read_session(runtime, ada.token, now=clock()) is not None


# ── what pages say ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_name_is_shown_as_text(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, now=clock(), name="<script>alert(1)</script>")
    async with client.get("/office", headers=ada.headers) as response:
        page = await response.text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_our_files_are_packed_and_kept_for_a_year(client: TestClient) -> None:
    async with client.get("/office/sign-in") as response:
        page = await response.text()
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    async with client.get(style) as response:
        assert response.content_type == "text/css"
        assert response.headers["Content-Encoding"] == "gzip"
        assert "immutable" in response.headers["Cache-Control"]
        assert "--brand" in await response.text()
    async with client.get("/static/office.css", headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert "immutable" not in response.headers["Cache-Control"]
    for name in ("nothing.js", "htmx.LICENSE", "VERSIONS"):
        async with client.get(f"/static/{name}") as response:
            assert response.status == 404


def test_every_role_has_scopes_that_there_are_and_none_less_than_the_one_before() -> None:
    before: frozenset[str] = frozenset()
    for role in Role:
        assert role.scopes <= {scope.value for scope in Scope}
        assert before <= role.scopes or role is Role.ADMIN
        before = role.scopes


async def _rows(runtime: Runtime, query: str) -> list[str]:
    async with runtime.store.read() as connection:
        return list((await connection.execute(text(query))).scalars())
