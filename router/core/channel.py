"""The whole contract of a channel, in one file.

An adapter only translates: `OutboundMessage` to its provider's request, the provider's answer to `Sent` or a
`SendError`, the provider's webhooks to events. It has no retry, sleep, log, database or environment. A new channel
is one module, one line in ``channels.REGISTRY`` and one table of cases.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from router.core.consent import Allow
from router.core.errors import FailureClass
from router.core.frozen import frozen
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
    people: bool = True
    """Whether it writes to single people; False: to groups only."""
    groups: bool = False
    """Whether it can post to the chat of a group."""
    media: bool = False
    """Whether it shows an ask's picture; where not, the picture's address stands under the text."""
    buttons: int = 0
    """Most buttons under one message; with 0 people answer in words."""
    counts_segments: bool = False
    """Rates count SMS segments instead of messages."""
    subject: bool = False
    """Messages have a title of their own: an email's subject, a notification's first line."""
    html: bool = False
    """Messages have an HTML part, a footer and a one-click unsubscribe (email)."""
    templates: bool = False
    """Outside of `window_seconds` after a person's last word only texts that the provider approved may leave."""
    window_seconds: int = 0
    """For so long after a person's last word to us the provider lets us answer freely; 0: it makes no difference."""
    bound: bool = False
    """An address belongs to the account it was learnt by (a bot, a workspace), so that no other can write to it."""
    sealed_address: bool = False
    """Who knows an address may write to its owner or read along (a browser's keys), so the ledger keeps it sealed
    (``docs/promises-sealing.md``)."""
    strangers: bool = False
    """Its addresses are URLs that anybody may have given us, so it gets a wire that reaches public addresses only."""
    answer_within: float = 10.0
    """Seconds in which the provider wants its webhooks answered."""
    limit_key: Callable[[str], tuple[str, str]] | None = None
    """Address → (what kind of place it is, its name), where the provider also limits how often it is written to:
    ``("chat", "42")``, ``("host", "push.example.org")``. Each kind has its rate in ``config/channels.toml``."""

    @property
    def start_within(self) -> float:
        """Seconds after its claim in which a send may start (DESIGN.md 6, rule 8): a STOP waits so long for its 200."""
        return min(3.0, self.answer_within - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """Something to press under a message: a word that comes back as an `Inbound`, or a page to open."""

    label: str
    """What stands on it, at most 20 characters (WhatsApp's limit, the narrowest)."""
    reply: str = ""
    """The keyword that pressing it stands for (``"YES"``)."""
    url: str = ""
    """Or the page it opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture that goes with a message."""

    url: str
    alt: str
    """What it shows, for those who cannot see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text that the provider approved beforehand, and what fills its holes."""

    id: str
    """The provider's name for it (Twilio: a Content SID, ``HX…``)."""
    variables: Mapping[str, str] = field(default_factory=dict)


@frozen(kw_only=True)
class OutboundMessage:
    """One message, ready to leave. It exists only where consent was checked (`allow`)."""

    allow: Allow
    delivery: DeliveryRef
    """Carried to the provider so that receipts find their row (callback address, Message-ID, metadata)."""
    text: str
    """All of its words. Links and, where the channel has no media or buttons, what stands for these are in it."""
    subject: str = ""
    html: str = ""
    locale: str = ""
    link: str = ""
    """This member's own link to what the ask is about: where a tap on a notification leads."""
    buttons: tuple[Button, ...] = ()
    """At most `ChannelSpec.buttons`."""
    picture: Picture | None = None
    """Only where the channel has media."""
    template: Template | None = None
    """The approved text to send instead of `text` outside of the service window."""
    in_window: bool = False
    """Whether the person wrote to us so lately that the provider lets us answer freely."""
    is_ask: bool = True
    """False for service messages and answers: what the member did themselves made us write."""
    urgent: bool = False
    topic: str = ""
    """The same for all messages of one ask, ASCII letters and digits, at most 32: a later one replaces an unread
    earlier one, where the channel can do that."""
    sender: str = ""
    """Which of the adapter's `senders` it leaves from; "" where there is only one."""
    valid_seconds: int = 36_000
    """How long the provider may hold it before it must drop it."""
    unsubscribe_url: str = ""
    """One-click unsubscribe address of this member and channel (RFC 8058)."""
    now: datetime

    @property
    def to(self) -> str:
        """The normalised address it goes to."""
        return self.allow.address.value


@frozen()
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


@frozen(kw_only=True)
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
    """Somebody wrote to us, or pressed a button."""

    event_id: str
    sender: str
    """Their address, normalised as in `Address.value`."""
    recipient: str
    """Our number, bot or mailbox that they wrote to."""
    text: str
    """Their words, or the keyword of the button they pressed."""
    at: datetime
    button: bool = False
    """Whether they pressed a button instead of writing."""
    delivery: DeliveryRef | None = None
    """The message that they answered, where the provider tells."""
    group: str = ""
    """Normalised address of the group in whose chat it was written; "" in private."""
    payload: str = ""
    """What a link of ours carried (Telegram's ``/start PAYLOAD``): it names the member who followed it."""
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


class GroupChange(StrEnum):
    """What happened to a group, or to us in it."""

    ADDED = "added"
    """We were let in, or may write again."""
    REMOVED = "removed"
    """We were put out, or may write no more."""
    MOVED = "moved"
    """It has another address now."""
    JOINED = "joined"
    """Somebody came in."""
    LEFT = "left"
    """Somebody went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEvent:
    """Something happened to a group that we are in."""

    event_id: str
    group: str
    """Its normalised address."""
    change: GroupChange
    at: datetime
    title: str = ""
    """What the group is called, where the provider tells."""
    moved_to: str = ""
    """Its new address, for MOVED."""
    person: str = ""
    """Normalised address of who added us, came or went; "" where the provider does not tell."""


Event = Receipt | Inbound | OptOut | GroupEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The events of one webhook and the answer that the provider wants, given once the events are committed."""

    events: tuple[Event, ...] = ()
    reply: HttpReply = field(default_factory=HttpReply)
    """For webhooks only."""
    rest: float = 0.0
    """For `Listening` only: seconds to let pass before the next is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the provider says of our account, for ``outreach check``."""

    who: str
    """As whom it knows us: a bot's name, an account's."""
    webhook: str | None = None
    """The webhook address that it has for us, "" where it has none; None where it does not tell."""
    mend: tuple[str, ...] = ()
    """What is to be mended, one sentence each."""


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

    @property
    def senders(self) -> Sequence[str]:
        """The numbers or names it can send from, each with rate and health of its own; ``("",)`` where there is one."""
        ...

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

    async def check(self, now: datetime) -> Health:
        """Make the cheapest authenticated call there is. Raises a `SendError` as `send` does."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class Listening(Protocol):
    """A channel that can fetch its events itself (long polling, a socket), for where there is no public address."""

    listens: bool
    """Whether its settings want it to."""

    def listen(self) -> AsyncIterator[Received]:
        """Yield what arrives until cancelled.

        Asking for the next is the word that the one before was committed; only then may the provider be told to
        forget it. Raises `SendError` where the provider cannot be reached; `listen` is then called anew.
        """
        ...


@runtime_checkable
class Editing(Protocol):
    """A channel whose messages can be changed after they were sent (the tally under a group's post)."""

    async def edit(self, provider_id: str, message: OutboundMessage) -> None:
        """Put `message` in the place of the one that the provider calls `provider_id`. Raises as `send` does."""
        ...
