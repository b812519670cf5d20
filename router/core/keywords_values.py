"""What is said with figures: postcodes, amounts of money, how many people, how long a pause."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from router.core.keywords_intent import AMOUNT, NUMBER, POSTCODE

MOST_GUESTS = 20
"""More people in one answer are asked about again: who writes RSVP 99 jests or slipped."""

LONGEST_PAUSE = 365
"""Days. Who wants a longer one wants to leave; a person is asked."""

_MOST_DIGITS = 4
_MOST_MONEY = Decimal(1_000_000)

# Forms: United States ZIP and ZIP+4 (USPS Publication 28, 212), Germany and France five digits, United Kingdom
# (ILRRPCH "Postcodes", BS7666: https://www.gov.uk/government/publications/bulk-data-transfer-for-sponsors-xml-schema),
# Canada (Canada Post, "Addressing guidelines": no D F I O Q U), the Netherlands (PostNL: never SA, SD or SS).
_FIVE_DIGITS = re.compile(
    r"(?<![\w.,$€£+/-])(?:(?:D|DE|F|FR|US)[ -])?(\d{5}(?:-\d{4})?)(?![\w$€£/-]|[.,]\d)", re.IGNORECASE
)
_BRITISH = re.compile(
    r"(?<!\w)([A-PR-UWYZ](?:\d[A-HJKPSTUW]?|\d\d|[A-HK-Y]\d[ABEHMNPRVWXY]?|[A-HK-Y]\d\d)) ?"
    r"(\d[ABD-HJLNP-UW-Z]{2})(?!\w)",
    re.IGNORECASE | re.ASCII,
)
_CANADIAN = re.compile(
    r"(?<!\w)([ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z])[ -]?(\d[ABCEGHJ-NPRSTV-Z]\d)(?!\w)", re.IGNORECASE | re.ASCII
)
_DUTCH = re.compile(r"(?<!\w)([1-9]\d{3}) ?(?!SA|SD|SS)([A-Z]{2})(?!\w)", re.IGNORECASE | re.ASCII)
_HOURS = frozenset({"AM", "PM"})

# ISO 4217 by the signs and words that people write. A bare dollar or crown is of the member's own country.
_SIGNS: Mapping[str, str] = {
    "us$": "USD", "usd": "USD", "c$": "CAD", "ca$": "CAD", "cad": "CAD", "a$": "AUD", "au$": "AUD", "aud": "AUD",
    "$": "$", "dollar": "$", "dollars": "$", "bucks": "$", "buck": "$", "dólares": "$", "dolares": "$", "dolar": "$",
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "gbp": "GBP", "pounds": "GBP", "pound": "GBP",
    "quid": "GBP", "chf": "CHF", "r$": "BRL", "brl": "BRL", "reais": "BRL", "reals": "BRL", "₹": "INR", "rs": "INR",
    "inr": "INR", "rupees": "INR", "₺": "TRY", "tl": "TRY", "zł": "PLN", "zl": "PLN", "pln": "PLN",
    "₴": "UAH", "uah": "UAH", "₽": "RUB", "₪": "ILS", "nis": "ILS", "ils": "ILS", "kr": "kr", "kr.": "kr", "sek": "SEK",
    "nok": "NOK", "dkk": "DKK", "mxn": "MXN", "pesos": "$", "₱": "PHP", "php": "PHP", "ksh": "KES", "kes": "KES",
    "₦": "NGN", "ngn": "NGN", "rand": "ZAR", "zar": "ZAR", "₩": "KRW", "원": "KRW", "¥": "¥", "円": "JPY", "元": "CNY",
}  # fmt: skip
_SIGN = "|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True))
_FIGURE = r"(\d{1,3}(?:[., ]\d{3}){1,2}(?:[.,]\d{1,2})?|\d{1,9}(?:[.,]\d{1,2})?)"
_MONEY = re.compile(
    rf"(?<![\w.,$€£])(?:({_SIGN}) ?{_FIGURE}(?![\w.,]*\d)|{_FIGURE} ?({_SIGN})(?![^\W\d_]))", re.IGNORECASE
)

_NUMBER = re.compile(rf"(?<![\w.,]){_FIGURE}(?!\w)")

_DIGITS_AND_UNIT = re.compile(r"(\d{1,4})([^\W\d_]{1,20})")
_PLUS = re.compile(r"\+\s?\d")
_TIME = re.compile(r"\d\s?(?:[ap]\.?m\b|:\d\d|uhr\b|h\b|o'?clock\b)", re.IGNORECASE)
_MONTH_AND_DAY = re.compile(r"--(\d\d)(?:-(\d\d))?")


@dataclass(frozen=True, slots=True)
class Figure:
    """A postcode, an amount or a number in a text: which of them, normalised, and the text without it."""

    kind: str
    value: str
    rest: str


def find_figure(text: str, locale: str | None) -> Figure | None:
    """The one amount of money or postcode in `text`, None where there is none or there are several."""
    plain = _plain(text)
    if found := _only(_MONEY, plain):
        money = _money(found)
        return None if money is None else Figure(AMOUNT, money, _without(plain, found))
    dutch = (locale or "").startswith("nl")
    for form in (_BRITISH, _CANADIAN, _FIVE_DIGITS, _DUTCH):
        if (found := _only(form, plain)) is None:
            continue
        value = " ".join(part.upper() for part in found.groups())
        if form is _DUTCH and found[2].upper() in _HOURS and not dutch:
            continue
        return Figure(POSTCODE, value, _without(plain, found))
    return None


def find_number(text: str) -> Figure | None:
    """The one number in `text` (``12``, ``25.50``), None where there is none or there are several."""
    plain = _plain(text)
    found = _only(_NUMBER, plain)
    return None if found is None else Figure(NUMBER, _decimal(found[1]), _without(plain, found))


def count_of(token: str) -> int | None:
    """The number that `token` writes in digits, None where it is none or longer than anybody's party."""
    return int(token) if token.isascii() and token.isdigit() and len(token) <= _MOST_DIGITS else None


def has_plus(text: str) -> bool:
    """Whether a number in `text` counts others only, as in ``+1``."""
    return _PLUS.search(text) is not None


def counts_something_else(text: str) -> bool:
    """Whether a number in `text` is a time of day or money, not people."""
    return _TIME.search(text) is not None or _MONEY.search(text) is not None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Words for numbers, units of time and months, folded."""

    numbers: Mapping[str, int]
    units: Mapping[str, int]
    """Word → days."""
    months: Mapping[str, int]

    def knows(self, token: str) -> bool:
        """Whether a word is a number or a unit of time."""
        return token in self.numbers or token in self.units

    def pause(self, tokens: Sequence[str], *, until: bool) -> str | None:
        """How long a pause is, from the words after "pause": days (``14``) or, after an "until", a month and day to
        come (``--01``, ``--03-15``, as in ISO 8601:2000 and XML Schema's gMonth); "" where there are no words, None
        where they say something else.
        """
        if until or not tokens:
            return self._month_and_day(tokens) if tokens else ""
        match [self._count(token) for token in tokens], [self._unit(token) for token in tokens]:
            case [int(count), _], [_, int(days)]:
                return str(count * days)
            case [_], [int(days)]:
                return str(days)
            case _:
                return self._digits_and_unit("".join(tokens))

    def _digits_and_unit(self, joined: str) -> str | None:
        found = _DIGITS_AND_UNIT.fullmatch(joined)
        days = self._unit(found[2]) if found else None
        return None if found is None or days is None else str(int(found[1]) * days)

    def _month_and_day(self, tokens: Sequence[str]) -> str | None:
        months = [self.months[token] for token in tokens if token in self.months]
        days = [count_of(token.rstrip("stndrh")) for token in tokens if token not in self.months]
        if len(months) != 1 or len(tokens) > 2:
            return None
        if not days:
            return f"--{months[0]:02}"
        return f"--{months[0]:02}-{days[0]:02}" if days[0] and days[0] <= 31 else None

    def _count(self, token: str) -> int | None:
        count = count_of(token)
        return self.numbers.get(token) if count is None else count

    def _unit(self, token: str) -> int | None:
        return self.units.get(token)


def pause_days(value: str, today: date) -> int | None:
    """The days of a pause from `Intent.value`, None where it does not say how long.

    A month means until its first day, a day that does not exist (31 April) the first of the next month.
    """
    if value.isdigit():
        return int(value)
    found = _MONTH_AND_DAY.fullmatch(value)
    if found is None:
        return None
    month, day = int(found[1]), int(found[2] or 1)
    for year in (today.year, today.year + 1):
        until = _day(year, month, day)
        if until > today:
            return (until - today).days
    return None


def _day(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        return date(year + month // 12, month % 12 + 1, 1)


def _plain(text: str) -> str:
    """Figures of any script as 0-9, full-width signs as usual ones, invisible characters gone."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text)
    return "".join(
        str(unicodedata.decimal(c)) if c.isdecimal() else c
        for c in plain
        if unicodedata.category(c) not in ("Cf", "Mn")
    )


def _only(form: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The one place where `form` is found, None where it is found nowhere or twice."""
    places = form.finditer(text)
    first = next(places, None)
    return first if next(places, None) is None else None


def _without(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}"


def _money(found: re.Match[str]) -> str | None:
    sign = (found[1] or found[4]).lower()
    amount = Decimal(_decimal(found[2] or found[3]))
    return f"{amount:.2f} {_SIGNS[sign]}" if 0 < amount <= _MOST_MONEY else None


def _decimal(written: str) -> str:
    """``1.250,50`` and ``1,250.50`` as ``1250.50``: a mark with one or two figures after it is the decimal one."""
    whole, mark, cents = written, "", ""
    for sign in ".,":
        before, found, after = written.rpartition(sign)
        if found and 1 <= len(after) <= 2:
            whole, mark, cents = before, ".", after
    return re.sub(r"[., ]", "", whole) + mark + cents
