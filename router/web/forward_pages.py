"""``/f/…``: an ask that a member passed on, for whoever got the link; ``/shared/…``: what it brought. No scripts."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from router.community.forward_sights import see_ask, what_they_brought
from router.community.forwarding import Passed, find_passed, note_opened
from router.community.join_codes import Code
from router.core.content_render import clean
from router.core.forward_links import read_forward_token, read_shared_token
from router.core.links import is_prefetch
from router.core.model import DeliveryRef
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.join_forms import Form, form_words, read_form, take
from router.web.languages import language_of
from router.web.member_pages import TOKEN, locale_of, page, too_old, whose

FORWARD_PAGES: Registry = []
endpoint = registrar(FORWARD_PAGES)


@endpoint(
    "GET",
    "/f/" + TOKEN,
    access=Open.PUBLIC,
    reply="text/html",
    summary="An ask that a member passed on: its words, where it leads, how to join. Not who passed it on",
)
async def open_forward(call: Call) -> web.StreamResponse:
    passed = await _passed(call, read_forward_token)
    if "lang" not in call.request.query and not is_prefetch(call.request.method, call.request.headers):
        await note_opened(call.runtime, passed, now=call.now)
    return await _ask_page(call, passed, Form({}, language_of(call.request), ""))


@endpoint(
    "POST",
    "/f/" + TOKEN,
    access=Open.PUBLIC,
    reply="text/html",
    also={422: "text/html"},
    summary="Join by a link that was passed on: each address is asked to confirm itself, as on /join",
)
async def join_by_link(call: Call) -> web.StreamResponse:
    passed = await _passed(call, read_forward_token)
    form = await read_form(call)
    code = Code(title=clean(passed.ask.title, 200), campaign_id=passed.campaign_id, passed_by=passed.member_id)
    if problem := await take(call, code, form):
        return await _ask_page(call, passed, form, problem=problem)
    return page(call.request, "join_thanks.html", locale=form.language)


@endpoint(
    "GET",
    "/shared/" + TOKEN,
    access=Open.PUBLIC,
    reply="text/html",
    summary="What a member's own links brought, for them alone: their link to copy, no names, no ranking",
)
async def own_links(call: Call) -> web.StreamResponse:
    passed = await _passed(call, read_shared_token)
    if not passed.member_id:
        raise too_old()
    brought = await what_they_brought(call.runtime, passed.member_id, now=call.now, also=passed.campaign_id)
    return page(call.request, "shared.html", locale=await locale_of(call, passed.member_id), brought=brought)


async def _passed(call: Call, read: Callable[[bytes, str], DeliveryRef | None]) -> Passed:
    """The ask that the path's token names."""

    async def find(token: str) -> Passed | None:
        ref = read(call.runtime.key, token)
        return None if ref is None else await find_passed(call.runtime, ref)

    return await whose(call, find)


async def _ask_page(call: Call, passed: Passed, form: Form, *, problem: str = "") -> web.Response:
    return page(
        call.request, "forward.html", locale=form.chosen, status=422 if problem else 200,
        ask=await see_ask(call.runtime, passed, form.language, now=call.now), action=call.request.path,
        **form_words(call, form, problem=problem),
    )  # fmt: skip
