"""Web Push by the test vectors of its RFCs, and what the contract table does not say of the channel."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.webpush.encryption import encrypt, padded, seal
from channels.webpush.payload import MOST_BYTES, build_payload, shortened
from channels.webpush.vapid import REUSE, Vapid, encode, load_private_key, new_private_key
from router.core.channel import HttpReply, Picture
from router.core.errors import BadAddress, BadInput, FailureClass, Refused
from router.core.push import parse_subscription, push_host, subscription_value
from router.wire import HttpWire
from tests.channels.contract.table import NOW
from tests.channels.contract.webpush import (
    AUTH,
    SUBJECT,
    TABLE,
    TAKEN,
    UA_PUBLIC,
    VAPID_PRIVATE,
    PushProvider,
    opened,
    raw,
    to,
)

ENDPOINT = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"


def test_the_vector_of_rfc_8291_appendix_a() -> None:
    body = encrypt(
        b"When I grow up, I want to be a watermelon\x02",
        p256dh=raw(UA_PUBLIC),
        auth=raw(AUTH),
        key=load_private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        salt=raw("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert encode(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3"
        "jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_the_vector_of_rfc_8188_section_3_1() -> None:
    body = seal(
        b"I am the walrus\x02", ikm=raw("yqdlZ-tYemfogSmv7Ws5PQ"), salt=raw("I1BsxtFttlv3u_Oo94xnmw"), key_id=b""
    )
    assert encode(body) == "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg"


def test_the_token_of_rfc_8292_section_2_4() -> None:
    """All but the signature, which is another one each time."""
    vapid = Vapid(new_private_key(), "mailto:push@example.com")
    token = vapid.token("https://push.example.net", 1453523768)
    assert token.rpartition(".")[0] == (
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1"
        "YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0"
    )


def claims(header: str, now: datetime) -> dict[str, Any]:
    """What a push service finds in the header, once PyJWT has checked the signature with the key beside it."""
    scheme, token, key = header.split(" ")
    assert (scheme, token[:2], token[-1], key[:2]) == ("vapid", "t=", ",", "k=")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw(key[2:]))
    found: dict[str, Any] = jwt.decode(
        token[2:-1], public, algorithms=["ES256"], options={"verify_aud": False, "verify_exp": False}
    )
    assert 0 < found["exp"] - now.timestamp() <= 86_400
    return found


def test_a_header_serves_one_origin_for_half_a_day() -> None:
    vapid = Vapid(VAPID_PRIVATE, SUBJECT)
    first = vapid.authorization(ENDPOINT, NOW)
    assert claims(first, NOW) == {"aud": "https://push.example.net", "exp": NOW.timestamp() + 82_800, "sub": SUBJECT}
    late = NOW + timedelta(seconds=REUSE - 1)
    assert vapid.authorization("https://PUSH.example.net:443/other", late) == first
    claims(first, late)
    assert claims(vapid.authorization("https://push.example.net:8443/x", NOW), NOW)["aud"].endswith(":8443")
    next_one = vapid.authorization(ENDPOINT, late + timedelta(seconds=1))
    assert next_one != first
    claims(next_one, late)
    earlier = NOW - timedelta(days=2)
    claims(vapid.authorization(ENDPOINT, earlier), earlier)


def test_origins_of_strangers_do_not_fill_the_memory() -> None:
    vapid = Vapid(VAPID_PRIVATE, SUBJECT)
    for number in range(1_200):
        vapid.authorization(f"https://push{number}.example.net/x", NOW)
    assert len(vapid._known) <= 1_000


def test_keys_in_every_form_are_one_key() -> None:
    key = load_private_key(VAPID_PRIVATE)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    sec1 = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    for text in (VAPID_PRIVATE + "=", pem, sec1, pem.replace("\n", "\\n")):
        assert Vapid(text, SUBJECT).public_key == Vapid(VAPID_PRIVATE, SUBJECT).public_key
    assert TABLE.open(HttpWire()).public_key == (  # type: ignore[attr-defined]
        "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
    )


def _pem(key: Any) -> str:
    text: str = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hush",
        "A" * 43,
        encode(b"\xff" * 32),
        encode(b"\x01" * 31),
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
        _pem(ec.generate_private_key(ec.SECP384R1())),
        _pem(rsa.generate_private_key(65537, 2048)),
    ],
)
def test_a_key_that_is_none_is_refused_unrepeated(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        Vapid(text, SUBJECT)
    assert caught.value.place == "OUTREACH_WEBPUSH_VAPID_PRIVATE_KEY"
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("subject", ["", "office@example.org", "mailto: office@example.org", "mailto:<a@example.org>",
                                     "http://example.org", "mailto:office@localhost"])  # fmt: skip
def test_a_subject_that_apple_would_refuse_is_refused(subject: str) -> None:
    with pytest.raises(BadInput, match="OUTREACH_WEBPUSH_VAPID_SUBJECT"):
        Vapid(VAPID_PRIVATE, subject)


async def test_every_message_has_a_key_pair_and_salt_of_its_own() -> None:
    """RFC 8291, 3.1: with one used twice, a push service could compare messages."""
    provider = PushProvider()
    await provider.start()
    provider.script(TAKEN, TAKEN)
    async with HttpWire() as wire:
        channel = TABLE.open(wire)
        for _ in range(2):
            await channel.send(TABLE.message())
    await provider.stop()
    one, other = (request.body for request in provider.requests)
    assert one[:16] != other[:16]
    assert one[21:86] != other[21:86]
    assert opened(one) == opened(other)


@pytest.mark.parametrize(
    "address",
    [
        "https://push.example.net/x",
        f"http://push.example.net/x {UA_PUBLIC} {AUTH}",
        to(encode(b"\x04" + b"\x01" * 64)),  # no point on the curve
        to(encode(b"\x02" + b"\x01" * 64)),
        to(auth="AAAA"),
    ],
)
async def test_what_is_no_subscription_is_dead(address: str) -> None:
    async with HttpWire() as wire:
        with pytest.raises(Refused) as caught:
            await TABLE.open(wire).send(dataclasses.replace(TABLE, to=address).message())
    assert caught.value.failure is FailureClass.ADDRESS_DEAD


async def test_a_name_too_long_for_the_ledger_is_left_out() -> None:
    for location in ("https://push.example.net/" + "m" * 200, "https://push.example.net/é"):

        class Wire:
            async def request(self, *_: Any, location: str = location, **__: Any) -> HttpReply:
                return HttpReply(status=201, headers={"location": location})

        assert (await TABLE.open(Wire()).send(TABLE.message())).provider_id == ""


# ── what fits ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=200, deadline=None)
@given(text=st.text(min_size=1, max_size=60), times=st.integers(1, 400))
def test_a_payload_always_fits_and_says_when_it_is_cut(text: str, times: int) -> None:
    message = TABLE.message(text=text * times, link="https://router.example.org/a/t0ken")
    encoded = build_payload(message, topic="ask1", organization="Example Union")
    assert len(encoded) <= MOST_BYTES
    body = json.loads(encoded)["body"]
    assert body == message.text or message.text.startswith(body.removesuffix("…"))
    assert body == message.text or body.endswith("…")


@pytest.mark.parametrize(
    ("text", "room", "cut"),
    [
        ("come on saturday", 14, "come on…"),
        ("come on saturday", 10, "come on…"),
        ("come on saturday", 9, "come…"),
        ("saturday", 8, "satur…"),
        ('"""""""""', 8, '""…'),
        ("土曜日に来てください", 12, "土曜日…"),
    ],
)
def test_a_text_is_cut_at_a_word(text: str, room: int, cut: str) -> None:
    assert shortened(text, room) == cut


def test_a_message_whose_frame_does_not_fit_is_refused() -> None:
    message = TABLE.message(picture=Picture(url="https://example.org/" + "x" * 4_000, alt=""))
    with pytest.raises(Refused) as caught:
        build_payload(message, topic="t", organization="o")
    assert caught.value.failure is FailureClass.CONTENT


def test_padding_hides_lengths_and_never_outgrows_a_record() -> None:
    assert {len(padded(b"x" * length)) for length in range(512)} == {512}
    assert len(padded(b"x" * 512)) == 1024
    assert len(padded(b"x" * MOST_BYTES)) == 3994
    assert 86 + 3994 + 16 == 4096


# ── subscriptions as addresses ────────────────────────────────────────────────────────────────────────────────────────


def browser(**changes: Any) -> dict[str, Any]:
    """What ``JSON.stringify(subscription)`` gives."""
    return {"endpoint": ENDPOINT, "expirationTime": None, "keys": {"p256dh": UA_PUBLIC, "auth": AUTH}} | changes


def test_a_subscription_becomes_an_address_and_back() -> None:
    value = subscription_value(browser())
    assert value == f"{ENDPOINT} {UA_PUBLIC} {AUTH}"
    assert parse_subscription(value) == (ENDPOINT, raw(UA_PUBLIC), raw(AUTH))
    padded_keys = {"p256dh": UA_PUBLIC + "=", "auth": AUTH + "=="}
    assert subscription_value(browser(keys=padded_keys)) == value
    assert push_host(value) == "push.example.net"
    assert TABLE.channel.spec.limit_key is not None
    assert TABLE.channel.spec.limit_key("https://PUSH.example.net:444/x a b") == ("host", "push.example.net")
    assert push_host("https://[") == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8025", "[::1]:80", "127.9.9.9"])
def test_a_push_service_on_this_machine_needs_no_tls(host: str) -> None:
    assert subscription_value(browser(endpoint=f"http://{host}/x")).startswith(f"http://{host}/x ")


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "push.example.net/x",
        "http://push.example.net/x",
        "http://localhost.example.net/x",
        "http://10.0.0.1/x",
        "ftp://push.example.net/x",
        "javascript:alert(1)",
        "https:///x",
        "https://[::1",
        "https://push.example.net:99999/x",
        "https://push.example.net:0/x",
        "https://user:pass@push.example.net/x",
        "https://push.example.net/a b",
        "https://push.example.net/\n",
        "https://push.example.net/é",
        "https://push.example.net/" + "x" * 1_500,
        7,
        None,
    ],
)
def test_an_endpoint_that_is_none_is_refused_unrepeated(endpoint: object) -> None:
    with pytest.raises(BadAddress) as caught:
        subscription_value(browser(endpoint=endpoint))
    assert caught.value.place == "endpoint"
    assert "example" not in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [
        None,
        [],
        {},
        {"p256dh": UA_PUBLIC},
        {"p256dh": UA_PUBLIC, "auth": 1},
        {"p256dh": UA_PUBLIC, "auth": AUTH[:-2]},
        {"p256dh": UA_PUBLIC, "auth": AUTH + "AAAA"},
        {"p256dh": UA_PUBLIC, "auth": "é" * 22},
        {"p256dh": UA_PUBLIC, "auth": AUTH[:-1] + "h"},  # bits that decode to nothing
        {"p256dh": UA_PUBLIC, "auth": AUTH[:10] + " " + AUTH[10:]},
        {"p256dh": encode(b"\x02" + b"\x01" * 64), "auth": AUTH},
        {"p256dh": AUTH, "auth": AUTH},
    ],
)
def test_keys_that_are_none_are_refused(keys: object) -> None:
    with pytest.raises(BadAddress):
        subscription_value(browser(keys=keys))


@given(st.text(max_size=80))
def test_any_other_text_is_no_subscription(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_subscription(text)
