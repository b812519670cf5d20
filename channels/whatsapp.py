"""WhatsApp over Twilio: free words for 24 hours after a person's last message, else a text that Meta approved.

https://www.twilio.com/docs/whatsapp/api · templates: https://www.twilio.com/docs/content
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from channels.http import form_value
from channels.twilio_api import SETTINGS, Account
from channels.twilio_codes import OPT_OUT_TYPES
from channels.twilio_health import check
from channels.twilio_hooks import Webhooks, parse_delivery
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
    Template,
    Wire,
)
from router.core.errors import FailureClass, Refused
from router.core.model import DeliveryRef

PREFIX = "whatsapp:"
MAX_VALIDITY = 14_400
"""Seconds that Twilio holds a WhatsApp message at most (FACTS.md 1.2)."""
MAX_CAPTION = 1024
"""Characters under a picture: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/image-messages
"""
NO_MARKETING = "+1"
"""Marketing templates to these numbers are not delivered since 2025-04-01: https://www.twilio.com/docs/api/errors/63049"""


def _chat(address: str) -> tuple[str, str]:
    return "chat", address


SPEC = ChannelSpec(
    name="whatsapp",
    address_kind="phone",
    max_length=1600,
    receipts=True,
    inbound=True,
    idempotency=Idempotency.NONE,
    media=True,
    buttons=3,
    templates=True,
    window_seconds=86_400,
    limit_key=_chat,
    settings=SETTINGS,
)


class WhatsAppChannel:
    """One Twilio account with WhatsApp senders."""

    spec = SPEC

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        self._account = Account(settings, wire, channel="whatsapp", prefix=PREFIX, max_validity=MAX_VALIDITY)
        self._webhooks = Webhooks(settings, _inbound)
        self._inbox = Inbox(self._account, _inbound)
        self.senders = self._account.senders
        self.listens = self._account.listens

    async def send(self, message: OutboundMessage) -> Sent:
        """Hand the message to Twilio; see `core.channel.Channel.send`.

        What WhatsApp would surely not deliver is refused here: words of our own outside of the window (63016), and
        asks outside of it to the US (63049).
        """
        return await self._account.create(message, _free_words(message) if message.in_window else _template(message))

    def verify(self, request: HttpRequest) -> None:
        """Check Twilio's signature; see `twilio_hooks.Webhooks.verify`."""
        self._webhooks.verify(request)

    def receive(self, request: HttpRequest) -> Received:
        """A status callback, an incoming message or a pressed button."""
        return self._webhooks.receive(request)

    def listen(self) -> AsyncIterator[Received]:
        """Fetch incoming messages; see `core.channel.Listening.listen`. Of a pressed button only its label is known."""
        return self._inbox.listen()

    async def check(self, now: datetime) -> Health:
        """Ask for the account and the webhook that Twilio has for us; see `core.channel.Channel.check`."""
        return await check(self._account, now)

    async def aclose(self) -> None:
        """Nothing of its own: the connections are the wire's."""


def _free_words(message: OutboundMessage) -> str:
    """Text and picture. There are no buttons without a template."""
    body, picture = message.text, message.picture
    media = f"&MediaUrl={form_value(picture.url)}" if picture else ""
    if picture and len(body) > MAX_CAPTION:  # then its address stands under the text, as where a channel has no media
        body, media = f"{body}\n{picture.url}", ""
    return f"Body={form_value(body)}{media}"


def _template(message: OutboundMessage) -> str:
    """The approved text. An ask by template is marketing to Meta, however it was submitted (FACTS.md 1.2)."""
    template = message.template
    if template is None:
        raise Refused(FailureClass.TEMPLATE, "63016", "outside of the window without an approved text")
    if message.is_ask and message.to.startswith(NO_MARKETING):
        raise Refused(FailureClass.WA_MARKETING, "63049", "no marketing to US numbers")
    return f"ContentSid={form_value(template.id)}{_variables(template)}"


def _variables(template: Template) -> str:
    """What fills the holes. A line break in there, a tab or a row of spaces would be refused:
    https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes (132018)
    """
    if not template.variables:
        return ""
    values = {name: " ".join(value.split()) for name, value in template.variables.items()}
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return f"&ContentVariables={form_value(text)}"


def _inbound(form: Mapping[str, str], sid: str, at: datetime) -> Inbound | None:
    sender = form["From"].strip().removeprefix(PREFIX)
    if not sender.startswith("+"):  # an account that hides its number (``US.1234``): none of our addresses
        return None
    text, delivery, button = form["Body"], None, False
    if form.get("ButtonPayload") or form.get("ButtonText"):
        button = True
        text, delivery = _pressed(form)
    keyword = OPT_OUT_TYPES.get(form.get("OptOutType", "").strip().upper())
    return Inbound(
        event_id=sid,
        sender=sender,
        recipient=form.get("To", "").strip().removeprefix(PREFIX),
        text=text,
        at=at,
        button=button,
        delivery=delivery,
        keyword=keyword,
        # Unlike with SMS, Twilio answers keywords only for who set up Advanced Opt-Out; then it says so.
        provider_answers=keyword is not None,
    )


def _pressed(form: Mapping[str, str]) -> tuple[str, DeliveryRef | None]:
    """What a button means: its payload where that is ours (``YES|202611-17``, or ``YES|`` where it never changes),
    else its label. https://www.twilio.com/docs/content/twilio-quick-reply
    """
    keyword, bar, delivery = form.get("ButtonPayload", "").partition("|")
    if bar and keyword.strip():
        return keyword.strip(), parse_delivery(delivery.strip())
    return form.get("ButtonText") or form["Body"], None
