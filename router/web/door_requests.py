"""``/door`` and ``/u/…/door``: where somebody has the link to their own page sent to them. No scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aiohttp import web

from router.community.door_requests import send_to_address, send_to_reader
from router.core.catalogue import gettext_noop
from router.core.errors import BadAddress
from router.core.links import read_unsubscribe_token
from router.core.model import DeliveryRef
from router.door import DAYS
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import FORM_BRAKE
from router.web.member_pages import TOKEN, form_fields, locale_of_delivery, page, speaks, whose

DOOR_REQUESTS: Registry = []
endpoint = registrar(DOOR_REQUESTS)

_READER = "/u/" + TOKEN + "/door"
_LONGEST = {"address": 320}
_AT_LEAST = 0.3
"""Seconds that an answer takes, known or not: to queue a message takes a fraction of that, and nobody is to tell from
the time whether there was one."""
_ON_ITS_WAY = gettext_noop(
    "If we know this address and may write to it, the link to your own page is on its way there. It is good for"
    " %(days)s days. We send it once an hour at most, and not at night."
)
_ON_ITS_WAY_TO_READER = gettext_noop(
    "If we may still write to that address, the link to your own page is on its way there. It is good for %(days)s"
    " days. We send it once an hour at most."
)


@endpoint(
    "GET", "/door", access=Open.PUBLIC, reply="text/html", summary="Where a member asks for the link of their page"
)
async def door_form(call: Call) -> web.StreamResponse:
    return page(call.request, "door_request.html", problem="", given="")


@endpoint(
    "POST", "/door", access=Open.PUBLIC, reply="text/html", also={422: "text/html"},
    summary="Send the link of their own page to a member's address. The page says the same whoever is known here",
)  # fmt: skip
async def request_door(call: Call) -> web.StreamResponse:
    await call.request.app[FORM_BRAKE].wrong(call.request)
    given = (await form_fields(call.request, _LONGEST)).get("address", "")
    speak = speaks(call.request)
    try:
        await _evenly(send_to_address(call.runtime, given, now=call.now))
    except BadAddress:
        wrong = speak.gettext("This is neither an email address nor a phone number in full. Please look at it again.")
        return page(call.request, "door_request.html", status=422, problem=wrong, given=given)
    return page(call.request, "door_requested.html", said=speak.gettext(_ON_ITS_WAY, days=DAYS))


@endpoint(
    "GET", _READER, access=Open.PUBLIC, reply="text/html",
    summary="A page with a button, from the foot of an email. Looking at it sends nothing: scanners look at everything",
)  # fmt: skip
async def ask_reader(call: Call) -> web.StreamResponse:
    ref = await _ref(call)
    return page(call.request, "door_button.html", locale=await locale_of_delivery(call, ref))


@endpoint(
    "POST", _READER, access=Open.PUBLIC, reply="text/html",
    summary="Send the link of their own page to the address that an email went to",
)  # fmt: skip
async def send_reader(call: Call) -> web.StreamResponse:
    ref = await _ref(call)
    await call.request.app[FORM_BRAKE].wrong(call.request)
    await _evenly(send_to_reader(call.runtime, ref, now=call.now))
    locale = await locale_of_delivery(call, ref)
    said = speaks(call.request, locale).gettext(_ON_ITS_WAY_TO_READER, days=DAYS)
    return page(call.request, "door_requested.html", locale=locale, said=said)


async def _ref(call: Call) -> DeliveryRef:
    return await whose(call, lambda token: read_unsubscribe_token(call.runtime.key, token))


async def _evenly(work: Awaitable[None]) -> None:
    await asyncio.gather(work, asyncio.sleep(_AT_LEAST))
