"""What the conversation about events reads in a message beyond keywords: commands, event numbers, addresses, days."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache

from babel.dates import get_month_names

from router.core.keywords_values import find_figure, find_number
from router.core.phrases import LANGUAGES

MOST_SEATS = 10_000
"""More guests than that do not fit anywhere; the same bound as `core.ask.Gathering`."""

_YEARS_AHEAD = 5
"""29 February comes within so many years (but for 1900 and its like)."""

_RSVP = re.compile(r"\s*rsvp\s*[#:.-]?\s*(\d{1,9})\s*[.!]*\s*", re.IGNORECASE)
_BARE = re.compile(r"\s*#?\s*(\d{1,4})\s*[.!)]*\s*")  # five digits are a postcode
_SEAT_BACK = re.compile(
    r"\s*(?:please\s+)?(?:cancel|drop|give\s+back|give\s+up)\s+(?:my\s+|our\s+|the\s+)?(?:seat|seats|place|rsvp)"
    r"(?:\s+please)?\s*[.!]*\s*",
    re.IGNORECASE,
)
_HOST = re.compile(r"\s*host\b[\s:,]*(.*)", re.IGNORECASE | re.DOTALL)
_SEATS_FIRST = re.compile(
    r"(\d{1,9})(?:\s*(?:seats?|guests?|people|places))?\s*(?:[,;\n]\s*(.*))?", re.IGNORECASE | re.DOTALL
)
_TELL = re.compile(r"\s*tell\s+(host|all|everybody|everyone|#?\d{1,9})\b[\s:,]*(.*)", re.IGNORECASE | re.DOTALL)
_LEAVE = re.compile(r"\s*leave\s+(?:the\s+)?chat\s*[.!]*\s*", re.IGNORECASE)
_RATING = re.compile(
    r"\s*([1-5])(?:\s*(?:/|out of|of)\s*5)?(?![\d.,]*\d)\s*(?:stars?\b)?[\s:,;.!-]*(.*)", re.IGNORECASE | re.DOTALL
)
_STARS = re.compile(r"\s*((?:[⭐★]\ufe0f?\s*){1,5})(?![⭐★])(.*)", re.DOTALL)

_ISO = re.compile(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})[T ,]+(.+)")
_DAY_FIRST = re.compile(r"\s*(\d{1,2})\.?\s+(?:de\s+)?([^\W\d_]+)\.?,?(?:\s+(\d{4}),?)?\s+(.+)")
_MONTH_FIRST = re.compile(r"\s*([^\W\d_]+)\.?\s+(\d{1,2}),?(?:\s+(\d{4}),?)?\s+(.+)")
_WEEKDAY = re.compile(r"\s*[^\W\d_]{2,12}[.,]{0,2}\s+(?=\d|[^\W\d_]+\.?\s+\d)")
_CLOCK = re.compile(r"\s*(?:at\s+|um\s+)?(\d{1,2}):(\d{2})\s*([ap]m)?\s*", re.IGNORECASE)
_HOUR = re.compile(r"\s*(?:at\s+)?(\d{1,2})\s*([ap]m)\s*", re.IGNORECASE)

# By their form; five digits are used by many countries and tell none (sources in `core.keywords_values`). The first
# part of each is a neighbourhood, the whole of it some houses of a street.
_BRITISH = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?) ?\d[A-Z]{2}")
_CANADIAN = re.compile(r"([A-Z]\d[A-Z]) ?\d[A-Z]\d")
_DUTCH = re.compile(r"(\d{4}) ?[A-Z]{2}")
_BY_FORM: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = (
    (_BRITISH, frozenset({"GB", "GG", "IM", "JE"})),
    (_CANADIAN, frozenset({"CA"})),
    (_DUTCH, frozenset({"NL"})),
)
_OWN_FORM = frozenset[str]().union(*(countries for _, countries in _BY_FORM))


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a message with HOST says: only what was given, "" and None for the rest."""

    seats: int | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Telling:
    """A message for somebody else: ``host``, ``all``, or the number of a guest."""

    whom: str
    words: str


def event_number(text: str, *, listed: bool) -> int | None:
    """The event that ``RSVP 3`` names; with `listed`, because events were just shown, also a bare ``3``."""
    found = _RSVP.fullmatch(text) or (_BARE.fullmatch(text) if listed else None)
    return int(found[1]) if found else None


def bare_number(text: str) -> int | None:
    """The number that a message is."""
    found = _BARE.fullmatch(text)
    return int(found[1]) if found else None


def gives_seat_back(text: str) -> bool:
    """Whether it says CANCEL SEAT in one of its forms; the bare word CANCEL is a stop word everywhere."""
    return _SEAT_BACK.fullmatch(text) is not None


def read_hosting(text: str) -> Hosting | None:
    """``HOST``, ``HOST 8`` or ``HOST 8, 12 High Street, SW1A 1AA``; None where it does not begin with HOST."""
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    rest = found[1].strip()
    seats = _SEATS_FIRST.fullmatch(rest)
    if seats and (seats[2] or int(seats[1]) <= MOST_SEATS):
        return Hosting(int(seats[1]), (seats[2] or "").strip())
    return Hosting(None, rest)


def read_seats(text: str) -> int | None:
    """How many guests somebody can seat; None where they do not say it in one number."""
    figure = find_number(text)
    return int(figure.value) if figure and figure.value.isdigit() else None


def read_address(text: str, locale: str) -> tuple[str, str] | None:
    """An exact address in one line and the postcode in it; None where there is no postcode or nothing beside it."""
    line = ", ".join(part.strip(" ,") for part in text.splitlines() if part.strip(" ,"))
    figure = find_figure(line, locale)
    if figure is None or figure.kind != "postcode" or not any(sign.isalpha() for sign in figure.rest):
        return None
    return line[:400], figure.value


def read_telling(text: str) -> Telling | None:
    """``TELL HOST …``, ``TELL ALL …`` or ``TELL 3 …``."""
    found = _TELL.fullmatch(text)
    if found is None:
        return None
    whom = found[1].lower().lstrip("#")
    return Telling("all" if whom.startswith("every") else whom, found[2].strip())


def leaves_chat(text: str) -> bool:
    """Whether it says LEAVE CHAT."""
    return _LEAVE.fullmatch(text) is not None


def read_rating(text: str) -> tuple[int, str] | None:
    """1 to 5 and what was said along; None where there is no such number first."""
    if found := _STARS.fullmatch(text):
        return sum(sign in "⭐★" for sign in found[1]), found[2].strip()
    found = _RATING.fullmatch(text)
    return (int(found[1]), found[2].strip()) if found else None


def read_start(text: str, *, today: date) -> datetime | None:
    """A local day and time: ``2026-12-03 19:00``, ``3 Dec 19:00``, ``Dec 3 7pm``; naive. None for anything else.

    A day without a year is the next one from `today` on; one that is past or years ahead is a slip. Days in figures
    alone (3.12., 12/3) mean different things in different countries and are not guessed at.
    """
    text = text.strip()
    if found := _ISO.fullmatch(text):
        return _moment(int(found[1]), int(found[2]), int(found[3]), found[4], today)
    rest = _WEEKDAY.sub("", text, count=1) if not _DAY_FIRST.fullmatch(text) else text
    if found := _DAY_FIRST.fullmatch(rest) or _DAY_FIRST.fullmatch(text):
        day, month, year, clock = found[1], found[2], found[3], found[4]
    elif found := _MONTH_FIRST.fullmatch(text) or _MONTH_FIRST.fullmatch(rest):
        month, day, year, clock = found[1], found[2], found[3], found[4]
    else:
        return None
    number = _months().get(month.casefold().rstrip("."))
    if number is None:
        return None
    if year:
        return _moment(int(year), number, int(day), clock, today)
    candidates = (_moment(today.year + later, number, int(day), clock, today) for later in range(_YEARS_AHEAD))
    return next((at for at in candidates if at is not None), None)


def country_of_postcode(postcode: str, known: str, others: Collection[str]) -> str | None:
    """The country in which somebody of country `known` means a postcode, given that events are in `others`.

    None where its form is that of none of them: it lies abroad. `known` may be "".
    """
    forms = next((countries for form, countries in _BY_FORM if form.fullmatch(postcode.upper())), None)
    candidates = [country for country in (known, *sorted(others)) if country]
    if forms is None:
        fitting = [country for country in candidates if country not in _OWN_FORM]
        return fitting[0] if fitting else (None if candidates else "")
    fitting = [country for country in candidates if country in forms]
    return fitting[0] if fitting else (None if candidates else min(forms))


def neighbourhood(postcode: str) -> str:
    """What of a postcode everybody may know: enough to find the way, too little to find the door."""
    found = next((match for form, _ in _BY_FORM if (match := form.fullmatch(postcode.upper()))), None)
    return found[1] if found else postcode


@cache
def _months() -> Mapping[str, int]:
    """The names of months, short and long, in every language that the program speaks."""
    found: dict[str, int] = {}
    for language in LANGUAGES:
        for width in ("abbreviated", "wide"):
            for number, name in get_month_names(width, locale=language).items():
                found.setdefault(name.casefold().rstrip("."), number)
    return found


def _moment(year: int, month: int, day: int, clock: str, today: date) -> datetime | None:
    at = _time(clock)
    try:
        on = date(year, month, day)
    except ValueError:
        return None
    return datetime.combine(on, at) if at is not None and today <= on and year < today.year + _YEARS_AHEAD else None


def _time(clock: str) -> time | None:
    if found := _CLOCK.fullmatch(clock):
        hour, minute, half = int(found[1]), int(found[2]), (found[3] or "").lower()
    elif found := _HOUR.fullmatch(clock):
        hour, minute, half = int(found[1]), 0, found[2].lower()
    else:
        return None
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None
