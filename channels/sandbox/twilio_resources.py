"""What can be read of a Twilio account: its messages in both directions, itself, its numbers and their webhooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from heapq import merge
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from channels.sandbox.httpd import Reply, Request, json_reply
from channels.sandbox.memory import Accepted
from channels.sandbox.phones import WHATSAPP, InboundSms, Phones
from channels.sandbox.twilio_rules import twilio_error
from channels.sandbox.world import World


@lru_cache(maxsize=256)
def rfc2822(second: int) -> str:
    """A moment as the older of Twilio's APIs write it."""
    return formatdate(second).replace("-0000", "+0000")


class Resources:
    """The readable side of one account."""

    def __init__(self, world: World, phones: Phones, account_sid: str, own_number: str) -> None:
        self._world = world
        self._phones = phones
        self._account = account_sid
        self._own_number = own_number
        self.base = f"/2010-04-01/Accounts/{account_sid}"
        self.messages = f"{self.base}/Messages.json"

    def handle(self, request: Request) -> Reply:
        """Answer one GET."""
        path = request.path
        if path == self.messages:
            return self._list(request)
        if path == f"{self.base}.json":
            return json_reply({"sid": self._account, "friendly_name": "Sandbox", "status": "active", "type": "Full"})
        if path == f"{self.base}/IncomingPhoneNumbers.json":
            return self._numbers(request)
        if path.startswith("/v1/Services/"):
            return self._service(path.split("/")[3:])
        if path == "/v2/Channels/Senders":
            webhook = {"callback_url": self._phones.whatsapp_webhook, "callback_method": "POST"}
            sender = {"sender_id": f"{WHATSAPP}{self._own_number}", "status": "ONLINE", "webhook": webhook}
            return json_reply(_meta("senders", [sender]))
        number = self._world.memory.accepted.number(path.removeprefix(f"{self.base}/Messages/").removesuffix(".json"))
        if number is None:
            return twilio_error(20404)
        return json_reply(self._resource(self._world.memory.accepted.get(number)), delay=self._world.latency())

    def _numbers(self, request: Request) -> Reply:
        """https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource: there is one."""
        wanted = request.arguments().get("PhoneNumber", self._own_number)
        number = {"phone_number": self._own_number, "sms_url": self._world.sms_webhook, "sms_method": "POST"}
        return json_reply({"incoming_phone_numbers": [number] if wanted == self._own_number else [], "page": 0})

    def _service(self, path: list[str]) -> Reply:
        """Every Messaging Service there could be: it has the one number, and leaves incoming messages to it.

        https://www.twilio.com/docs/messaging/api/service-resource
        """
        match path:
            case [sid]:
                return json_reply({"sid": sid, "inbound_request_url": None, "use_inbound_webhook_on_number": True})
            case [_, "PhoneNumbers"]:
                return json_reply(_meta("phone_numbers", [{"phone_number": self._own_number}]))
            case [_, "ChannelSenders"]:
                sender = {"sender": f"{WHATSAPP}{self._own_number}", "sender_type": "WhatsApp"}
                return json_reply(_meta("senders", [sender]))
        return twilio_error(20404)

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
            return f"{self.messages}?{urlencode(asked | {'PageSize': str(size), 'Page': str(number)})}"

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
        inbound: Iterable[InboundSms] = (row for row in reversed(self._phones.inbound) if not to or row.to == to)
        both: Iterator[Accepted | InboundSms] = merge(outbound, inbound, key=lambda row: -row.at)
        return (row for row in both if not sender or row.sender == sender)

    def _resource(self, row: Accepted | InboundSms) -> dict[str, Any]:
        if isinstance(row, InboundSms):
            return self.shape(row.sid, row.to, row.sender, row.text, row.at, "received", 0, "inbound")
        steps = ["queued", "sent", "undelivered"] if row.code else ["queued", "sent", "delivered"]
        if row.to.startswith(WHATSAPP) and not row.code:
            steps.append("read")
        age, step = self._world.clock() - row.at, self._world.knobs.receipt_delay
        status = steps[min(int(age / step), len(steps) - 1)] if step else steps[-1]
        code = row.code if status == "undelivered" else 0
        return self.shape(row.sid, row.to, row.sender, row.text, row.at, status, code, "outbound-api")

    def shape(
        self, sid: str, to: str, sender: str | None, text: str, at: float, status: str, code: int, direction: str
    ) -> dict[str, Any]:
        """The Message resource, every field of it."""
        moment = rfc2822(int(at))
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


def _meta(key: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A list as the newer of Twilio's APIs write it."""
    return {key: rows, "meta": {"key": key, "page": 0, "page_size": 50, "next_page_url": None}}


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
