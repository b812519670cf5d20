"""The webhooks of Twilio's channels: signed form posts with a message's status or with an incoming message.

Twilio's own library checks the signatures. https://www.twilio.com/docs/messaging/guides/webhook-request
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from hmac import compare_digest
from urllib.parse import parse_qsl, urlsplit

from multidict import MultiDict
from twilio.request_validator import RequestValidator

from channels.http import media_type
from channels.twilio_codes import CODES, STATUSES
from router.core.channel import Event, HttpReply, HttpRequest, Inbound, Receipt, Received
from router.core.errors import BadWebhook, FailureClass
from router.core.model import DeliveryRef, DeliveryStatus

ReadInbound = Callable[[Mapping[str, str], str, datetime], Inbound | None]
"""(the fields of an incoming message, its sid, when it came) → what the channel makes of it."""

_TWIML = HttpReply(body=b'<?xml version="1.0" encoding="UTF-8"?><Response/>', content_type="text/xml")


class Webhooks:
    """What one account's webhooks bring; `read` makes a channel's event of an incoming message."""

    def __init__(self, settings: Mapping[str, str], read: ReadInbound) -> None:
        self._sid = settings["account_sid"]
        self._validator = RequestValidator(settings["auth_token"])
        self._read = read

    def verify(self, request: HttpRequest) -> None:
        """Check Twilio's signature over the public address and the form, and that the account is ours.

        https://www.twilio.com/docs/usage/security#validating-requests
        """
        if request.method != "POST" or media_type(request) != "application/x-www-form-urlencoded":
            raise BadWebhook("Twilio's webhooks are form posts")
        signature = request.headers.get("x-twilio-signature", "")
        try:
            request.body.decode("utf-8")
            form = MultiDict(_fields(request.body))
            signed = bool(signature) and self._is_signed(request.url, form, signature)
        except ValueError:  # not UTF-8, or an address with a port that is no number
            signed = False
        if not signed:
            raise BadWebhook("the signature is missing or wrong")
        if form.getall("AccountSid", []) != [self._sid]:
            raise BadWebhook("the webhook belongs to another account")

    def _is_signed(self, url: str, form: MultiDict[str], signature: str) -> bool:
        """Over the address as it was given, as nearly always; else Twilio's library tries with its port and without."""
        computed = self._validator.compute_signature(url, form)
        exact = compare_digest(computed.encode(), signature.encode("utf-8", "surrogateescape"))
        return exact or bool(self._validator.validate(url, form, signature))

    def receive(self, request: HttpRequest) -> Received:
        """A status callback or an incoming message."""
        form = {name: value.replace("\0", "") for name, value in _fields(request.body)}
        sid = form.get("MessageSid") or form.get("SmsSid") or ""
        event: Event | None = None
        if sid and "MessageStatus" in form:
            event = _receipt(form, sid, request)
        elif sid and form.get("From") and "Body" in form:
            event = self._read(form, sid, request.received_at)
        return Received(events=() if event is None else (event,), reply=_TWIML)


@lru_cache(maxsize=1)
def _fields(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form; a webhook's is looked at twice in a row."""
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def parse_delivery(text: str) -> DeliveryRef | None:
    """Our delivery's name as it stands on the wire, or None where it is none."""
    try:
        return DeliveryRef.parse(text)
    except ValueError:
        return None


def _receipt(form: Mapping[str, str], sid: str, request: HttpRequest) -> Receipt | None:
    word = form["MessageStatus"].strip().lower()
    status = STATUSES.get(word)
    if status is None:
        return None
    code = form.get("ErrorCode", "").strip()
    failed = status is DeliveryStatus.FAILED
    return Receipt(
        event_id=f"{sid}:{word}",
        status=status,
        at=request.received_at,
        delivery=_named_delivery(request.url),
        provider_id=sid,
        code=code if failed else "",
        failure=CODES.get(code, FailureClass.UNKNOWN) if failed else None,
    )


def _named_delivery(url: str) -> DeliveryRef | None:
    """Our delivery's name in the callback address, covered by Twilio's signature."""
    try:
        return parse_delivery(dict(parse_qsl(urlsplit(url).query)).get("d", ""))
    except ValueError:
        return None
