"""The service account that we send as, and the access tokens it is given.

Google's server-to-server OAuth 2.0 (RFC 7523): we sign a JWT, the token endpoint gives an access token for it.
https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from channels.http import json_object
from router.core.channel import HttpReply, Wire
from router.core.errors import BadInput, FailureClass, NotSent, OutcomeUnknown, Refused, SendError, Throttled
from router.core.retry_after import retry_after

PLACE = "OUTREACH_FCM_SERVICE_ACCOUNT"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
"""https://firebase.google.com/docs/cloud-messaging/auth-server"""
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
TOKEN_SECONDS = 3.0
"""Longest wait for a token: the send behind it must not start much later than it was allowed to (DESIGN.md 6, 8)."""

_LIFE = timedelta(hours=1)
"""The longest that Google grants."""
_EARLY = timedelta(minutes=5)
"""So long before its end a new token is fetched; meanwhile the old one still serves, so that nobody waits."""
_LAST = timedelta(seconds=30)
"""So long before its end a token serves no more: the clocks differ, and the request has to arrive."""

_CONFIG_ERRORS = frozenset(
    {"invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client"}
    | {"unsupported_grant_type"}
)
"""RFC 6749, 5.2: the key was revoked, the account is gone, the clock is wrong. ``invalid_grant`` comes as 400."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What the JSON file holds that Firebase's console makes under "Service accounts"."""

    project_id: str
    email: str
    key_id: str
    key: RSAPrivateKey
    token_uri: str

    @classmethod
    def parse(cls, text: str) -> ServiceAccount:
        """Read the file's JSON, or base64 of it. Raises `BadInput`, which repeats nothing of it."""
        text = text.strip()
        if not text.startswith("{"):
            try:
                text = base64.b64decode("".join(text.split()), validate=True).decode()
            except (ValueError, binascii.Error):
                raise BadInput("is neither JSON nor base64 of it", place=PLACE) from None
        fields = json_object(text.encode())
        if not fields:
            raise BadInput("is not the JSON of a service account's key", place=PLACE)
        return cls(
            project_id=_text(fields, "project_id"),
            email=_text(fields, "client_email"),
            key_id=str(fields.get("private_key_id", "")),
            key=_key(_text(fields, "private_key")),
            token_uri=str(fields.get("token_uri") or TOKEN_URI),
        )

    def assertion(self, now: datetime) -> str:
        """The signed JWT that a token is asked for with."""
        claims = {
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": int(now.timestamp()),
            "exp": int((now + _LIFE).timestamp()),
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.key_id})


class Tokens:
    """The access token of one account, fetched once for all who wait for it."""

    def __init__(self, account: ServiceAccount, wire: Wire) -> None:
        self._account = account
        self._wire = wire
        self._token = ""
        self._end: datetime | None = None
        self._fetch: asyncio.Task[str] | None = None

    async def get(self, now: datetime) -> str:
        """A token that is good at `now`. Raises a `SendError`; whatever it is, the message surely was not sent."""
        left = self._end - now if self._end else timedelta(0)
        if left > _EARLY:
            return self._token
        if self._fetch is None:
            self._fetch = asyncio.create_task(self._fetched(now))
            self._fetch.add_done_callback(self._settled)
        if left > _LAST:
            return self._token
        # Shielded, because the others wait for it too when one is cancelled.
        return await asyncio.shield(self._fetch)

    def forget(self, token: str) -> None:
        """FCM would not take `token` any more: the next message gets another."""
        if token == self._token:
            self._end = None

    async def aclose(self) -> None:
        """Give up a request that is under way."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.wait([self._fetch])

    def _settled(self, task: asyncio.Task[str]) -> None:
        self._fetch = None
        if not task.cancelled():
            task.exception()  # those who waited have it; where nobody did, the next to ask will meet it

    async def _fetched(self, now: datetime) -> str:
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": self._account.assertion(now)}
        try:
            reply = await self._wire.request(
                "POST",
                self._account.token_uri,
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                body=urlencode(form).encode(),
                timeout=TOKEN_SECONDS,
            )
        except OutcomeUnknown as error:
            raise NotSent(FailureClass.TRANSPORT, f"token {error.code}") from None
        answer = json_object(reply.body)
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if reply.status != 200 or not isinstance(token, str) or not token:
            raise _failure(reply, answer, now)
        life = timedelta(seconds=seconds) if isinstance(seconds, int) and 0 < seconds < 86_400 else _LIFE
        self._token, self._end = token, now + life
        return token


def _failure(reply: HttpReply, answer: Mapping[str, object], now: datetime) -> SendError:
    """Why there is no token. No message left, so nothing is unknown; nor is the recipient ever at fault."""
    word = answer.get("error")
    if isinstance(word, str) and word in _CONFIG_ERRORS:
        return Refused(FailureClass.SENDER_CONFIG, word)
    code = f"token http {reply.status}"
    if reply.status == 429:
        return Throttled(code, retry_after(reply, now))
    if reply.status in (401, 403):
        return Refused(FailureClass.SENDER_CONFIG, code)
    return NotSent(FailureClass.TRANSPORT, code)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise BadInput(f"has no {name}; take the whole file that Firebase's console made", place=PLACE)
    return value


def _key(pem: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise BadInput("has a private_key that cannot be read", place=PLACE) from None
    if not isinstance(key, RSAPrivateKey):
        raise BadInput("has a private_key that is not an RSA key", place=PLACE)
    return key
