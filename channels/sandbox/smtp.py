"""An SMTP server that takes mail for anybody and remembers it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from typing import Any
from urllib.parse import urlencode

from aiosmtpd.smtp import SMTP, Envelope, Session

from channels.sandbox.callbacks import Answer, Build, Post
from channels.sandbox.memory import Entry
from channels.sandbox.sendgrid import EventWebhook
from channels.sandbox.world import World

SENTENCES = {
    421: "421 4.3.2 Service closing, try later",
    450: "450 4.7.1 Too many messages, slow down",
    451: "451 4.3.0 Try again later",
    452: "452 4.2.2 Mailbox full",
    550: "550 5.1.1 No such mailbox",
    552: "552 5.2.2 Mailbox full",
    554: "554 5.7.1 Refused by policy",
}
MAX_MAIL = 20_000_000
_SMTPAPI = re.compile(rb"^x-smtpapi:\s*(\{(?:[^\r\n]|\r?\n[ \t])*\})\s*$", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^>\r\n]+>)", re.IGNORECASE | re.MULTILINE)
_PLAIN_ADDRESS = re.compile(r"<([\w.+=-]{1,64}@[\w.-]{1,250})> *", re.ASCII)
_ONE_CLICK = re.compile(r"<(https?://[^>\s]+)>")

# aiosmtpd logs every command, mailboxes and all.
logging.getLogger("mail.log").setLevel(logging.WARNING)


def read_mail(raw: bytes) -> EmailMessage:
    """A mail as it arrived; never raises, odd input gives an odd message."""
    return message_from_bytes(raw, policy=policy.default)


def one_click_url(mail: EmailMessage) -> str:
    """Where a one-click unsubscribe is posted (RFC 8058), or "". Plain http is let pass: this is loopback."""
    if "one-click" not in str(mail.get("List-Unsubscribe-Post", "")).lower():
        return ""
    found = _ONE_CLICK.search(str(mail.get("List-Unsubscribe", "")).replace("\r\n", "").replace(" ", ""))
    return found.group(1) if found else ""


class Mailboxes:
    """All mailboxes of the world; the handler that aiosmtpd calls."""

    def __init__(self, world: World, events: EventWebhook) -> None:
        self._world = world
        self._events = events

    async def handle_EHLO(  # noqa: N802
        self, server: MailClient, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer several commands in one go (RFC 2920), which aiosmtpd takes anyway."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks it up by this name
        self, server: MailClient, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse one mailbox. 421 also closes the connection, as RFC 5321 (3.8) has it."""
        knobs = self._world.knobs
        code = knobs.refuse.get(address, 0)
        if not code and self._world.chance(knobs.reject_rate):
            code = knobs.reject_codes[int(self._world.lot("reject", address) * len(knobs.reject_codes))]
        if not code:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
            return "250 2.1.5 OK"
        return self._refuse(server, code)

    async def handle_DATA(self, server: MailClient, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Accept one mail for all its mailboxes, unless the knobs say otherwise."""
        world = self._world
        refusal = world.refusal()
        latency = world.latency()
        if refusal:
            await asyncio.sleep(latency)
            return self._refuse(server, 451 if refusal == "error" else 450)
        raw = envelope.original_content or b""
        sid = ""
        for address in envelope.rcpt_tos:
            sid = self._accept(address, envelope.mail_from or "", raw)
        ending = world.ending()
        if latency:
            await asyncio.sleep(latency)
        if ending == "hang":
            # Ends when the client goes away or the sandbox closes: aiosmtpd cancels it then.
            await asyncio.Event().wait()
        if ending == "cut":
            server.abort()
        return f"250 2.0.0 OK queued as {sid}"

    def _refuse(self, server: MailClient, code: int) -> str:
        self._world.memory.counters[f"refused_{code}"] += 1
        if code == 421:
            server.close_soon()
        kind = "4.0.0" if code < 500 else "5.0.0"
        return SENTENCES.get(code, f"{code} {kind} Refused")

    def _accept(self, address: str, sender: str, raw: bytes) -> str:
        world = self._world
        knobs = world.knobs
        now = world.clock()
        head = raw.partition(b"\r\n\r\n")[0]
        found = _MESSAGE_ID.search(head)
        message_id = found.group(1).decode("utf-8", "replace") if found else ""
        unique = _unique_arguments(head)
        delivery = str(unique.get("delivery") or message_id[1:].partition("@")[0])[:64].replace("\t", " ")
        code = knobs.fail.get(address, 0)
        if not code and knobs.bounce_rate and world.lot("bounce", address, delivery) < knobs.bounce_rate:
            code = 550
        safe = address.replace("\t", " ")
        number = world.memory.accepted.add("smtp", safe, sender.replace("\t", " "), delivery, raw, now, code)
        world.memory.note("mailbox", safe, Entry("note" if code else "arrived", "", now, number))
        if delivery:
            unique.setdefault("delivery", delivery)
        sid = world.memory.accepted.sid(number, "SG")
        event = partial(self._events.event, email=safe, message_id=message_id, sid=sid, unique=unique)
        if world.email_webhook:
            world.receipts(self._receipts(event, code))
        if not code:
            self._script(safe, number, event)
        return sid

    def _receipts(self, event: Callable[..., Build], code: int) -> list[Build]:
        if not code:
            return [event("processed"), event("delivered", response="250 2.0.0 OK")]
        sentence = SENTENCES.get(code, f"{code} 5.0.0 Refused")
        # SendGrid calls a bounce "blocked" where the mailbox may exist but would not have this mail.
        kind = "bounce" if code in (550, 551) else "blocked"
        status = sentence.split(" ")[1]
        return [event("processed"), event("bounce", reason=sentence, status=status, type=kind)]

    def _script(self, address: str, number: int, event: Callable[..., Build]) -> None:
        """What a mailbox's owner does by himself."""
        world = self._world
        lot = world.lot("mailbox", address)
        if lot < world.knobs.p_unsubscribe:
            self.unsubscribe(address, number, world.knobs.reply_delay)
        elif lot < world.knobs.p_unsubscribe + world.knobs.p_complain:
            world.callbacks.schedule(world.knobs.reply_delay, event("spamreport"))
            world.memory.note("mailbox", address, Entry("written", "reported as spam", self._world.clock()))

    def unsubscribe(self, address: str, number: int, delay: float = 0.0) -> bool:
        """Press the mailbox's unsubscribe button: one POST as RFC 8058 (3.2) has it. False where there is none."""
        url = one_click_url(read_mail(self._world.memory.accepted.raw(number)))
        if not url:
            return False
        form = urlencode({"List-Unsubscribe": "One-Click"}).encode()
        post = Post(url=url, body=form, headers={"Content-Type": "application/x-www-form-urlencoded"})

        def pressed(answer: Answer) -> None:
            words = f"unsubscribe button pressed: answered {answer.status or 'nothing'}"
            self._world.memory.note("mailbox", address, Entry("written", words, self._world.clock()))

        self._world.callbacks.schedule(delay, lambda: post, pressed)
        return True


def _unique_arguments(head: bytes) -> dict[str, Any]:
    """The unique arguments in SendGrid's ``X-SMTPAPI`` header; empty where there is none or it is broken."""
    found = _SMTPAPI.search(head)
    if found is None:
        return {}
    try:
        header = json.loads(found.group(1))
        return {str(name): str(value) for name, value in header["unique_args"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


class MailClient(SMTP):
    """One connection of a mail client."""

    def __init__(self, mailboxes: Mailboxes, sessions: set[MailClient]) -> None:
        super().__init__(
            mailboxes,
            data_size_limit=MAX_MAIL,
            enable_SMTPUTF8=True,
            hostname="sandbox.example.org",
            ident="outreach sandbox",
            loop=asyncio.get_running_loop(),
        )
        self._sessions = sessions

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the open connections."""
        self._sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Leave the open connections."""
        self._sessions.discard(self)
        super().connection_lost(error)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read a plain address at once; aiosmtpd's own reader takes a quarter of the whole time of a mail."""
        found = _PLAIN_ADDRESS.match(arg)
        if found is not None:
            return found[1], arg[found.end() :]
        address, rest = super()._getaddr(arg)
        return address, rest

    def close_soon(self) -> None:
        """Close once the answer that is about to be written is out."""
        if self.transport is not None:
            self.loop.call_soon(self.transport.close)

    def abort(self) -> None:
        """Cut the connection."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
