"""Simulated phones: they show what arrived, answer by script or by hand, and Twilio keeps their opt-outs.

Keywords and what Twilio does about them: https://help.twilio.com/articles/223134027 (default handling of STOP, START
and HELP). The confirmation is Twilio's own; our program must not send another. This holds for SMS: WhatsApp, whose
addresses begin with ``whatsapp:``, passes keywords on like any words.
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
from channels.sandbox.twilio_content import QuickReply
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
WHATSAPP = "whatsapp:"
WINDOW = 86_400.0
"""Seconds after a person's last words in which WhatsApp lets a business answer freely."""
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
        self._wrote: dict[tuple[str, str], float] = {}
        self._under: dict[str, tuple[int, tuple[QuickReply, ...]]] = {}
        self.whatsapp_webhook = ""
        """Where what is written over WhatsApp is posted; "" posts it nowhere."""
        self.inbound: deque[InboundSms] = deque(maxlen=20_000)
        """What phones sent, oldest first."""

    def blocks(self, phone: str, sender: str) -> bool:
        """Whether this phone told this number of ours to stop."""
        return (sender, phone) in self._blocked

    def in_window(self, phone: str, sender: str) -> bool:
        """Whether this phone wrote to this number of ours within the last day."""
        at = self._wrote.get((sender, phone))
        return at is not None and self._world.clock() - at < WINDOW

    def arrived(
        self,
        phone: str,
        sender: str,
        text: str,
        number: int,
        code: int,
        *,
        buttons: tuple[QuickReply, ...] = (),
        picture: str = "",
    ) -> None:
        """A text was accepted for a phone: show it, and let its owner answer if the script says so."""
        now = self._world.clock()
        shown = text
        if buttons or picture:
            shown = "\n".join(filter(None, (picture, text, " ".join(f"[{button.title}]" for button in buttons))))
        self._world.memory.note("phone", phone, Entry("arrived", shown, now, number), sender)
        if code:
            self._world.memory.note("phone", phone, Entry("note", f"did not arrive ({code})", now))
            return
        if buttons:
            self._under[phone] = (number, buttons)
        answer = self._script(phone)
        if answer:
            self._replies[phone] += 1
            self._send(self._world.knobs.reply_delay, phone, sender, answer, self._button(phone, answer))

    def reply(self, phone: str, text: str, to: str = "") -> None:
        """Somebody writes on a phone, to the number that wrote last or to `to`.

        Raises ValueError where that is no phone number.
        """
        self._send(0.0, phone, to or self._counterpart(phone), text)

    def answer(self, address: str, text: str) -> None:
        """Somebody presses the button that means `text`, where the last message with buttons has one; else writes it.

        Raises ValueError where `address` is no phone number.
        """
        self._send(0.0, address, self._counterpart(address), text, self._button(address, text))

    def _counterpart(self, phone: str) -> str:
        """Our number that a phone writes with."""
        conversation = self._world.memory.conversation(phone)
        prefix = WHATSAPP if phone.startswith(WHATSAPP) else ""
        return (conversation.counterpart if conversation else "") or prefix + self._own_number

    def _button(self, phone: str, text: str) -> QuickReply | None:
        word = text.strip().upper()
        _, buttons = self._under.get(phone, (0, ()))
        return next((button for button in buttons if word in (button.keyword, button.title.upper())), None)

    def _send(self, delay: float, phone: str, number: str, text: str, button: QuickReply | None = None) -> None:
        if not is_phone(phone.removeprefix(WHATSAPP)):
            raise ValueError("phone: not a phone number")
        self._world.callbacks.schedule(
            delay, partial(self._write, phone, number, text, button), partial(self._twiml, phone, number)
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

    def _write(self, phone: str, number: str, text: str, button: QuickReply | None) -> Post | None:
        """A text leaves a phone: Twilio acts on keywords itself, then passes it on to our webhook."""
        now = self._world.clock()
        memory = self._world.memory
        whatsapp = phone.startswith(WHATSAPP)
        text = button.title if button else text
        memory.note("phone", phone, Entry("written", text, now))
        memory.counters["replies"] += 1
        self._wrote[number, phone] = now
        keyword = "" if whatsapp else self._keyword(phone, number, text)
        if keyword == "STOP":
            self._blocked.add((number, phone))
        elif keyword == "START":
            self._blocked.discard((number, phone))
        if keyword:
            memory.note("phone", phone, Entry("provider", CONFIRMATIONS[keyword], now))
        sid = f"SM{self._run}{self._count:012x}"
        self._count += 1
        self.inbound.append(InboundSms(sid, phone, number, text, now))
        webhook = self.whatsapp_webhook if whatsapp else self._world.sms_webhook
        if not webhook:
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
        if whatsapp:
            form |= {"WaId": phone.removeprefix(f"{WHATSAPP}+"), "ProfileName": "Somebody", "MessageType": "text"}
        if button:
            accepted = self._under[phone][0]
            form |= {"MessageType": "button", "ButtonText": button.title, "ButtonPayload": button.payload}
            form["OriginalRepliedMessageSid"] = memory.accepted.sid(accepted)
        return signed_post(self._validator, webhook, form)

    def _twiml(self, phone: str, number: str, answer: Answer) -> None:
        """Accept what our webhook answered with ``<Response><Message>…``; a blocked phone gets nothing."""
        for match in _TWIML_MESSAGE.findall(answer.body):
            if not self.blocks(phone, number):
                text, now, memory = unescape(_TAG.sub("", match)).strip(), self._world.clock(), self._world.memory
                accepted = memory.accepted.add("twilio", phone, number, "", text, now)
                memory.note("phone", phone, Entry("arrived", text, now, accepted))
