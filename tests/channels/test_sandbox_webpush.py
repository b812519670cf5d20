"""The sandbox's push service: the real adapter over real sockets, every knob, and what our adapter would not send."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from channels.sandbox.browsers import encode, point, private_key, public_keys
from channels.sandbox.httpd import Connection
from channels.sandbox.knobs import Knobs
from channels.sandbox.memory import Memory
from channels.sandbox.webpush import WebPush
from channels.sandbox.world import World
from channels.webpush.adapter import WebPushChannel
from channels.webpush.encryption import encrypt, padded
from router.core import consent
from router.core.channel import Button, OutboundMessage
from router.core.errors import FailureClass, NotSent, Refused, SendError, Throttled
from router.core.model import Address, ConsentState, DeliveryRef
from router.core.push import parse_subscription, subscription_value
from router.wire import HttpWire


class Service:
    """A push service on loopback, and the adapter pointed at it as an operator would."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.memory = Memory()
        self.world = World(Knobs(reply_delay=0.001), self.memory, lambda: self.now.timestamp())
        self.push = WebPush(self.world)
        self._connections: set[Connection] = set()

    async def __aenter__(self) -> Service:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self.push.handle, self._connections), "127.0.0.1")
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.wire = HttpWire()
        environment = self.push.environment(self.url)
        settings = {name.removeprefix("OUTREACH_WEBPUSH_").lower(): value for name, value in environment.items()}
        about = {"account": "main", "webhook_url": "https://router.example.org/hooks/x", "organization": "Union"}
        self.channel = WebPushChannel({**settings, **about}, self.wire)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.wire.aclose()
        await self.push.aclose()
        await self.world.callbacks.aclose()
        self._server.close()
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)
        await self._server.wait_closed()

    def turn(self, **changes: Any) -> None:
        self.world.turn(self.world.knobs.turned(changes))

    def endpoint(self, name: str = "ana") -> str:
        endpoint: str = self.push.subscription(self.url, name)["endpoint"]
        return endpoint

    async def send(self, name: str = "ana", number: int = 17, **changes: Any) -> str:
        address = Address(
            id=1,
            channel="webpush",
            value=self.push.address(self.url, name),
            hash="h",
            consent=ConsentState.GRANTED,
        )
        allow = consent.check(address)
        assert isinstance(allow, consent.Allow)
        values = {"text": "Come on Saturday!", "subject": "Saturday", "topic": "ask1"} | changes
        message = OutboundMessage(allow=allow, delivery=DeliveryRef(202611, number), now=self.now, **values)
        return (await self.channel.send(message)).provider_id

    async def settle(self) -> None:
        await self.world.callbacks.idle()
        await self.push.idle()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with Service() as service:
        yield service


async def test_the_real_adapters_message_is_read_by_the_browser(service: Service) -> None:
    name = await service.send("ana é/1", text="Ça va? 🎉", link="https://example.org/a/x", urgent=True)
    assert name.startswith("/WP"), "what the ledger keeps of a message does not name the browser"
    [accepted] = service.memory.accepted
    assert (accepted.provider, accepted.to, accepted.delivery) == ("webpush", service.endpoint("ana é/1"), "202611-17")
    assert accepted.text == "Ça va? 🎉"
    [shown] = service.push.screen(accepted.to)
    assert (shown["title"], shown["url"], shown["tag"]) == ("Saturday", "https://example.org/a/x", "ask1")
    phone = service.memory.conversation(accepted.to)
    assert phone is not None
    assert phone.entries[-1].text == "Saturday\nÇa va? 🎉\nhttps://example.org/a/x"


async def test_the_browser_hands_out_what_the_page_stores(service: Service) -> None:
    assert subscription_value(service.push.subscription(service.url, "ana")) == service.push.address(service.url, "ana")
    assert service.channel.public_key == service.push.public_key


async def test_one_ask_is_one_notification_and_nothing_is_merged_in_memory(service: Service) -> None:
    for number in (1, 1, 2):
        await service.send(number=number)
    await service.send(number=3, topic="ask2")
    assert [row.delivery for row in service.memory.accepted] == ["202611-1", "202611-1", "202611-2", "202611-3"]
    assert [shown["delivery"] for shown in service.push.screen(service.endpoint())] == ["202611-2", "202611-3"]
    assert service.memory.duplicates() == {"202611-1": 2}


@pytest.mark.parametrize(
    ("knobs", "error", "failure", "kept"),
    [
        ({"error_rate": 1}, NotSent, FailureClass.TRANSPORT, 0),
        ({"throttle_rate": 1, "retry_after": 7}, Throttled, FailureClass.RATE, 0),
        ({"drop_after_accept": 1}, NotSent, FailureClass.TRANSPORT, 1),
    ],
)
async def test_misfortune_is_told_as_it_is(
    service: Service, knobs: dict[str, float], error: type[SendError], failure: FailureClass, kept: int
) -> None:
    service.turn(**knobs)
    with pytest.raises(error) as caught:
        await service.send()
    assert caught.value.failure is failure
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after == 7
    assert len(service.memory.accepted) == kept
    service.turn(**dict.fromkeys(knobs, 0))
    await service.send()
    assert len(service.push.screen(service.endpoint())) == 1


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (404, FailureClass.ADDRESS_DEAD),
        (410, FailureClass.ADDRESS_DEAD),
        (413, FailureClass.CONTENT),
        (403, FailureClass.SENDER_CONFIG),
    ],
)
async def test_browsers_are_refused_by_the_table(service: Service, code: int, failure: FailureClass) -> None:
    service.turn(refuse={service.endpoint("bo"): code})
    with pytest.raises(Refused) as caught:
        await service.send("bo")
    assert caught.value.failure is failure
    await service.send("ana")


async def test_an_accepted_message_may_never_show(service: Service) -> None:
    service.turn(fail={service.endpoint(): 1})
    await service.send()
    assert service.memory.accepted[0].code == 1
    assert service.push.screen(service.endpoint()) == []


async def test_an_answer_takes_its_time(service: Service) -> None:
    service.turn(latency=0.1)
    start = time.monotonic()
    await service.send()
    assert time.monotonic() - start >= 0.1


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def our_pages() -> AsyncIterator[tuple[str, list[str]]]:
    """A page of ours that keeps how it was opened."""
    opened: list[str] = []

    async def take(request: web.Request) -> web.Response:
        assert "Mozilla" in request.headers["User-Agent"]
        opened.append(str(request.rel_url))
        return web.Response(status=302, headers={"Location": "https://example.org/"})

    app = web.Application()
    app.router.add_get("/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", opened
    finally:
        await runner.cleanup()


YES = (Button(label="I'll come", reply="YES"), Button(label="What?", reply="HELP"))


async def test_people_press_the_button_that_fits(service: Service) -> None:
    service.turn(p_yes=0.55, p_help=0.2, seed=3)
    async with our_pages() as (url, opened):
        for number in range(100):
            await service.send(f"browser{number}", number, link=f"{url}/a/{number}?x=1", buttons=YES)
        await service.settle()
        words = [path.rpartition("=")[2] for path in opened]
        assert all("?x=1&answer=" in path for path in opened)
        assert words.count("YES") > words.count("HELP") > 0
        assert len(opened) < 100
        assert service.memory.counters["replies"] == len(opened) == service.memory.counters["visits_answered_302"]
        before = len(opened)
        for number in range(100):
            await service.send(f"browser{number}", 1_000 + number, link=f"{url}/a/{number}", buttons=YES)
        await service.settle()
        assert len(opened) == before, "one phone answers once by itself"


async def test_nobody_presses_what_is_not_there(service: Service) -> None:
    service.turn(p_yes=1)
    async with our_pages() as (url, opened):
        await service.send("ana", link=url)
        await service.send("bo", buttons=YES)
        await service.settle()
        assert opened == []


async def test_a_stop_takes_the_permission_back(service: Service) -> None:
    service.turn(p_stop=1)
    await service.send()
    await service.settle()
    with pytest.raises(Refused) as caught:
        await service.send()
    assert caught.value.failure is FailureClass.ADDRESS_DEAD
    assert service.push.screen(service.endpoint()) == []


async def test_somebody_answers_by_hand(service: Service) -> None:
    async with our_pages() as (url, opened):
        await service.send(link=f"{url}/a/1", buttons=YES)
        await service.send(link=f"{url}/a/2", topic="ask2")
        service.push.answer(service.endpoint(), "YES")
        await service.settle()
        assert opened == ["/a/1?answer=YES"]
        with pytest.raises(ValueError, match="YES"):
            service.push.answer(service.endpoint(), "YES")
    service.push.answer(service.endpoint(), "stop")
    with pytest.raises(Refused):
        await service.send()


async def test_a_page_that_nobody_serves_is_counted(service: Service) -> None:
    await service.send(link="http://127.0.0.1:9/a/1", buttons=YES)
    service.push.answer(service.endpoint(), "YES")
    await service.settle()
    assert service.memory.counters["visits_failed"] == 1


# ── what a push service refuses ───────────────────────────────────────────────────────────────────────────────────────


def vapid(service: Service, *, name: str = "vapid", **changes: Any) -> str:
    """A header made by PyJWT, not by the adapter."""
    claims = {"aud": service.url, "exp": int(service.now.timestamp()) + 3600, "sub": "mailto:a@example.org"}
    token = jwt.encode({k: v for k, v in (claims | changes).items() if v is not None}, private_key(name), "ES256")
    return f"vapid t={token}, k={encode(point(private_key(name)))}"


async def post(service: Service, body: bytes | None = None, **changes: str | None) -> int:
    keys = service.push.address(service.url, "ana").split(" ")
    if body is None:
        body = sealed(json.dumps({"title": "Hi", "delivery": "202611-1"}).encode())
    headers = {"TTL": "60", "Content-Encoding": "aes128gcm", "Topic": "t", "Authorization": vapid(service)}
    given = {k: v for k, v in (headers | {n.replace("_", "-"): v for n, v in changes.items()}).items() if v is not None}
    async with aiohttp.ClientSession() as session, session.post(keys[0], data=body, headers=given) as response:
        return response.status


def sealed(plain: bytes, name: str = "ana") -> bytes:
    keys = public_keys(name)
    found = parse_subscription(f"https://push.example.net/x {keys['p256dh']} {keys['auth']}")
    key, salt = private_key(os.urandom(8).hex()), os.urandom(16)
    return encrypt(padded(plain), p256dh=found.p256dh, auth=found.auth, key=key, salt=salt)


async def test_what_keeps_to_the_rfcs_is_taken(service: Service) -> None:
    assert await post(service) == 201
    assert await post(service, Topic=None, Urgency="very-low") == 201
    assert len(service.memory.accepted) == 2


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"TTL": None}, 400),
        ({"TTL": "-1"}, 400),
        ({"Urgency": "now"}, 400),
        ({"Topic": "a b"}, 400),
        ({"Topic": "t" * 33}, 400),
        ({"Content_Encoding": "aesgcm"}, 400),
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer x"}, 401),
    ],
)
async def test_headers_are_looked_at(service: Service, changes: dict[str, str | None], status: int) -> None:
    assert await post(service, **changes) == status
    assert len(service.memory.accepted) == 0


async def test_tokens_are_looked_at(service: Service) -> None:
    now = service.now.timestamp()
    for changes in (
        {"name": "another key"},
        {"aud": "https://push.example.net"},
        {"aud": None},
        {"exp": int(now) - 1},
        {"exp": int(now) + 90_000},
        {"exp": None},
        {"sub": None},
    ):
        assert await post(service, Authorization=vapid(service, **changes)) == 401, changes
    good = vapid(service)
    other = vapid(service, name="another key")
    mixed = good.partition("k=")[0] + "k=" + other.partition("k=")[2]
    forged = other.partition(", k=")[0] + ", k=" + good.partition("k=")[2]
    for header in (mixed, forged):
        assert await post(service, Authorization=header) == 401
    assert await post(service, Authorization=good) == 201
    service.now += timedelta(hours=1)
    assert await post(service, Authorization=good) == 401


async def test_bodies_are_really_decrypted(service: Service) -> None:
    good = sealed(b'{"title":"Hi"}')
    for body in (
        b"",
        b"x" * 200,
        good[:-1] + bytes([good[-1] ^ 1]),
        sealed(b'{"title":"Hi"}', "bo"),
        sealed(b"[]"),
        sealed(b'{"title":7}'),
        sealed(b"not JSON"),
    ):
        assert await post(service, body) == 400
    assert await post(service, good + b"x" * 4096) == 413
    assert await post(service, good) == 201
    async with aiohttp.ClientSession() as session, session.get(f"{service.url}/webpush/ana") as response:
        assert response.status == 404
