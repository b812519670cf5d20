"""The whole contract of a channel, in one file.

An adapter only translates: `OutboundMessage` to its provider's request, the provider's answer to `Sent` or a
`SendError`, the provider's webhooks to events. It has no retry, sleep, log, database or environment. A new channel
is one module, one line in ``channels.REGISTRY`` and one table of cases.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from router.core.consent import Allow
from router.core.errors import FailureClass
from router.core.model import DeliveryRef, DeliveryStatus


class Idempotency(StrEnum):
    """What a provider does with the same message twice."""

    NONE = "none"
    """Sends it twice."""
    COLLAPSE = "collapse"
    """The second replaces the first on the device."""
    LOOKUP = "lookup"
    """We can ask whether it has the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing an operator must or may tell an adapter. Read from ``OUTREACH_<CHANNEL>_<NAME>``."""

    name: str
    help: str
    secret: bool = False
    required: bool = True
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """What the router must know of a channel before it sends anything."""

    name: str
    address_kind: str
    """``phone``, ``email``, ``chat`` …: which addresses it writes to."""
    max_length: int
    """Longest text in characters."""
    receipts: bool
    """Whether the provider tells us later what became of a message."""
    inbound: bool
    """Whether people can answer there."""
    idempotency: Idempotency
    settings: tuple[Setting, ...]
    groups: bool = False
    media: bool = False
    counts_segments: bool = False
    """Rates count SMS segments instead of messages."""
    subject: bool = False
    """Messages have a subject line (and an HTML part)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """One message, ready to leave. It exists only where consent was checked (`allow`)."""

    allow: Allow
    delivery: DeliveryRef
    """Carried to the provider so that receipts find their row (callback address, Message-ID, metadata)."""
    text: str
    subject: str = ""
    html: str = ""
    locale: str = ""
    valid_seconds: int = 36_000
    """How long the provider may hold it before it must drop it."""
    unsubscribe_url: str = ""
    """One-click unsubscribe address of this member and channel (RFC 8058)."""
    now: datetime

    @property
    def to(self) -> str:
        """The normalised address it goes to."""
        return self.allow.address.value


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it; `provider_id` is its own name for the message ("" where it gives none)."""

    provider_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A webhook as it came in. `url` is the public address the provider called, with its query string.

    Header names are lower-case. `body` is the raw bytes, because signatures cover those.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What a provider, or one of our peers, answers or wants as an answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The provider says what became of a message. At least one of `delivery` and `provider_id` is set."""

    event_id: str
    """The same for the same event, however often it is delivered."""
    status: DeliveryStatus
    """SENT, DELIVERED, READ or FAILED."""
    at: datetime
    delivery: DeliveryRef | None = None
    provider_id: str = ""
    code: str = ""
    failure: FailureClass | None = None


class Keyword(StrEnum):
    """What the provider itself understood a reply to mean; authoritative where it is given."""

    STOP = "stop"
    START = "start"
    HELP = "help"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """Somebody wrote to us."""

    event_id: str
    sender: str
    """Their address, normalised as in `Address.value`."""
    recipient: str
    """Our number or mailbox that they wrote to."""
    text: str
    at: datetime
    keyword: Keyword | None = None
    """Set where the provider classifies opt-outs itself (Twilio's ``OptOutType``)."""
    provider_answers: bool = False
    """True where the provider has already confirmed STOP, START or HELP, so that we must stay silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """The provider passes on that an address wants no more: a complaint, an unsubscribe at the provider."""

    event_id: str
    address: str
    at: datetime
    complaint: bool = False
    delivery: DeliveryRef | None = None


Event = Receipt | Inbound | OptOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The events of one webhook and the answer that the provider wants, given once the events are committed."""

    events: tuple[Event, ...] = ()
    reply: HttpReply = HttpReply()


class Wire(Protocol):
    """Outbound HTTP. The process has one; it owns connections, time limits and the redaction of secrets."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout: float = 8.0,
    ) -> HttpReply:
        """Send one request and read the whole answer.

        Raises `NotSent` where the request surely did not leave (no connection), `OutcomeUnknown` where it may have.
        An HTTP error status is an answer, not an exception. `timeout` is in seconds, over everything.
        """
        ...


class Channel(Protocol):
    """One account at one provider. Several accounts are several instances."""

    spec: ChannelSpec

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        """`settings` holds what `spec.settings` names, defaults filled in, and always these three:

        ``account`` (the name of this account, part of its webhook address), ``webhook_url`` (the public address of
        this account's webhook, without query) and ``organization`` (the sender's name).
        """

    async def send(self, message: OutboundMessage) -> Sent:
        """Hand one message to the provider, or raise a `SendError`."""
        ...

    def verify(self, request: HttpRequest) -> None:
        """Raise `BadWebhook` unless this provider surely made `request`. Pure."""
        ...

    def receive(self, request: HttpRequest) -> Received:
        """Read a verified webhook. Pure: the same bytes give the same events. Never raises on odd input."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class Listening(Protocol):
    """A channel that fetches its events itself (long polling, a socket) because it has no public address."""

    def listen(self) -> AsyncIterator[Received]:
        """Yield what arrives until cancelled."""
        ...
