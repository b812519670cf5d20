"""What the answers of mail servers mean: RFC 3463 codes and their registry, in our failure classes.

https://www.iana.org/assignments/smtp-enhanced-status-codes · classes: FACTS.md 1.7
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from router.core.errors import FailureClass


class Stage(StrEnum):
    """Where in the conversation an answer fell. The same code means other things in other places."""

    CONNECT = "connect"
    """Greeting, TLS, login."""
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    """The answer to DATA or to the message itself."""
    BOUNCE = "bounce"
    """A report after acceptance."""


ENHANCED: Mapping[str, FailureClass] = {
    # Looked up as class.subject.detail, then as class.subject.
    "4.1": FailureClass.RECIPIENT_TRANSIENT,
    "4.2": FailureClass.RECIPIENT_TRANSIENT,  # mailbox full or busy
    "4.3": FailureClass.RATE,  # the server has no room or time
    "4.4": FailureClass.RECIPIENT_TRANSIENT,  # the network to the mailbox
    "4.5": FailureClass.RATE,  # too many recipients, too many errors
    "4.7": FailureClass.RATE,  # deferred by policy
    "5.1.0": FailureClass.ADDRESS_DEAD,
    "5.1.1": FailureClass.ADDRESS_DEAD,  # no such mailbox
    "5.1.2": FailureClass.ADDRESS_DEAD,  # no such domain
    "5.1.3": FailureClass.ADDRESS_DEAD,  # bad syntax
    "5.1.6": FailureClass.ADDRESS_DEAD,  # moved, no forwarding address
    "5.1.7": FailureClass.SENDER_CONFIG,  # bad sender syntax
    "5.1.8": FailureClass.SENDER_CONFIG,  # bad sender domain
    "5.1.10": FailureClass.ADDRESS_DEAD,  # domain takes no mail (null MX)
    "5.2.1": FailureClass.ADDRESS_DEAD,  # mailbox disabled
    "5.2.2": FailureClass.RECIPIENT_TRANSIENT,  # mailbox full
    "5.2.3": FailureClass.CONTENT,  # too long for this mailbox
    "5.3.4": FailureClass.CONTENT,  # too big for this system
    "5.6": FailureClass.CONTENT,
    "5.7": FailureClass.SENDER_CONFIG,  # authentication, DMARC, relaying
}

PLAIN: Mapping[tuple[Stage, int], FailureClass] = {
    # Where the server gives no enhanced code: RFC 5321, 4.2.3.
    (Stage.RCPT, 550): FailureClass.ADDRESS_DEAD,
    (Stage.RCPT, 551): FailureClass.ADDRESS_DEAD,
    (Stage.RCPT, 552): FailureClass.RECIPIENT_TRANSIENT,
    (Stage.RCPT, 553): FailureClass.ADDRESS_DEAD,
    (Stage.DATA, 550): FailureClass.CONTENT,
    (Stage.DATA, 552): FailureClass.CONTENT,
    (Stage.DATA, 554): FailureClass.CONTENT,
}

_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_SENDER_AT_FAULT = re.compile(r"dmarc|dkim|spf\b|authenticat|relay", re.IGNORECASE)


def enhanced_code(text: str) -> str:
    """``"5.1.1"`` from ``"5.1.1 <…>: no such user"`` or ``"550 5.1.1 …"``; "" where there is none."""
    match = _ENHANCED.search(text[:200])
    return match.group(1) if match else ""


def classify(code: int, text: str, stage: Stage, *, default: FailureClass = FailureClass.UNKNOWN) -> FailureClass:
    """The class of a 4xx or 5xx answer. `code` is the three-digit one (0 where only a report's text is known)."""
    enhanced = enhanced_code(text)
    if code == 421:
        return FailureClass.RATE
    if enhanced == "5.7.1" and stage in (Stage.DATA, Stage.BOUNCE) and not _SENDER_AT_FAULT.search(text):
        return FailureClass.CONTENT  # said of the message itself, once it was seen
    known = ENHANCED.get(enhanced) or ENHANCED.get(enhanced.rpartition(".")[0])
    if known is not None:
        return known
    if enhanced.startswith("4") or 400 <= code < 500:
        return FailureClass.RECIPIENT_TRANSIENT
    if stage in (Stage.CONNECT, Stage.MAIL):
        return FailureClass.SENDER_CONFIG
    return PLAIN.get((stage, code), default)
