"""Notifications in a real Chromium: it allows them on our page, decrypts what the real adapter sends, and shows it.

Only the road between them is ours: Google's services on loopback (``google.py``), and a wire that hands them what the
adapter would have sent to the endpoint.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from playwright.async_api import BrowserContext, Page, async_playwright, expect
from sqlalchemy import select, text

from channels.webpush.adapter import WebPushChannel
from channels.webpush.vapid import Vapid, new_private_key
from router.core import consent
from router.core.channel import Button, HttpReply, OutboundMessage, Picture
from router.core.join_links import join_token
from router.core.model import DeliveryRef
from router.runtime import Runtime
from router.store.engine import Store
from router.store.people import read_members_by_id
from router.store.sealed_addresses import seals_of
from router.store.tables import address, suppression
from tests.browser.google import Google
from tests.support.runtime import running_runtime
from tests.web.conftest import serving

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium: install the package chromium")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
         "--disable-sync"]  # fmt: skip
LINK = "https://outreach.example.org/a/t0ken?x=1"
MAP = "https://example.org/map"


class Road:
    """A wire from the adapter to the browser's push service."""

    def __init__(self, google: Google) -> None:
        self._google = google

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", timeout: float = 8.0
    ) -> HttpReply:
        assert (method, headers["Content-Encoding"]) == ("POST", "aes128gcm")
        await self._google.push(url.rpartition("/")[2], body)
        return HttpReply(status=201)


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    async with Google() as google:
        yield google


@pytest.fixture
async def runtime(sqlite_url: str, google: Google) -> AsyncIterator[Runtime]:
    store = Store(sqlite_url)
    settings = {"vapid_private_key": new_private_key(), "vapid_subject": "mailto:office@example.org"}
    about = {
        "account": "main",
        "webhook_url": "https://outreach.example.org/hooks/webpush",
        "organization": "Tenants Together",
    }
    channel = WebPushChannel({**settings, **about}, Road(google))
    async with running_runtime(store, channels={"webpush": {"main": channel}}) as runtime:
        async with store.write() as connection:
            await connection.execute(
                text("INSERT INTO member (id, joined_at, created_at, updated_at) VALUES (1, 0, 0, 0)")
            )
        yield runtime
    await store.aclose()


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[TestClient]:
    async with serving(runtime) as client:
        yield client


@pytest.fixture
async def browser(google: Google, tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """A profile on the disk, because private windows have no push."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=CHROMIUM,
            ignore_default_args=["--disable-background-networking"],  # push is background networking
            args=[*FLAGS, *google.flags],
        )
        context.set_default_timeout(30_000)
        yield context
        await context.close()


def origin(client: TestClient) -> str:
    return str(client.make_url("/")).rstrip("/")


def link(client: TestClient, runtime: Runtime) -> str:
    return f"{origin(client)}/push/{join_token(runtime.key, 1, datetime.now(UTC) + timedelta(days=1))}"


async def opened(browser: BrowserContext, client: TestClient, runtime: Runtime) -> Page:
    """The member's page, and a fault where it breaks its own policy."""
    page = await browser.new_page()
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    faults: list[str] = []
    await page.goto(link(client, runtime))
    await expect(page.locator("section[data-state=loading]")).to_be_hidden()
    assert not [fault for fault in faults if "Content Security Policy" in fault or "Refused" in fault]
    return page


async def send(runtime: Runtime, number: int = 17, **changes: Any) -> None:
    async with runtime.store.read() as connection:
        kept = (await read_members_by_id(connection, [1]))[1].addresses[0]
        value = seals_of(connection).open("webpush", kept.hash, kept.value)
    allow = consent.check(replace(kept, value=value))
    assert isinstance(allow, consent.Allow)
    values = {"subject": "Samstag", "text": "Kommst du? 🎉", "topic": "ask1", "link": LINK} | changes
    message = OutboundMessage(allow=allow, delivery=DeliveryRef(202611, number), now=datetime.now(UTC), **values)
    await runtime.channels["webpush"]["main"].send(message)


async def shown(page: Page, *deliveries: str) -> list[dict[str, Any]]:
    """The notifications on the screen, once they are those of these deliveries."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while sorted(each["data"].get("delivery", "") for each in found) != sorted(deliveries):
            await asyncio.sleep(0.05)
            found = await page.evaluate(
                "async () => (await (await navigator.serviceWorker.ready).getNotifications()).map("
                "({title, body, tag, lang, icon, actions, data}) => ({title, body, tag, lang, icon, data,"
                " actions: actions.map(({action, title}) => [action, title])}))"
            )
    return found


async def allowed(browser: BrowserContext, client: TestClient, runtime: Runtime) -> Page:
    """The page after the button was pressed."""
    await browser.grant_permissions(["notifications"], origin=origin(client))
    page = await opened(browser, client, runtime)
    await page.get_by_role("button", name="Allow notifications").click()
    await expect(page.get_by_role("heading", name="You get our notifications in this browser.")).to_be_visible()
    return page


async def test_what_the_adapter_sends_is_shown(browser: BrowserContext, client: TestClient, runtime: Runtime) -> None:
    page = await allowed(browser, client, runtime)
    await send(runtime, locale="de", buttons=(Button(label="Ja", reply="YES"), Button(label="Plan", url=MAP)))
    [first] = await shown(page, "202611-17")
    assert first == {
        "title": "Samstag",
        "body": "Kommst du? 🎉",
        "tag": "ask1",
        "lang": "de",
        "icon": "",
        "actions": [["YES|202611-17", "Ja"], ["open-1", "Plan"]],
        "data": {
            "url": LINK,
            "delivery": "202611-17",
            "actions": [
                {"action": "YES|202611-17", "title": "Ja"},
                {"action": "open-1", "title": "Plan", "url": MAP},
            ],
        },
    }
    # The same ask again takes the place of the first; another stands beside it. The longest payload is read too.
    picture = Picture(url="https://example.org/hall.jpg", alt="The town hall")
    await send(runtime, 18, text="Wörter " * 2_000, picture=picture)
    await send(runtime, 19, topic="ask2", subject="", link="")
    long, other = sorted(await shown(page, "202611-18", "202611-19"), key=lambda each: each["tag"])
    assert long["body"].endswith("Wörter…")
    assert len(long["body"].encode()) > 3_000
    assert long["icon"] == "https://example.org/hall.jpg"
    assert other["title"] == "Tenants Together"


async def test_a_tap_leads_to_the_ask_and_a_button_carries_the_answer(
    browser: BrowserContext, client: TestClient, runtime: Runtime
) -> None:
    await allowed(browser, client, runtime)
    [worker] = browser.service_workers
    actions = [{"action": "YES|202611-17", "title": "Ja"}, {"action": "open-1", "title": "Plan", "url": MAP}]
    for url, pressed, page in (
        (LINK, "", LINK),
        (LINK, "YES|202611-17", f"{LINK}&answer=YES"),
        (LINK, "open-1", MAP),
        (LINK, "unknown", LINK),
        (f"{origin(client)}/a/x", "YES|202611-17", f"{origin(client)}/a/x?answer=YES"),
        ("", "YES|202611-17", ""),
        ("javascript:alert(1)", "", ""),
        ("http://example.org/", "", ""),
    ):
        data = {"url": url, "actions": actions}
        assert await worker.evaluate("([data, pressed]) => destination(data, pressed)", [data, pressed]) == page
    assert await worker.evaluate("() => destination({}, '')") == ""


async def test_what_is_stopped_is_stopped_on_both_sides(
    browser: BrowserContext, client: TestClient, runtime: Runtime
) -> None:
    page = await allowed(browser, client, runtime)
    await page.reload()
    await page.get_by_role("button", name="Stop notifications").click()
    await expect(page.get_by_role("button", name="Allow notifications")).to_be_visible()
    assert await page.evaluate("async () => (await current()) === null")
    async with runtime.store.read() as connection:
        [row] = (await connection.execute(select(address))).all()
        [silent] = (await connection.execute(select(suppression))).all()
    assert (silent.address_hash, silent.channel) == (row.hash, "webpush")
    # Who presses the first button once more is somebody new to the push service, so nothing is undone.
    await page.get_by_role("button", name="Allow notifications").click()
    await expect(page.get_by_role("button", name="Stop notifications")).to_be_visible()
    await send(runtime)
    await shown(page, "202611-17")
    async with runtime.store.read() as connection:
        rows = (await connection.execute(select(address).order_by(address.c.id))).all()
    assert [row.consent for row in rows] == ["revoked", "granted"]


async def test_a_subscription_to_another_key_gives_way(
    browser: BrowserContext, client: TestClient, runtime: Runtime
) -> None:
    """Browsers refuse a second key, so what an earlier set-up left behind must go first."""
    page = await allowed(browser, client, runtime)
    other = Vapid(new_private_key(), "mailto:office@example.org").public_key
    subscribe = """async (key) => {
        await (await current()).unsubscribe();
        const registration = await navigator.serviceWorker.ready;
        await registration.pushManager.subscribe({userVisibleOnly: true, applicationServerKey: keyBytes(key)});
    }"""
    await page.evaluate(subscribe, other)
    await page.reload()
    await page.get_by_role("button", name="Allow notifications").click()
    await expect(page.get_by_role("button", name="Stop notifications")).to_be_visible()
    await send(runtime)
    await shown(page, "202611-17")


async def test_where_the_server_refuses_the_browser_is_not_left_subscribed(
    browser: BrowserContext, client: TestClient, runtime: Runtime
) -> None:
    await browser.grant_permissions(["notifications"], origin=origin(client))
    page = await opened(browser, client, runtime)
    async with runtime.store.write() as connection:
        await connection.execute(text("DELETE FROM member"))
    await page.get_by_role("button", name="Allow notifications").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_role("button", name="Allow notifications")).to_be_enabled()
    assert await page.evaluate("async () => (await current()) === null")


async def test_who_blocks_notifications_is_told_where_to_allow_them(
    browser: BrowserContext, client: TestClient, runtime: Runtime
) -> None:
    page = await browser.new_page()
    await page.add_init_script("Object.defineProperty(Notification, 'permission', {get: () => 'denied'})")
    await page.goto(link(client, runtime))
    await expect(page.get_by_role("heading", name="This browser blocks our notifications.")).to_be_visible()


async def test_an_iphone_is_told_of_its_home_screen(
    browser: BrowserContext, client: TestClient, runtime: Runtime
) -> None:
    page = await browser.new_page()
    await page.add_init_script(
        "delete window.PushManager; Object.defineProperty(navigator, 'userAgent', {get: () => 'iPhone'})"
    )
    await page.goto(link(client, runtime))
    await expect(page.get_by_role("heading", name="First put this page on your home screen.")).to_be_visible()
