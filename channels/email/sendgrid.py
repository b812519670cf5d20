"""Twilio SendGrid's event webhook: what became of an email.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from channels.email.codes import Stage, classify, enhanced_code
from router.core.channel import Event, HttpRequest, OptOut, Receipt
from router.core.errors import BadInput, BadWebhook, FailureClass
from router.core.model import DeliveryRef, DeliveryStatus

MAX_AGE_SECONDS = 300
"""A signature older than this may be a recording."""

DROPPED: Mapping[str, FailureClass] = {
    # Why SendGrid itself did not send; the start of `reason`, lower-case.
    "bounced address": FailureClass.ADDRESS_DEAD,
    "invalid": FailureClass.SENDER_CONFIG,  # an X-SMTPAPI header that it cannot read
    "recipient list over package quota": FailureClass.DAILY_CAP,
    "spam content": FailureClass.CONTENT,
    "spam reporting address": FailureClass.OPT_OUT,
    "unsubscribed address": FailureClass.OPT_OUT,
}

_RECEIPTS: Mapping[str, DeliveryStatus] = {
    # processed, deferred, click and group_resubscribe say nothing about where the message is.
    "delivered": DeliveryStatus.DELIVERED,
    "open": DeliveryStatus.READ,
    "bounce": DeliveryStatus.FAILED,
    "dropped": DeliveryStatus.FAILED,
}
_OPT_OUTS = frozenset({"spamreport", "unsubscribe", "group_unsubscribe"})

Item = Mapping[str, object]


def load_key(text: str) -> ec.EllipticCurvePublicKey:
    """The verification key as SendGrid shows it: base64 of DER."""
    try:
        key = serialization.load_der_public_key(base64.b64decode(text))
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadInput("is not SendGrid's verification key", place="OUTREACH_EMAIL_WEBHOOK_PUBLIC_KEY")
    return key


def verify(request: HttpRequest, key: ec.EllipticCurvePublicKey) -> None:
    """Check SendGrid's ECDSA signature over timestamp and body, and the timestamp's age."""
    stamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    signature = request.headers.get("x-twilio-email-event-webhook-signature", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 and signature):
        raise BadWebhook("the signature or its time is missing")
    try:
        key.verify(base64.b64decode(signature, validate=True), stamp.encode() + request.body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        raise BadWebhook("the signature is wrong") from None
    if abs(request.received_at.timestamp() - int(stamp)) > MAX_AGE_SECONDS:
        raise BadWebhook("the signature is too old")


def read_events(request: HttpRequest) -> tuple[Event, ...]:
    """The events of a verified webhook; what cannot be read is left out."""
    try:
        items = json.loads(request.body)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(items, list):
        return ()
    events = (_event(item, request.received_at) for item in items if isinstance(item, dict))
    return tuple(event for event in events if event is not None)


def _event(item: Item, received_at: datetime) -> Event | None:
    kind = _text(item, "event")
    delivery = _delivery(item)
    at = _time(item, received_at)
    if kind in _OPT_OUTS:
        address = _text(item, "email").strip().lower()
        if not address:
            return None
        return OptOut(
            event_id=_event_id(item), address=address, at=at, complaint=kind == "spamreport", delivery=delivery
        )
    status = _RECEIPTS.get(kind)
    provider_id = _message_id(item)
    if status is None or not (delivery or provider_id):
        return None
    if kind == "open" and item.get("sg_machine_open") is True:
        return None  # a mail program fetched the pictures, nobody read anything
    code, failure = _failure(kind, item) if status is DeliveryStatus.FAILED else ("", None)
    return Receipt(
        event_id=_event_id(item),
        status=status,
        at=at,
        delivery=delivery,
        provider_id=provider_id,
        code=code,
        failure=failure,
    )


def _failure(kind: str, item: Item) -> tuple[str, FailureClass]:
    """(evidence, class) of a bounce or drop. The reason's text stays here: it may name the mailbox."""
    reason = _text(item, "reason")
    if kind == "dropped":
        for start, failure in DROPPED.items():
            if reason.lower().startswith(start):
                return start, failure
        return "dropped", FailureClass.UNKNOWN
    code = enhanced_code(_text(item, "status")) or enhanced_code(reason)
    hard = _text(item, "type") != "blocked"
    default = FailureClass.ADDRESS_DEAD if hard else FailureClass.UNKNOWN
    return code or ("bounce" if hard else "blocked"), classify(0, f"{code} {reason}", Stage.BOUNCE, default=default)


def _delivery(item: Item) -> DeliveryRef | None:
    """Our delivery's name: the unique argument, else the Message-ID's local part."""
    for name in (_text(item, "delivery"), _message_id(item)[1:].partition("@")[0]):
        try:
            return DeliveryRef.parse(name)
        except ValueError:
            continue
    return None


def _message_id(item: Item) -> str:
    inner = _text(item, "smtp-id").strip().strip("<>")
    return f"<{inner}>" if inner else ""


def _event_id(item: Item) -> str:
    given = _text(item, "sg_event_id")
    if given:
        return given
    known = [_text(item, name) for name in ("event", "email", "smtp-id", "delivery", "reason")]
    stamp = item.get("timestamp")
    known.append(str(stamp) if isinstance(stamp, int | float) else "")
    return hashlib.sha256("\n".join(known).encode()).hexdigest()


def _time(item: Item, received_at: datetime) -> datetime:
    """When it happened, by SendGrid's clock; when we heard of it, where that is missing or lies ahead."""
    stamp = item.get("timestamp")
    if isinstance(stamp, int) and not isinstance(stamp, bool) and 0 < stamp <= received_at.timestamp():
        return datetime.fromtimestamp(stamp, UTC)
    return received_at


def _text(item: Item, name: str) -> str:
    """A field of untrusted JSON as text that any database takes: no NUL, no half characters, of bounded length."""
    value = item.get(name)
    if not isinstance(value, str):
        return ""
    return value[:500].replace("\0", "").encode("utf-8", "replace").decode()
