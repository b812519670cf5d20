"""The form by which people join, wherever it stands: its words, and what somebody filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from router.community.join_codes import Code
from router.community.joining_form import KINDS, Filled, take_form, wording
from router.core.catalogue import Translator, gettext_noop, translator
from router.core.errors import BadInput
from router.core.phrases import LANGUAGES
from router.web.endpoints import Call
from router.web.keys import FORM_BRAKE
from router.web.languages import OWN_NAMES, language_of
from router.web.member_pages import form_fields

TRAP = "website"
"""A field that no person sees. Programs that fill in every form fill it in, too."""

_LABELS = {"phone": gettext_noop("Phone number"), "email": gettext_noop("Email")}
_WRONG = {
    "phone": gettext_noop("This phone number cannot be right. Write it in full, with its country code (+1, +44 ...)."),
    "email": gettext_noop("This email address cannot be right. Please look at it again."),
}
_LONGEST = {"first_name": 200, "last_name": 200, "phone": 100, "email": 320, "postcode": 20}


class Form(NamedTuple):
    """What somebody filled in, as they wrote it, and the language that they read."""

    given: Mapping[str, str]
    language: str
    chosen: str
    """The same where the form says so, "" for one that is not filled in yet."""


async def read_form(call: Call) -> Form:
    """The form that was sent; 429 where one network sends too many."""
    await call.request.app[FORM_BRAKE].wrong(call.request)
    given = await form_fields(call.request, _LONGEST)
    chosen = given["language"] if given.get("language") in LANGUAGES else ""
    return Form(given, chosen or language_of(call.request), chosen)


async def take(call: Call, code: Code, form: Form) -> str:
    """Let whoever it names join by `code`; returns what is wrong with it, in their words, or ""."""
    given, language, _ = form
    speak: Translator = translator(language)
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
        return speak.gettext("Give a phone number or an email, and tick the box beside it.")
    try:
        await take_form(call.runtime, code, filled, now=call.now)
    except BadInput as error:
        wrong = _WRONG.get(error.place, _WRONG["phone"])
        return speak.gettext(wrong)
    return ""


def form_words(call: Call, form: Form, *, problem: str = "") -> dict[str, Any]:
    """What ``join_form.html`` shows."""
    offers = [
        {
            "channel": channel,
            "kind": kind,
            "label": translator(form.language).gettext(_LABELS[kind]),
            "wording": wording(call.runtime, channel, form.language),
        }
        for channel, kind in _kinds(call).items()
    ]
    return {"offers": offers, "given": form.given, "own_names": OWN_NAMES, "trap": TRAP, "problem": problem}


def _kinds(call: Call) -> dict[str, str]:
    """channel → kind of address, of those that are switched on here."""
    return {channel: kind for channel, kind in KINDS.items() if channel in call.runtime.channels}
