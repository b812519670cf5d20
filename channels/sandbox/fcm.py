"""Firebase Cloud Messaging: the OAuth token endpoint and ``messages:send`` of HTTP v1.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send · errors:
https://firebase.google.com/docs/cloud-messaging/error-codes. Devices show what arrives; FCM has no receipts and no
answers, so there is nothing to call back.
"""

from __future__ import annotations

import json
import re
import secrets
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from channels.sandbox.httpd import Reply, Request, json_reply
from channels.sandbox.memory import Entry
from channels.sandbox.world import World

PROJECT = "sandbox-project"
EMAIL = f"push@{PROJECT}.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE = 3599
"""Seconds that an access token is good for, as Google has it."""
MAX_BYTES = 4096
MAX_SECONDS = 2_419_200

ERRORS = {
    400: (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"),
    401: (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", "Auth error from APNS or Web Push Service"),
    403: (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"),
    404: (404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."),
    429: (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota exceeded."),
    500: (500, "INTERNAL", "INTERNAL", "Internal error encountered."),
    503: (503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."),
}
"""What the knob ``refuse`` says for a device: HTTP status, Google's word, FCM's code and sentence."""

_TOKEN = re.compile(r"[A-Za-z0-9_:-]{20,4000}")
_TTL = re.compile(r"(\d+)(\.\d{1,9})?s")


@cache
def _key() -> RSAPrivateKey:
    """The service account's key, made once for each process: it costs a tenth of a second."""
    return generate_private_key(public_exponent=65_537, key_size=2048)


def fcm_error(number: int, sentence: str = "", **more: Any) -> Reply:
    """An error of FCM's own."""
    status, word, code, usual = ERRORS[number if number in ERRORS else 500]
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}]
    body = {"code": status, "message": sentence or usual, "status": word, "details": details}
    return json_reply({"error": body}, status, **more)


def google_error(status: int, word: str, sentence: str) -> Reply:
    """An error of Google's, before FCM had a look."""
    return json_reply({"error": {"code": status, "message": sentence, "status": word}}, status)


class Fcm:
    """One Firebase project with one service account."""

    prefix = "/fcm/"

    def __init__(self, world: World) -> None:
        self._world = world
        self._granted: dict[str, float] = {}
        """Access token → when it ends."""
        self._send_path = f"{self.prefix}v1/projects/{PROJECT}/messages:send"

    def environment(self, http_url: str) -> dict[str, str]:
        """The variables that point the real adapter here."""
        pem = _key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        account = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "5a" * 20,
            "private_key": pem,
            "client_email": EMAIL,
            "token_uri": f"{http_url}{self.prefix}token",
        }
        return {
            "OUTREACH_FCM_SERVICE_ACCOUNT": json.dumps(account),
            "OUTREACH_FCM_API_URL": http_url + self.prefix.rstrip("/"),
        }

    def handle(self, request: Request) -> Reply:
        """Answer one request under ``/fcm/``."""
        if request.method == "POST" and request.path == f"{self.prefix}token":
            return self._grant(request)
        if request.method != "POST" or not request.path.endswith("/messages:send"):
            return google_error(404, "NOT_FOUND", "Not found.")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or self._granted.get(token, 0.0) <= self._world.clock():
            return google_error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if request.path != self._send_path:
            return google_error(403, "PERMISSION_DENIED", "Permission denied on resource project.")
        return self._send(request)

    def _grant(self, request: Request) -> Reply:
        """An access token for a JWT that the service account signed (RFC 7523, 3.1)."""
        now = self._world.clock()
        try:
            form = request.form()
        except ValueError:
            form = {}
        if form.get("grant_type") != GRANT:
            return json_reply({"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}, 400)
        fault = self._jwt_fault(form.get("assertion", ""), f"http://{request.headers.get('host')}{request.path}", now)
        if fault:
            self._world.memory.counters["fcm_tokens_refused"] += 1
            return json_reply({"error": "invalid_grant", "error_description": fault}, 400)
        self._world.memory.counters["fcm_tokens"] += 1
        self._granted = {token: end for token, end in self._granted.items() if end > now}
        token = f"ya29.{secrets.token_urlsafe(60)}"
        self._granted[token] = now + LIFE
        grant = {"access_token": token, "expires_in": LIFE, "token_type": "Bearer"}
        return json_reply(grant, delay=self._world.latency())

    def _jwt_fault(self, assertion: str, url: str, now: float) -> str:
        """What is wrong with a JWT, in the words of Google's endpoint; "" where nothing is. The time is the world's."""
        options: Any = {"require": ["iss", "scope", "aud", "iat", "exp"], "verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(assertion, _key().public_key(), algorithms=["RS256"], audience=url, options=options)
        except jwt.InvalidSignatureError:
            return "Invalid JWT Signature."
        except jwt.InvalidTokenError as error:
            return f"Invalid JWT: {error}"
        begin, end = claims["iat"], claims["exp"]
        if claims["iss"] != EMAIL or claims["scope"] != SCOPE:
            return "Invalid issuer or scope."
        if not (begin - 300 <= now < end and end - begin <= 3600):
            return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        return ""

    def _send(self, request: Request) -> Reply:
        world = self._world
        refusal = world.refusal()
        if refusal:
            return self._refuse(500 if refusal == "error" else 429)
        try:
            asked = request.json()
        except ValueError:
            return google_error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        message = asked.get("message")
        fault = _fault(message)
        if fault or not isinstance(message, dict):
            world.memory.counters["refused_400"] += 1
            return google_error(400, "INVALID_ARGUMENT", fault)
        device = message.get("token")
        if not isinstance(device, str) or not _TOKEN.fullmatch(device):
            return self._refuse(400)
        code = world.knobs.refuse.get(device, 0)
        if code:
            return self._refuse(code)
        if asked.get("validate_only"):
            return json_reply({"name": f"projects/{PROJECT}/messages/fake_message_id"}, delay=world.latency())
        return self._accept(device, message)

    def _refuse(self, number: int) -> Reply:
        world = self._world
        world.memory.counters[f"refused_{number}"] += 1
        headers = (("Retry-After", f"{world.knobs.retry_after:g}"),) if number == 429 else ()
        return fcm_error(number, headers=headers, delay=world.latency())

    def _accept(self, device: str, message: dict[str, Any]) -> Reply:
        world = self._world
        now = world.clock()
        data, shown = message.get("data", {}), message.get("notification", {})
        code = world.knobs.fail.get(device, 0)
        delivery = data.get("delivery", "")[:64].replace("\t", " ")
        text = "\n".join(line for line in (shown.get("title"), shown.get("body")) if line)
        number = world.memory.accepted.add("fcm", device, PROJECT, delivery, text, now, code)
        world.memory.note("fcm", device, Entry("arrived", text, now, number), PROJECT)
        if code:
            world.memory.note("fcm", device, Entry("note", f"did not arrive ({code})", now))
        name = f"projects/{PROJECT}/messages/{world.memory.accepted.get(number).sid}"
        return json_reply({"name": name}, delay=world.latency(), ending=world.ending())


def _fault(message: object) -> str:
    """Why FCM would not take a message, to whomever it goes; "" where it would."""
    if not isinstance(message, dict):
        return "Recipient of the message is not set."
    data, shown = message.get("data", {}), message.get("notification", {})
    for name, fields in (("data", data), ("notification", shown)):
        if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
            return f"Invalid value at 'message.{name}' (TYPE_STRING)"
    if any(name == "from" or name.startswith(("google", "gcm")) for name in data):
        return "Invalid data payload key"
    texts = [text for part in (data, shown) for pair in part.items() for text in pair]
    if sum(len(text.encode("utf-8", "replace")) for text in texts) > MAX_BYTES:
        return "Request contains an invalid argument."
    android = message.get("android", {})
    ttl = _TTL.fullmatch(str(android.get("ttl", "0s"))) if isinstance(android, dict) else None
    if ttl is None or int(ttl[1]) > MAX_SECONDS:
        return "Invalid value at 'message.android.ttl'"
    return ""
