"""The error tree.

    BadInput                what somebody gave us cannot be used; names the place and says what to do
      BadAddress            a phone number or mailbox that cannot exist
    BadWebhook              an unsigned, altered or stale webhook: answered 403, nothing stored
    SendError               a send did not end in acceptance
      NotSent               surely not sent: may be tried again
        Throttled           the provider asked us to slow down
        Moved               the address is another one now
      OutcomeUnknown        may have been sent: never re-sent blindly
      Refused               the provider said no, for good
    NotAllowed              the state of things forbids it (a campaign launched twice, a missing approval)
    NotFound                no such thing
    Unavailable             a store or a provider we need is not there now

There are three kinds of `SendError` because there are three things to do about one (DESIGN.md 5). What to do next
is decided in ``core/delivery.py`` alone, from the `FailureClass` that each carries.
"""

from __future__ import annotations

from enum import StrEnum


class FailureClass(StrEnum):
    """Why a send failed, in the terms in which we can act on it (FACTS.md 1.7)."""

    OPT_OUT = "opt_out"
    """The person asked for silence. Suppress, cancel what is queued, never fall back to another channel."""
    ADDRESS_DEAD = "address_dead"
    """The address does not exist any more. Invalidate it; fall back at once."""
    RECIPIENT_TRANSIENT = "recipient_transient"
    """A phone that is off, a full mailbox. Try again after 30 minutes and after 4 hours."""
    RATE = "rate"
    """We sent too fast. Pause that bucket; burns no attempt."""
    DAILY_CAP = "daily_cap"
    """A daily allowance is used up. Defer to its reset."""
    TEMPLATE = "template"
    """Outside the service window, or the template is bad. Re-render once with an approved one."""
    WA_MARKETING = "wa_marketing"
    """WhatsApp holds back marketing to this person. Use another channel."""
    CONTENT = "content"
    """The body was refused. Never send the same body again."""
    SENDER_CONFIG = "sender_config"
    """Our account, number or key is at fault. Hold the queue and tell the operator."""
    EXPIRED = "expired"
    """Too late to be of use. Final."""
    TRANSPORT = "transport"
    """The network or the provider's server failed, before or after it had our request."""
    UNKNOWN = "unknown"
    """A code that no table knows. Tried once more, then failed and shown to the operator."""


class OutreachError(Exception):
    """Root of what this program raises on purpose. ``str(error)`` is a sentence for a person."""


class BadInput(OutreachError, ValueError):
    """What somebody gave us cannot be used.

    `place` names the field, column or position (``"texts.sms.en"``, ``"line 7"``); `sentence` says what to do.
    """

    def __init__(self, sentence: str, *, place: str = "") -> None:
        super().__init__(f"{place}: {sentence}" if place else sentence)
        self.sentence = sentence
        self.place = place


class BadAddress(BadInput):
    """A phone number or mailbox that cannot exist. The message never repeats the address."""


class BadWebhook(OutreachError):
    """A webhook that is unsigned, altered or too old. It is answered 403 and nothing of it is stored."""


class NotAllowed(OutreachError):
    """The state of things forbids this; the sentence names who can lift it and how."""


class NotFound(OutreachError):
    """There is no such thing, or this token may not see it."""


class Unavailable(OutreachError):
    """A database or provider that we need is not there now; try again after `retry_after` seconds."""

    def __init__(self, sentence: str, *, retry_after: float = 5.0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class SendError(OutreachError):
    """A send that did not end in acceptance.

    `failure` is the class that decides what happens next; `code` is the provider's own code, kept as evidence.
    Neither the message nor the code may hold an address or a secret.
    """

    def __init__(self, failure: FailureClass, code: str = "", detail: str = "") -> None:
        super().__init__(f"{failure.value} {code} {detail}".strip())
        self.failure = failure
        self.code = code
        self.detail = detail


class NotSent(SendError):
    """Surely not sent: a connect error, or a refusal that says it was not processed."""


class Throttled(NotSent):
    """The provider asked us to slow down. `retry_after` is in seconds, None where it did not say."""

    def __init__(self, code: str = "", retry_after: float | None = None, detail: str = "") -> None:
        super().__init__(FailureClass.RATE, code, detail)
        self.retry_after = retry_after


class Moved(NotSent):
    """The address is another one now (a Telegram group that became a supergroup): `to` is the new one, normalised."""

    def __init__(self, to: str, code: str = "") -> None:
        super().__init__(FailureClass.ADDRESS_DEAD, code)
        self.to = to


class OutcomeUnknown(SendError):
    """It may have been sent: a read time-out, a cut connection or a 5xx after the body left."""

    def __init__(self, code: str = "", detail: str = "") -> None:
        super().__init__(FailureClass.TRANSPORT, code, detail)


class Refused(SendError):
    """The provider said no, for good."""
