"""``/a/…`` and ``/u/…``: what members see. No scripts, no cookies, nothing from other hosts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from yarl import URL

from router.actions import follow_link, place_of
from router.core.channel import Inbound, Received
from router.core.data import data_folder
from router.core.links import is_prefetch, read_action_token, read_unsubscribe_token
from router.core.model import DeliveryRef
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import BRAKE, RUNTIME
from router.web.problems import ProblemError

PAGES: Registry = []
endpoint = registrar(PAGES)

PAGE_PATHS = ("/a/", "/u/", "/push/")
"""Below these an error is a page for a person, not a document for a program."""

_CHANNEL_WORDS = {
    "sms": "text messages", "email": "emails", "whatsapp": "WhatsApp messages", "webpush": "notifications",
}  # fmt: skip
_ANSWER = re.compile(r"[A-Z0-9][A-Z0-9 ]{0,19}")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_TOKEN = "{token:[^/]{1,200}}"  # noqa: S105 - a route pattern

_pages = Environment(
    loader=FileSystemLoader(data_folder("templates") / "member"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
)


@endpoint(
    "GET", "/a/" + _TOKEN, access=Open.PUBLIC, status=302, reply="", summary="A member's own link to where an ask leads"
)
async def open_link(call: Call) -> web.StreamResponse:
    ref = await _delivery(call, read_action_token)
    request = call.request
    prefetch = is_prefetch(request.method, request.headers)
    destination = await follow_link(call.runtime, ref, now=call.now, prefetch=prefetch)
    if not destination:
        raise _unknown()
    # A notification's button has no other way back than its link (`/a/TOKEN?answer=YES`).
    word = request.query.get("answer", "")
    if _ANSWER.fullmatch(word) and not prefetch:
        await _answer(call, ref, word)
    return web.Response(status=302, headers={"Location": _location(destination), "Cache-Control": "no-store"})


@endpoint(
    "GET",
    "/u/" + _TOKEN,
    access=Open.PUBLIC,
    reply="text/html",
    summary="A page with a button. Looking at it changes nothing: scanners look at everything",
)
async def ask_unsubscribe(call: Call) -> web.StreamResponse:
    await _delivery(call, read_unsubscribe_token)
    return _page(call.request, "unsubscribe.html")


@endpoint(
    "POST",
    "/u/" + _TOKEN,
    access=Open.PUBLIC,
    reply="text/html",
    summary="Unsubscribe with one click (RFC 8058); in force before the answer",
)
async def unsubscribe(call: Call) -> web.StreamResponse:
    # The body (List-Unsubscribe=One-Click) is not asked for: a POST with this signed address can mean nothing else,
    # and to turn away a mailbox provider over its form would keep writing to somebody who wants silence.
    channel = await call.receiver.unsubscribe(await _delivery(call, read_unsubscribe_token), call.now)
    if channel is None:
        raise _unknown()
    return _page(call.request, "unsubscribed.html", messages=_CHANNEL_WORDS.get(channel, "messages"))


@endpoint("GET", "/static/member.css", access=Open.PUBLIC, reply="text/css", summary="How members' pages look")
async def member_css(call: Call) -> web.StreamResponse:
    return web.Response(text=_CSS, content_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


_CSS = (data_folder("templates") / "member" / "member.css").read_text("utf-8")


def problem_page(problem: ProblemError, request: web.Request) -> web.Response:
    """An error, as a person can bear it."""
    return _page(request, "problem.html", status=problem.status, headers=problem.headers, problem=problem)


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


async def _delivery(call: Call, read: Any) -> DeliveryRef:
    """The delivery that the path's token names; 404 where the token is not ours, 429 where too many were not."""
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    ref: DeliveryRef | None = read(call.runtime.key, call.request.match_info["token"])
    if ref is None:
        await brake.wrong(call.request)
        raise _unknown()
    return ref


def _unknown() -> ProblemError:
    return ProblemError(404, "This link is not complete, or is too old.")


def _location(destination: str) -> str:
    """A destination as the header wants it: ASCII, and otherwise letter for letter as its author wrote it."""
    try:
        parts = urlsplit(destination)
        authority = URL(destination).raw_authority
    except ValueError:
        raise _unknown() from None
    if parts.scheme not in ("http", "https") or not authority:
        raise _unknown()
    rest = destination.partition("://")[2][len(parts.netloc) :]
    return f"{parts.scheme}://{authority}{quote(rest, safe=_ASCII)}"


def _page(
    request: web.Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **words: Any
) -> web.Response:
    organization = request.app[RUNTIME].settings.organization
    return web.Response(
        status=status,
        text=_pages.get_template(template).render(organization=organization, **words),
        content_type="text/html",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
