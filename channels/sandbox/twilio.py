"""Twilio's Messages resource: sending, looking up, and signed status callbacks.

https://www.twilio.com/docs/messaging/api/message-resource · errors: https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache, partial
from heapq import merge
from itertools import islice
from json.encoder import encode_basestring_ascii as quoted
from typing import Any
from urllib.parse import unquote_plus, urlencode

from twilio.request_validator import RequestValidator

from channels.sandbox.callbacks import Build, Post
from channels.sandbox.httpd import Reply, Request, json_reply
from channels.sandbox.memory import Accepted
from channels.sandbox.phones import InboundSms, Phones, is_phone, signed_post
from channels.sandbox.world import World

ERRORS = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    21211: (400, "Invalid 'To' Phone Number"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21609: (400, "The 'StatusCallback' URL is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21624: (400, "The ValidityPeriod must be from 1 to 36000 seconds."),
}
"""Code: HTTP status and sentence, as Twilio has them."""
MAX_BODY = 1600
MAX_VALIDITY = 36_000


def twilio_error(code: int, **more: Any) -> Reply:
    """An error in Twilio's shape. A code that is not in the table is a plain 400."""
    status, message = ERRORS.get(code, (400, "The request was refused"))
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return json_reply({"code": code, "message": message, "more_info": more_info, "status": status}, status, **more)


@lru_cache(maxsize=256)
def _rfc2822(second: int) -> str:
    return formatdate(second).replace("-0000", "+0000")


def _fault(form: dict[str, str]) -> int:
    """The error code of a message that Twilio would not take, or 0."""
    to = form.get("To", "")
    if not is_phone(to):
        return 21211 if to else 21604
    if not (form.get("From") or form.get("MessagingServiceSid")):
        return 21603
    body = form.get("Body", "")
    if not body:
        return 21602
    # Twilio counts UTF-16 units; where every one is a character there is nothing to convert.
    if len(body) > MAX_BODY or (not body.isascii() and len(body.encode("utf-16-le")) // 2 > MAX_BODY):
        return 21617
    validity = form.get("ValidityPeriod")
    if validity is not None and not (validity.isascii() and validity.isdigit() and 1 <= int(validity) <= MAX_VALIDITY):
        return 21624
    callback = form.get("StatusCallback")
    if callback and not callback.startswith(("http://", "https://")):
        return 21609
    return 0


def _delivery(callback: str) -> str:
    """The delivery that a callback address names with ``d=``."""
    for pair in callback.partition("?")[2].split("&"):
        if pair.startswith("d="):
            return unquote_plus(pair[2:66]).replace("\t", " ")
    return ""


class Twilio:
    """One Twilio account."""

    def __init__(self, world: World, account_sid: str, auth_token: str, own_number: str) -> None:
        self._world = world
        self._account = account_sid
        self._own_number = own_number
        self._validator = RequestValidator(auth_token)
        self._basic = b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self.phones = Phones(world, account_sid, self._validator, own_number)
        self.base = f"/2010-04-01/Accounts/{account_sid}"
        self._messages = f"{self.base}/Messages.json"
        self._created = self._creation_template()

    def handle(self, request: Request) -> Reply:
        """Answer one request under ``/2010-04-01/``."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or not hmac.compare_digest(credentials.encode(), self._basic.encode()):
            return twilio_error(20003)
        if request.path == self._messages and request.method == "POST":
            return self._send(request)
        if request.method != "GET":
            return twilio_error(20404)
        if request.path == self._messages:
            return self._list(request)
        sid = request.path.removeprefix(f"{self.base}/Messages/").removesuffix(".json")
        number = self._world.memory.accepted.number(sid)
        if number is None:
            return twilio_error(20404)
        return json_reply(self._resource(self._world.memory.accepted.get(number)), delay=self._world.latency())

    def _send(self, request: Request) -> Reply:
        world = self._world
        refusal = world.refusal()
        if refusal:
            return self._refuse(20500 if refusal == "error" else 20429)
        try:
            form = request.form()
        except ValueError:
            return self._refuse(21604)
        sender = form.get("From") or self._own_number
        to = form.get("To", "")
        code = _fault(form) or world.knobs.refuse.get(to, 0)
        if not code and self.phones.blocks(to, sender):
            code = 21610
        return self._refuse(code) if code else self._accept(form, to, sender)

    def _refuse(self, code: int) -> Reply:
        self._world.memory.counters[f"refused_{code}"] += 1
        headers = (("Retry-After", f"{self._world.knobs.retry_after:g}"),) if code == 20429 else ()
        return twilio_error(code, headers=headers, delay=self._world.latency())

    def _accept(self, form: dict[str, str], to: str, sender: str) -> Reply:
        world = self._world
        knobs = world.knobs
        now = self._world.clock()
        callback = form.get("StatusCallback", "")
        delivery = _delivery(callback) if callback else ""
        code = knobs.fail.get(to, 0)
        if not code and knobs.undelivered_rate and world.lot("undelivered", to, delivery) < knobs.undelivered_rate:
            codes = knobs.undelivered_codes
            code = codes[int(world.lot("why", to, delivery) * len(codes))]
        text = form["Body"]
        number = world.memory.accepted.add("twilio", to, sender, delivery, text, now, code)
        service = form.get("MessagingServiceSid")
        sid = world.memory.accepted.sid(number)
        self.phones.arrived(to, sender, text, number, code)
        if callback and knobs.no_receipts < 1:
            world.receipts(self._receipts(callback, sid, to, sender, service, code))
        # Twilio picks the number of a Messaging Service only later, and says "accepted" until then.
        status = "accepted" if service else "queued"
        body = self._created % {
            "sid": sid,
            "to": to,
            "text": quoted(text),
            "from": "null" if service else quoted(sender),
            "service": quoted(service) if service else "null",
            "status": status,
            "at": _rfc2822(int(now)),
        }
        return Reply(201, body.encode(), delay=world.latency(), ending=world.ending())

    def _creation_template(self) -> str:
        """The answer to an accepted message, to be filled in: a fifth of the cost of encoding it anew each time."""
        shape = self._shape("%(sid)s", "%(to)s", "%(from)s", "%(text)s", 0.0, "%(status)s", 0, "outbound-api")
        shape |= dict.fromkeys(("date_created", "date_updated"), "%(at)s")
        shape |= {"date_sent": None, "messaging_service_sid": "%(service)s"}
        template = json.dumps(shape, separators=(",", ":"))
        for name in ("from", "text", "service"):
            template = template.replace(f'"%({name})s"', f"%({name})s")
        return template

    def _receipts(
        self, url: str, sid: str, to: str, sender: str, service: str | None, code: int
    ) -> tuple[Build, Build]:
        form = {"SmsSid": sid, "MessageSid": sid, "AccountSid": self._account, "From": sender, "To": to}
        form["ApiVersion"] = "2010-04-01"
        if service:
            form["MessagingServiceSid"] = service
        final = "undelivered" if code else "delivered"
        return partial(self._receipt, url, form, "sent", 0), partial(self._receipt, url, form, final, code)

    def _receipt(self, url: str, form: dict[str, str], status: str, code: int) -> Post:
        form = form | {"SmsStatus": status, "MessageStatus": status}
        if code:
            form["ErrorCode"] = str(code)
        return signed_post(self._validator, url, form)

    def _list(self, request: Request) -> Reply:
        """Messages in both directions, newest first. https://www.twilio.com/docs/usage/twilios-response"""
        try:
            asked = request.arguments()
            size = min(max(int(asked.get("PageSize", "50")), 1), 1000)
            page = max(int(asked.get("Page", "0")), 0)
            since, before = _moments(asked)
        except ValueError:
            return twilio_error(20404)
        found = (
            row for row in self._newest_first(asked.get("To", ""), asked.get("From", "")) if since <= row.at < before
        )
        rows = list(islice(found, page * size, page * size + size + 1))

        def uri(number: int) -> str:
            return f"{self._messages}?{urlencode(asked | {'PageSize': str(size), 'Page': str(number)})}"

        answer = {
            "messages": [self._resource(row) for row in rows[:size]],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + len(rows[:size]) - 1,
            "uri": uri(page),
            "first_page_uri": uri(0),
            "next_page_uri": uri(page + 1) if len(rows) > size else None,
            "previous_page_uri": uri(page - 1) if page else None,
        }
        return json_reply(answer, delay=self._world.latency())

    def _newest_first(self, to: str, sender: str) -> Iterator[Accepted | InboundSms]:
        log = self._world.memory.accepted
        sent = (log.get(number) for number in reversed(log.numbers(to)))
        outbound: Iterable[Accepted] = (row for row in sent if row.provider == "twilio")
        inbound: Iterable[InboundSms] = (row for row in reversed(self.phones.inbound) if not to or row.to == to)
        both: Iterator[Accepted | InboundSms] = merge(outbound, inbound, key=lambda row: -row.at)
        return (row for row in both if not sender or row.sender == sender)

    def _resource(self, row: Accepted | InboundSms) -> dict[str, Any]:
        if isinstance(row, InboundSms):
            return self._shape(row.sid, row.to, row.sender, row.text, row.at, "received", 0, "inbound")
        age = self._world.clock() - row.at
        step = self._world.knobs.receipt_delay
        status = "queued" if age < step else "sent" if age < 2 * step else "undelivered" if row.code else "delivered"
        code = row.code if status == "undelivered" else 0
        return self._shape(row.sid, row.to, row.sender, row.text, row.at, status, code, "outbound-api")

    def _shape(
        self, sid: str, to: str, sender: str | None, text: str, at: float, status: str, code: int, direction: str
    ) -> dict[str, Any]:
        """The Message resource, every field of it."""
        moment = _rfc2822(int(at))
        return {
            "account_sid": self._account,
            "api_version": "2010-04-01",
            "body": text,
            "date_created": moment,
            "date_sent": None if status == "queued" else moment,
            "date_updated": moment,
            "direction": direction,
            "error_code": code or None,
            "error_message": None,
            "from": sender,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": "1" if direction == "inbound" else "0",
            "price": None,
            "price_unit": None,
            "sid": sid,
            "status": status,
            "subresource_uris": {"media": f"{self.base}/Messages/{sid}/Media.json"},
            "to": to,
            "uri": f"{self.base}/Messages/{sid}.json",
        }


def _moments(asked: dict[str, str]) -> tuple[float, float]:
    """The span of ``DateSent``, ``DateSent>`` and ``DateSent<``, in Unix time. Raises ValueError."""
    since, before = 0.0, float("inf")
    if "DateSent" in asked:
        since = _moment(asked["DateSent"])
        before = since + 86_400
    if "DateSent>" in asked:
        since = max(since, _moment(asked["DateSent>"]))
    if "DateSent<" in asked:
        before = min(before, _moment(asked["DateSent<"]))
    return since, before


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
