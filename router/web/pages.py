"""``/a/…`` and ``/u/…``: what members see. No scripts, no cookies, nothing from other hosts."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from aiohttp import web
from yarl import URL

from router.actions import follow_link, place_of
from router.core.catalogue import gettext_noop
from router.core.channel import Inbound, Received
from router.core.links import is_prefetch, read_action_token, read_unsubscribe_token
from router.core.model import DeliveryRef
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.member_pages import FOLDER, TOKEN, locale_of_delivery, page, speaks, too_old, whose
from router.web.problems import ProblemError

PAGES: Registry = []
endpoint = registrar(PAGES)

PAGE_PATHS = (
    "/a/", "/u/", "/push/", "/join/", "/e/", "/host/", "/f/", "/shared/", "/ideas", "/propose/", "/m/", "/door",
)  # fmt: skip
"""Below these an error is a page for a person, not a document for a program."""

_STOPPED = {
    "sms": gettext_noop("You will get no more text messages from us at this address."),
    "email": gettext_noop("You will get no more emails from us at this address."),
    "whatsapp": gettext_noop("You will get no more WhatsApp messages from us at this address."),
    "webpush": gettext_noop("You will get no more notifications from us at this address."),
}
_STOPPED_HERE = gettext_noop("You will get no more messages from us at this address.")
_ANSWER = re.compile(r"[A-Z0-9][A-Z0-9 ]{0,19}")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@endpoint(
    "GET", "/a/" + TOKEN, access=Open.PUBLIC, status=302, reply="", summary="A member's own link to where an ask leads"
)
async def open_link(call: Call) -> web.StreamResponse:
    ref = await _delivery(call, read_action_token)
    request = call.request
    prefetch = is_prefetch(request.method, request.headers)
    destination = await follow_link(call.runtime, ref, now=call.now, prefetch=prefetch)
    if not destination:
        raise too_old()
    # A notification's button has no other way back than its link (`/a/TOKEN?answer=YES`).
    word = request.query.get("answer", "")
    if _ANSWER.fullmatch(word) and not prefetch:
        await _answer(call, ref, word)
    return web.Response(status=302, headers={"Location": _location(destination), "Cache-Control": "no-store"})


@endpoint(
    "GET",
    "/u/" + TOKEN,
    access=Open.PUBLIC,
    reply="text/html",
    summary="A page with a button. Looking at it changes nothing: scanners look at everything",
)
async def ask_unsubscribe(call: Call) -> web.StreamResponse:
    ref = await _delivery(call, read_unsubscribe_token)
    return page(call.request, "unsubscribe.html", locale=await locale_of_delivery(call, ref))


@endpoint(
    "POST",
    "/u/" + TOKEN,
    access=Open.PUBLIC,
    reply="text/html",
    summary="Unsubscribe with one click (RFC 8058); in force before the answer",
)
async def unsubscribe(call: Call) -> web.StreamResponse:
    # The body (List-Unsubscribe=One-Click) is not asked for: a POST with this signed address can mean nothing else,
    # and to turn away a mailbox provider over its form would keep writing to somebody who wants silence.
    ref = await _delivery(call, read_unsubscribe_token)
    channel = await call.receiver.unsubscribe(ref, call.now)
    if channel is None:
        raise too_old()
    done = _STOPPED.get(channel, _STOPPED_HERE)
    return page(call.request, "unsubscribed.html", locale=await locale_of_delivery(call, ref), done=done)


@endpoint("GET", "/static/member.css", access=Open.PUBLIC, reply="text/css", summary="How members' pages look")
async def member_css(call: Call) -> web.StreamResponse:
    return web.Response(text=_CSS, content_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


_CSS = (FOLDER / "member.css").read_text("utf-8")


def problem_page(problem: ProblemError, request: web.Request) -> web.Response:
    """An error, as a person can bear it."""
    speak = speaks(request)
    said = speak.gettext(problem.sentence) if speak.knows(problem.sentence) else ""
    return page(request, "problem.html", status=problem.status, headers=problem.headers, problem=problem, said=said)


async def _answer(call: Call, ref: DeliveryRef, word: str) -> None:
    """Take the word of a button as if it had been written."""
    place = await place_of(call.runtime, ref)
    if place is not None:
        channel, account, sender = place
        event = Inbound(
            event_id=f"link {ref} {word}",
            sender=sender,
            recipient="",
            text=word,
            at=call.now,
            button=True,
            delivery=ref,
        )
        await call.receiver.submit(channel, account, Received(events=(event,)), call.now)


async def _delivery(call: Call, read: Callable[[bytes, str], DeliveryRef | None]) -> DeliveryRef:
    """The delivery that the path's token names."""
    return await whose(call, lambda token: read(call.runtime.key, token))


def _location(destination: str) -> str:
    """A destination as the header wants it: ASCII, and otherwise letter for letter as its author wrote it."""
    try:
        parts = urlsplit(destination)
        authority = URL(destination).raw_authority
    except ValueError:
        raise too_old() from None
    if parts.scheme not in ("http", "https") or not authority:
        raise too_old()
    rest = destination.partition("://")[2][len(parts.netloc) :]
    return f"{parts.scheme}://{authority}{quote(rest, safe=_ASCII)}"
