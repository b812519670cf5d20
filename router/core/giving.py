"""Giving: what an amount in a reply is, how a total is said and drawn, and whose gift a donation page tells us of."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from html import escape

from babel.numbers import format_decimal

from router.core.goals import Progress, units
from router.core.phrases import LANGUAGES

LARGEST_GIFT = 10**12
"""Minor units, as in ``POST /api/v1/actions``."""

LONGEST_SUM = 25
"""Characters that `say_sum` comes to at most, for amounts that a goal may have."""

_SHARED_SIGNS: Mapping[str, tuple[str, ...]] = {
    "$": ("USD", "CAD", "AUD", "NZD", "MXN", "SGD", "HKD", "TWD", "ARS", "CLP", "COP"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
}
"""Signs of several currencies (`core.keywords_values`): they mean the goal's where it is one of these."""

_BAR, _HEIGHT, _RADIUS = 600, 72, 8
"""Of the picture, in its own units: how wide, how high, how round."""


def read_amount(value: str, currency: str) -> tuple[int, str] | None:
    """(minor units, currency) of ``25.00 EUR``, ``25.00 $`` or ``25`` where the goal is in `currency` ("" for none).

    None where the currency cannot be told, or nobody gives so much.
    """
    figure, _, sign = value.partition(" ")
    if not sign or currency in _SHARED_SIGNS.get(sign, ()):
        sign = currency
    if len(sign) != 3 or not sign.isupper():
        return None
    try:
        amount = int((Decimal(figure) * units(sign)).to_integral_value())
    except InvalidOperation:
        return None
    return (amount, sign) if 0 < amount <= LARGEST_GIFT else None


def with_ref(link: str, ref: str, name: str = "ref") -> str:
    """A page's address that also says who was sent there, or through whom: ``ref=`` comes last in its query."""
    address, mark, fragment = link.partition("#")
    page, _, query = address.partition("?")
    joint = "&" if query and not query.endswith("&") else ""
    return f"{page}?{query}{joint}{name}={ref}{mark}{fragment}"


def say_number(number: int, locale: str) -> str:
    """A number with its thousands apart as people write it there, in signs that every phone has."""
    language = locale.partition("-")[0].lower()
    said = format_decimal(number, locale=language if language in LANGUAGES else "en")
    return said.replace("\u202f", " ").replace("\xa0", " ")


def say_sum(number: int, currency: str, locale: str) -> str:
    """``1,240 EUR``; without a currency only the number."""
    return f"{say_number(number, locale)} {currency}".rstrip()


def share_of(progress: Progress) -> float:
    """How much of the goal is reached: 0 to 1, also where there is more."""
    return min(1.0, progress.reached / progress.target) if progress.target else 0.0


def draw_total(title: str, sentence: str, progress: Progress, *, locale: str) -> str:
    """The bar as SVG, with a title and a description for those who cannot see it.

    Without style sheets, scripts and fonts of its own, so that it shows wherever a picture does.
    """
    direction = "rtl" if locale.partition("-")[0] == "ar" else "ltr"
    filled = round(share_of(progress) * _BAR)
    x = 0 if direction == "ltr" else _BAR - filled
    edge = 0 if direction == "ltr" else _BAR
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_BAR} {_HEIGHT}" width="{_BAR}" height="{_HEIGHT}"'
        f' role="img" aria-labelledby="title desc" xml:lang="{escape(locale)}">'
        f'<title id="title">{escape(title)}</title><desc id="desc">{escape(sentence)}</desc>'
        f'<clipPath id="bar"><rect width="{_BAR}" height="32" rx="{_RADIUS}"/></clipPath>'
        f'<rect width="{_BAR}" height="{_HEIGHT}" fill="#ffffff"/>'
        f'<g clip-path="url(#bar)"><rect width="{_BAR}" height="32" fill="#d5d9e0"/>'
        f'<rect x="{x}" width="{filled}" height="32" fill="#1f6f43"/></g>'
        f'<text x="{edge}" y="60" direction="{direction}" font-family="system-ui, sans-serif" font-size="20"'
        f' fill="#1c1c1c">{escape(sentence)}</text></svg>\n'
    )
