"""The cases of the fcm channel. The errors are Google's own published ones, adapted only in numbers and names.

https://firebase.google.com/docs/cloud-messaging/error-codes · https://bloomberg.github.io/pushiko/fcm_responses
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from channels.fcm.adapter import FcmChannel
from router.core.channel import Button, Health, HttpRequest, Picture
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, Throttled
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.table import DELIVERY, NOW, Accepted, ChannelTable, Failing, Fault

DEVICE = "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1-example-registration-token"
ACCESS_TOKEN = "hush-fcm-access-token"
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
NAME = "projects/example-union/messages/0:1500415314455276%31bd1c9631bd1c96"
SENT = Reply(200, {"name": NAME})


@dataclass(frozen=True)
class TokenReply(Reply):
    """An answer of the token endpoint, in the place of a token."""


GRANTED = TokenReply(200, {"access_token": ACCESS_TOKEN, "expires_in": 3599, "token_type": "Bearer"})


def service_account(token_uri: str = "https://oauth2.googleapis.com/token", **changes: str) -> str:
    """The file that Firebase's console makes."""
    fields = {
        "type": "service_account",
        "project_id": "example-union",
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": PEM,
        "client_email": "push@example-union.iam.gserviceaccount.com",
        "client_id": "100000000000000000001",
        "token_uri": token_uri,
    }
    return json.dumps(fields | changes)


class FcmProvider:
    """FCM and the token endpoint, each on a port of its own; tokens are granted without being scripted."""

    def __init__(self) -> None:
        self.api = HttpProvider()
        self.tokens = HttpProvider()

    async def start(self) -> None:
        await self.api.start()
        await self.tokens.start()

    async def stop(self) -> None:
        await self.api.stop()
        await self.tokens.stop()

    def settings(self) -> dict[str, str]:
        return {
            "api_url": f"http://127.0.0.1:{self.api.port}",
            "service_account": service_account(f"http://127.0.0.1:{self.tokens.port}/token"),
        }

    def script(self, *steps: Reply) -> None:
        self.tokens.script(*[step for step in steps if isinstance(step, TokenReply)], GRANTED, GRANTED)
        self.api.script(*[step for step in steps if not isinstance(step, TokenReply)])

    def leftovers(self) -> list[str]:
        return self.api.leftovers() + [line for line in self.tokens.leftovers() if line == "not scripted"]

    def seen(self) -> str:
        return f"{self.api.seen()}\n{self.tokens.seen()}"


def error(status: int, word: str, code: str = "", message: str = "", *details: Any, **headers: str) -> Reply:
    """An error of FCM: HTTP status, Google's word for it, FCM's own code and more details."""
    found: list[Any] = list(details)
    if code:
        found.insert(0, {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    body = {"error": {"code": status, "message": message, "status": word, **({"details": found} if found else {})}}
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def violation(field: str, description: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": field, "description": description}],
    }


def refused(name: str, reply: Reply, failure: FailureClass, code: str) -> Failing:
    return Failing(name=name, steps=(reply,), error=Refused, failure=failure, code=code)


def no_token(name: str, reply: TokenReply, kind: type, failure: FailureClass, code: str, **more: Any) -> Failing:
    return Failing(name=name, steps=(reply,), error=kind, failure=failure, code=code, **more)


def sent_message(provider: FcmProvider) -> dict[str, Any]:
    [request] = provider.api.requests
    message: dict[str, Any] = json.loads(request.body)["message"]
    return message


def check_plain(provider: FcmProvider) -> None:
    [request] = provider.api.requests
    assert request.line == "POST /v1/projects/example-union/messages:send HTTP/1.1"
    assert request.headers["authorization"] == f"Bearer {ACCESS_TOKEN}"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    moment = int(NOW.timestamp())
    assert json.loads(request.body) == {
        "message": {
            "token": DEVICE,
            "notification": {"title": "Saturday", "body": "Come on Saturday!"},
            "data": {"url": "", "delivery": str(DELIVERY)},
            "android": {
                "priority": "NORMAL",
                "ttl": "36000s",
                "collapse_key": str(DELIVERY),
                "notification": {"tag": str(DELIVERY)},
            },
            "apns": {
                "headers": {
                    "apns-expiration": str(moment + 36_000),
                    "apns-collapse-id": str(DELIVERY),
                    "apns-priority": "5",
                }
            },
            "webpush": {
                "headers": {"TTL": "36000", "Urgency": "normal"},
                "notification": {"tag": str(DELIVERY)},
            },
        }
    }


def check_token_request(provider: FcmProvider) -> None:
    """https://developers.google.com/identity/protocols/oauth2/service-account#httprest"""
    [request] = provider.tokens.requests
    form = {name: value for name, [value] in parse_qs(request.body.decode()).items()}
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    url = f"http://127.0.0.1:{provider.tokens.port}/token"
    claims = jwt.decode(
        form["assertion"], KEY.public_key(), algorithms=["RS256"], audience=url, options={"verify_exp": False}
    )
    assert claims == {
        "iss": "push@example-union.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": url,
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 3600,
    }
    assert jwt.get_unverified_header(form["assertion"])["kid"] == "0123456789abcdef0123456789abcdef01234567"


def check_everything(provider: FcmProvider) -> None:
    message = sent_message(provider)
    assert message["notification"]["image"] == "https://example.org/rally.jpg"
    assert message["data"]["url"] == "https://router.example.org/a/x?y=ü"
    assert message["data"]["delivery"] == str(DELIVERY)
    assert json.loads(message["data"]["buttons"]) == [{"label": "I'm in", "reply": "YES", "url": ""}]
    assert message["android"]["priority"] == "HIGH"
    assert message["android"]["ttl"] == "2419200s"
    assert message["android"]["collapse_key"] == message["android"]["notification"]["tag"] == "ask17"
    assert message["apns"]["headers"]["apns-priority"] == "10"
    assert message["apns"]["headers"]["apns-collapse-id"] == "ask17"
    assert message["apns"]["payload"] == {"aps": {"mutable-content": 1}}
    assert message["webpush"]["headers"]["Urgency"] == "high"
    assert message["webpush"]["fcm_options"] == {"link": "https://router.example.org/a/x?y=ü"}


def check_long(provider: FcmProvider) -> None:
    message = sent_message(provider)
    del message["token"]
    assert 4050 < len(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()) <= 4096
    body = message["notification"]["body"]
    assert set(body[:-1].split()) == {"Wir", 'kämpfen"\\', "für"}
    assert body.endswith(("Wir…", 'kämpfen"\\…', "für…"))


def check_odd(provider: FcmProvider) -> None:
    assert sent_message(provider)["notification"]["body"] == "Ça va 🎉\n?"
    assert sent_message(provider)["android"]["ttl"] == "0s"
    assert "fcm_options" not in sent_message(provider)["webpush"]


INVALID_TOKEN = error(
    400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"
)

TABLE = ChannelTable(
    channel=FcmChannel,
    to=DEVICE,
    settings={"service_account": service_account()},
    secrets=(service_account(), PEM, PEM.splitlines()[5], ACCESS_TOKEN),
    provider=FcmProvider,
    faults={
        Fault.CONNECT: Failing(
            name="connect", steps=(), error=NotSent, failure=FailureClass.TRANSPORT, listening=False
        ),
        Fault.SILENCE: Failing(
            name="silence", steps=(Reply(hang=True),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT
        ),
        Fault.CUT: Failing(name="cut", steps=(Reply(cut=True),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT),
        Fault.ERROR: Failing(
            name="500",
            steps=(error(500, "INTERNAL", "INTERNAL", "Internal error encountered."),),
            error=NotSent,
            failure=FailureClass.TRANSPORT,
            code="INTERNAL",
        ),
        Fault.UNAVAILABLE: Failing(
            name="503",
            steps=(error(503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."),),
            error=NotSent,
            failure=FailureClass.TRANSPORT,
            code="UNAVAILABLE",
        ),
        Fault.THROTTLED: Failing(
            name="429",
            steps=(error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", Retry_After="7"),),
            error=Throttled,
            failure=FailureClass.RATE,
            code="QUOTA_EXCEEDED",
            retry_after=7.0,
        ),
        Fault.UNAUTHORIZED: Failing(
            name="401",
            steps=(error(401, "UNAUTHENTICATED", "", "Request had invalid authentication credentials."),),
            error=Refused,
            failure=FailureClass.SENDER_CONFIG,
            code="UNAUTHENTICATED",
        ),
        Fault.HTML: Failing(
            name="html",
            steps=(Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}),),
            error=OutcomeUnknown,
            failure=FailureClass.TRANSPORT,
        ),
        Fault.EMPTY_LIST: Failing(
            name="[]", steps=(Reply(200, []),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT
        ),
    },
    failing=(
        refused(
            "unregistered",
            error(404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."),
            FailureClass.ADDRESS_DEAD,
            "UNREGISTERED",
        ),
        refused("a token that is none", INVALID_TOKEN, FailureClass.ADDRESS_DEAD, "INVALID_ARGUMENT"),
        refused(
            "a token that is none, the old way",
            error(
                400,
                "INVALID_ARGUMENT",
                "INVALID_ARGUMENT",
                "Request contains an invalid argument.",
                violation("message.token", "Invalid registration token"),
            ),
            FailureClass.ADDRESS_DEAD,
            "INVALID_ARGUMENT",
        ),
        refused(
            "a bad field, though a token is spoken of",
            error(
                400,
                "INVALID_ARGUMENT",
                "",
                "Invalid value at 'message.data[0].value' (TYPE_STRING), a registration token",
                violation("message.data[0].value", "Invalid value"),
            ),
            FailureClass.CONTENT,
            "INVALID_ARGUMENT",
        ),
        refused(
            "too large",
            error(400, "INVALID_ARGUMENT", "", "Request contains an invalid argument."),
            FailureClass.CONTENT,
            "INVALID_ARGUMENT",
        ),
        refused(
            "another project's token",
            error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"),
            FailureClass.SENDER_CONFIG,
            "SENDER_ID_MISMATCH",
        ),
        refused(
            "APNs key",
            error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", "Auth error from APNS or Web Push Service"),
            FailureClass.SENDER_CONFIG,
            "THIRD_PARTY_AUTH_ERROR",
        ),
        refused(
            "no right",
            error(403, "PERMISSION_DENIED", "", "Permission 'cloudmessaging.messages.create' denied on resource"),
            FailureClass.SENDER_CONFIG,
            "PERMISSION_DENIED",
        ),
        refused("no such project", error(404, "NOT_FOUND"), FailureClass.UNKNOWN, "NOT_FOUND"),
        refused("a new code", error(400, "FAILED_PRECONDITION", "A_NEW_CODE"), FailureClass.UNKNOWN, "A_NEW_CODE"),
        refused("html 400", Reply(400, b"<html>Bad"), FailureClass.UNKNOWN, "http 400"),
        refused(
            "odd details", Reply(400, {"error": {"details": [1, {"a": []}], "status": 3}}), FailureClass.UNKNOWN, "3"
        ),
        refused("odd error", Reply(403, {"error": "no"}), FailureClass.SENDER_CONFIG, "http 403"),
        refused("413", Reply(413), FailureClass.CONTENT, "http 413"),
        Failing(
            name="html 502", steps=(Reply(502, b"<!DOCTYPE html>"),), error=NotSent, failure=FailureClass.TRANSPORT
        ),
        Failing(
            name="throttled without a word of when",
            steps=(error(429, "RESOURCE_EXHAUSTED", "", "Quota exceeded"),),
            error=Throttled,
            failure=FailureClass.RATE,
            code="RESOURCE_EXHAUSTED",
            retry_after=60.0,
        ),
        no_token(
            "the key was revoked",
            TokenReply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
            Refused,
            FailureClass.SENDER_CONFIG,
            "invalid_grant",
        ),
        no_token("token 401", TokenReply(401, b"<html>"), Refused, FailureClass.SENDER_CONFIG, "token http 401"),
        no_token("token 400", TokenReply(400, b"<html>"), NotSent, FailureClass.TRANSPORT, "token http 400"),
        no_token("token 503", TokenReply(503), NotSent, FailureClass.TRANSPORT, "token http 503"),
        no_token("token silence", TokenReply(hang=True), NotSent, FailureClass.TRANSPORT, "token timeout"),
        no_token("token cut", TokenReply(cut=True), NotSent, FailureClass.TRANSPORT, "token connection"),
        no_token("token html", TokenReply(200, b"<html>"), NotSent, FailureClass.TRANSPORT, "token http 200"),
        no_token(
            "token odd", TokenReply(200, {"access_token": ["x"]}), NotSent, FailureClass.TRANSPORT, "token http 200"
        ),
        no_token(
            "token 429",
            TokenReply(429, b"", {"Retry-After": "9"}),
            Throttled,
            FailureClass.RATE,
            "token http 429",
            retry_after=9.0,
        ),
    ),
    accepted=(
        Accepted(name="plain", steps=(SENT,), provider_id=NAME, check=check_plain),
        Accepted(name="the token it is sent with", steps=(SENT,), provider_id=NAME, check=check_token_request),
        Accepted(
            name="with everything",
            steps=(SENT,),
            provider_id=NAME,
            message={
                "link": "https://router.example.org/a/x?y=ü",
                "picture": Picture(url="https://example.org/rally.jpg", alt="A crowd"),
                "buttons": (Button(label="I'm in", reply="YES"),),
                "urgent": True,
                "topic": "ask17",
                "valid_seconds": 99_999_999,
            },
            check=check_everything,
        ),
        Accepted(
            name="longer than FCM takes",
            steps=(SENT,),
            provider_id=NAME,
            message={"text": 'Wir kämpfen"\\ für ' * 190, "link": "https://router.example.org/a/x"},
            check=check_long,
        ),
        Accepted(
            name="any text",
            steps=(SENT,),
            provider_id=NAME,
            message={"text": "Ça va 🎉\n\ud83d", "valid_seconds": -5, "link": "http://127.0.0.1/a/x"},
            check=check_odd,
        ),
    ),
    checks=(
        ((INVALID_TOKEN,), Health(who="example-union")),
        ((Reply(200, {"name": "projects/example-union/messages/fake_message_id"}),), Health(who="example-union")),
        ((error(403, "PERMISSION_DENIED"),), FailureClass.SENDER_CONFIG),
        ((TokenReply(400, {"error": "invalid_grant"}),), FailureClass.SENDER_CONFIG),
    ),
    webhooks=(),
    encode=lambda payload: json.dumps(payload).encode(),
    sign=lambda url, body, at: HttpRequest(method="POST", url=url, headers={}, body=body, received_at=at),
)
