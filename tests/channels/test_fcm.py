"""What the contract tables do not say of the fcm channel: its access tokens, its settings, its size limit."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from channels.fcm.message import encoded, request_body, shortened
from router.core.errors import BadInput, NotSent, Refused
from router.wire import HttpWire
from tests.channels.contract.fcm import (
    GRANTED,
    INVALID_TOKEN,
    NAME,
    PEM,
    SENT,
    TABLE,
    FcmProvider,
    TokenReply,
    error,
    service_account,
)
from tests.channels.contract.table import NOW


@pytest.fixture
async def provider() -> AsyncIterator[FcmProvider]:
    provider = FcmProvider()
    await provider.start()
    yield provider
    await provider.stop()
    assert provider.api.leftovers() == []


def after(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def granted(number: int) -> TokenReply:
    return TokenReply(200, {"access_token": f"token-{number}", "expires_in": 3600})


def bearers(provider: FcmProvider) -> list[str]:
    return [request.headers["authorization"] for request in provider.api.requests]


async def asked_for_tokens(provider: FcmProvider, times: int) -> None:
    async with asyncio.timeout(5):
        for _ in range(5000):
            if len(provider.tokens.requests) >= times:
                return
            await asyncio.sleep(0.001)


async def test_sends_at_the_same_time_share_one_token_request(provider: FcmProvider, wire: HttpWire) -> None:
    provider.script(*[SENT] * 20)
    channel = TABLE.open(wire, **provider.settings())
    sent = await asyncio.gather(*(channel.send(TABLE.message()) for _ in range(20)))
    assert {one.provider_id for one in sent} == {NAME}
    assert len(provider.tokens.requests) == 1


async def test_one_failed_token_request_fails_all_who_waited_for_it_and_nobody_later(
    provider: FcmProvider, wire: HttpWire
) -> None:
    provider.script(TokenReply(503), SENT)
    channel = TABLE.open(wire, **provider.settings())
    results = await asyncio.gather(*(channel.send(TABLE.message()) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [NotSent] * 5
    assert len(provider.tokens.requests) == 1
    assert (await channel.send(TABLE.message())).provider_id == NAME


async def test_a_token_serves_until_its_end_and_is_renewed_five_minutes_before(
    provider: FcmProvider, wire: HttpWire
) -> None:
    provider.script(granted(1), granted(2), SENT, SENT, SENT, SENT)
    channel = TABLE.open(wire, **provider.settings())
    await channel.send(TABLE.message(now=NOW))
    await channel.send(TABLE.message(now=after(54.9)))
    assert len(provider.tokens.requests) == 1
    await channel.send(TABLE.message(now=after(55)))  # still with the old one: nobody waits for the new
    await asked_for_tokens(provider, 2)
    await asyncio.sleep(0.05)
    await channel.send(TABLE.message(now=after(55.1)))
    assert bearers(provider) == ["Bearer token-1"] * 3 + ["Bearer token-2"]
    form = parse_qs(provider.tokens.requests[1].body.decode())
    claims = jwt.decode(form["assertion"][0], options={"verify_signature": False})
    assert claims["iat"] == int(after(55).timestamp())


async def test_a_token_at_its_end_is_waited_for(provider: FcmProvider, wire: HttpWire) -> None:
    provider.script(granted(1), granted(2), SENT, SENT)
    channel = TABLE.open(wire, **provider.settings())
    await channel.send(TABLE.message(now=NOW))
    await channel.send(TABLE.message(now=after(59.8)))
    assert bearers(provider) == ["Bearer token-1", "Bearer token-2"]


async def test_a_renewal_that_fails_while_the_old_token_serves_harms_nobody(
    provider: FcmProvider, wire: HttpWire
) -> None:
    provider.script(granted(1), TokenReply(503), granted(2), SENT, SENT, SENT)
    channel = TABLE.open(wire, **provider.settings())
    for minutes in (0, 56, 59.9):
        await channel.send(TABLE.message(now=after(minutes)))
        await asyncio.sleep(0.05)
    assert bearers(provider) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_a_token_that_is_no_longer_taken_is_replaced(provider: FcmProvider, wire: HttpWire) -> None:
    provider.script(granted(1), granted(2), error(401, "UNAUTHENTICATED"), SENT)
    channel = TABLE.open(wire, **provider.settings())
    with pytest.raises(Refused):
        await channel.send(TABLE.message())
    await channel.send(TABLE.message())
    assert bearers(provider) == ["Bearer token-1", "Bearer token-2"]


async def test_who_gives_up_does_not_take_the_token_from_the_others(provider: FcmProvider, wire: HttpWire) -> None:
    provider.script(SENT)
    channel = TABLE.open(wire, **provider.settings())
    first = asyncio.create_task(channel.send(TABLE.message()))
    second = asyncio.create_task(channel.send(TABLE.message()))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).provider_id == NAME
    assert first.cancelled()
    assert len(provider.tokens.requests) == 1


async def test_closing_gives_up_a_token_that_is_being_fetched(provider: FcmProvider, wire: HttpWire) -> None:
    provider.script(TokenReply(hang=True))
    channel = TABLE.open(wire, **provider.settings())
    sending = asyncio.create_task(channel.send(TABLE.message()))
    await asked_for_tokens(provider, 1)
    await asyncio.wait_for(channel.aclose(), 1)
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_a_check_sends_nothing_to_anybody(provider: FcmProvider, wire: HttpWire) -> None:
    provider.script(INVALID_TOKEN)
    await TABLE.open(wire, **provider.settings()).check(NOW)
    [request] = provider.api.requests
    assert json.loads(request.body)["validate_only"] is True


async def test_the_account_may_be_given_as_base64(provider: FcmProvider, wire: HttpWire) -> None:
    provider.script(GRANTED, SENT)
    settings = provider.settings()
    folded = base64.encodebytes(settings["service_account"].encode()).decode()
    assert "\n" in folded.strip()
    channel = TABLE.open(wire, **(settings | {"service_account": folded}))
    assert (await channel.send(TABLE.message())).provider_id == NAME


def test_the_projects_name_cannot_change_the_address() -> None:
    channel = TABLE.open(HttpWire(), service_account=service_account(project_id="a/../b?c"))
    assert "/v1/projects/a%2F..%2Fb%3Fc/messages:send" in repr(vars(channel))


EC_KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("given_text", "sentence"),
    [
        ("/etc/fcm.json", "neither JSON nor base64"),
        (base64.b64encode(b"\xff\xfe").decode(), "neither JSON nor base64"),
        ("{" + service_account(), "not the JSON"),
        (base64.b64encode(b"[]").decode(), "not the JSON"),
        ("{}", "not the JSON"),
        (service_account(project_id=""), "no project_id"),
        (service_account(client_email=""), "no client_email"),
        (service_account(private_key=""), "no private_key"),
        (service_account(private_key=PEM[:200]), "cannot be read"),
        (service_account(private_key=EC_KEY.decode()), "not an RSA key"),
    ],
)
def test_a_bad_account_is_named_and_not_repeated(given_text: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence) as caught:
        TABLE.open(HttpWire(), service_account=given_text)
    assert caught.value.place == "OUTREACH_FCM_SERVICE_ACCOUNT"
    assert given_text[:20] not in str(caught.value).replace("{}", "")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.text(max_size=300), st.integers(min_value=5, max_value=400))
def test_a_shortened_text_fits_and_is_the_beginning(text: str, room: int) -> None:
    short = shortened(text, room)
    assert len(encoded(short)) <= max(room, 5)
    assert short.endswith("…")
    assert text.startswith(short[:-1])


@pytest.mark.parametrize(
    ("text", "room", "short"),
    [
        ("one two three", 5 + len("one two th"), "one two…"),
        ("one two three", 5 + len("one two"), "one two…"),
        ("one two three", 5 + len("on"), "on…"),
        ("春夏秋冬春夏秋冬", 5 + 9, "春夏秋…"),
        ("short " + "x" * 60, 5 + 50, "short " + "x" * 44 + "…"),
    ],
)
def test_a_text_is_cut_at_a_word_where_there_is_one(text: str, room: int, short: str) -> None:
    assert shortened(text, room) == short


def test_a_message_is_cut_only_where_it_is_too_long() -> None:
    whole = 0
    texts = [start + "é" * length for start in ("", "x") for length in range(1700, 1900)]
    for text in texts:
        message = json.loads(request_body(TABLE.message(text=text)))["message"]
        del message["token"]
        size, body = len(encoded(message)), message["notification"]["body"]
        assert size <= 4096
        assert body == text or size > 4096 - 3
        whole += body == text
    assert 0 < whole < len(texts)


async def test_a_reply_of_the_token_endpoint_without_a_life_is_good_for_an_hour(
    provider: FcmProvider, wire: HttpWire
) -> None:
    provider.script(TokenReply(200, {"access_token": "token-1", "expires_in": "soon"}), SENT, SENT)
    channel = TABLE.open(wire, **provider.settings())
    await channel.send(TABLE.message(now=NOW))
    await channel.send(TABLE.message(now=after(54)))
    assert bearers(provider) == ["Bearer token-1"] * 2
