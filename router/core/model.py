"""The nouns of the program and their states. Values are frozen; times are aware UTC datetimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import IntEnum, StrEnum

from router.core.attention import Dial, Refusal
from router.core.frozen import frozen
from router.core.own_part import OwnPart
from router.core.purse import EMPTY, Purse


class DeliveryStatus(StrEnum):
    """Where one delivery (one campaign, one member, one channel) stands. See ``core/delivery.py`` for the moves."""

    QUEUED = "queued"
    """Routed, budget reserved, waiting for a worker."""
    SENDING = "sending"
    """Claimed by a worker in a durable commit; the provider may have it at any moment."""
    SENT = "sent"
    """The provider took it."""
    DELIVERED = "delivered"
    """It reached the device or the mailbox."""
    READ = "read"
    """It was opened, where the channel tells."""
    FAILED = "failed"
    """Proven not to have reached anybody."""
    EXPIRED = "expired"
    """Its ask ran out before it could leave."""
    CANCELLED = "cancelled"
    """Withdrawn before it left."""
    UNKNOWN = "unknown"
    """It may have been sent. Never sent again blindly; a receipt may settle it."""
    HELD = "held"
    """Nothing was sent, on purpose; the `Reason` says why."""


class Reason(StrEnum):
    """Why nothing was sent, or why a delivery ended: one enum, each with a `sentence` for the member."""

    NO_ADDRESS = "no_address"
    NO_CONSENT = "no_consent"
    UNCONFIRMED = "unconfirmed"
    SUPPRESSED = "suppressed"
    ADDRESS_DEAD = "address_dead"
    NO_CHANNEL = "no_channel"
    NO_TEMPLATE = "no_template"
    CHANNEL_RULES = "channel_rules"
    CAP = "cap"
    OUTRANKED = "outranked"
    REPORT_OWED = "report_owed"
    DIAL = "dial"
    PAUSED = "paused"
    NEWCOMER = "newcomer"
    SILENT = "silent"
    LET_GO = "let_go"
    DUPLICATE = "duplicate"
    HELD_OUT = "held_out"
    GOAL_MET = "goal_met"
    ACTED = "acted"
    TOO_SLOW = "too_slow"
    QUIET_HOURS = "quiet_hours"
    NOT_SIGNED_UP = "not_signed_up"
    ERASED = "erased"
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONTENT = "content"
    SENDER_CONFIG = "sender_config"
    SUPERSEDED = "superseded"
    UNSETTLED = "unsettled"
    MERGED = "merged"

    @property
    def sentence(self) -> str:
        """What a member reads when they ask why."""
        return _SENTENCES[self]


_SENTENCES: Mapping[Reason, str] = {
    Reason.NO_ADDRESS: "We have no address of yours on a channel that this message could use.",
    Reason.NO_CONSENT: "You have not agreed to messages of this kind on any channel we could use.",
    Reason.UNCONFIRMED: "You have not yet confirmed that we may write to you there.",
    Reason.SUPPRESSED: "You asked us to stop, so we did.",
    Reason.ADDRESS_DEAD: "Your address stopped working; tell us the new one to hear from us again.",
    Reason.NO_CHANNEL: "The channels you chose are not switched on here.",
    Reason.NO_TEMPLATE: "This channel only lets us write first with a text that its provider approved beforehand.",
    Reason.CHANNEL_RULES: "The provider of this channel lets no such message through to your country.",
    Reason.CAP: Refusal.CAP.sentence,
    Reason.DIAL: Refusal.DIAL.sentence,
    Reason.PAUSED: Refusal.PAUSED.sentence,
    Reason.NEWCOMER: Refusal.NEWCOMER.sentence,
    Reason.SILENT: Refusal.SILENT.sentence,
    Reason.LET_GO: Refusal.LET_GO.sentence,
    Reason.OUTRANKED: "Something more urgent needed your attention in its place.",
    Reason.REPORT_OWED: "You acted with us and we have not yet told you what came of it, so we ask nothing new of you.",
    Reason.HELD_OUT: "You were left out of this one by lot, so that we learn what our messages really change.",
    Reason.GOAL_MET: "Enough people had already acted, so we left you in peace.",
    Reason.ACTED: "You had already acted, so there was nothing more to ask.",
    Reason.TOO_SLOW: "It could not have reached you in time on any channel of yours.",
    Reason.DUPLICATE: "This message already went to the same phone or mailbox.",
    Reason.QUIET_HOURS: "It would only have reached you in your quiet hours, after it had lost its use.",
    Reason.NOT_SIGNED_UP: "This message was only for those who had signed up.",
    Reason.ERASED: "You asked us to erase your data.",
    Reason.CAMPAIGN_CANCELLED: "The organizers withdrew this message before it left.",
    Reason.EXPIRED: "It could not leave in time to be of use, so it did not leave at all.",
    Reason.REFUSED: "The provider of this channel would not take the message.",
    Reason.UNREACHABLE: "Your phone or mailbox could not be reached, and we stopped trying.",
    Reason.CONTENT: "The provider of this channel refused the text of the message.",
    Reason.SENDER_CONFIG: "Our own set-up of this channel was at fault.",
    Reason.SUPERSEDED: "We tried again in another way; see the next entry.",
    Reason.UNSETTLED: "We could not find out whether this message reached you, and did not want to send it twice.",
    Reason.MERGED: "Two records of yours became one; the other one carries this message.",
}


class CampaignStatus(StrEnum):
    """``draft → approved → scheduled → running ⇄ paused → finished | cancelled → reported``."""

    DRAFT = "draft"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    REPORTED = "reported"


class Lane(IntEnum):
    """Which queue goes first: replies before urgent asks before everything else."""

    REPLY = 0
    URGENT = 1
    NORMAL = 2


class AskKind(StrEnum):
    """What a message is to the member. Only ASK costs contact budget; service messages pass caps, never consent."""

    ASK = "ask"
    REMINDER = "reminder"
    MOVED = "moved"
    CANCELLED = "cancelled"
    RECEIPT = "receipt"
    CORRECTION = "correction"
    WELCOME = "welcome"
    REPORT_BACK = "report_back"
    """What came of it, told to those who acted."""
    REPLY = "reply"
    """The answer to a keyword (HELP, a STOP that the provider does not confirm itself). Written by the router."""

    @property
    def is_service(self) -> bool:
        """True for messages that somebody needs because of what they already did."""
        return self is not AskKind.ASK

    @property
    def is_pressing(self) -> bool:
        """True for service messages that help only in time; a report-back waits its turn and leaves as guardedly as an
        ask."""
        return self.is_service and self is not AskKind.REPORT_BACK


class Purpose(StrEnum):
    """What an ask is for, where law or fairness make a difference."""

    GENERAL = "general"
    FUNDRAISING = "fundraising"
    """Stricter hours in some states (FACTS.md 4.1); never an alert."""
    BALLOT = "ballot"
    MEETING = "meeting"
    NOTICE = "notice"

    @property
    def is_owed(self) -> bool:
        """Everybody whom it concerns is owed it: no goal stops it, and nobody is held out of it."""
        return self in (Purpose.BALLOT, Purpose.MEETING, Purpose.NOTICE)


class ConsentState(StrEnum):
    """What a member's latest word about one address on one channel amounts to."""

    NONE = "none"
    """Never asked, or no evidence: kept, never messaged."""
    UNCONFIRMED = "unconfirmed"
    """Said yes on a form that anybody could have filled in; waits for a confirmation from the address itself."""
    GRANTED = "granted"
    REVOKED = "revoked"


class AddressState(StrEnum):
    """Whether an address still works."""

    ACTIVE = "active"
    DEAD = "dead"


class LegalBasis(StrEnum):
    """On what ground we may write (FACTS.md 2.2, 4.8)."""

    CONSENT = "consent"
    MEMBERSHIP = "membership"
    """Not-for-profit writing to its members and regular contacts, GDPR Art. 9(2)(d)."""
    CHARITY_SOFT_OPT_IN = "charity_soft_opt_in"
    """UK charities since 2026-02-05, never retroactive."""


UNRANKED = 100
"""From this `Address.rank` on its owner never said how much they like it, and what works decides."""


@frozen(kw_only=True)
class Address:
    """One way to reach one member: a channel and a normalised value (E.164, lower-case mailbox, chat id …).

    `hash` is the keyed hash under which claims and suppressions know it; it survives the erasure of `value`.
    `rank` orders a member's addresses: 0 is what they like best. `account` is the only account that can write to it,
    "" where any can. `last_inbound_at` is when its owner last wrote to us from it.
    """

    id: int
    channel: str
    value: str
    hash: str
    state: AddressState = AddressState.ACTIVE
    consent: ConsentState = ConsentState.NONE
    suppressed: bool = False
    rank: int = 0
    account: str = ""
    last_inbound_at: datetime | None = None
    answers: int = 0
    """How many answers and actions came by it."""
    failures: int = 0
    """So often in a row it was out of reach."""
    alerts: bool = False
    """Its owner agreed to alerts there: at any hour, and on all such addresses at once."""


@frozen(kw_only=True)
class Member:
    """What routing and rendering know of one person. `zone` is an IANA name or "" where it is not known."""

    id: int
    first_name: str = ""
    last_name: str = ""
    locale: str = ""
    is_group: bool = False
    """The chat of a group instead of a person; its title is `first_name`."""
    zone: str = ""
    country: str = ""
    postcode: str = ""
    place: str = ""
    household_id: int | None = None
    joined_at: datetime | None = None
    joined_by: int = 0
    """The campaign through which they joined; 0 where it is not known."""
    dial: Dial = Dial.EVERYTHING
    """How much of us they want."""
    paused_until: datetime | None = None
    erased: bool = False
    signed_up: bool = True
    """Whether this member acted on the campaign that a service message is about; True where that does not matter."""
    said_yes: bool = False
    """To the campaign that the ask follows."""
    group_asked_at: datetime | None = None
    """When the ask is posted in the chat of a group that they are in; None where it is in none of theirs."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    part: OwnPart | None = None
    """What they did in the campaign that a report-back is about."""
    addresses: tuple[Address, ...] = ()
    purse: Purse = EMPTY
    """What they, or their household, have been asked of late."""


@frozen()
class DeliveryRef:
    """The name under which a delivery is known outside: its campaign's month (``202611``) and its number."""

    month: int
    id: int

    def __str__(self) -> str:
        return f"{self.month}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> DeliveryRef:
        """Read ``"202611-17"``; raises ValueError where it is anything else."""
        month, dash, number = text.partition("-")
        if not (dash and month.isascii() and month.isdigit() and number.isascii() and number.isdigit()):
            raise ValueError("not a delivery reference")
        if len(month) != 6 or len(number) > 18:
            raise ValueError("not a delivery reference")
        return cls(int(month), int(number))
