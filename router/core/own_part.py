"""A member's own part in what a report-back tells of: "you and 4,311 others", "your 30.00 EUR", in their language.

What these variables show is offered to report-backs only (`core.content_syntax`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, format_decimal, get_currency_precision

from router.core.phrases import phrases, say

_TELLING: Final = ("hosted", "gave", "came", "called", "volunteered", "signed", "shared", "yes")
"""Where somebody did several things, the first of these is told."""

_GIVEN, _GIVEN_BACK = "gave", "refund"
_SPACES: Final = str.maketrans({"\u00a0": " ", "\u202f": " "})
"""Typographers' spaces would make a text message cost twice as much (GSM 03.38 has neither)."""


class Done(NamedTuple):
    """So much of one kind of action by one member."""

    kind: str
    amount: int = 0
    """Minor units of `currency`, all of this kind together."""
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPart:
    """What one member did, and how many others did something."""

    others: int
    kind: str = ""
    """The kind of action that is told; "" where it has no words of its own."""
    amount: int = 0
    """What they gave, in minor units of `currency`; 0 where nothing is known of that."""
    currency: str = ""


EXAMPLE: Final = OwnPart(others=4311, kind="gave", amount=3000, currency="EUR")
"""Stands for somebody's part where a message is shown or weighed before anybody gets it."""

LENGTHS: Final[Mapping[str, int]] = {"others": 16, "my_amount": 24, "my_action": 120}
"""The variables, and the most characters that each comes to."""


def part_of(done: Iterable[Done], *, others: int) -> OwnPart:
    """One member's part, from all that they did."""
    kinds = set()
    given: Counter[str] = Counter()
    for kind, amount, currency in done:
        kinds.add(kind)
        if currency and kind in (_GIVEN, _GIVEN_BACK):
            given[currency] += amount if kind == _GIVEN else -amount
    told = next((kind for kind in _TELLING if kind in kinds), "")
    currency, amount = max(given.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    if amount <= 0:
        currency, amount = "", 0
    return OwnPart(others=max(0, others), kind=told, amount=amount, currency=currency)


def say_part(variable: str, part: OwnPart, locale: str) -> str:
    """What a variable of `LENGTHS` shows; ``my_amount`` is "" where they gave nothing that we know of."""
    known = _locale(locale)
    if variable == "others":
        return _plain(format_decimal(part.others, locale=known))
    amount = _money(part, known) if part.amount else ""
    if variable == "my_amount":
        return amount
    if part.kind == _GIVEN and amount:
        return say("report_backs.gave_amount", locale, amount=amount)
    name = f"report_backs.{part.kind or 'took_part'}"
    return say(name if name in phrases() else "report_backs.took_part", locale)


def _money(part: OwnPart, locale: Locale) -> str:
    value = Decimal(part.amount).scaleb(-get_currency_precision(part.currency))
    return _plain(format_currency(value, part.currency, locale=locale))


def _plain(text: str) -> str:
    return text.translate(_SPACES)


def _locale(name: str) -> Locale:
    """The nearest locale whose numbers are known, English for want of any."""
    for candidate in (name, name.partition("-")[0]):
        try:
            return Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")
