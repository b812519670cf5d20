"""Why a message came, or did not: in sentences, for the organizers and for the member.

Organizers read about addresses by channel and number, never by value. The member reads what `Reason.sentence` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from router.core.attention import Refusal
from router.core.catalogue import Translator, gettext_noop, translator
from router.core.model import DeliveryStatus, Reason
from router.core.trace import Basis, Verdict, Wait

_S = DeliveryStatus

OBJECTIONS: Mapping[Reason | Refusal, str] = {
    Reason.NO_ADDRESS: "the member has no address left that it could go to",
    Reason.NO_CONSENT: "there is no consent to it there",
    Reason.UNCONFIRMED: "the consent there was never confirmed from the address itself",
    Reason.SUPPRESSED: "its owner asked for silence there",
    Reason.ADDRESS_DEAD: "the address does not work any more",
    Reason.NO_CHANNEL: "the ask does not use that channel, or it is not set up",
    Reason.NO_TEMPLATE: "its provider wants an approved text from whoever writes first, and the ask has none",
    Reason.CHANNEL_RULES: "its provider lets no asks through to that country",
    Refusal.CAP: "the contact budget has no room before the ask runs out",
    Refusal.GAP: "it would follow another ask too closely for as long as the ask lives",
    Refusal.DIAL: "the member asked to hear less",
    Refusal.PAUSED: "the member asked for a pause",
    Refusal.NEWCOMER: "the member joined lately, and newcomers are asked little",
    Refusal.SILENT: "the member has not answered for so long that only an ask for permission may come",
    Refusal.LET_GO: "the member answered neither for long nor when asked for permission",
    Reason.OUTRANKED: "a more important ask took its place in the contact budget",
    Reason.REPORT_OWED: "the member acted with us before and has not been told what came of it",
    Reason.DUPLICATE: "the ask already goes to the same phone, mailbox or person",
    Reason.HELD_OUT: "the lot left the member out, to learn what the ask changes",
    Reason.GOAL_MET: "the goal was met before it left",
    Reason.ACTED: "the member had already acted",
    Reason.TOO_SLOW: "no channel could have brought it in time",
    Reason.QUIET_HOURS: "the member's quiet hours leave no moment before the ask runs out",
    Reason.NOT_SIGNED_UP: "it is only for those who signed up",
    Reason.ERASED: "the member asked for erasure",
    Reason.CAMPAIGN_CANCELLED: "the campaign was cancelled before it left",
    Reason.EXPIRED: "the ask ran out before it could leave",
    Reason.REFUSED: "the provider would not take it",
    Reason.UNREACHABLE: "the phone or mailbox could not be reached",
    Reason.CONTENT: "the provider refused its text",
    Reason.SENDER_CONFIG: "our own account at the provider was at fault",
    Reason.SUPERSEDED: "it was tried again in another way",
    Reason.UNSETTLED: "nobody could find out whether it was sent, so it was not sent again",
    Reason.MERGED: "the member became one with another record, which carries the message",
}
"""Reason → what organizers read after a colon. A reason of the contact budget stands there as its `Refusal`."""

_BASES: Mapping[Basis, tuple[str, str]] = {
    Basis.OWN: ("the member likes that channel best", gettext_noop("you like that channel best")),
    Basis.WATERFALL: ("the ask names that channel first", gettext_noop("its organizers chose that channel first")),
    Basis.ANSWERS: ("the member answered most often there", gettext_noop("you answered us there before")),
    Basis.REACH: ("the other address failed of late", gettext_noop("it reaches you best")),
    Basis.COST: (
        "it costs least, and nothing else told the addresses apart",
        gettext_noop("it costs the movement least"),
    ),
    Basis.FULL: ("a channel before it was full", gettext_noop("it was the quickest way to you")),
    Basis.ALERT: ("the member agreed to alerts there", gettext_noop("you agreed to alerts there")),
}
"""Basis → why the first address that was tried came first: for organizers, for the member."""

_WAITS: Mapping[Wait, str] = {
    Wait.LOCAL_START: "the hour at which the ask begins on the member's own clock",
    Wait.QUIET_HOURS: "the end of quiet hours",
    Wait.BUDGET: "room in the contact budget",
    Wait.GROUP: "an answer in a group that the member is in, which was asked first",
}

_ATTEMPTS: Mapping[str, str] = {
    "sent": "the provider took it",
    "not_sent": "it surely did not leave",
    "refused": "the provider refused it",
    "unknown": "the provider's answer never came, so it may have been sent",
}


def moment(at: datetime) -> str:
    """A moment as organizers read it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The member to whom it is told: their language, their clock, and what they call a channel."""

    speak: Translator
    zone: str = ""
    """"": moments are told as organizers read them."""
    channel: Callable[[str], str] = str

    def moment(self, at: datetime) -> str:
        """A moment by their clock."""
        return self.speak.moment(at, self.zone) if self.zone else moment(at)


ENGLISH = Reader(speak=translator("en"))


def order_sentence(basis: Basis, first: Verdict) -> str:
    """Why one address was tried first, for organizers; "" where there was no choice."""
    known = _BASES.get(basis)
    return f"{_name(first)} came first: {known[0]}." if known else ""


def order_for_member(basis: Basis, channel: str, reader: Reader) -> str:
    """Why it came by this channel, for the member; "" where there was no choice."""
    known = _BASES.get(basis)
    if known is None:
        return ""
    why = reader.speak.gettext(known[1])
    return reader.speak.gettext("We chose %(channel)s because %(why)s.", channel=reader.channel(channel), why=why)


def verdict_sentence(verdict: Verdict) -> str:
    """What was decided about one address, for organizers."""
    name = _name(verdict)
    if verdict.reason is not None:
        return f"{name} was left out: {OBJECTIONS[verdict.reason]}."
    if verdict.also:
        return f"{name} gets it at the same moment: its owner agreed to alerts there."
    if verdict.at is None:
        return f"{name} was passed over: its channel could not have taken one more in time."
    late = " although its channel was full, because no other was left" if verdict.full else ""
    if not verdict.waits:
        return f"{name} was chosen{late}, to leave at once."
    waits = " and ".join(_WAITS[wait] for wait in verdict.waits)
    return f"{name} was chosen{late}, to leave at {moment(verdict.at)}: it waits for {waits}."


def _name(verdict: Verdict) -> str:
    return f"{verdict.channel} (address {verdict.address_id})"


def attempt_sentence(outcome: str, failure: str | None, code: str, account: str) -> str:
    """What came of handing it to a provider, for organizers."""
    by = f" by {account}" if account else ""
    return f"Handed to the provider{by}: {_ATTEMPTS.get(outcome, outcome)}{_evidence(failure, code)}."


def receipt_sentence(status: DeliveryStatus, code: str, *, moved: bool) -> str:
    """What a receipt said, for organizers."""
    late = "" if moved else ", which changed nothing any more"
    return f"The provider reported it as {status.value}{_evidence(None, code)}{late}."


def _evidence(failure: str | None, code: str) -> str:
    parts = [failure.replace("_", " ") if failure else "", f"code {code}" if code else ""]
    told = ", ".join(part for part in parts if part)
    return f" ({told})" if told else ""


def state_sentence(channel: str, status: DeliveryStatus, reason: Reason | None, at: datetime | None) -> str:
    """Where a delivery stands, for organizers. `at` is when it came to that, or when it may leave."""
    when = f" at {moment(at)}" if at else ""
    because = f": {OBJECTIONS[reason]}" if reason else ""
    match status:
        case _S.HELD:
            return f"Nothing was sent{because}."
        case _S.QUEUED:
            return f"The message by {channel} waits" + (f" until {moment(at)}." if at else " for its turn to leave.")
        case _S.SENDING:
            return f"The message by {channel} is just leaving."
        case _S.SENT:
            return f"It was sent by {channel}{when}; nothing was heard of it since."
        case _S.DELIVERED | _S.READ:
            return f"It was {status.value} by {channel}{when}."
        case _S.UNKNOWN:
            return f"It may have been sent by {channel}; nobody knows, so it is never sent again blindly."
        case _S.FAILED | _S.EXPIRED | _S.CANCELLED:
            return f"The message by {channel} {_ENDS[status]}{when}{because}."


_ENDS = {_S.FAILED: "failed", _S.EXPIRED: "expired", _S.CANCELLED: "was withdrawn"}


def state_for_member(
    channel: str, status: DeliveryStatus, reason: Reason | None, at: datetime | None, reader: Reader
) -> str:
    """The same, for the member."""
    gettext, by = reader.speak.gettext, reader.channel(channel)
    when = reader.moment(at) if at else ""
    match status:
        case _S.QUEUED if when:
            return gettext("It is to come to you by %(channel)s, not before %(when)s.", channel=by, when=when)
        case _S.QUEUED:
            return gettext("It is to come to you by %(channel)s soon.", channel=by)
        case _S.SENDING:
            return gettext("It is just leaving for you by %(channel)s.", channel=by)
        case _S.SENT if when:
            return gettext("We sent it to you by %(channel)s at %(when)s.", channel=by, when=when)
        case _S.SENT:
            return gettext("We sent it to you by %(channel)s.", channel=by)
        case _S.DELIVERED | _S.READ if when:
            return gettext("It reached you by %(channel)s at %(when)s.", channel=by, when=when)
        case _S.DELIVERED | _S.READ:
            return gettext("It reached you by %(channel)s.", channel=by)
        case _S.UNKNOWN:
            because = Reason.UNSETTLED
            return gettext(because.sentence)
        case _:
            because = reason or Reason.UNREACHABLE
            sentence = gettext(because.sentence)
            if not channel or status is _S.HELD:
                return sentence
            return gettext("By %(channel)s: %(sentence)s", channel=by, sentence=sentence)


def heard_sentence(count: int, reader: Reader) -> str:
    """What the contact budget held when it was decided, for the member."""
    return reader.speak.ngettext(
        "By then you had heard from us once in 7 days, counting what was on its way to you.",
        "By then you had heard from us %(num)s times in 7 days, counting what was on its way to you.",
        count,
    )
