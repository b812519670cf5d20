"""Simulated phones: they show what arrived, answer by script or by hand, and Twilio keeps their opt-outs.

Keywords and what Twilio does about them: https://help.twilio.com/articles/223134027 (default handling of STOP, START
and HELP). The confirmation is Twilio's own; our program must not send another.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from html import unescape
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from channels.sandbox.callbacks import Answer, Post
from channels.sandbox.memory import Entry
from channels.sandbox.world import World

STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "UNSTOP"})
HELP_WORDS = frozenset({"HELP", "INFO"})
CONFIRMATIONS = {
    "STOP": "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe.",
    "START": "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
    "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    "HELP": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}
_PHONE = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_TWIML_MESSAGE = re.compile(r"<Message\b[^>]*>(.*?)</Message>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def is_phone(text: str) -> bool:
    """Whether this is a phone number as Twilio takes it (E.164)."""
    return _PHONE.fullmatch(text) is not None


def signed_post(validator: RequestValidator, url: str, form: dict[str, str]) -> Post:
    """A webhook call as Twilio signs it: over the whole address and the sorted form."""
    return Post(
        url=url,
        body=urlencode(form).encode(),
        headers={
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "X-Twilio-Signature": validator.compute_signature(url, form),
            "User-Agent": "TwilioProxy/1.1",
        },
    )


@dataclass(frozen=True, slots=True)
class InboundSms:
    """What a phone sent to one of our numbers."""

    sid: str
    sender: str
    to: str
    text: str
    at: float


class Phones:
    """All phones that Twilio can reach."""

    def __init__(self, world: World, account_sid: str, validator: RequestValidator, own_number: str) -> None:
        self._world = world
        self._account = account_sid
        self._validator = validator
        self._own_number = own_number
        self._blocked: set[tuple[str, str]] = set()
        self._replies: Counter[str] = Counter()
        self._run = secrets.token_hex(10)
        self._count = 0
        self.inbound: deque[InboundSms] = deque(maxlen=20_000)
        """What phones sent, oldest first."""

    def blocks(self, phone: str, sender: str) -> bool:
        """Whether this phone told this number of ours to stop."""
        return (sender, phone) in self._blocked

    def arrived(self, phone: str, sender: str, text: str, number: int, code: int) -> None:
        """A text was accepted for a phone: show it, and let its owner answer if the script says so."""
        now = self._world.clock()
        self._world.memory.note("phone", phone, Entry("arrived", text, now, number), sender)
        if code:
            self._world.memory.note("phone", phone, Entry("note", f"did not arrive ({code})", now))
            return
        answer = self._script(phone)
        if answer:
            self._replies[phone] += 1
            self._world.callbacks.schedule(
                self._world.knobs.reply_delay,
                partial(self._write, phone, sender, answer),
                partial(self._twiml, phone, sender),
            )

    def reply(self, phone: str, text: str, to: str = "") -> None:
        """Somebody writes on a phone, to the number that wrote last or to `to`.

        Raises ValueError where that is no phone number.
        """
        conversation = self._world.memory.conversation(phone)
        number = to or (conversation.counterpart if conversation else "") or self._own_number
        if not is_phone(phone):
            raise ValueError("phone: not a phone number")
        self._world.callbacks.schedule(
            0.0, partial(self._write, phone, number, text), partial(self._twiml, phone, number)
        )

    def _script(self, phone: str) -> str:
        knobs = self._world.knobs
        if not (knobs.p_yes or knobs.p_stop or knobs.p_help) or self._replies[phone] >= knobs.max_replies:
            return ""
        lot = self._world.lot("reply", phone)
        if lot < knobs.p_yes:
            return "YES"
        if lot < knobs.p_yes + knobs.p_stop:
            return "STOP"
        return "HELP" if lot < knobs.p_yes + knobs.p_stop + knobs.p_help else ""

    def _keyword(self, phone: str, number: str, text: str) -> str:
        """The default keyword that Twilio sees in a text: STOP, START, HELP or ""."""
        word = text.strip().upper()
        if word in STOP_WORDS:
            return "STOP"
        # YES only lifts an opt-out; from anybody else it is an ordinary answer.
        if word in START_WORDS or (word == "YES" and self.blocks(phone, number)):
            return "START"
        return "HELP" if word in HELP_WORDS else ""

    def _write(self, phone: str, number: str, text: str) -> Post | None:
        """A text leaves a phone: Twilio acts on keywords itself, then passes it on to our webhook."""
        now = self._world.clock()
        memory = self._world.memory
        memory.note("phone", phone, Entry("written", text, now))
        memory.counters["replies"] += 1
        keyword = self._keyword(phone, number, text)
        if keyword == "STOP":
            self._blocked.add((number, phone))
        elif keyword == "START":
            self._blocked.discard((number, phone))
        if keyword:
            memory.note("phone", phone, Entry("provider", CONFIRMATIONS[keyword], now))
        sid = f"SM{self._run}{self._count:012x}"
        self._count += 1
        self.inbound.append(InboundSms(sid, phone, number, text, now))
        if not self._world.sms_webhook:
            return None
        form = {
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsMessageSid": sid,
            "AccountSid": self._account,
            "From": phone,
            "To": number,
            "Body": text,
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsStatus": "received",
            "ApiVersion": "2010-04-01",
        }
        if keyword:
            form["OptOutType"] = keyword
        return signed_post(self._validator, self._world.sms_webhook, form)

    def _twiml(self, phone: str, number: str, answer: Answer) -> None:
        """Accept what our webhook answered with ``<Response><Message>…``; a blocked phone gets nothing."""
        for match in _TWIML_MESSAGE.findall(answer.body):
            if not self.blocks(phone, number):
                text, now, memory = unescape(_TAG.sub("", match)).strip(), self._world.clock(), self._world.memory
                accepted = memory.accepted.add("twilio", phone, number, "", text, now)
                memory.note("phone", phone, Entry("arrived", text, now, accepted))
