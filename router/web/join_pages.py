"""``/join/…``: the page on which people join, its QR code, and where a mailbox confirms itself. No scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from router.community.join_codes import Code, read_code
from router.community.joining_confirm import confirm_address, may_confirm
from router.community.joining_form import KINDS, Filled, take_form, wording
from router.community.joining_links import our_number, page_link, qr_svg, sms_link
from router.core.errors import BadInput
from router.core.join_links import read_confirm_token
from router.core.phrases import LANGUAGES, say
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import BRAKE, FORM_BRAKE
from router.web.member_pages import TOKEN, form_fields, page, too_old, whose
from router.web.problems import ProblemError

JOIN_PAGES: Registry = []
endpoint = registrar(JOIN_PAGES)

TRAP = "website"
"""A field that no person sees. Programs that fill in every form fill it in, too."""

_CODE = "{code:[A-Za-z0-9][A-Za-z0-9_-]{0,31}}"
_NAMES = {
    "en": "English", "es": "Español", "fr": "Français", "de": "Deutsch", "pt": "Português", "ar": "العربية",
}  # fmt: skip
_LONGEST = {"first_name": 200, "last_name": 200, "phone": 100, "email": 320, "postcode": 20}


@endpoint("GET", "/join/" + _CODE, access=Open.PUBLIC, reply="text/html", summary="The page on which people join")
async def join_page(call: Call) -> web.StreamResponse:
    code = await _code(call)
    return _form(call, code, _language(call.request), {})


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
    await call.request.app[FORM_BRAKE].wrong(call.request)
    given = await form_fields(call.request, _LONGEST)
    language = given["language"] if given.get("language") in LANGUAGES else _language(call.request)
    if not given.get(TRAP):
        filled = Filled(
            addresses={
                channel: given[kind]
                for channel, kind in _kinds(call).items()
                if given.get(kind) and given.get(f"agree_{channel}")
            },
            locale=language,
            first_name=given.get("first_name", ""),
            last_name=given.get("last_name", ""),
            postcode=given.get("postcode", ""),
        )
        if not filled.addresses:
            return _form(call, code, language, given, problem=say("joining.page_no_address", language), status=422)
        try:
            await take_form(call.runtime, code, filled, now=call.now)
        except BadInput as error:
            phrase = "joining.page_bad_email" if error.place == "email" else "joining.page_bad_phone"
            return _form(call, code, language, given, problem=say(phrase, language), status=422)
    return _page(call, "join_thanks.html", language)


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
    language = await may_confirm(call.runtime, await _address(call))
    if language is None:
        raise too_old()
    return _page(call, "join_confirm.html", language)


@endpoint("POST", "/join/confirm/" + TOKEN, access=Open.PUBLIC, reply="text/html", summary="A mailbox confirms itself")
async def confirm(call: Call) -> web.StreamResponse:
    language = await confirm_address(call.runtime, await _address(call), now=call.now)
    if language is None:
        raise too_old()
    return _page(call, "join_in.html", language)


async def _code(call: Call) -> Code:
    """The open code in the path; 404 where there is none."""
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    async with call.runtime.store.read() as connection:
        code = await read_code(connection, call.request.match_info["code"])
    if code is None or code.closed:
        await brake.wrong(call.request)
        raise ProblemError(404, "This way to join is not known here, or it is closed.")
    return code


async def _address(call: Call) -> int:
    """The address that the path's token names."""
    return await whose(call, lambda token: read_confirm_token(call.runtime.key, token, call.now))


def _language(request: web.Request) -> str:
    """``?lang=es``, else the first of the browser's languages that we speak."""
    wished = [request.query.get("lang", ""), *request.headers.get("Accept-Language", "").split(",")[:20]]
    for one in wished:
        language = one.partition(";")[0].strip().partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return LANGUAGES[0]


def _kinds(call: Call) -> dict[str, str]:
    """channel → kind of address, of those that are switched on here."""
    return {channel: kind for channel, kind in KINDS.items() if channel in call.runtime.channels}


def _form(
    call: Call, code: Code, language: str, given: Mapping[str, str], *, problem: str = "", status: int = 200
) -> web.Response:
    offers: Sequence[Mapping[str, Any]] = [
        {
            "channel": channel,
            "kind": kind,
            "label": say(f"joining.page_{kind}", language),
            "wording": wording(call.runtime, channel, language),
        }
        for channel, kind in _kinds(call).items()
    ]
    return _page(
        call, "join.html", language, status=status, code=code.code, title=code.title, offers=offers, given=given,
        problem=problem, languages=_NAMES, trap=TRAP, number=our_number(call.runtime),
        sms=sms_link(call.runtime, code.code),
    )  # fmt: skip


def _page(call: Call, template: str, locale: str, *, status: int = 200, **words: Any) -> web.Response:
    organization = call.runtime.settings.organization
    language = locale.partition("-")[0].lower() if locale.partition("-")[0].lower() in LANGUAGES else LANGUAGES[0]

    def label(name: str) -> str:
        return say(f"joining.page_{name}", language, organization=organization)

    return page(call.request, template, status=status, language=language, label=label, **words)
