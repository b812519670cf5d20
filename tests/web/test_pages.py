"""Members' pages: a link that counts people and not scanners, and an unsubscribe that looking cannot press."""

from __future__ import annotations

import html.parser

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import func, select, text

from router.core.ask import Ask
from router.core.links import action_token, unsubscribe_token
from router.core.model import DeliveryRef
from router.runtime import Runtime
from router.store.campaigns import write_ask
from router.store.engine import Store
from router.store.tables import action, suppression, to_ms
from tests.support.runtime import Clock, build_runtime
from tests.web.conftest import serving

PERSON = {"User-Agent": "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"}
SCANNER = {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}
REF = DeliveryRef(202611, 90)


@pytest.fixture
async def delivery(runtime: Runtime, clock: Clock) -> DeliveryRef:
    """One delivery by email that was sent, of a campaign with a link."""
    now = to_ms(clock()) - 3_600_000
    rows = [
        "INSERT INTO member (id, joined_at, created_at, updated_at) VALUES (1, :now, :now, :now)",
        "INSERT INTO address (id, member_id, channel, value, hash, consent, created_at)"
        " VALUES (2, 1, 'email', 'ana@example.org', 'hash-of-ana', 'granted', :now)",
        "INSERT INTO campaign (id, month, title, kind, status, link, created_by, created_at, launched_at)"
        " VALUES (3, 202611, 'Come', 'ask', 'running', 'https://example.org/come?x=%2F&y=é', 'tests', :now, :now)",
        "INSERT INTO delivery (month, id, campaign_id, member_id, channel, address_id, status, sent_at)"
        " VALUES (202611, 90, 3, 1, 'email', 2, 'sent', :now)",
    ]
    ask = Ask.model_validate({"title": "Come", "texts": {"en": {"default": {"text": "Come: {{ link }}"}}}})
    async with runtime.store.write() as connection:
        for row in rows:
            await connection.execute(text(row), {"now": now} if ":now" in row else {})
        await write_ask(connection, 3, 1, ask, by="tests", now=clock())
    return REF


async def count(runtime: Runtime, table: object) -> int:
    async with runtime.store.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)))  # type: ignore[arg-type]


async def test_a_click_leads_on_and_counts_once(client: TestClient, runtime: Runtime, delivery: DeliveryRef) -> None:
    path = f"/a/{action_token(runtime.key, delivery)}"
    for _ in range(2):
        async with client.get(path, headers=PERSON, allow_redirects=False) as response:
            assert response.status == 302
            assert response.headers["Location"] == "https://example.org/come?x=%2F&y=%C3%A9"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Cache-Control"] == "no-store"
            assert "Set-Cookie" not in response.headers
    assert await count(runtime, action) == 1


async def test_a_scanner_is_led_on_and_not_counted(client: TestClient, runtime: Runtime, delivery: DeliveryRef) -> None:
    path = f"/a/{action_token(runtime.key, delivery)}"
    async with client.get(path, headers=SCANNER, allow_redirects=False) as response:
        assert response.status == 302
    async with client.head(path, headers=PERSON, allow_redirects=False) as response:
        assert response.status == 302
    async with client.get(path, headers={**PERSON, "Sec-Purpose": "prefetch"}, allow_redirects=False) as response:
        assert response.status == 302
    assert await count(runtime, action) == 0


@pytest.mark.parametrize("link", ["", "javascript:alert(1)", "https://", "https://[", "/inside", "https://a:99999999/"])
async def test_a_destination_that_is_none_leads_nowhere(
    client: TestClient, runtime: Runtime, delivery: DeliveryRef, link: str
) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE campaign SET link = :link"), {"link": link})
    path = f"/a/{action_token(runtime.key, delivery)}"
    async with client.get(path, headers=PERSON, allow_redirects=False) as response:
        assert response.status == 404
        assert "Location" not in response.headers


@pytest.mark.parametrize("kind", ["a", "u"])
@pytest.mark.parametrize("token", ["x", "%00", "é", "A" * 200, "..%2f..%2fetc"])
async def test_a_token_that_is_not_ours_gets_a_page(client: TestClient, kind: str, token: str) -> None:
    for method in ("GET", "POST") if kind == "u" else ("GET",):
        async with client.request(method, f"/{kind}/{token}", allow_redirects=False) as response:
            assert response.status == 404
            assert response.content_type == "text/html"
            assert "Tenants Together" in await response.text()


async def test_tokens_of_one_kind_do_not_open_the_other(
    client: TestClient, runtime: Runtime, delivery: DeliveryRef
) -> None:
    async with client.post(f"/u/{action_token(runtime.key, delivery)}") as response:
        assert response.status == 404
    async with client.get(f"/a/{unsubscribe_token(runtime.key, delivery)}", headers=PERSON) as response:
        assert response.status == 404
    assert await count(runtime, suppression) == 0


async def test_signed_but_unknown_deliveries_get_a_page(client: TestClient, runtime: Runtime) -> None:
    async with client.get(f"/a/{action_token(runtime.key, REF)}", headers=PERSON) as response:
        assert (response.status, response.content_type) == (404, "text/html")
    async with client.post(f"/u/{unsubscribe_token(runtime.key, REF)}") as response:
        assert (response.status, response.content_type) == (404, "text/html")


async def test_looking_never_unsubscribes(client: TestClient, runtime: Runtime, delivery: DeliveryRef) -> None:
    path = f"/u/{unsubscribe_token(runtime.key, delivery)}"
    for method in ("GET", "HEAD", "OPTIONS", "PUT"):
        async with client.request(method, path) as response:
            assert response.status < 500
    assert await count(runtime, suppression) == 0


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"data": b"", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
    ],
)
async def test_one_post_unsubscribes_before_its_answer(
    client: TestClient, runtime: Runtime, delivery: DeliveryRef, body: dict[str, object]
) -> None:
    path = f"/u/{unsubscribe_token(runtime.key, delivery)}"
    for _ in range(2):
        async with client.post(path, **body) as response:
            assert response.status == 200
            assert "no more emails" in await response.text()
        async with runtime.store.read() as connection:
            rows = (await connection.execute(select(suppression))).all()
        assert [(row.address_hash, row.channel) for row in rows] == [("hash-of-ana", "email")]


class Page(html.parser.HTMLParser):
    """Collects what a page would load, run or send."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


async def test_pages_load_nothing_from_elsewhere_and_fit_their_policy(
    client: TestClient, runtime: Runtime, delivery: DeliveryRef
) -> None:
    async with client.get(f"/u/{unsubscribe_token(runtime.key, delivery)}") as response:
        page = Page(await response.text())
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "style", "img", "iframe"}
    assert not any("style" in attributes for _, attributes in page.tags)
    assert [a["href"] for tag, a in page.tags if tag == "link"] == ["/static/member.css"]
    assert [a.get("method") for tag, a in page.tags if tag == "form"] == ["post"]
    assert ("input", {"type": "hidden", "name": "List-Unsubscribe", "value": "One-Click"}) in page.tags
    async with client.get("/static/member.css") as response:
        assert (response.status, response.content_type) == (200, "text/css")


async def test_the_organization_is_text_not_markup(store: Store) -> None:
    runtime = build_runtime(store, organization="<b>A&B</b>")
    async with (
        serving(runtime) as client,
        client.get("/u/x") as response,
    ):
        assert "&lt;b&gt;A&amp;B&lt;/b&gt;" in await response.text()


async def test_guessing_is_slowed_down(client: TestClient) -> None:
    for tries in range(2_000):
        async with client.get(f"/a/guess{tries}") as response:
            assert response.content_type == "text/html"
            if response.status == 429:
                assert response.headers["Retry-After"] == "1"
                break
            assert response.status == 404
    assert 40 <= tries < 1_999
