"""Twilio's Messages resource: sending SMS and WhatsApp, looking up, and signed status callbacks.

https://www.twilio.com/docs/messaging/api/message-resource · errors: https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from functools import partial
from json.encoder import encode_basestring_ascii as quoted
from urllib.parse import unquote_plus

from twilio.request_validator import RequestValidator

from channels.sandbox.callbacks import Build, Post
from channels.sandbox.httpd import Reply, Request
from channels.sandbox.phones import WHATSAPP, Phones, signed_post
from channels.sandbox.twilio_content import Contents, QuickReply
from channels.sandbox.twilio_resources import Resources, rfc2822
from channels.sandbox.twilio_rules import fault_of, twilio_error, variables_of, whatsapp_fault
from channels.sandbox.world import World


def _delivery(callback: str) -> str:
    """The delivery that a callback address names with ``d=``."""
    for pair in callback.partition("?")[2].split("&"):
        if pair.startswith("d="):
            return unquote_plus(pair[2:66]).replace("\t", " ")
    return ""


class Twilio:
    """One Twilio account with one number, for SMS and for WhatsApp."""

    prefixes = ("/2010-04-01/", "/v1/Services/", "/v1/Content", "/v2/Channels/Senders")
    """Beginnings of the paths that are its own."""

    def __init__(self, world: World, account_sid: str, auth_token: str, own_number: str) -> None:
        self._world = world
        self._account = account_sid
        self._own_number = own_number
        self._validator = RequestValidator(auth_token)
        self._basic = b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self.phones = Phones(world, account_sid, self._validator, own_number)
        self.contents = Contents()
        """The templates that `ContentSid` may name."""
        self._resources = Resources(world, self.phones, account_sid, own_number)
        self.base = self._resources.base
        self._created = self._creation_template()

    def handle(self, request: Request) -> Reply:
        """Answer one request under one of `prefixes`."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or not hmac.compare_digest(credentials.encode(), self._basic.encode()):
            return twilio_error(20003)
        if request.path == self._resources.messages and request.method == "POST":
            return self._send(request)
        if request.path.startswith("/v1/Content"):
            try:
                return self.contents.handle(request) or twilio_error(20404)
            except (KeyError, ValueError, TypeError, AttributeError, StopIteration):
                return twilio_error(20001)
        return self._resources.handle(request) if request.method == "GET" else twilio_error(20404)

    def _send(self, request: Request) -> Reply:
        world = self._world
        refusal = world.refusal()
        if refusal:
            return self._refuse(20500 if refusal == "error" else 20429)
        try:
            form = request.form()
        except ValueError:
            return self._refuse(21604)
        to = form.get("To", "")
        sender = form.get("From") or (f"{WHATSAPP}{self._own_number}" if to.startswith(WHATSAPP) else self._own_number)
        code = fault_of(form, self.contents) or world.knobs.refuse.get(to, 0)
        if not code and self.phones.blocks(to, sender):
            code = 21610
        return self._refuse(code) if code else self._accept(form, to, sender)

    def _refuse(self, code: int) -> Reply:
        self._world.memory.counters[f"refused_{code}"] += 1
        headers = (("Retry-After", f"{self._world.knobs.retry_after:g}"),) if code == 20429 else ()
        return twilio_error(code, headers=headers, delay=self._world.latency())

    def _accept(self, form: dict[str, str], to: str, sender: str) -> Reply:
        world = self._world
        now = self._world.clock()
        callback = form.get("StatusCallback", "")
        delivery = _delivery(callback) if callback else ""
        text, buttons, code = self._words(form, to, sender)
        code = code or self._misfortune(to, delivery)
        number = world.memory.accepted.add("twilio", to, sender, delivery, text, now, code)
        service = form.get("MessagingServiceSid")
        sid = world.memory.accepted.sid(number)
        self.phones.arrived(to, sender, text, number, code, buttons=buttons, picture=form.get("MediaUrl", ""))
        if callback and world.knobs.no_receipts < 1:
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
            "at": rfc2822(int(now)),
        }
        return Reply(201, body.encode(), delay=world.latency(), ending=world.ending())

    def _words(self, form: dict[str, str], to: str, sender: str) -> tuple[str, tuple[QuickReply, ...], int]:
        """What the phone shows, and why WhatsApp keeps it back (0 where it does not)."""
        template, filled = self.contents.get(form.get("ContentSid", "")), True
        text = form.get("Body", "")
        buttons: tuple[QuickReply, ...] = ()
        if template is not None:
            try:
                template = template.fill(variables_of(form) or {})
            except KeyError:
                filled = False
            text, buttons = template.body, template.buttons
        if not to.startswith(WHATSAPP):
            return text, (), 0
        in_window = self.phones.in_window(to, sender)
        return text, buttons, whatsapp_fault(to, template, filled=filled, in_window=in_window)

    def _misfortune(self, to: str, delivery: str) -> int:
        """Why a message will not arrive as the knobs have it, or 0."""
        world, knobs = self._world, self._world.knobs
        code = knobs.fail.get(to, 0)
        if not code and knobs.undelivered_rate and world.lot("undelivered", to, delivery) < knobs.undelivered_rate:
            codes = knobs.undelivered_codes
            code = codes[int(world.lot("why", to, delivery) * len(codes))]
        return code

    def _creation_template(self) -> str:
        """The answer to an accepted message, to be filled in: a fifth of the cost of encoding it anew each time."""
        shape = self._resources.shape("%(sid)s", "%(to)s", "%(from)s", "%(text)s", 0.0, "%(status)s", 0, "outbound-api")
        shape |= dict.fromkeys(("date_created", "date_updated"), "%(at)s")
        shape |= {"date_sent": None, "messaging_service_sid": "%(service)s"}
        template = json.dumps(shape, separators=(",", ":"))
        for name in ("from", "text", "service"):
            template = template.replace(f'"%({name})s"', f"%({name})s")
        return template

    def _receipts(self, url: str, sid: str, to: str, sender: str, service: str | None, code: int) -> tuple[Build, ...]:
        form = {"SmsSid": sid, "MessageSid": sid, "AccountSid": self._account, "From": sender, "To": to}
        form["ApiVersion"] = "2010-04-01"
        if service:
            form["MessagingServiceSid"] = service
        words = ["sent", "undelivered" if code else "delivered"]
        if to.startswith(WHATSAPP):
            form["ChannelPrefix"] = "whatsapp"
            words = ["undelivered"] if code else [*words, "read"]
        return tuple(partial(self._receipt, url, form, word, code if word == "undelivered" else 0) for word in words)

    def _receipt(self, url: str, form: dict[str, str], status: str, code: int) -> Post:
        form = form | {"SmsStatus": status, "MessageStatus": status}
        if "ChannelPrefix" in form and status != "sent":
            form["EventType"] = status.upper()
        if code:
            form["ErrorCode"] = str(code)
        return signed_post(self._validator, url, form)
