"""Text messages over Twilio's Programmable Messaging.

Documentation: https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from channels.http import form_value
from channels.twilio_api import SETTINGS, Account
from channels.twilio_codes import ANSWERED_WORDS, OPT_OUT_TYPES
from channels.twilio_health import check
from channels.twilio_hooks import Webhooks
from channels.twilio_inbox import Inbox
from router.core.channel import (
    ChannelSpec,
    Health,
    HttpRequest,
    Idempotency,
    Inbound,
    OutboundMessage,
    Received,
    Sent,
    Setting,
    Wire,
)

MAX_VALIDITY = 36_000
"""Seconds that Twilio holds a text at most (FACTS.md 1.1)."""

SPEC = ChannelSpec(
    name="sms",
    address_kind="phone",
    max_length=1600,
    receipts=True,
    inbound=True,
    idempotency=Idempotency.NONE,
    counts_segments=True,
    settings=(
        *SETTINGS,
        Setting(
            name="provider_answers",
            help="yes where Twilio itself answers STOP, START and HELP (its default), else no",
            required=False,
            default="yes",
        ),
    ),
)


class SmsChannel:
    """One Twilio account."""

    spec = SPEC

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        self._provider_answers = settings.get("provider_answers", "yes").strip().lower() not in {"no", "false", "0"}
        self._account = Account(settings, wire, channel="sms", max_validity=MAX_VALIDITY)
        self._webhooks = Webhooks(settings, self._inbound)
        self._inbox = Inbox(self._account, self._inbound)
        self.senders = self._account.senders
        self.listens = self._account.listens

    async def send(self, message: OutboundMessage) -> Sent:
        """Hand the message to Twilio; see `core.channel.Channel.send`."""
        return await self._account.create(message, f"Body={form_value(message.text)}")

    def verify(self, request: HttpRequest) -> None:
        """Check Twilio's signature; see `twilio_hooks.Webhooks.verify`."""
        self._webhooks.verify(request)

    def receive(self, request: HttpRequest) -> Received:
        """A status callback or an incoming message."""
        return self._webhooks.receive(request)

    def listen(self) -> AsyncIterator[Received]:
        """Fetch incoming messages; see `core.channel.Listening.listen`."""
        return self._inbox.listen()

    async def check(self, now: datetime) -> Health:
        """Ask for the account and the webhook that Twilio has for us; see `core.channel.Channel.check`."""
        return await check(self._account, now)

    async def aclose(self) -> None:
        """Nothing of its own: the connections are the wire's."""

    def _inbound(self, form: Mapping[str, str], sid: str, at: datetime) -> Inbound:
        keyword = OPT_OUT_TYPES.get(form.get("OptOutType", "").strip().upper())
        answered = self._provider_answers and form["Body"].strip().upper() in ANSWERED_WORDS
        return Inbound(
            event_id=sid,
            sender=form["From"].strip(),
            recipient=form.get("To", "").strip(),
            text=form["Body"],
            at=at,
            keyword=keyword,
            provider_answers=keyword is not None or answered,
        )
