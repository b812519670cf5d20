"""The cases of the webpush channel. The provider is the push service that a browser's endpoint leads to."""

from __future__ import annotations

import asyncio
import json
import socket
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from channels.webpush.adapter import WebPushChannel
from router.core.channel import Button, Health, HttpRequest, Picture
from router.core.errors import FailureClass, NotSent, Refused, Throttled
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.table import DELIVERY, Accepted, ChannelTable, Failing, Fault

# RFC 8291, Appendix A: the browser's key pair and its secret.
UA_PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
UA_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
VAPID_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
"""And that of its application server, which does for a VAPID key."""
SUBJECT = "mailto:office@example.org"
TAKEN = Reply(201, b"", {"Location": "https://push.example.net/message/qDIYHNcfAIPP_5ITvURr-d6BGt"})
MESSAGE = "https://push.example.net/message/qDIYHNcfAIPP_5ITvURr-d6BGt"


@cache
def port() -> int:
    """A port of our own for as long as the tests run, because the address of a message names it.

    The socket is bound and never listens: others cannot take the port, we can, and where nobody does, connections
    are refused.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(("127.0.0.1", 0))
    number: int = holder.getsockname()[1]
    holder.detach()
    return number


def to(private: str = UA_PUBLIC, auth: str = AUTH) -> str:
    """The address of a browser whose push service is the scripted server."""
    return f"http://127.0.0.1:{port()}/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV {private} {auth}"


class PushProvider(HttpProvider):
    """The scripted server at the port that the addresses name."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port(), reuse_port=True)
        self.port = port()

    def settings(self) -> dict[str, str]:
        return {}


def raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(body: bytes, private: str = UA_PRIVATE, auth: str = AUTH) -> tuple[dict[str, Any], int]:
    """What a browser reads in a push message (RFC 8291, 3.4, and RFC 8188, 2), and how long it was with padding."""
    salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
    sender, sealed = body[21 : 21 + length], body[21 + length :]
    assert length == 65
    assert len(sealed) <= size == 4096
    key = ec.derive_private_key(int.from_bytes(raw(private)), ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    secret = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))

    def derive(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(material)

    ikm = derive(secret, raw(auth), b"WebPush: info\0" + public + sender, 32)
    content_key = derive(ikm, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = derive(ikm, salt, b"Content-Encoding: nonce\0", 12)
    plain = AESGCM(content_key).decrypt(nonce, sealed, None)
    text = plain.rstrip(b"\0")
    assert text.endswith(b"\x02")
    return json.loads(text[:-1]), len(plain)


def check_plain(provider: HttpProvider) -> None:
    [request] = provider.requests
    assert request.line == "POST /push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV HTTP/1.1"
    assert request.headers["ttl"] == "36000"
    assert request.headers["urgency"] == "normal"
    assert request.headers["topic"] == "202611-17"
    assert request.headers["content-encoding"] == "aes128gcm"
    assert request.headers["authorization"].startswith("vapid t=ey")
    payload, length = opened(request.body)
    assert payload == {
        "title": "Saturday",
        "body": "Come on Saturday!",
        "tag": "202611-17",
        "delivery": str(DELIVERY),
    }
    assert length == 512


def check_everything(provider: HttpProvider) -> None:
    [request] = provider.requests
    assert request.headers["ttl"] == "14400"
    assert request.headers["urgency"] == "high"
    assert request.headers["topic"] == "ask42"
    payload, _ = opened(request.body)
    assert payload == {
        "title": "Example Union",
        "body": "Ça commence 🎉",
        "tag": "ask42",
        "delivery": str(DELIVERY),
        "url": "https://router.example.org/a/t0ken",
        "lang": "fr",
        "image": "https://example.org/hall.jpg",
        "image_alt": "The town hall",
        "actions": [
            {"action": "YES|202611-17", "title": "Je viens"},
            {"action": "open-1", "title": "Plan", "url": "https://example.org/map"},
        ],
    }


def check_long(provider: HttpProvider) -> None:
    [request] = provider.requests
    assert request.headers["ttl"] == "86400"
    assert len(request.body) <= 4096
    payload, _ = opened(request.body)
    assert payload["body"].endswith("Wörter…")
    assert set(payload["body"].removesuffix("…").split(" ")) == {"Wörter"}
    assert 3_780 <= len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()) <= 3_800


def refused(name: str, reply: Reply, failure: FailureClass, code: str) -> Failing:
    return Failing(name=name, steps=(reply,), error=Refused, failure=failure, code=code)


def again(name: str, reply: Reply, code: str) -> Failing:
    """Tried again, because a second copy takes the place of the first."""
    return Failing(name=name, steps=(reply,), error=NotSent, failure=FailureClass.TRANSPORT, code=code)


def sign(url: str, body: bytes, at: datetime) -> HttpRequest:
    """Push services never call us, so nothing makes it a believable webhook."""
    return HttpRequest(method="POST", url=url, headers={}, body=body, received_at=at)


TABLE = ChannelTable(
    channel=WebPushChannel,
    to=to(),
    settings={"vapid_private_key": VAPID_PRIVATE, "vapid_subject": SUBJECT},
    secrets=(VAPID_PRIVATE, AUTH, UA_PUBLIC, urlsafe_b64encode(raw(VAPID_PRIVATE)).decode()),
    provider=PushProvider,
    faults={
        Fault.CONNECT: Failing(
            name="connect", steps=(), error=NotSent, failure=FailureClass.TRANSPORT, code="connect", listening=False
        ),
        Fault.SILENCE: again("silence", Reply(hang=True), "timeout"),
        Fault.CUT: again("cut", Reply(cut=True), "connection"),
        Fault.ERROR: again("500", Reply(500), "http 500"),
        # https://mozilla-services.github.io/autopush-rs/errors.html
        Fault.UNAVAILABLE: again("503", Reply(503, {"code": 503, "errno": 201, "error": "…"}), "errno 201"),
        Fault.THROTTLED: Failing(
            name="429",
            steps=(Reply(429, b"", {"Retry-After": "60"}),),
            error=Throttled,
            failure=FailureClass.RATE,
            code="429",
            retry_after=60.0,
        ),
        Fault.UNAUTHORIZED: refused(
            "401", Reply(401, {"code": 401, "errno": 109}), FailureClass.SENDER_CONFIG, "errno 109"
        ),
        Fault.HTML: again("html", Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}), "http 200"),
        Fault.EMPTY_LIST: again("[]", Reply(200, []), "http 200"),
    },
    failing=(
        refused("400", Reply(400, b"UnauthorizedRegistration"), FailureClass.SENDER_CONFIG, "http 400"),
        # developer.apple.com/documentation/usernotifications/sending-web-push-notifications-in-web-apps-and-browsers
        refused("403", Reply(403, {"reason": "BadJwtToken"}), FailureClass.SENDER_CONFIG, "BadJwtToken"),
        refused("404", Reply(404, {"code": 404, "errno": 102}), FailureClass.ADDRESS_DEAD, "errno 102"),
        refused("410", Reply(410, {"reason": "Unregistered"}), FailureClass.ADDRESS_DEAD, "Unregistered"),
        refused("413", Reply(413), FailureClass.CONTENT, "http 413"),
        refused("a redirect", Reply(307, b"", {"Location": "/x"}), FailureClass.SENDER_CONFIG, "http 307"),
        refused("an unknown no", Reply(418, {"errno": True, "reason": "a b"}), FailureClass.UNKNOWN, "http 418"),
        Failing(name="429 without a time", steps=(Reply(429),), error=Throttled, failure=FailureClass.RATE, code="429"),
    ),
    accepted=(
        Accepted(name="plain", steps=(TAKEN,), provider_id=MESSAGE, check=check_plain),
        Accepted(
            name="everything",
            steps=(Reply(202),),
            provider_id="",
            message={
                "subject": "",
                "text": "Ça commence 🎉",
                "link": "https://router.example.org/a/t0ken",
                "locale": "fr",
                "urgent": True,
                "topic": "ask42",
                "picture": Picture(url="https://example.org/hall.jpg", alt="The town hall"),
                "buttons": (
                    Button(label="Je viens", reply="YES"),
                    Button(label="Plan", url="https://example.org/map"),
                ),
            },
            check=check_everything,
        ),
        Accepted(
            name="too long",
            steps=(Reply(200),),
            provider_id="",
            message={"text": "Wörter " * 600, "valid_seconds": 10**6},
            check=check_long,
        ),
    ),
    checks=(((), Health(who=SUBJECT)),),
    webhooks=(),
    encode=lambda payload: json.dumps(payload).encode(),
    sign=sign,
)
