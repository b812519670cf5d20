"""What Twilio's channels have in common: one account, its credentials and senders, its Messages resource.

No channel, and free of any. The one request per message is written here, over `wire`, because it is the hot path.
Documentation: https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from hashlib import blake2b
from urllib.parse import quote, quote_plus, urlsplit

from channels.http import failure_of, form_value, json_object
from channels.twilio_codes import CODES
from router.core.channel import HttpReply, OutboundMessage, Sent, Setting, Wire
from router.core.errors import BadInput, OutcomeUnknown, SendError

SETTINGS = (
    Setting(name="account_sid", help="Account SID, begins with AC"),
    Setting(name="auth_token", help="Auth token; also signs Twilio's webhooks", secret=True),
    Setting(name="api_key_sid", help="API key to send with instead of the auth token", required=False),
    Setting(name="api_key_secret", help="Secret of that API key", secret=True, required=False),
    Setting(name="messaging_service_sid", help="Messaging Service to send from, begins with MG", required=False),
    Setting(name="from_number", help="Or numbers to send from, separated by commas", required=False),
    Setting(name="api_url", help="Address of the API", required=False, default="https://api.twilio.com"),
    Setting(
        name="listen",
        help="yes where Twilio cannot call us: answers are fetched every 10 seconds, receipts only come over https",
        required=False,
        default="no",
    ),
)
"""What every Twilio channel needs to be told."""

_SID = re.compile(rb'"sid": ?"([SM]M[0-9a-f]{32})"')
"""The message's name in Twilio's answer, found without parsing the other twenty fields.

It cannot be forged by a text that Twilio repeats: inside a JSON string every quotation mark has a backslash.
"""

_PHONE_NUMBERS = ("PhoneNumbers", "phone_numbers", "phone_number")
"""https://www.twilio.com/docs/messaging/api/phonenumber-resource: the resource, its list, the field of a number."""


class Account:
    """One Twilio account, as one channel uses it.

    `prefix` stands before every number on the wire (``whatsapp:``); `max_validity` is how many seconds Twilio holds a
    message of this channel at most.
    """

    def __init__(
        self, settings: Mapping[str, str], wire: Wire, *, channel: str, prefix: str = "", max_validity: int
    ) -> None:
        self._wire = wire
        self._sid = settings["account_sid"]
        self._max_validity = max_validity
        self._to = f"To={quote_plus(prefix)}"
        self.prefix = prefix
        self.webhook_url = settings["webhook_url"]
        self.listens = is_yes(settings.get("listen", "no"))
        self.service = settings.get("messaging_service_sid", "").strip()
        """The Messaging Service that it sends from, or ""."""
        self.numbers = () if self.service else _numbers(settings.get("from_number", ""), prefix)
        """The numbers that it sends from, where there is no Messaging Service."""
        self._sender_fields = self._fields_of_senders(channel)
        self.senders = tuple(self._sender_fields)
        api = settings.get("api_url", "https://api.twilio.com").rstrip("/")
        self.messaging = _messaging_url(api)
        """Address of the Messaging Services' API; the same host as the API's own where that is no ``api.…``."""
        self.url = f"{api}/2010-04-01/Accounts/{quote(self._sid, safe='')}"
        self._messages = f"{self.url}/Messages.json"
        self._headers = {
            "Authorization": _basic_auth(settings),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        # An API key may not read the account itself: https://www.twilio.com/docs/iam/api-keys/keys-in-console
        self._owner = {**self._headers, "Authorization": _basic(self._sid, settings["auth_token"])}
        self._callback = ""
        # Who listens may have no public address, and Twilio refuses a message with a callback that is none (21609).
        if not self.listens or self.webhook_url.startswith("https://"):
            self._callback = "&StatusCallback=" + quote_plus(self.webhook_url + "?d=")

    async def create(self, message: OutboundMessage, content: str) -> Sent:
        """Hand one message to Twilio. `content` is what it says, as form fields; see `core.channel.Channel.send`."""
        callback = f"{self._callback}{message.delivery}" if self._callback else ""
        valid = min(max(message.valid_seconds, 1), self._max_validity)
        form = f"{self._to}{form_value(message.to)}&{content}&{self._sender(message)}{callback}&ValidityPeriod={valid}"
        reply = await self._wire.request("POST", self._messages, headers=self._headers, body=form.encode())
        if reply.status in (200, 201):
            found = _SID.search(reply.body)
            if found is None:
                raise OutcomeUnknown(str(reply.status), "an answer without a sid")
            return Sent(found.group(1).decode())
        raise _failure(reply, message.now)

    async def get(self, url: str, now: datetime, *, as_owner: bool = False) -> Mapping[str, object]:
        """One resource of this account; `as_owner` with the auth token even where there is an API key.

        Raises a `SendError` as `create` does.
        """
        reply = await self._wire.request("GET", url, headers=self._owner if as_owner else self._headers)
        if reply.status != 200:
            raise _failure(reply, now)
        return json_object(reply.body)

    async def rows(self, url: str, key: str, now: datetime) -> AsyncIterator[Mapping[str, object]]:
        """Every row of a list, page after page, in Twilio's order; `key` is the list's name. Raises as `get` does.

        https://www.twilio.com/docs/usage/twilios-response#response-formats-list-paging-information
        """
        while url:
            page = await self.get(url, now)
            meta = page.get("meta")
            paging = meta if isinstance(meta, dict) else {}
            listed = page.get(str(paging.get("key", key)))
            for row in listed if isinstance(listed, list) else []:
                if isinstance(row, dict):
                    yield row
            url = _next_page(url, page.get("next_page_uri") or paging.get("next_page_url"))

    async def own_numbers(self, now: datetime) -> tuple[str, ...]:
        """The numbers that people write to us on, without prefix; those of the Messaging Service are asked for."""
        if not self.service:
            return self.numbers
        kind, key, field = ("ChannelSenders", "senders", "sender") if self.prefix else _PHONE_NUMBERS
        url = f"{self.messaging}/v1/Services/{quote(self.service, safe='')}/{kind}?PageSize=100"
        found = [str(row.get(field, "")) async for row in self.rows(url, key, now)]
        return tuple(number.removeprefix(self.prefix) for number in found if number.startswith(f"{self.prefix}+"))

    def _sender(self, message: OutboundMessage) -> str:
        """The form field that names the sender."""
        if message.sender or len(self.senders) == 1:
            return self._sender_fields[message.sender or self.senders[0]]
        return self._sender_fields[_favourite(self.senders, message.to)]

    def _fields_of_senders(self, channel: str) -> dict[str, str]:
        """Sender → the form field that names it: one for a Messaging Service, else one for each number of the pool."""
        if self.service:
            return {"": f"MessagingServiceSid={quote_plus(self.service)}"}
        pool = {number: f"From={quote_plus(self.prefix + number)}" for number in self.numbers}
        if not pool:
            name = f"OUTREACH_{channel.upper()}"
            raise BadInput(f"set {name}_MESSAGING_SERVICE_SID or {name}_FROM_NUMBER", place=f"{name}_FROM_NUMBER")
        return pool if len(pool) > 1 else {"": next(iter(pool.values()))}


def is_yes(text: str) -> bool:
    """Whether a setting means yes."""
    return text.strip().lower() in {"yes", "true", "1", "on"}


def _favourite(senders: tuple[str, ...], to: str) -> str:
    """The number of a pool that a person always hears from, where the router has not said which.

    Rendezvous hashing: when the pool grows, nobody changes to another of the old numbers.
    """
    return max(senders, key=lambda sender: blake2b(f"{to} {sender}".encode(), digest_size=8).digest())


def _numbers(text: str, prefix: str) -> tuple[str, ...]:
    """The numbers of a pool, each once, without the prefix that they have on the wire."""
    numbers = (number.strip().removeprefix(prefix) for number in text.split(","))
    return tuple(dict.fromkeys(number for number in numbers if number))


def _messaging_url(api: str) -> str:
    """https://www.twilio.com/docs/messaging/api/service-resource: the same domain, another host."""
    scheme, _, host = api.partition("://")
    return f"{scheme}://messaging.{host.removeprefix('api.')}" if host.startswith("api.") else api


def _next_page(url: str, link: object) -> str:
    """The address of the next page, on the host of this one, because our credentials go with it; "" after the last."""
    if not isinstance(link, str) or not link:
        return ""
    here, there = urlsplit(url), urlsplit(link)
    return f"{here.scheme}://{here.netloc}{there.path}?{there.query}"


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _basic_auth(settings: Mapping[str, str]) -> str:
    if settings.get("api_key_sid") and settings.get("api_key_secret"):
        return _basic(settings["api_key_sid"], settings["api_key_secret"])
    return _basic(settings["account_sid"], settings["auth_token"])


def _failure(reply: HttpReply, now: datetime) -> SendError:
    """What an answer other than success means."""
    number = json_object(reply.body).get("code")
    code = str(number) if isinstance(number, int) else ""
    return failure_of(reply, CODES.get(code), code, now)
