"""Text messages over Twilio's Programmable Messaging.

The one request per message is written here, over `wire`, because it is the hot path; Twilio's own library checks
the signatures of webhooks. Documentation: https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from urllib.parse import parse_qsl, quote_plus, urlsplit

from multidict import MultiDict
from twilio.request_validator import RequestValidator

from channels.http import failure_of, json_object, media_type
from router.core.channel import (
    ChannelSpec,
    Event,
    Health,
    HttpReply,
    HttpRequest,
    Idempotency,
    Inbound,
    Keyword,
    OutboundMessage,
    Receipt,
    Received,
    Sent,
    Setting,
    Wire,
)
from router.core.errors import BadInput, BadWebhook, FailureClass, OutcomeUnknown, SendError
from router.core.model import DeliveryRef, DeliveryStatus

CODES: Mapping[str, FailureClass] = {
    # https://www.twilio.com/docs/api/errors; the classes are those of FACTS.md 1.7.
    # Met when sending:
    "20003": FailureClass.SENDER_CONFIG,  # authentication failed
    "20404": FailureClass.SENDER_CONFIG,  # no such account
    "20429": FailureClass.RATE,  # too many requests; never processed
    "21211": FailureClass.ADDRESS_DEAD,  # invalid 'To' number
    "21408": FailureClass.SENDER_CONFIG,  # this region is not enabled
    "21606": FailureClass.SENDER_CONFIG,  # 'From' cannot send there
    "21610": FailureClass.OPT_OUT,  # the recipient replied STOP
    "21611": FailureClass.RATE,  # the queue of this 'From' is full
    "21612": FailureClass.RECIPIENT_TRANSIENT,  # no route from this 'From' to this 'To'
    "21614": FailureClass.ADDRESS_DEAD,  # not a mobile number
    "21617": FailureClass.CONTENT,  # body over 1,600 characters
    "21703": FailureClass.SENDER_CONFIG,  # Messaging Service without senders
    "21704": FailureClass.SENDER_CONFIG,  # Messaging Service without a fitting sender
    "21705": FailureClass.SENDER_CONFIG,  # Messaging Service is invalid
    # Met in status callbacks:
    "30001": FailureClass.RATE,  # queue overflow
    "30002": FailureClass.SENDER_CONFIG,  # account suspended
    "30003": FailureClass.RECIPIENT_TRANSIENT,  # handset unreachable
    "30004": FailureClass.CONTENT,  # message blocked
    "30005": FailureClass.ADDRESS_DEAD,  # unknown handset
    "30006": FailureClass.ADDRESS_DEAD,  # landline or unreachable carrier
    "30007": FailureClass.CONTENT,  # filtered as spam
    "30008": FailureClass.RECIPIENT_TRANSIENT,  # unknown error at the carrier
    "30017": FailureClass.RECIPIENT_TRANSIENT,  # carrier network congestion
    "30019": FailureClass.CONTENT,  # larger than the carrier takes
    "30022": FailureClass.RATE,  # US A2P 10DLC rate limit
    "30023": FailureClass.DAILY_CAP,  # US A2P 10DLC daily cap
    "30024": FailureClass.SENDER_CONFIG,  # number not provisioned by the carrier
    "30027": FailureClass.DAILY_CAP,  # T-Mobile daily cap, until midnight Pacific
    "30032": FailureClass.SENDER_CONFIG,  # toll-free number not verified
    "30034": FailureClass.SENDER_CONFIG,  # number without A2P registration
    "30036": FailureClass.EXPIRED,  # validity period ran out
    "30410": FailureClass.RECIPIENT_TRANSIENT,  # provider time-out
}

STATUSES: Mapping[str, DeliveryStatus] = {
    # https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
    # queued, accepted, scheduled and sending say no more than the answer to our request did: no event.
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "undelivered": DeliveryStatus.FAILED,
    "failed": DeliveryStatus.FAILED,
}

OPT_OUT_TYPES: Mapping[str, Keyword] = {"STOP": Keyword.STOP, "START": Keyword.START, "HELP": Keyword.HELP}
"""https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out"""

ANSWERED_WORDS = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"}
    | {"START", "UNSTOP", "HELP", "INFO"}
)
"""What Twilio's default opt-out handling answers itself (FACTS.md 2.1). Only a body of this one word counts.

YES, which it also takes for START after a STOP, is left out: as the answer to an ask it deserves ours.
"""

MAX_VALIDITY = 36_000
"""Seconds that Twilio holds a message at most (FACTS.md 1.1)."""

SPEC = ChannelSpec(
    name="sms",
    address_kind="phone",
    max_length=1600,
    receipts=True,
    inbound=True,
    idempotency=Idempotency.NONE,
    counts_segments=True,
    settings=(
        Setting(name="account_sid", help="Account SID, begins with AC"),
        Setting(name="auth_token", help="Auth token; also signs Twilio's webhooks", secret=True),
        Setting(name="api_key_sid", help="API key to send with instead of the auth token", required=False),
        Setting(name="api_key_secret", help="Secret of that API key", secret=True, required=False),
        Setting(name="messaging_service_sid", help="Messaging Service to send from, begins with MG", required=False),
        Setting(name="from_number", help="Or numbers to send from, separated by commas", required=False),
        Setting(name="api_url", help="Address of the API", required=False, default="https://api.twilio.com"),
        Setting(
            name="provider_answers",
            help="yes where Twilio itself answers STOP, START and HELP (its default), else no",
            required=False,
            default="yes",
        ),
    ),
)

_SID = re.compile(rb'"sid": ?"([SM]M[0-9a-f]{32})"')
"""The message's name in Twilio's answer, found without parsing the other twenty fields.

It cannot be forged by a text that Twilio repeats: inside a JSON string every quotation mark has a backslash.
"""

_TWIML = HttpReply(body=b'<?xml version="1.0" encoding="UTF-8"?><Response/>', content_type="text/xml")


class SmsChannel:
    """One Twilio account."""

    spec = SPEC

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        self._wire = wire
        self._account_sid = settings["account_sid"]
        self._validator = RequestValidator(settings["auth_token"])
        self._provider_answers = settings.get("provider_answers", "yes").strip().lower() not in {"no", "false", "0"}
        self._sender_fields = _sender_fields(settings)
        self.senders = tuple(self._sender_fields)
        api = f"{settings.get('api_url', 'https://api.twilio.com').rstrip('/')}/2010-04-01/Accounts"
        self._account_url = f"{api}/{quote_plus(self._account_sid)}.json"
        self._url = f"{api}/{quote_plus(self._account_sid)}/Messages.json"
        self._headers = {
            "Authorization": _basic_auth(settings),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        self._callback = quote_plus(settings["webhook_url"] + "?d=")

    async def send(self, message: OutboundMessage) -> Sent:
        """Hand the message to Twilio; see `core.channel.Channel.send`."""
        reply = await self._wire.request("POST", self._url, headers=self._headers, body=self._form(message))
        if reply.status in (200, 201):
            found = _SID.search(reply.body)
            if found is None:
                raise OutcomeUnknown(str(reply.status), "an answer without a sid")
            return Sent(found.group(1).decode())
        raise _failure(reply, message.now)

    def verify(self, request: HttpRequest) -> None:
        """Check Twilio's signature over the public address and the form, and that the account is ours.

        https://www.twilio.com/docs/usage/security#validating-requests
        """
        if request.method != "POST" or media_type(request) != "application/x-www-form-urlencoded":
            raise BadWebhook("Twilio's webhooks are form posts")
        signature = request.headers.get("x-twilio-signature", "")
        try:
            form = MultiDict(parse_qsl(request.body.decode("utf-8"), keep_blank_values=True))
            signed = bool(signature) and self._validator.validate(request.url, form, signature)
        except ValueError:  # not UTF-8, or an address with a port that is no number
            signed = False
        if not signed:
            raise BadWebhook("the signature is missing or wrong")
        if form.getall("AccountSid", []) != [self._account_sid]:
            raise BadWebhook("the webhook belongs to another account")

    def receive(self, request: HttpRequest) -> Received:
        """A status callback or an incoming message.

        https://www.twilio.com/docs/messaging/guides/webhook-request
        """
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        form = {name: value.replace("\0", "") for name, value in form.items()}
        sid = form.get("MessageSid") or form.get("SmsSid") or ""
        event: Event | None = None
        if sid and "MessageStatus" in form:
            event = _receipt(form, sid, request)
        elif sid and form.get("From") and "Body" in form:
            event = self._inbound(form, sid, request.received_at)
        return Received(events=() if event is None else (event,), reply=_TWIML)

    async def check(self, now: datetime) -> Health:
        """Ask for the account itself: https://www.twilio.com/docs/iam/api/account#fetch-an-account-resource"""
        reply = await self._wire.request("GET", self._account_url, headers=self._headers)
        if reply.status != 200:
            raise _failure(reply, now)
        account = json_object(reply.body)
        active = account.get("status") == "active"
        mend = () if active else (f"Twilio says that the account is {account.get('status')}",)
        return Health(who=str(account.get("friendly_name", "")), mend=mend)

    async def aclose(self) -> None:
        """Nothing of its own: the connections are the wire's."""

    def _form(self, message: OutboundMessage) -> bytes:
        to = message.to
        valid = min(max(message.valid_seconds, 1), MAX_VALIDITY)
        return (
            f"To={quote_plus(to)}&Body={quote_plus(message.text, errors='replace')}&{self._sender(message)}"
            f"&StatusCallback={self._callback}{message.delivery}&ValidityPeriod={valid}"
        ).encode()

    def _sender(self, message: OutboundMessage) -> str:
        """The form field that names the sender."""
        if message.sender or len(self.senders) == 1:
            return self._sender_fields[message.sender or self.senders[0]]
        return self._sender_fields[_favourite(self.senders, message.to)]

    def _inbound(self, form: Mapping[str, str], sid: str, at: datetime) -> Inbound:
        keyword = OPT_OUT_TYPES.get(form.get("OptOutType", "").strip().upper())
        answered = self._provider_answers and form["Body"].strip().upper() in ANSWERED_WORDS
        return Inbound(
            event_id=sid,
            sender=form["From"].strip(),
            recipient=form.get("To", "").strip(),
            text=form["Body"],
            at=at,
            keyword=keyword,
            provider_answers=keyword is not None or answered,
        )


def _favourite(senders: tuple[str, ...], to: str) -> str:
    """The number of a pool that a person always hears from, where the router has not said which.

    Rendezvous hashing: when the pool grows, nobody changes to another of the old numbers.
    """
    return max(senders, key=lambda sender: blake2b(f"{to} {sender}".encode(), digest_size=8).digest())


def _sender_fields(settings: Mapping[str, str]) -> dict[str, str]:
    """Sender → the form field that names it: one for a Messaging Service, else one for each number of the pool."""
    if service := settings.get("messaging_service_sid", "").strip():
        return {"": f"MessagingServiceSid={quote_plus(service)}"}
    numbers = [number.strip() for number in settings.get("from_number", "").split(",")]
    pool = {number: f"From={quote_plus(number)}" for number in numbers if number}
    if not pool:
        raise BadInput(
            "set OUTREACH_SMS_MESSAGING_SERVICE_SID or OUTREACH_SMS_FROM_NUMBER", place="OUTREACH_SMS_FROM_NUMBER"
        )
    return pool if len(pool) > 1 else {"": next(iter(pool.values()))}


def _basic_auth(settings: Mapping[str, str]) -> str:
    user, password = settings["account_sid"], settings["auth_token"]
    if settings.get("api_key_sid") and settings.get("api_key_secret"):
        user, password = settings["api_key_sid"], settings["api_key_secret"]
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _failure(reply: HttpReply, now: datetime) -> SendError:
    """What an answer other than success means."""
    number = json_object(reply.body).get("code")
    code = str(number) if isinstance(number, int) else ""
    return failure_of(reply, CODES.get(code), code, now)


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
        delivery=_delivery(request.url),
        provider_id=sid,
        code=code if failed else "",
        failure=CODES.get(code, FailureClass.UNKNOWN) if failed else None,
    )


def _delivery(url: str) -> DeliveryRef | None:
    """Our delivery's name in the callback address, covered by Twilio's signature."""
    try:
        return DeliveryRef.parse(dict(parse_qsl(urlsplit(url).query)).get("d", ""))
    except ValueError:
        return None
