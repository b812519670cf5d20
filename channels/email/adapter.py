"""The email channel: any SMTP server to send through, SendGrid's webhook for what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from channels.email import sendgrid
from channels.email.mime import Sign, Skeleton, is_mailbox
from channels.email.smtp import Pool
from channels.email.spec import SPEC
from router.core.channel import (
    Health,
    HttpRequest,
    OutboundMessage,
    Received,
    Sent,
    Wire,
)
from router.core.errors import BadInput, BadWebhook, FailureClass, Refused

PORTS = {"tls": 465, "starttls": 587, "plain": 25}


class EmailChannel:
    """One SMTP account."""

    spec = SPEC
    senders = ("",)

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        del wire  # email does not travel over HTTP
        self._from_address = _own_mailbox(settings, "from_address")
        security = settings.get("security", "starttls")
        if security not in PORTS:
            raise BadInput("is one of tls, starttls and plain", place="OUTREACH_EMAIL_SECURITY")
        self._pool = Pool(
            host=settings["host"],
            port=_number(settings, "port", PORTS[security], 65_535),
            security=security,
            username=settings.get("username", ""),
            password=settings.get("password", ""),
            size=_number(settings, "connections", 4, 100),
            local_name=self._from_address.rpartition("@")[2],
        )
        self._is_sendgrid = settings.get("provider", "").lower() == "sendgrid"
        self._skeleton = Skeleton(
            from_name=settings.get("from_name") or settings["organization"],
            from_address=self._from_address,
            reply_to=_own_mailbox(settings, "reply_to") if settings.get("reply_to") else "",
            unsubscribe_mailto=_own_mailbox(settings, "unsubscribe_mailto")
            if settings.get("unsubscribe_mailto")
            else "",
            sendgrid=self._is_sendgrid,
            sign=_signer(settings, self._from_address),
        )
        key = settings.get("webhook_public_key", "")
        self._webhook_key = sendgrid.load_key(key) if key else None

    async def send(self, message: OutboundMessage) -> Sent:
        """Hand the message to the SMTP server; see `core.channel.Channel.send`."""
        if not is_mailbox(message.to):
            raise Refused(FailureClass.ADDRESS_DEAD, "5.1.3")
        await self._pool.deliver(self._from_address, message.to, self._skeleton.build(message))
        return Sent(self._skeleton.message_id(message))

    def verify(self, request: HttpRequest) -> None:
        """Check SendGrid's signature; without its key nothing is believed."""
        if self._webhook_key is None:
            raise BadWebhook("no webhook key is set")
        sendgrid.verify(request, self._webhook_key)

    def receive(self, request: HttpRequest) -> Received:
        """Read a verified event webhook."""
        return Received(events=sendgrid.read_events(request))

    async def check(self, now: datetime) -> Health:
        """Connect and log in. SendGrid tells what came of mails, to whom has the webhook's key."""
        await self._pool.check()
        deaf = self._is_sendgrid and self._webhook_key is None
        mend = ("set OUTREACH_EMAIL_WEBHOOK_PUBLIC_KEY to hear of bounces",) if deaf else ()
        return Health(who=self._from_address, mend=mend)

    async def aclose(self) -> None:
        """Close the SMTP connections."""
        await self._pool.aclose()


def _signer(settings: Mapping[str, str], from_address: str) -> Sign | None:
    if not settings.get("dkim_key"):
        return None
    from channels.email.signing import Signer  # brings dkimpy and a resolver, for those who sign

    domain = settings.get("dkim_domain") or from_address.rpartition("@")[2]
    return Signer(settings["dkim_key"], domain=domain, selector=settings.get("dkim_selector", "")).sign


def _own_mailbox(settings: Mapping[str, str], name: str) -> str:
    address = settings[name].strip()
    if not (address.isascii() and is_mailbox(address)):
        raise BadInput("is not a mailbox such as news@example.org", place=f"OUTREACH_EMAIL_{name.upper()}")
    return address


def _number(settings: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = settings.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= most):
        raise BadInput(f"is a number from 1 to {most}", place=f"OUTREACH_EMAIL_{name.upper()}")
    return int(text)
