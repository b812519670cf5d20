"""The sandbox's FCM: the real adapter over real sockets, every knob."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from channels.fcm.adapter import FcmChannel
from channels.sandbox.fcm import EMAIL, GRANT, PROJECT, SCOPE, Fcm
from channels.sandbox.knobs import Knobs
from channels.sandbox.memory import Memory
from channels.sandbox.world import World
from router.core.channel import Health, HttpReply, OutboundMessage, Picture
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, SendError, Throttled
from router.wire import HttpWire
from tests.channels.contract.fcm import DEVICE, TABLE
from tests.channels.contract.table import DELIVERY
from tests.channels.sandbox_mount import mounted, settings_of


class ImpatientWire(HttpWire):
    async def request(self, *args: Any, **options: Any) -> HttpReply:
        return await super().request(*args, **(options | {"timeout": 0.3}))


@dataclass
class Bench:
    """The adapter, the provider that it talks to, and the clock of both."""

    world: World
    url: str
    environment: dict[str, str]
    channel: FcmChannel
    wire: HttpWire
    now: float

    def turn(self, **knobs: Any) -> None:
        self.world.turn(replace(self.world.knobs, **knobs))

    def message(self, **changes: Any) -> OutboundMessage:
        return TABLE.message(**({"now": datetime.fromtimestamp(self.now, UTC)} | changes))

    async def post(self, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        reply = await self.wire.request("POST", self.url + path, headers=headers, body=body)
        return reply.status, json.loads(reply.body)

    async def ask(self, key: Any, **claims: Any) -> tuple[int, Any]:
        """Ask for an access token."""
        usual = {"iss": EMAIL, "scope": SCOPE, "aud": f"{self.url}/fcm/token", "iat": self.now, "exp": self.now + 3600}
        assertion = jwt.encode(usual | claims, key, algorithm="RS256")
        return await self.post("/fcm/token", urlencode({"grant_type": GRANT, "assertion": assertion}).encode())


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    world = World(Knobs(), Memory(), lambda: bench.now)
    fcm = Fcm(world)
    async with mounted(world, fcm) as url, ImpatientWire() as wire:
        environment = fcm.environment(url)
        channel = FcmChannel(settings_of(FcmChannel.spec, environment), wire)
        bench = Bench(world, url, environment, channel, wire, float(int(time.time())))
        yield bench
        await channel.aclose()


async def test_a_message_arrives_on_the_device_and_names_its_delivery(bench: Bench) -> None:
    picture = Picture(url="https://example.org/rally.jpg", alt="A crowd")
    sent = await bench.channel.send(bench.message(picture=picture, link="https://example.org/a", topic="ask17"))
    [row] = bench.world.memory.accepted
    assert sent.provider_id == f"projects/{PROJECT}/messages/{row.sid}"
    assert (row.provider, row.to, row.delivery, row.code) == ("fcm", DEVICE, str(DELIVERY), 0)
    assert row.text == "Saturday\nCome on Saturday!"
    conversation = bench.world.memory.conversation(DEVICE)
    assert conversation is not None
    assert [entry.text for entry in conversation.entries] == ["Saturday\nCome on Saturday!"]


async def test_the_same_message_twice_is_two_rows(bench: Bench) -> None:
    await bench.channel.send(bench.message())
    await bench.channel.send(bench.message())
    assert bench.world.memory.duplicates() == {str(DELIVERY): 2}
    assert bench.world.memory.counters["fcm_tokens"] == 1


async def test_the_check_reaches_nobody(bench: Bench) -> None:
    assert await bench.channel.check(bench.message().now) == Health(who=PROJECT)
    assert len(bench.world.memory.accepted) == 0


async def test_an_access_token_ends(bench: Bench) -> None:
    await bench.channel.send(bench.message())
    bench.now += 3600
    with pytest.raises(Refused) as caught:
        await bench.channel.send(bench.message(now=bench.message().now - timedelta(minutes=30)))
    assert caught.value.code == "UNAUTHENTICATED"
    await bench.channel.send(bench.message())
    assert bench.world.memory.counters["fcm_tokens"] == 2


async def test_only_the_service_accounts_own_signature_is_taken(bench: Bench) -> None:
    stranger = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    own = json.loads(bench.environment["OUTREACH_FCM_SERVICE_ACCOUNT"])["private_key"]
    status, answer = await bench.ask(own)
    assert (status, answer["token_type"]) == (200, "Bearer")
    assert await bench.ask(stranger) == (
        400,
        {"error": "invalid_grant", "error_description": "Invalid JWT Signature."},
    )
    for claims in (
        {"iss": "somebody@example.org"},
        {"scope": "https://www.googleapis.com/auth/drive"},
        {"aud": "https://example.org/token"},
        {"iat": bench.now - 7200, "exp": bench.now - 3600},
        {"iat": bench.now + 3600, "exp": bench.now + 7200},
        {"exp": bench.now + 7200},
    ):
        status, answer = await bench.ask(own, **claims)
        assert (status, answer["error"]) == (400, "invalid_grant"), claims
    status, answer = await bench.post("/fcm/token", b"grant_type=password")
    assert (status, answer["error"]) == (400, "unsupported_grant_type")


async def test_a_revoked_key_holds_the_queue(bench: Bench) -> None:
    account = json.loads(bench.environment["OUTREACH_FCM_SERVICE_ACCOUNT"])
    settings = settings_of(FcmChannel.spec, bench.environment)
    settings["service_account"] = json.dumps(account | {"client_email": "gone@example.org"})
    with pytest.raises(Refused) as caught:
        await FcmChannel(settings, bench.wire).send(bench.message())
    assert (caught.value.failure, caught.value.code) == (FailureClass.SENDER_CONFIG, "invalid_grant")


async def test_nothing_is_taken_without_an_access_token(bench: Bench) -> None:
    path = f"/fcm/v1/projects/{PROJECT}/messages:send"
    for headers in ({}, {"Authorization": "Bearer guessed"}, {"Authorization": "Basic guessed"}):
        status, answer = await bench.post(path, b'{"message":{"token":"x"}}', **headers)
        assert (status, answer["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert len(bench.world.memory.accepted) == 0


@pytest.mark.parametrize(
    ("code", "kind", "failure"),
    [
        (400, Refused, FailureClass.ADDRESS_DEAD),
        (401, Refused, FailureClass.SENDER_CONFIG),
        (403, Refused, FailureClass.SENDER_CONFIG),
        (404, Refused, FailureClass.ADDRESS_DEAD),
        (429, Throttled, FailureClass.RATE),
        (503, NotSent, FailureClass.TRANSPORT),
    ],
)
async def test_a_device_can_be_refused(bench: Bench, code: int, kind: type, failure: FailureClass) -> None:
    bench.turn(refuse={DEVICE: code})
    with pytest.raises(SendError) as caught:
        await bench.channel.send(bench.message())
    assert type(caught.value) is kind
    assert caught.value.failure is failure
    assert len(bench.world.memory.accepted) == 0


async def test_a_token_of_the_wrong_shape_is_a_dead_address(bench: Bench) -> None:
    with pytest.raises(Refused) as caught:
        await bench.channel.send(replace_to(bench, "not a token"))
    assert caught.value.failure is FailureClass.ADDRESS_DEAD


async def test_what_fcm_would_not_carry_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused) as caught:
        await bench.channel.send(bench.message(subject="x" * 5000))
    assert caught.value.failure is FailureClass.CONTENT
    sent = await bench.channel.send(bench.message(text="ü" * 3500))
    assert sent.provider_id
    grant = (await bench.ask(json.loads(bench.environment["OUTREACH_FCM_SERVICE_ACCOUNT"])["private_key"]))[1]
    for message in (
        {},
        {"token": DEVICE, "data": {"a": 1}},
        {"token": DEVICE, "data": {"from": "x"}},
        {"token": DEVICE, "notification": []},
        {"token": DEVICE, "android": {"ttl": "9999999s"}},
        {"token": DEVICE, "android": {"ttl": 60}},
        [],
    ):
        status, answer = await bench.post(
            f"/fcm/v1/projects/{PROJECT}/messages:send",
            json.dumps({"message": message}).encode(),
            Authorization=f"Bearer {grant['access_token']}",
        )
        assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT"), message
    assert len(bench.world.memory.accepted) == 1


async def test_errors_and_throttling(bench: Bench) -> None:
    bench.turn(error_rate=1)
    with pytest.raises(NotSent) as caught:
        await bench.channel.send(bench.message())
    assert caught.value.code == "INTERNAL"
    bench.turn(error_rate=0, throttle_rate=1, retry_after=3)
    with pytest.raises(Throttled) as throttled:
        await bench.channel.send(bench.message())
    assert throttled.value.retry_after == 3
    assert len(bench.world.memory.accepted) == 0


@pytest.mark.parametrize("knob", ["timeout_after_accept", "drop_after_accept"])
async def test_an_answer_that_never_comes_leaves_the_message_accepted(bench: Bench, knob: str) -> None:
    bench.turn(**{knob: 1})
    with pytest.raises(OutcomeUnknown):
        await bench.channel.send(bench.message())
    assert [row.delivery for row in bench.world.memory.accepted] == [str(DELIVERY)]


async def test_latency_delays_the_answer(bench: Bench) -> None:
    await bench.channel.send(bench.message())
    bench.turn(latency=0.15)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await bench.channel.send(bench.message())
    assert loop.time() - begin >= 0.1


async def test_what_does_not_arrive_is_marked(bench: Bench) -> None:
    bench.turn(fail={DEVICE: 404})
    await bench.channel.send(bench.message())
    assert bench.world.memory.accepted[0].code == 404
    conversation = bench.world.memory.conversation(DEVICE)
    assert conversation is not None
    assert conversation.entries[-1].text == "did not arrive (404)"


def replace_to(bench: Bench, device: str) -> OutboundMessage:
    return replace(TABLE, to=device).message(now=bench.message().now)
