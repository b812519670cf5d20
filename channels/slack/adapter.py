"""One bot in one Slack workspace.

The one request per message is written here, over `wire`, because it is the hot path; Slack's own library checks the
signatures of webhooks. Documentation: https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from slack_sdk.signature import Clock, SignatureVerifier

from channels.http import json_object, media_type
from channels.slack.blocks import encode, message_body
from channels.slack.codes import failure
from channels.slack.events import events_of, team_of
from channels.slack.spec import SPEC
from router.core.channel import (
    Health,
    HttpReply,
    HttpRequest,
    OutboundMessage,
    Received,
    Sent,
    Wire,
)
from router.core.errors import BadInput, BadWebhook, OutcomeUnknown

if TYPE_CHECKING:
    from channels.slack.socket import SocketMode

SCOPES: Mapping[str, str] = {
    # https://docs.slack.dev/reference/scopes
    "chat:write": "without it nothing can be sent",
    "im:history": "without it what people write to us in private, such as STOP, does not reach us",
    "im:write": "without it we cannot begin a conversation with a person",
    "commands": "without it slash commands do not reach us",
    "app_mentions:read": "without it what people write to us in channels does not reach us",
    "channels:read": "without it we do not learn who comes to and leaves public channels",
    "groups:read": "without it we do not learn who comes to and leaves private channels",
}
"""What the bot needs, and what for."""


class SlackChannel:
    """One bot in one workspace."""

    spec = SPEC

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        self._wire = wire
        self.senders: tuple[str, ...] = ("",)
        self.listens = settings.get("listen", "").strip().lower() in {"yes", "true", "on", "1"}
        self._secret = settings.get("signing_secret", "").strip()
        self._team = settings.get("team_id", "").strip()
        app_token = settings.get("app_token", "").strip()
        if self.listens and not app_token:
            raise BadInput("Socket Mode needs an App-Level Token", place="OUTREACH_SLACK_APP_TOKEN")
        if not self.listens and not self._secret:
            raise BadInput("set it, or OUTREACH_SLACK_LISTEN=yes", place="OUTREACH_SLACK_SIGNING_SECRET")
        self._api = settings.get("api_url", "https://slack.com/api").rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {settings['bot_token']}",
            "Content-Type": "application/json; charset=utf-8",
        }
        self._socket: SocketMode | None = None
        if self.listens:
            from channels.slack.socket import SocketMode  # brings aiohttp: megabytes that nobody else here needs

            self._socket = SocketMode(wire, self._api, app_token)

    async def send(self, message: OutboundMessage) -> Sent:
        """Post to a person, a channel or a thread; see `core.channel.Channel.send`."""
        channel, _, thread = message.to.partition("/")
        body = message_body(message) | {"channel": channel, "unfurl_links": False, "unfurl_media": False}
        if thread:
            body["thread_ts"] = thread
        answer = await self._call("chat.postMessage", body, message.now)
        channel, ts = str(answer.get("channel") or ""), str(answer.get("ts") or "")
        if not channel or not ts:
            raise OutcomeUnknown("200", "an answer without channel and ts")
        return Sent(f"{channel}:{ts}")

    async def edit(self, provider_id: str, message: OutboundMessage) -> None:
        """Put `message` in the place of an earlier one: https://docs.slack.dev/reference/methods/chat.update"""
        channel, _, ts = provider_id.rpartition(":")
        await self._call("chat.update", message_body(message) | {"channel": channel, "ts": ts}, message.now)

    def verify(self, request: HttpRequest) -> None:
        """Check Slack's signature, that it is no older than five minutes, and that the workspace is ours.

        https://docs.slack.dev/authentication/verifying-requests-from-slack
        """
        if request.method != "POST" or not self._secret:
            raise BadWebhook("Slack's webhooks are signed posts")
        headers = request.headers
        try:
            signed = SignatureVerifier(self._secret, _At(request.received_at)).is_valid(
                request.body, headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature")
            )
        except (ValueError, TypeError, OverflowError):  # not UTF-8, no number for a time, letters outside of ASCII
            signed = False
        if not signed:
            raise BadWebhook("the signature is missing, wrong or too old")
        if not self._ours(_payload(request)):
            raise BadWebhook("the webhook belongs to another workspace")

    def receive(self, request: HttpRequest) -> Received:
        """An event, a pressed button, a slash command, or Slack's question whether this address is ours."""
        payload = _payload(request)
        if payload.get("type") == "url_verification":
            # https://docs.slack.dev/reference/events/url_verification
            return Received(reply=HttpReply(body=str(payload.get("challenge", "")).encode("utf-8", "replace")))
        return Received(events=events_of(payload, request.received_at))

    async def listen(self) -> AsyncIterator[Received]:
        """Yield what comes over Socket Mode; see `core.channel.Listening`.

        An envelope is acknowledged when the next is asked for. One that is not, Slack sends again.
        """
        assert self._socket is not None, "asked to listen where `listens` is false"
        while True:
            async with self._socket.connect(_arrival()) as line:
                while (envelope := await line.next()) is not None:
                    payload = envelope.get("payload")
                    if isinstance(payload, dict) and self._ours(payload):
                        events = events_of(payload, _arrival())
                        if events:
                            yield Received(events=events)
                    await line.acknowledge(envelope)

    async def check(self, now: datetime) -> Health:
        """Ask who we are: https://docs.slack.dev/reference/methods/auth.test

        Where we listen, also whether Socket Mode lets us.
        """
        reply = await self._wire.request("POST", f"{self._api}/auth.test", headers=self._headers, body=b"{}")
        answer = json_object(reply.body)
        if reply.status != 200 or answer.get("ok") is not True:
            raise failure(reply, now)
        if self._socket is not None:
            await self._socket.address(now)
        mend = []
        if self._team and answer.get("team_id") != self._team:
            mend.append("OUTREACH_SLACK_TEAM_ID names another workspace than the one this token is for")
        if not answer.get("bot_id"):
            mend.append("OUTREACH_SLACK_BOT_TOKEN is a person's token; use the Bot User OAuth Token")
        return Health(who=f"{answer.get('team')} / {answer.get('user')}", mend=(*mend, *_missing(reply)))

    async def aclose(self) -> None:
        """Hang up the socket; the other connections are the wire's."""
        if self._socket is not None:
            await self._socket.aclose()

    async def _call(self, method: str, body: Mapping[str, Any], now: datetime) -> Mapping[str, object]:
        reply = await self._wire.request("POST", f"{self._api}/{method}", headers=self._headers, body=encode(body))
        answer = json_object(reply.body)
        if reply.status != 200 or answer.get("ok") is not True:
            raise failure(reply, now, to=str(body.get("channel", "")))
        return answer

    def _ours(self, payload: Mapping[str, Any]) -> bool:
        """Whether a payload may be for us; what names no workspace (the question of the address) may."""
        return not self._team or team_of(payload) in ("", self._team)


class _At(Clock):
    """The moment at which a request came in, for the SDK's verifier."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> float:
        return self._at.timestamp()


def _arrival() -> datetime:
    """Now: a slash command over a socket bears no time of its own, and no request brings one."""
    return datetime.now(UTC)


def _payload(request: HttpRequest) -> Mapping[str, Any]:
    """A webhook's content: JSON for events, a form for commands, JSON in a form for pressed buttons."""
    if media_type(request) != "application/x-www-form-urlencoded":
        return json_object(request.body)
    try:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return {}
    return json_object(form["payload"].encode("utf-8", "replace")) if "payload" in form else form


def _missing(reply: HttpReply) -> tuple[str, ...]:
    """What is to be mended about our scopes; Slack names those we have in a header of every answer."""
    header = reply.headers.get("x-oauth-scopes")
    if header is None:
        return ()
    granted = {scope.strip() for scope in header.split(",")}
    return tuple(
        f"Add the scope {scope} under OAuth & Permissions and install the app again: {why}"
        for scope, why in SCOPES.items()
        if scope not in granted
    )
