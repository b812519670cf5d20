"""From a postcode to a time zone: the United States by the `zipcodes` package, Canada and Australia by region.

Names come from the sources as they are; whether tzdata knows them is for `core.zones` to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import zipcodes

# Canada Post, "Forward sortation areas": the first letter is the province. Longest prefix wins; "" where an area lies
# in two zones.
_CANADA: Mapping[str, str] = {
    "A": "America/St_Johns",
    "A0P": "America/Goose_Bay",
    "A0R": "America/Goose_Bay",
    "A2V": "America/Goose_Bay",
    "B": "America/Halifax",
    "C": "America/Halifax",
    "E": "America/Moncton",
    "G": "America/Toronto",
    "G0G": "",
    "G4T": "America/Halifax",
    "H": "America/Toronto",
    "J": "America/Toronto",
    "K": "America/Toronto",
    "L": "America/Toronto",
    "M": "America/Toronto",
    "N": "America/Toronto",
    "P": "America/Toronto",
    "P0T": "",
    "P0V": "America/Winnipeg",
    "P0W": "America/Winnipeg",
    "P0X": "America/Winnipeg",
    "P8": "America/Winnipeg",
    "P9": "America/Winnipeg",
    "R": "America/Winnipeg",
    "S": "America/Regina",
    "S9V": "America/Edmonton",
    "T": "America/Edmonton",
    "V": "America/Vancouver",
    "V0A": "",
    "V0B": "",
    "V0C": "",
    "V1A": "America/Edmonton",
    "V1C": "America/Edmonton",
    "V1G": "America/Dawson_Creek",
    "V1J": "America/Dawson_Creek",
    "X0A": "America/Iqaluit",
    "X0B": "America/Cambridge_Bay",
    "X0C": "America/Rankin_Inlet",
    "X0E": "America/Inuvik",
    "X0G": "America/Inuvik",
    "X1A": "America/Inuvik",
    "Y": "America/Whitehorse",
}

# Australia Post: the first digit is the state, with the exceptions that keep another clock.
_AUSTRALIA: Mapping[str, str] = {
    "02": "Australia/Sydney",
    "08": "Australia/Darwin",
    "09": "Australia/Darwin",
    "1": "Australia/Sydney",
    "2": "Australia/Sydney",
    "2880": "Australia/Broken_Hill",
    "2898": "Australia/Lord_Howe",
    "2899": "Pacific/Norfolk",
    "3": "Australia/Melbourne",
    "4": "Australia/Brisbane",
    "5": "Australia/Adelaide",
    "6": "Australia/Perth",
    "6443": "Australia/Eucla",
    "6798": "Indian/Christmas",
    "6799": "Indian/Cocos",
    "7": "Australia/Hobart",
    "8": "Australia/Melbourne",
    "9": "Australia/Brisbane",
}

_US_LIKE = frozenset({"US", "PR", "VI", "GU", "AS", "MP"})
"""Countries that the United States Postal Service delivers to."""


def zone_of_postcode(country: str, postcode: str) -> str:
    """The zone of a postcode, "" where it is not known. The country is ISO 3166; others than these have no table."""
    if country in _US_LIKE:
        return _zone_of_zip(postcode.strip())
    if country == "CA":
        return _longest_prefix(_CANADA, postcode.strip().upper(), 3)
    if country == "AU":
        return _longest_prefix(_AUSTRALIA, postcode.strip().zfill(4), 4)
    return ""


def area_of_postcode(country: str, postcode: str) -> str:
    """The ISO 3166-2 code of the state of a US postcode (``US-KY``); "" where it is not known."""
    five = _five_digits(postcode.strip()) if country == "US" else ""
    if not five:
        return ""
    states = _states_of_zip3(five[:3])
    state = states if isinstance(states, str) else states.get(five, "")
    return f"US-{state}" if state else ""


def _longest_prefix(table: Mapping[str, str], postcode: str, longest: int) -> str:
    for length in range(longest, 0, -1):
        zone = table.get(postcode[:length])
        if zone is not None:
            return zone
    return ""


def _zone_of_zip(postcode: str) -> str:
    """The zone of a US postcode: ``10001``, ``10001-1234``, or ``2134`` that a spreadsheet robbed of its zero."""
    five = _five_digits(postcode)
    if not five:
        return ""
    zones = _zones_of_zip3(five[:3])
    return zones if isinstance(zones, str) else zones.get(five, "")


def _five_digits(postcode: str) -> str:
    five = postcode.partition("-")[0]
    return five.zfill(5)[:5] if five.isascii() and five.isdecimal() and len(five) in (3, 4, 5, 9) else ""


@cache
def _zones_of_zip3(prefix: str) -> str | Mapping[str, str]:
    """The zone of all postcodes with these three digits, or each one's own where they differ.

    Read a prefix at a time (1 ms each, 933 of them): the whole table at once takes a second and 90 MB.
    """
    return _one_or_each(prefix, "timezone")


@cache
def _states_of_zip3(prefix: str) -> str | Mapping[str, str]:
    """The same for their states."""
    return _one_or_each(prefix, "state")


def _one_or_each(prefix: str, column: str) -> str | Mapping[str, str]:
    rows = {row["zip_code"]: row[column] for row in _rows_of_zip3(prefix)}
    kinds = set(rows.values())
    return kinds.pop() if len(kinds) == 1 else rows


def _rows_of_zip3(prefix: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = zipcodes.similar_to(prefix)  # type: ignore[no-untyped-call]
    return rows
