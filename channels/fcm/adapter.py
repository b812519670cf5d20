"""The fcm channel. One request per message; a group of devices is no more than many messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import quote

from channels.fcm.account import ServiceAccount, Tokens
from channels.fcm.message import encoded, request_body
from channels.fcm.spec import SPEC
from channels.http import failure_of, json_object
from router.core.channel import (
    Health,
    HttpReply,
    HttpRequest,
    OutboundMessage,
    Received,
    Sent,
    Wire,
)
from router.core.errors import BadWebhook, FailureClass, OutcomeUnknown, SendError, Throttled

CODES: Mapping[str, FailureClass] = {
    # The FCM error of `error.details`, https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode;
    # the classes are those of FACTS.md 1.5 and 1.7. UNAVAILABLE (503) and INTERNAL (500) are left to the status.
    "INVALID_ARGUMENT": FailureClass.CONTENT,  # something in the payload; the token is told apart in `_failure`
    "QUOTA_EXCEEDED": FailureClass.RATE,  # of the project or of one device
    "SENDER_ID_MISMATCH": FailureClass.SENDER_CONFIG,  # the token was given out for another Firebase project
    "THIRD_PARTY_AUTH_ERROR": FailureClass.SENDER_CONFIG,  # the APNs or Web Push key in Firebase is wrong
    "UNREGISTERED": FailureClass.ADDRESS_DEAD,  # the app was removed, or its token has lapsed
    # `error.status`, where Google refuses before FCM looks: https://cloud.google.com/apis/design/errors
    # NOT_FOUND is missing on purpose: without UNREGISTERED beside it, it is not the device that was not found.
    "PERMISSION_DENIED": FailureClass.SENDER_CONFIG,  # no such right, or the API is not enabled
    "RESOURCE_EXHAUSTED": FailureClass.RATE,
    "UNAUTHENTICATED": FailureClass.SENDER_CONFIG,  # the access token is not taken
}

RATE_SECONDS = 60.0
"""The wait after a 429 without Retry-After (FACTS.md 1.5; the quota is counted by the minute)."""

_NOBODY = {"validate_only": True, "message": {"token": "nobody", "notification": {"title": "check"}}}
"""A request that is checked as far as the token, which is none, and sent to nobody."""


class FcmChannel:
    """One Firebase project. It does not tell what became of a message, and nobody can answer there."""

    spec = SPEC
    senders = ("",)

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        self._wire = wire
        self._account = ServiceAccount.parse(settings["service_account"])
        self._tokens = Tokens(self._account, wire)
        api = settings.get("api_url", "https://fcm.googleapis.com").rstrip("/")
        self._url = f"{api}/v1/projects/{quote(self._account.project_id, safe='')}/messages:send"

    async def send(self, message: OutboundMessage) -> Sent:
        """Hand the message to FCM; see `core.channel.Channel.send`."""
        reply = await self._request(request_body(message), message.now)
        if reply.status != 200:
            raise _failure(reply, message.now)
        name = json_object(reply.body).get("name")
        if not isinstance(name, str) or not name:
            raise OutcomeUnknown("200", "an answer without a name")
        return Sent(name)

    def verify(self, request: HttpRequest) -> None:
        """FCM calls nobody, so whatever comes is not from it."""
        raise BadWebhook("FCM has no webhooks")

    def receive(self, request: HttpRequest) -> Received:
        """Nothing."""
        return Received()

    async def check(self, now: datetime) -> Health:
        """Get a token and have a message checked that goes to nobody: that its address is wrong is all that is."""
        reply = await self._request(encoded(_NOBODY), now)
        if reply.status != 200:
            failure = _failure(reply, now)
            if failure.code not in ("INVALID_ARGUMENT", "UNREGISTERED"):
                raise failure
        return Health(who=self._account.project_id)

    async def aclose(self) -> None:
        """Give up a token that is being fetched; the connections are the wire's."""
        await self._tokens.aclose()

    async def _request(self, body: bytes, now: datetime) -> HttpReply:
        token = await self._tokens.get(now)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"}
        reply = await self._wire.request("POST", self._url, headers=headers, body=body)
        if reply.status == 401:
            self._tokens.forget(token)
        return reply


def _failure(reply: HttpReply, now: datetime) -> SendError:
    """What an answer other than 200 means: the FCM error first, then Google's status, then HTTP's.

    https://firebase.google.com/docs/cloud-messaging/error-codes
    """
    error = json_object(reply.body).get("error")
    error = error if isinstance(error, dict) else {}
    code = next((str(detail["errorCode"]) for detail in _details(error) if "errorCode" in detail), "")
    code = code or str(error.get("status", ""))
    failure = CODES.get(code)
    if code == "INVALID_ARGUMENT" and _blames_token(error):
        failure = FailureClass.ADDRESS_DEAD
    found = failure_of(reply, failure, code, now, idempotent=True)
    if isinstance(found, Throttled) and found.retry_after is None:
        return Throttled(found.code, RATE_SECONDS)
    return found


def _blames_token(error: Mapping[str, object]) -> bool:
    """Whether the argument that FCM calls invalid is the registration token.

    A field violation names it, or (since 2021) only the sentence does: see the second example of
    https://firebase.google.com/docs/cloud-messaging/error-codes
    """
    fields = [
        violation.get("field") for detail in _details(error) for violation in _objects(detail.get("fieldViolations"))
    ]
    return "message.token" in fields or (not fields and "registration token" in str(error.get("message", "")))


def _details(error: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    return _objects(error.get("details"))


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    """The JSON objects of what should be a list of them."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
