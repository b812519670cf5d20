"""The form by which people join, wherever it stands: its words, and what somebody filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aiohttp import web

from router.community.join_codes import Code
from router.community.joining_form import KINDS, Filled, take_form, wording
from router.core.errors import BadInput
from router.core.phrases import LANGUAGES, say
from router.web.endpoints import Call
from router.web.keys import FORM_BRAKE
from router.web.member_pages import form_fields, page

TRAP = "website"
"""A field that no person sees. Programs that fill in every form fill it in, too."""

_NAMES = {
    "en": "English", "es": "Español", "fr": "Français", "de": "Deutsch", "pt": "Português", "ar": "العربية",
}  # fmt: skip
_LONGEST = {"first_name": 200, "last_name": 200, "phone": 100, "email": 320, "postcode": 20}


class Form(NamedTuple):
    """What somebody filled in, as they wrote it, and the language that they chose."""

    given: Mapping[str, str]
    language: str


async def read_form(call: Call) -> Form:
    """The form that was sent; 429 where one network sends too many."""
    await call.request.app[FORM_BRAKE].wrong(call.request)
    given = await form_fields(call.request, _LONGEST)
    return Form(given, given["language"] if given.get("language") in LANGUAGES else language_of(call.request))


async def take(call: Call, code: Code, form: Form) -> str:
    """Let whoever it names join by `code`; returns what is wrong with it, in their words, or ""."""
    given, language = form
    if given.get(TRAP):
        return ""
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
        return say("joining.page_no_address", language)
    try:
        await take_form(call.runtime, code, filled, now=call.now)
    except BadInput as error:
        return say("joining.page_bad_email" if error.place == "email" else "joining.page_bad_phone", language)
    return ""


def form_words(call: Call, form: Form, *, problem: str = "") -> dict[str, Any]:
    """What ``join_form.html`` shows."""
    offers = [
        {
            "channel": channel,
            "kind": kind,
            "label": say(f"joining.page_{kind}", form.language),
            "wording": wording(call.runtime, channel, form.language),
        }
        for channel, kind in _kinds(call).items()
    ]
    return {"offers": offers, "given": form.given, "languages": _NAMES, "trap": TRAP, "problem": problem}


def language_of(request: web.Request) -> str:
    """``?lang=es``, else the first of the browser's languages that we speak."""
    wished = [request.query.get("lang", ""), *request.headers.get("Accept-Language", "").split(",")[:20]]
    for one in wished:
        language = one.partition(";")[0].strip().partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return LANGUAGES[0]


def spoken_page(call: Call, template: str, locale: str, *, status: int = 200, **words: Any) -> web.Response:
    """A page in the language of `locale`; ``label("thanks")`` in it is the phrase ``joining.page_thanks``."""
    organization = call.runtime.settings.organization
    language = locale.partition("-")[0].lower() if locale.partition("-")[0].lower() in LANGUAGES else LANGUAGES[0]

    def label(name: str) -> str:
        return say(f"joining.page_{name}", language, organization=organization)

    return page(call.request, template, status=status, language=language, label=label, **words)


def _kinds(call: Call) -> dict[str, str]:
    """channel → kind of address, of those that are switched on here."""
    return {channel: kind for channel, kind in KINDS.items() if channel in call.runtime.channels}
