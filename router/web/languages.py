"""In which language a page speaks: its member's; else the stranger's, by ``?lang=``, browser or region."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web
from babel.core import get_global

from router.core.catalogue import spoken
from router.core.phrases import LANGUAGES
from router.web.keys import RUNTIME

OWN_NAMES: Mapping[str, str] = {
    "en": "English", "es": "Español", "fr": "Français", "de": "Deutsch", "pt": "Português", "ar": "العربية",
}  # fmt: skip
"""How each language calls itself."""

_MOST_WISHES = 20
"""So many languages of a browser are looked at."""


def language_of(request: web.Request, locale: str = "") -> str:
    """The language of `locale`, a member's; else ``?lang=``, else the browser's, else the installation's."""
    if own := spoken(locale) or spoken(request.query.get("lang", "")):
        return own
    for wish in _wishes(request.headers.get("Accept-Language", "")):
        if language := spoken(wish):
            return language
    return house_language(request.app[RUNTIME].settings.default_region)


def house_language(region: str) -> str:
    """What is mostly spoken where the installation's phone numbers are from (CLDR, likely subtags), else English."""
    return spoken(get_global("likely_subtags").get(f"und_{region}") or "") or LANGUAGES[0]


def other_languages(request: web.Request, language: str) -> list[tuple[str, str, str]]:
    """The same page in each language: code, name and link; "" for the link of the one that it speaks already."""
    asked = {name: value for name, value in request.query.items() if name != "lang"}
    return [
        (code, name, "" if code == language else "?" + urlencode({**asked, "lang": code}))
        for code, name in OWN_NAMES.items()
    ]


def _wishes(header: str) -> list[str]:
    """The languages of an Accept-Language header, the dearest first (RFC 9110, 12.5.4)."""
    weighed = []
    for one in header.split(",")[:_MOST_WISHES]:
        tag, _, parameter = one.partition(";")
        name, _, weight = parameter.strip().partition("=")
        try:
            dear = float(weight) if name == "q" else 1.0
        except ValueError:
            dear = 0.0
        if dear > 0:
            weighed.append((dear, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda one: -one[0])]
