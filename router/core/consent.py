"""May we write to this address? The only place that answers, and the only maker of an `Allow`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from router.core.frozen import frozen
from router.core.model import Address, AddressState, ConsentState, Reason

CONFIRMATION_WINDOW = timedelta(minutes=5)
"""A single opt-out confirmation is presumed fine within five minutes (FACTS.md 2.1, confirmation text)."""

CONVERSATION_WINDOW = timedelta(days=7)
"""Who wrote to us so lately expects an answer: a conversation that a person began carries their consent to its answers
(CTIA Messaging Principles and Best Practices 5.1, "Conversational")."""

_GRANTED, _ACTIVE = ConsentState.GRANTED, AddressState.ACTIVE
"""Named once: looking up a member of an enum costs more than the rest of the usual decision."""


@frozen()
class Allow:
    """Proof that consent was checked. `OutboundMessage` cannot be made without one.

    Only the functions of this module make it: the constructor refuses everybody else.
    """

    address: Address
    key: object

    _KEY: ClassVar[object] = object()

    def __post_init__(self) -> None:
        if self.key is not Allow._KEY:
            raise TypeError("an Allow is made by router.core.consent, nowhere else")


def check(address: Address, *, erased: bool = False) -> Allow | Reason:
    """Whether a message may go to `address`: an `Allow`, or the reason why not."""
    if erased:
        return Reason.ERASED
    return objection(address) or Allow(address, Allow._KEY)


def objection(address: Address, *, alert: bool = False) -> Reason | None:
    """What speaks against writing to `address`; an alert also needs its owner's consent to alerts there."""
    if address.consent is _GRANTED and address.state is _ACTIVE and not address.suppressed:
        return Reason.NO_CONSENT if alert and not address.alerts else None
    if address.suppressed or address.consent is ConsentState.REVOKED:
        return Reason.SUPPRESSED
    if address.state is AddressState.DEAD:
        return Reason.ADDRESS_DEAD
    return Reason.UNCONFIRMED if address.consent is ConsentState.UNCONFIRMED else Reason.NO_CONSENT


def check_reply(address: Address, *, asked_at: datetime, now: datetime) -> Allow | Reason:
    """Whether the answer to a keyword may go back: the person has just written to us from this very address.

    This also covers the one confirmation of a STOP, which goes to an address that is already suppressed.
    """
    if now - asked_at > CONFIRMATION_WINDOW:
        return Reason.EXPIRED
    if address.state is AddressState.DEAD:
        return Reason.ADDRESS_DEAD
    return Allow(address, Allow._KEY)


def check_conversation(address: Address, *, now: datetime) -> Allow | Reason:
    """Whether a person may answer what somebody wrote: they agreed to hear from us, or wrote a few days ago."""
    reason = objection(address)
    wrote = address.last_inbound_at is not None and now - address.last_inbound_at <= CONVERSATION_WINDOW
    if reason in (Reason.NO_CONSENT, Reason.UNCONFIRMED) and wrote:
        reason = None
    return reason or Allow(address, Allow._KEY)


def check_confirmation(address: Address) -> Allow | Reason:
    """Whether we may ask an address that a form named to confirm itself (double opt-in): where nothing is said yet."""
    reason = objection(address)
    return Allow(address, Allow._KEY) if reason in (None, Reason.UNCONFIRMED) else reason


def check_self_test(address: Address) -> Allow | Reason:
    """Whether an organizer may send a rendering to their own address: unless that address said STOP."""
    if address.suppressed:
        return Reason.SUPPRESSED
    return Allow(address, Allow._KEY)
