"""From a postcode, a country or a phone number to a time zone, where that can be known.

A guess that may be wrong wakes people up, so where two clocks are possible the answer is "not known". Zones of one
country whose clocks go alike (Berlin and Büsingen) count as one.

Sources: tzdata's ``zone.tab`` (IANA), libphonenumber's zones by number prefix, and `core.postcodes`.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from router.core.postcodes import zone_of_postcode

COUNTRY_ALIASES: Mapping[str, str] = {"UK": "GB", "EL": "GR"}
"""What people and the EU write for two ISO 3166 codes."""


def zone_of(*, country: str, postcode: str, phone: str) -> tuple[str, str]:
    """The IANA zone that follows from what is known of a member, and what it follows from.

    The source is ``postcode``, ``country`` (it has a single clock) or ``phone``; ("", "") where none of them says.
    `phone` is E.164 or "". A country that is not given is taken from the phone.
    """
    told = country.strip().upper()
    country = COUNTRY_ALIASES.get(told, told) or country_of_phone(phone)
    if postcode and country:
        zone = zone_of_postcode(country, postcode)
        if known_zone(zone) is not None:
            return zone, "postcode"
    zone = one_clock(zones_of_country(country))
    if zone:
        return zone, "country" if told else "phone"
    zone = _zone_of_phone(phone)
    return (zone, "phone") if zone else ("", "")


def country_of_phone(e164: str) -> str:
    """The ISO 3166 country of a number in E.164, "" where it has none. Works for numbers reserved for fiction too."""
    if not e164.startswith("+"):
        return ""
    if e164[1:2] == "1":
        return _country_in_america(e164[2:5])
    for length in (1, 2, 3):
        code = e164[1 : 1 + length]
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code)) if code.isdecimal() else None
        if regions:
            return regions[0] if len(regions) == 1 else _country_among(regions, int(code), e164[1 + length :])
    return ""


def zones_of_country(country: str) -> tuple[str, ...]:
    """Every zone of a country, in the order of ``zone.tab``; empty where the country is unknown."""
    return _zones_by_country().get(country, ())


def all_countries() -> tuple[str, ...]:
    """The ISO 3166 code of every country that has a zone."""
    return tuple(_zones_by_country())


def known_zone(name: str) -> ZoneInfo | None:
    """The zone of this name, or None where there is none. Never raises, whatever a member's record says."""
    return _zone_info(name) if name in _zone_names() else None


@lru_cache(maxsize=4096)
def one_clock(zones: tuple[str, ...]) -> str:
    """The first of these zones if all keep the same time from now on, else ""."""
    return zones[0] if len({_rule(zone) for zone in zones}) == 1 else ""


@lru_cache(maxsize=1024)
def _zone_info(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@cache
def _zone_names() -> frozenset[str]:
    """The names that tzdata ships: the same on every machine, unlike what lies in ``/usr/share/zoneinfo``."""
    text = importlib.resources.files("tzdata").joinpath("zones").read_text("utf-8")
    return frozenset(text.split()) - {"Factory"}


@cache
def _zones_by_country() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    table = importlib.resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    for line in table.splitlines():
        if line and not line.startswith("#"):
            country, _place, zone, *_comment = line.split("\t")
            found[country] = (*found.get(country, ()), zone)
    return found


@cache
def _rule(zone: str) -> bytes:
    """The POSIX rule at the end of a zone's file: what its clock does from its last change on (RFC 9636 3.3)."""
    if zone not in _zone_names():
        return zone.encode()
    data = importlib.resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()
    return data.rstrip(b"\n").rpartition(b"\n")[2]


def _zone_of_phone(phone: str) -> str:
    """The one zone that a number can belong to, by libphonenumber's tables.

    In North America the area code tells (mobiles have it too), so a look at the table is enough. Elsewhere the
    number's type must be known first, since a mobile number tells no place: some 30 µs.
    """
    if not phone.startswith("+1"):
        return _zone_of_phone_abroad(phone)
    for length in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
        zones = TIMEZONE_DATA.get(phone[1 : 1 + length])
        if zones is not None:
            return one_clock(zones)
    return ""


def _zone_of_phone_abroad(phone: str) -> str:
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return ""
    zones = tuple(zone for zone in time_zones_for_number(number) if zone != UNKNOWN_TIMEZONE)
    return one_clock(zones)


@lru_cache(maxsize=1024)
def _country_in_america(area: str) -> str:
    """The country of an area code of the North American plan; by an ordinary number in it, since all share it."""
    if not (len(area) == 3 and area.isdecimal()):
        return ""
    number = phonenumbers.PhoneNumber(country_code=1, national_number=int(area + "2345678"))
    return phonenumbers.region_code_for_number(number) or "US"


def _country_among(regions: tuple[str, ...], code: int, national: str) -> str:
    """Which of the countries that share a calling code; the main one where the number does not tell."""
    if not (national.isdecimal() and len(national) <= 15):
        return regions[0]
    number = phonenumbers.PhoneNumber(country_code=code, national_number=int(national))
    if national.startswith("0"):
        number.italian_leading_zero = True
        number.number_of_leading_zeros = len(national) - len(national.lstrip("0"))
    return phonenumbers.region_code_for_number(number) or regions[0]
