"""The page on which a member lets a browser get notifications."""

from __future__ import annotations

import dataclasses
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import select, text

from channels.webpush.adapter import WebPushChannel
from channels.webpush.vapid import new_private_key
from router.core import consent as consents
from router.core.address import address_hash
from router.core.catalogue import translator
from router.core.consent import Allow
from router.core.join_links import join_token
from router.core.links import unsubscribe_token
from router.core.model import DeliveryRef, Reason
from router.core.push import parse_subscription
from router.records.browsers import MOST_BROWSERS
from router.runtime import Runtime
from router.store.engine import Store
from router.store.people import read_members_by_id
from router.store.tables import address, consent, suppression
from router.web.push import wording
from router.wire import HttpWire
from tests.support.runtime import Clock, build_runtime, running_runtime
from tests.web.conftest import serving
from tests.web.test_pages import Page

ENDPOINT = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"
ANA, BEN, ERASED = 1, 2, 3


def channel(wire: HttpWire) -> WebPushChannel:
    settings = {"vapid_private_key": new_private_key(), "vapid_subject": "mailto:office@example.org"}
    about = {"account": "main", "webhook_url": "https://outreach.example.org/hooks/webpush/main", "organization": "T"}
    return WebPushChannel({**settings, **about}, wire)


@pytest.fixture
async def runtime(store: Store, clock: Clock) -> AsyncIterator[Runtime]:
    """Ana has a phone that she likes best, Ben nothing, and the third was erased."""
    async with HttpWire() as wire:
        channels = {"webpush": {"main": channel(wire)}}
        async with running_runtime(store, clock=clock, channels=channels) as runtime:
            async with store.write() as connection:
                for statement in (
                    "INSERT INTO member (id, joined_at, created_at, updated_at, erased_at)"
                    " VALUES (1, 0, 0, 0, NULL), (2, 0, 0, 0, NULL), (3, 0, 0, 0, 7)",
                    "INSERT INTO address (id, member_id, channel, value, hash, consent, created_at)"
                    " VALUES (4, 1, 'sms', '+12025550123', 'hash-of-ana', 'granted', 0)",
                ):
                    await connection.execute(text(statement))
            yield runtime


def path(runtime: Runtime, member: int = ANA, days: float = 7) -> str:
    return f"/push/{join_token(runtime.key, member, runtime.clock() + timedelta(days=days))}"


def browser(number: int = 0, **changes: Any) -> dict[str, Any]:
    """What ``JSON.stringify(subscription)`` gives in a browser."""
    keys = {
        "p256dh": urlsafe_b64encode(b"\x04" + bytes([number]) * 64).rstrip(b"=").decode(),
        "auth": urlsafe_b64encode(bytes([number]) * 16).rstrip(b"=").decode(),
    }
    return {"endpoint": f"{ENDPOINT}{number}", "expirationTime": None, "keys": keys} | changes


async def rows(runtime: Runtime, table: Any) -> list[Any]:
    async with runtime.store.read() as connection:
        return list((await connection.execute(select(table).order_by(table.c[0]))).all())


async def browsers(runtime: Runtime) -> list[tuple[int, str, str]]:
    """(member, state, consent) of each browser."""
    return [(row.member_id, row.state, row.consent) for row in await rows(runtime, address) if row.channel == "webpush"]


async def send(client: TestClient, method: str, where: str, body: Any) -> tuple[int, Any]:
    async with client.request(method, where, json=body) as response:
        is_json = response.content_type == "application/json"
        return response.status, await response.json() if is_json else await response.text()


async def test_allowing_stores_the_browser_and_what_was_agreed_to(client: TestClient, runtime: Runtime) -> None:
    assert await send(client, "POST", path(runtime), browser()) == (200, {"subscribed": True})
    stored = [row for row in await rows(runtime, address) if row.channel == "webpush"]
    assert [(row.member_id, row.account, row.state, row.consent) for row in stored] == [
        (ANA, "main", "active", "granted")
    ]
    value = runtime.store.seals.open("webpush", stored[0].hash, stored[0].value)
    assert parse_subscription(value).endpoint == f"{ENDPOINT}0"
    assert stored[0].hash == address_hash(runtime.key, "webpush", value)
    [given] = await rows(runtime, consent)
    assert (given.member_id, given.channel, given.address_hash) == (ANA, "webpush", stored[0].hash)
    assert (given.state, given.source) == ("granted", "browser permission")
    async with client.get(path(runtime)) as response:
        page = await response.text()
    assert given.wording == wording("Tenants Together", translator("en"))
    assert given.wording in page
    assert given.at == runtime.clock()


async def test_the_browser_is_what_the_member_chose_last(client: TestClient, runtime: Runtime) -> None:
    await send(client, "POST", path(runtime), browser())
    async with runtime.store.read() as connection:
        ana = (await read_members_by_id(connection, [ANA]))[ANA]
    assert [found.channel for found in ana.addresses] == ["webpush", "sms"]
    assert isinstance(consents.check(ana.addresses[0]), Allow)


async def test_stopping_holds_before_the_answer_and_for_good(client: TestClient, runtime: Runtime) -> None:
    await send(client, "POST", path(runtime), browser())
    for _ in range(2):
        assert await send(client, "DELETE", path(runtime), browser()) == (200, {"subscribed": False})
        [silent] = await rows(runtime, suppression)
        assert (silent.channel, silent.reason) == ("webpush", "unsubscribe")
    async with runtime.store.read() as connection:
        ana = (await read_members_by_id(connection, [ANA]))[ANA]
    assert consents.check(ana.addresses[0]) is Reason.SUPPRESSED
    assert (await send(client, "POST", path(runtime), browser()))[0] == 409
    assert await browsers(runtime) == [(ANA, "active", "revoked")]
    assert (await send(client, "POST", path(runtime), browser(1)))[0] == 200


async def test_nobody_stops_what_is_not_theirs(client: TestClient, runtime: Runtime) -> None:
    await send(client, "POST", path(runtime), browser())
    assert await send(client, "DELETE", path(runtime, BEN), browser()) == (200, {"subscribed": False})
    assert await rows(runtime, suppression) == []
    assert await browsers(runtime) == [(ANA, "active", "granted")]


async def test_a_browser_has_one_owner(client: TestClient, runtime: Runtime) -> None:
    for member in (ANA, BEN):
        await send(client, "POST", path(runtime, member), browser())
    assert await browsers(runtime) == [(ANA, "dead", "granted"), (BEN, "active", "granted")]
    await send(client, "POST", path(runtime), browser())
    assert await browsers(runtime) == [(ANA, "active", "granted"), (BEN, "dead", "granted")]


async def test_one_member_has_so_many_browsers_and_no_more(client: TestClient, runtime: Runtime) -> None:
    for number in range(MOST_BROWSERS):
        assert (await send(client, "POST", path(runtime), browser(number)))[0] == 200
    assert (await send(client, "POST", path(runtime), browser(MOST_BROWSERS)))[0] == 409
    assert (await send(client, "POST", path(runtime), browser(3)))[0] == 200, "one that is known may come again"
    assert (await send(client, "POST", path(runtime, BEN), browser(MOST_BROWSERS)))[0] == 200
    await send(client, "DELETE", path(runtime), browser(5))
    assert (await send(client, "POST", path(runtime), browser(99)))[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_link_that_is_not_ours_or_too_old_gets_a_sentence(
    client: TestClient, runtime: Runtime, method: str
) -> None:
    late = path(runtime, days=-0.01)
    other = f"/push/{unsubscribe_token(runtime.key, DeliveryRef(202611, ANA))}"
    for where in ("/push/x", "/push/" + "A" * 32, "/push/" + "A" * 200, "/push/%00", late, other, path(runtime)[:-1]):
        async with client.request(method, where, json=browser() if method != "GET" else None) as response:
            assert response.status == 404, where
            assert response.content_type == "text/html"
            assert "too old" in await response.text()
    assert await browsers(runtime) == []


async def test_a_link_of_nobody_stores_nothing(client: TestClient, runtime: Runtime) -> None:
    for member in (ERASED, 4711):
        assert (await send(client, "POST", path(runtime, member), browser()))[0] == 404
    assert await browsers(runtime) == []
    assert await rows(runtime, consent) == []


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        browser(keys={}),
        browser(keys={"p256dh": "AAAA", "auth": "AAAA"}),
        browser(endpoint="http://push.example.net/x"),
        browser(endpoint="https://user@push.example.net/x"),
        browser(endpoint="javascript:alert(1)"),
        browser(endpoint="https://push.example.net/" + "x" * 2_000),
    ],
)
async def test_what_is_no_subscription_is_refused(client: TestClient, runtime: Runtime, body: Any) -> None:
    for method in ("POST", "DELETE"):
        status, answer = await send(client, method, path(runtime), body)
        assert status == 422
        assert "push.example.net" not in answer
    assert await browsers(runtime) == []


async def test_where_no_channel_is_set_up_there_is_no_page(store: Store) -> None:
    runtime = build_runtime(store)
    async with serving(runtime) as client, client.get(path(runtime)) as response:
        assert response.status == 404
        assert "not switched on" in await response.text()


async def test_guessing_is_slowed_down(client: TestClient) -> None:
    for tries in range(2_000):
        async with client.get(f"/push/guess{tries}") as response:
            if response.status == 429:
                break
            assert response.status == 404
    assert 40 <= tries < 1_999


# ── the page and its files ────────────────────────────────────────────────────────────────────────────────────────────


def directives(policy: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


async def test_the_page_runs_our_script_and_nothing_else(client: TestClient, runtime: Runtime) -> None:
    async with client.get(path(runtime)) as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        policy = directives(response.headers["Content-Security-Policy"])
        page = Page(await response.text())
    assert policy["default-src"] == "'none'"
    for name in ("script-src", "connect-src", "worker-src", "style-src", "manifest-src"):
        assert policy[name] == "'self'", name
    assert not {name for name, value in policy.items() if "unsafe" in value or "*" in value or "http" in value}
    assert [found["src"] for tag, found in page.tags if tag == "script"] == ["/push/static/push.js"]
    assert not {tag for tag, _ in page.tags} & {"style", "img", "iframe", "form"}
    assert not any(name == "style" or name.startswith("on") for _, found in page.tags for name in found)
    [root] = [found for _, found in page.tags if found.get("id") == "push"]
    assert root["data-key"] == runtime.channels["webpush"]["main"].public_key  # type: ignore[attr-defined]
    for tag, found in page.tags:
        where = found.get("src") or (found.get("href") if tag == "link" else None)
        if where:
            async with client.get(where) as response:
                assert response.status == 200, where


async def test_every_state_of_the_script_has_its_words(client: TestClient, runtime: Runtime) -> None:
    async with client.get(path(runtime)) as response:
        states = set(re.findall(r'data-state="([a-z-]+)"', await response.text()))
    async with client.get("/push/static/push.js") as response:
        assert response.content_type == "text/javascript"
        shown = set(re.findall(r'"(off|on|denied|home-screen|unsupported|loading)"', await response.text()))
    assert states - {"loading"} == shown


async def test_the_service_worker_lies_at_the_root_and_loads_pictures_only(client: TestClient) -> None:
    async with client.get("/sw.js") as response:
        assert (response.status, response.content_type) == (200, "text/javascript")
        assert directives(response.headers["Content-Security-Policy"]) == {
            "default-src": "'none'",
            "img-src": "https:",
        }
        assert response.headers["Cache-Control"] == "no-cache"


async def test_the_manifest_bears_the_organizations_name(store: Store) -> None:
    async with serving(build_runtime(store, organization='A "B" <C>')) as client:
        async with client.get("/push/static/app.webmanifest") as response:
            assert response.content_type == "application/manifest+json"
            assert json.loads(await response.text()) == {
                "name": 'A "B" <C>',
                "short_name": 'A "B" <C>',
                "display": "standalone",
            }
        async with client.get("/push/static/other.js") as response:
            assert response.status == 404


async def test_the_organization_is_text_not_markup(runtime: Runtime) -> None:
    settings = runtime.settings.model_copy(update={"organization": "<b>A&B</b>"})
    other = dataclasses.replace(runtime, settings=settings)
    async with serving(other) as client, client.get(path(other)) as response:
        page = await response.text()
    assert "&lt;b&gt;A&amp;B&lt;/b&gt; may send" in page
    assert "<b>A" not in page
