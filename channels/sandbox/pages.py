"""The pages of simulated phones and mailboxes: plain HTML that works without scripts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channels.sandbox.httpd import Reply, Request
from channels.sandbox.knobs import Knobs
from channels.sandbox.memory import Conversation, Entry
from channels.sandbox.phones import Phones
from channels.sandbox.smtp import Mailboxes, one_click_url, read_mail
from channels.sandbox.world import World

_CHATS = ("/telegram", "/slack", "/webpush", "/fcm", "/apprise")
"""Pages of what is neither a telephone nor a mailbox."""

_FOLDER = Path(__file__).parent / "pages"
_STYLE = (_FOLDER / "style.css").read_bytes()
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; form-action 'none'; frame-ancestors 'self'"
)
_COMMON = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)


@dataclass(frozen=True, slots=True)
class MailView:
    """A mail as a reader sees it."""

    subject: str
    sender: str
    text: str
    html: str
    unsubscribe: bool


def view_mail(raw: bytes) -> MailView:
    """Read a mail for the page; a broken part becomes empty, never an error."""
    mail = read_mail(raw)
    return MailView(
        _header(mail, "Subject"),
        _header(mail, "From"),
        _part(mail, "plain"),
        _part(mail, "html"),
        bool(one_click_url(mail)),
    )


def _header(mail: EmailMessage, name: str) -> str:
    try:
        return str(mail.get(name, ""))
    except (ValueError, IndexError, AttributeError):
        # The standard library's header parser fails on some malformed headers.
        return ""


def _part(mail: EmailMessage, kind: str) -> str:
    try:
        part = mail.get_body((kind,))
        return str(part.get_content()) if part is not None else ""
    except (ValueError, LookupError, AttributeError):
        return ""


def _last(conversation: Conversation) -> str:
    entry = conversation.entries[-1]
    return entry.text or "mail"


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))


class Pages:
    """GET and POST of everything a person opens in a browser."""

    def __init__(
        self, world: World, phones: Phones, mailboxes: Mailboxes, answer: Callable[[str, str, str], None]
    ) -> None:
        self._world = world
        self._answer = answer
        self._phones = phones
        self._mailboxes = mailboxes
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(clock=_clock, last=_last)

    def handle(self, request: Request) -> Reply:
        """Answer one request for a page."""
        pages = {"/": self._list, "/phone": self._phone, "/mailbox": self._mailbox, "/mail": self._mail}
        if request.path == "/style.css":
            return Reply(200, _STYLE, "text/css; charset=utf-8", _COMMON)
        if request.method == "POST":
            return self._post(request)
        if request.path == "/knobs":
            return self._knobs()
        page = pages.get(request.path)
        if request.method != "GET" or (page is None and request.path not in _CHATS):
            return self._sorry(404, "There is no such page.")
        try:
            if page is None:
                return self._chat(request.path.removeprefix("/"), request.arguments())
            return page(request.arguments())
        except (KeyError, ValueError, IndexError):
            return self._sorry(404, "No such phone, mailbox or mail is remembered.")

    def _post(self, request: Request) -> Reply:
        # Another site's page must not be able to press these buttons through somebody's browser.
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return self._sorry(403, "This form belongs to another page.")
        try:
            form = request.form()
            if request.path == "/phone":
                if word := form.get("word"):
                    self._phones.answer(form["address"], word)
                elif text := form.get("text"):
                    self._phones.reply(form["address"], text[:1600])
                return self._back("phone", form["address"])
            if request.path in _CHATS:
                kind = request.path.removeprefix("/")
                if text := form.get("word") or form.get("text"):
                    self._answer(kind, form["address"], text[:1600])
                return self._back(kind, form["address"])
            if request.path == "/mailbox":
                self._mailboxes.unsubscribe(form["address"], int(form["number"]))
                return self._back("mailbox", form["address"])
            if request.path == "/knobs":
                self._world.turn(self._world.knobs.turned(form))
                return Reply(303, b"", headers=(("Location", "/knobs"),))
        except (KeyError, ValueError) as error:
            return (
                self._knobs(str(error)) if request.path == "/knobs" else self._sorry(400, "The form is not complete.")
            )
        return self._sorry(404, "There is no such page.")

    def _back(self, kind: str, address: str) -> Reply:
        # The page then looks again a few times by itself, because the answer takes a moment.
        return Reply(303, b"", headers=(("Location", f"/{kind}?address={quote(address, safe='')}&look=3"),))

    def _render(self, template: str, status: int = 200, refresh: str = "", **values: Any) -> Reply:
        html = self._templates.get_template(template).render(refresh=refresh, **values)
        headers = (("Content-Security-Policy", _POLICY), *_COMMON)
        return Reply(status, html.encode("utf-8", "replace"), "text/html; charset=utf-8", headers)

    def _sorry(self, status: int, sentence: str) -> Reply:
        return Reply(status, sentence.encode(), "text/plain; charset=utf-8", _COMMON)

    def _look_again(self, kind: str, arguments: dict[str, str]) -> str:
        look = min(int(arguments.get("look", "0")), 3)
        again = f"&look={look - 1}" if look > 1 else ""
        return f"1; url=/{kind}?address={quote(arguments['address'], safe='')}{again}" if look > 0 else ""

    def _list(self, arguments: dict[str, str]) -> Reply:
        memory = self._world.memory
        return self._render(
            "list.html",
            refresh="5",
            accepted=len(memory.accepted),
            counters=sorted(memory.counters.items()),
            pending=self._world.callbacks.pending,
            conversations=memory.conversations(),
        )

    def _conversation(self, arguments: dict[str, str], kind: str) -> Conversation:
        conversation = self._world.memory.conversation(arguments["address"])
        if conversation is None or conversation.kind != kind:
            raise KeyError(kind)
        return conversation

    def _phone(self, arguments: dict[str, str]) -> Reply:
        conversation = self._conversation(arguments, "phone")
        return self._render("phone.html", refresh=self._look_again("phone", arguments), conversation=conversation)

    def _chat(self, kind: str, arguments: dict[str, str]) -> Reply:
        conversation = self._conversation(arguments, kind)
        return self._render("phone.html", refresh=self._look_again(kind, arguments), conversation=conversation)

    def _mailbox(self, arguments: dict[str, str]) -> Reply:
        conversation = self._conversation(arguments, "mailbox")
        mails: list[tuple[Entry, MailView | None]] = []
        for entry in reversed(conversation.entries):
            raw = self._world.memory.accepted.raw(entry.number)
            mails.append((entry, view_mail(raw) if raw else None))
        again = self._look_again("mailbox", arguments)
        return self._render("mailbox.html", refresh=again, conversation=conversation, mails=mails)

    def _mail(self, arguments: dict[str, str]) -> Reply:
        """The HTML part alone, for the frame; its own policy keeps it from running or fetching anything."""
        html = view_mail(self._world.memory.accepted.raw(int(arguments["number"]))).html
        body = b'<base target="_blank">' + html.encode("utf-8", "replace")
        return Reply(200, body, "text/html; charset=utf-8", (("Content-Security-Policy", _MAIL_POLICY), *_COMMON))

    def _knobs(self, fault: str = "") -> Reply:
        rows = [
            (knob.name, knob.metadata["kind"], knob.metadata["help"], _shown(getattr(self._world.knobs, knob.name)))
            for knob in fields(Knobs)
        ]
        return self._render("knobs.html", status=400 if fault else 200, knobs=rows, fault=fault)


def _shown(value: Any) -> str:
    """One knob as its input field shows it."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return " ".join(f"{address}={code}" for address, code in value.items())
    return f"{value:g}"
