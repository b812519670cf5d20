"""Channels, rules, organizers, tokens, audit and the API reference: what they show, and what their forms do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiohttp.test_utils import TestClient
from pydantic import SecretStr

from channels.sandbox import Sandbox
from router.app import open_runtime
from router.core.ask import Ask
from router.core.audience import InPlace, Tagged
from router.core.model import DeliveryStatus, Reason
from router.core.roles import Role
from router.core.standing import State
from router.drafting import save_campaign
from router.office.invitations import invite
from router.office.open_invitations import list_open
from router.office.organizers import check_password, list_organizers
from router.office.sessions import read_session
from router.runtime import Runtime
from router.settings import Settings
from router.store.standings import StandingRow, write_standings
from router.store.tallies import Moves
from router.web.app import ENDPOINTS
from router.web.auth import Scope, list_tokens
from tests.support.office import PASSWORD, Entered, come_in
from tests.support.runtime import Clock
from tests.web.conftest import serving

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}'


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.ADMIN, name="Ada", now=clock())


async def read(client: TestClient, path: str, who: Entered | None = None, *, status: int = 200) -> str:
    async with client.get(path, headers=who.headers if who else {}) as response:
        assert response.status == status
        return await response.text()


async def post(
    client: TestClient, path: str, who: Entered, form: dict[str, str | list[str]], *, status: int = 303
) -> str:
    pairs = [(name, one) for name, many in form.items() for one in ([many] if isinstance(many, str) else many)]
    async with client.post(
        path, data=[("csrf", who.csrf), *pairs], headers=who.headers, allow_redirects=False
    ) as response:
        page = await response.text()
        assert response.status == status, page
        return page


def shows_as_text(page: str) -> bool:
    return "<script>alert" not in page and "<img src=x" not in page and "{{ 7*7 }}" in page and "&lt;script&gt;" in page


# ── channels and rules ────────────────────────────────────────────────────────────────────────────────────────────


async def test_channels_say_what_is_set_up_what_lacks_and_what_waits(
    client: TestClient, ada: Entered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTREACH_TELEGRAM_USERNAME", "a_bot_of_ours")
    monkeypatch.delenv("OUTREACH_TELEGRAM_TOKEN", raising=False)
    page = await read(client, "/office/channels", ada)
    assert "A2P 10DLC" in page
    assert "set <code>OUTREACH_TELEGRAM_TOKEN</code>, then start the program again" in page
    assert "a_bot_of_ours" not in page
    assert "the auth token of a Twilio account" not in page
    assert "<code>OUTREACH_SMS_AUTH_TOKEN</code>" in page
    assert page.index("Text messages (Twilio)") < page.index("Telegram") < page.index("Slack")
    assert "A toll-free number: 3 segments/s published" in page


async def test_a_channel_that_rests_says_why_and_until_when(
    client: TestClient, runtime: Runtime, clock: Clock, ada: Entered
) -> None:
    resting = StandingRow(
        channel="sms", account="main", name="", state=State.OPEN, reason=HOSTILE,
        until=clock() + timedelta(minutes=15), weight=1.0, updated_at=clock(),
    )  # fmt: skip
    await runtime.store.transact(lambda connection: write_standings(connection, [resting]))
    page = await read(client, "/office/channels", ada)
    assert "sms/main: rests until 20 Nov 2026, 18:15 UTC, because" in page
    assert shows_as_text(page)


async def test_what_failed_of_late_is_said_by_channel(
    client: TestClient, runtime: Runtime, clock: Clock, ada: Entered
) -> None:
    ask = Ask.model_validate({"title": "Come", "texts": {"en": {"default": {"text": "Come along"}}}})
    number = (await save_campaign(runtime, ask, by="Ada", now=clock())).id
    moves = Moves()
    moves.add(number, "sms", DeliveryStatus.FAILED, Reason.ADDRESS_DEAD, 1_200)
    moves.add(number, "sms", DeliveryStatus.FAILED, Reason.REFUSED, 3)
    moves.add(number, "sms", DeliveryStatus.SENT, None, 9_000)
    await runtime.store.transact(moves.write)
    page = await read(client, "/office/channels", ada)
    assert "What failed in the latest 20 asks: address dead 1,200, refused 3." in page


async def test_a_check_asks_the_provider(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    public = "http://127.0.0.1:9"
    async with Sandbox(webhooks={"telegram": "https://elsewhere.example.org/hooks"}) as sandbox:
        for name, value in sandbox.channel_environment().items():
            monkeypatch.setenv(name, value)
        settings = Settings(database_url=sqlite_url, secret_key=SecretStr("s" * 40), public_url=public)
        async with open_runtime(settings) as near, serving(near) as client:
            ada = await come_in(near, Role.ADMIN, name="Ada", now=near.clock())
            assert "choose which one" in await post(client, "/office/channels/check", ada, {}, status=422)
            page = await post(client, "/office/channels/check", ada, {"channel": HOSTILE}, status=422)
            assert "&lt;script&gt;" in page
            assert "<script>alert" not in page
            page = await post(client, "/office/channels/check", ada, {"channel": "telegram"}, status=200)
            assert "What the check found" in page
            assert "webhook wrong" in page
            assert "To mend:" in page
            assert f"{public}/hooks/telegram/main" in page
            assert all(value not in page for name, value in sandbox.channel_environment().items() if "TOKEN" in name)


async def test_the_rules_stand_with_their_sources(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    viewer = await come_in(runtime, Role.VIEWER, now=clock())
    page = await read(client, "/office/policy", viewer)
    assert "budget › channels › sms" in page
    assert "the long-run gain cut by a third" in page
    assert 'href="https://doi.org/10.1371/journal.pone.0134705"' in page
    assert "When messages may arrive" in page


# ── organizers ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_invitation_shows_its_link_once_and_makes_one(
    client: TestClient, runtime: Runtime, clock: Clock, ada: Entered
) -> None:
    form: dict[str, str | list[str]] = {"name": HOSTILE[:80], "role": "author", "tag": "east", "once": "k1"}
    page = await post(client, "/office/organizers", ada, form, status=200)
    assert "https://outreach.example.org/office/welcome/" in page
    await post(client, "/office/organizers", ada, form, status=303)
    [one] = await list_open(runtime, now=clock())
    assert (one.role, one.is_limited, one.created_by) == (Role.AUTHOR, True, "Ada")
    page = await read(client, "/office/organizers", ada)
    assert "/office/welcome/" not in page
    assert "<script>alert" not in page
    await post(client, "/office/organizers/take-back", ada, {"invitation": one.key})
    assert await list_open(runtime, now=clock()) == []
    await post(client, "/office/organizers/take-back", ada, {"invitation": one.key}, status=404)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "x" * 81}, "It has 1 to 80 characters"),
        ({"role": "king"}, "Choose one of these."),
        ({"filter": "{"}, "This is no filter"),
        ({"filter": '{"op": "nobody"}'}, "This is no filter"),
        ({"filter": '{"op":"not","of":' * 9 + '{"op":"everyone"}' + "}" * 9}, "nest at most"),
        ({"filter": "[" * 200_000}, "This is no filter"),
        ({"tag": "x", "filter": "{}"}, "not both"),
        ({"tag": "x" * 201}, "at most 200 characters"),
    ],
)
async def test_what_is_wrong_with_an_invitation_is_said_beside_the_field(
    client: TestClient, runtime: Runtime, clock: Clock, ada: Entered, change: dict[str, str], sentence: str
) -> None:
    form: dict[str, str | list[str]] = {"name": "Grace", "role": "author", **change}
    page = await post(client, "/office/organizers", ada, form, status=422)
    assert sentence in page
    assert "Grace" in page or "name" in change
    assert await list_open(runtime, now=clock()) == []


async def test_an_organizer_gets_another_role_a_part_and_an_end(
    client: TestClient, runtime: Runtime, clock: Clock, ada: Entered
) -> None:
    eve = await come_in(runtime, Role.VIEWER, name=HOSTILE[:80], now=clock())
    path = f"/office/organizers/{eve.organizer.id}"
    assert "<script>alert" not in await read(client, path, ada)
    form: dict[str, str | list[str]] = {"role": "approver", "filter": '{"op": "place", "postcode": "10"}', "do": "save"}
    await post(client, path, ada, form)
    changed = (await list_organizers(runtime))[1]
    assert (changed.role, changed.audience) == (Role.APPROVER, InPlace(op="place", postcode="10"))
    assert await read_session(runtime, eve.token, now=clock()) is None
    assert "&#34;postcode&#34;" in await read(client, path, ada)
    await post(client, path, ada, {"role": "approver", "tag": "east", "do": "save"})
    assert (await list_organizers(runtime))[1].audience == Tagged(op="tag", tag="east")
    await post(client, path, ada, {"do": "disable"})
    assert (await list_organizers(runtime))[1].disabled_at is not None
    await post(client, path, ada, {"do": "enable"})
    assert (await list_organizers(runtime))[1].disabled_at is None
    page = await post(client, f"/office/organizers/{ada.organizer.id}", ada, {"do": "disable"}, status=422)
    assert "There must be one admin at least" in page
    assert await read_session(runtime, ada.token, now=clock()) is not None


async def test_who_forgot_their_password_gets_another(
    client: TestClient, runtime: Runtime, clock: Clock, ada: Entered
) -> None:
    eve = await come_in(runtime, Role.VIEWER, name="Eve", now=clock())
    page = await post(client, f"/office/organizers/{eve.organizer.id}", ada, {"do": "password"}, status=200)
    password = page.partition("<code>")[2].partition("<")[0]
    assert await read_session(runtime, eve.token, now=clock()) is None
    assert await check_password(runtime, "Eve", PASSWORD, now=clock()) is None
    assert await check_password(runtime, "Eve", password, now=clock()) is not None
    assert password not in await read(client, f"/office/organizers/{eve.organizer.id}", ada)


async def test_saving_what_is_so_already_signs_nobody_out(
    client: TestClient, runtime: Runtime, clock: Clock, ada: Entered
) -> None:
    eve = await come_in(runtime, Role.VIEWER, audience=Tagged(op="tag", tag="east"), now=clock())
    await post(client, f"/office/organizers/{eve.organizer.id}", ada, {"role": "viewer", "tag": "east"})
    assert await read_session(runtime, eve.token, now=clock()) is not None


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_token_is_shown_once_made_once_and_revoked(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    form: dict[str, str | list[str]] = {"name": HOSTILE, "scope": ["campaigns:read", "inbox:read"], "once": "k"}
    page = await post(client, "/office/tokens", ada, form, status=200)
    token = "ort_" + page.partition("ort_")[2].partition("<")[0]
    headers = {"Authorization": f"Bearer {token}"}
    async with client.get("/api/v1/campaigns", headers=headers) as response:
        assert response.status == 200
    await post(client, "/office/tokens", ada, form, status=303)
    [one] = await list_tokens(runtime.store)
    assert (one.name, one.scopes) == (HOSTILE, [Scope.CAMPAIGNS_READ, Scope.INBOX_READ])
    page = await read(client, "/office/tokens", ada)
    assert token not in page
    assert shows_as_text(page)
    await post(client, f"/office/tokens/{one.id}/revoke", ada, {})
    await post(client, f"/office/tokens/{one.id}/revoke", ada, {})
    assert "revoked 20 Nov 2026" in await read(client, "/office/tokens", ada)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": "site"}, "Choose among"),
        ({"name": " ", "scope": "admin"}, "Give the token a name"),
        ({"name": "site", "scope": "root"}, "Choose among"),
    ],
)
async def test_what_is_wrong_with_a_token_is_said_beside_the_field(
    client: TestClient, runtime: Runtime, ada: Entered, form: dict[str, str | list[str]], sentence: str
) -> None:
    assert sentence in await post(client, "/office/tokens", ada, form, status=422)
    assert await list_tokens(runtime.store) == []


# ── audit ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_audit_shows_the_latest_first_and_finds_who_and_what(
    client: TestClient, runtime: Runtime, clock: Clock, ada: Entered
) -> None:
    for number in range(60):
        await invite(
            runtime, role=Role.VIEWER, name=f"Nr {number}", by=HOSTILE if number == 59 else "Grace", now=clock()
        )
    page = await read(client, "/office/audit", ada)
    assert shows_as_text(page)
    assert "name Nr 58" in page
    assert "name Nr 5<" not in page
    older = page.partition('href="/office/audit?')[2].partition('"')[0].replace("&amp;", "&")
    assert "name Nr 5<" in await read(client, f"/office/audit?{older}", ada)
    found = await read(client, "/office/audit?who=Ada&what=sign_in", ada)
    assert "sign_in" in found
    assert "Nr " not in found
    assert "organizer.invite" in await read(client, "/office/audit?what=organizer&who=Grace", ada)
    assert "There is nothing like this" in await read(client, "/office/audit?who=Nobody", ada)
    await read(client, "/office/audit?before=x", ada, status=422)


# ── the API reference ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_reference_has_every_address_that_takes_a_token(client: TestClient) -> None:
    page = await read(client, "/docs/api")
    for endpoint in ENDPOINTS:
        if isinstance(endpoint.access, Scope):
            assert f"<code>{endpoint.method} {endpoint.public_path}</code>" in page
    assert "<code>GET /office" not in page
    anchors = {part.partition('"')[0] for part in page.split('id="')[1:]}
    links = {part.partition('"')[0] for part in page.split('href="#')[1:]}
    assert links <= anchors
