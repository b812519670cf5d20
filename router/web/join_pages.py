"""``/join/…``: the page on which people join, its QR code, and where a mailbox confirms itself. No scripts."""

from __future__ import annotations

from aiohttp import web

from router.community.join_codes import Code, read_code
from router.community.joining_confirm import confirm_address, may_confirm
from router.community.joining_links import our_number, page_link, qr_svg, sms_link
from router.core.catalogue import gettext_noop
from router.core.join_links import read_confirm_token
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.join_forms import Form, form_words, read_form, take
from router.web.keys import BRAKE
from router.web.languages import language_of
from router.web.member_pages import TOKEN, page, too_old, whose
from router.web.problems import ProblemError

JOIN_PAGES: Registry = []
endpoint = registrar(JOIN_PAGES)

_CODE = "{code:[A-Za-z0-9][A-Za-z0-9_-]{0,31}}"


@endpoint("GET", "/join/" + _CODE, access=Open.PUBLIC, reply="text/html", summary="The page on which people join")
async def join_page(call: Call) -> web.StreamResponse:
    code = await _code(call)
    return _form(call, code, Form({}, language_of(call.request), ""))


@endpoint(
    "POST",
    "/join/" + _CODE,
    access=Open.PUBLIC,
    reply="text/html",
    also={422: "text/html"},
    summary="Join: each address is asked to confirm itself. The page says the same whoever is known here",
)
async def join(call: Call) -> web.StreamResponse:
    code = await _code(call)
    form = await read_form(call)
    if problem := await take(call, code, form):
        return _form(call, code, form, problem=problem)
    return page(call.request, "join_thanks.html", locale=form.language)


@endpoint("GET", f"/join/{_CODE}.svg", access=Open.PUBLIC, reply="image/svg+xml", summary="The page as a QR code")
async def qr_code(call: Call) -> web.StreamResponse:
    code = await _code(call)
    picture = qr_svg(page_link(call.runtime, code.code))
    headers = {"Cache-Control": "public, max-age=3600"}
    return web.Response(body=picture, content_type="image/svg+xml", headers=headers)


@endpoint(
    "GET",
    "/join/confirm/" + TOKEN,
    access=Open.PUBLIC,
    reply="text/html",
    summary="A page with a button. Looking at it confirms nothing: scanners look at everything",
)
async def ask_confirm(call: Call) -> web.StreamResponse:
    locale = await may_confirm(call.runtime, await _address(call))
    if locale is None:
        raise too_old()
    return page(call.request, "join_confirm.html", locale=locale)


@endpoint("POST", "/join/confirm/" + TOKEN, access=Open.PUBLIC, reply="text/html", summary="A mailbox confirms itself")
async def confirm(call: Call) -> web.StreamResponse:
    locale = await confirm_address(call.runtime, await _address(call), now=call.now)
    if locale is None:
        raise too_old()
    return page(call.request, "join_in.html", locale=locale)


async def _code(call: Call) -> Code:
    """The open code in the path; 404 where there is none."""
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    async with call.runtime.store.read() as connection:
        code = await read_code(connection, call.request.match_info["code"])
    if code is None or code.closed:
        await brake.wrong(call.request)
        raise ProblemError(404, gettext_noop("This way to join is not known here, or it is closed."))
    return code


async def _address(call: Call) -> int:
    """The address that the path's token names."""
    return await whose(call, lambda token: read_confirm_token(call.runtime.key, token, call.now))


def _form(call: Call, code: Code, form: Form, *, problem: str = "") -> web.Response:
    return page(
        call.request, "join.html", locale=form.chosen, status=422 if problem else 200, action=f"/join/{code.code}",
        code=code.code, title=code.title, number=our_number(call.runtime), sms=sms_link(call.runtime, code.code),
        **form_words(call, form, problem=problem),
    )  # fmt: skip
