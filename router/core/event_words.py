"""Moments, distances and countries of events, in people's own language."""

from __future__ import annotations

from datetime import UTC, datetime

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton, format_time
from babel.numbers import format_decimal

from router.core.zones import known_zone

_PLAIN_SPACES = str.maketrans({"\u202f": " ", "\xa0": " ", "\u200f": None})
"""CLDR's narrow spaces are in no GSM-7 message: one would make three of it."""


def day_and_time(at: datetime, zone: str, locale: str) -> str:
    """``Thu 3 Dec 19:00`` by the clock of the place where an event is."""
    local = at.astimezone(known_zone(zone) or UTC)
    language = _locale(locale)
    day = format_skeleton("MMMEd", local, locale=language)
    return f"{day} {time_of_day(at, zone, locale)}".translate(_PLAIN_SPACES)


def day_of(at: datetime, zone: str, locale: str) -> str:
    """``3 Dec 2026`` by the clock of a place; UTC's where that is not known."""
    local = at.astimezone(known_zone(zone) or UTC)
    return str(format_skeleton("yMMMd", local, locale=_locale(locale))).translate(_PLAIN_SPACES)


def time_of_day(at: datetime, zone: str, locale: str) -> str:
    """``19:00`` by the clock of the place where an event is."""
    info = known_zone(zone) or UTC
    return str(format_time(at.astimezone(info), "short", tzinfo=info, locale=_locale(locale))).translate(_PLAIN_SPACES)


def distance(km: float, locale: str) -> str:
    """``1.2`` kilometres; beyond ten whole ones."""
    return str(format_decimal(round(km, 1) if km < 10 else round(km), locale=_locale(locale))).translate(_PLAIN_SPACES)


def country_name(code: str, locale: str) -> str:
    """``France`` for ``FR``; the code itself where it names no country."""
    return str(_locale(locale).territories.get(code) or code)


def _locale(locale: str) -> Locale:
    """CLDR's locale. English without a country is written as most of the world does, with the day before the month."""
    try:
        return Locale.parse("en_GB" if locale in ("", "en") else locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_GB")
