"""Dates as people write them in spreadsheets."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

DateOrder = Literal["dmy", "mdy"]

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
_NUMBERS = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[ ,T]+(.*))?")
_WORDS = re.compile(
    r"(?:[a-z]+, ?)?"
    r"(?:([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,?|(\d{1,2})(?:st|nd|rd|th|\.)? ([a-z]{3,9})\.?,?)"
    r" (\d{4})(?:,? (.*))?",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)? ?([ap]m)?(?: ?(?:utc|gmt|z|[+]00:?00))?", re.I)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}


def day_order(region: str) -> DateOrder:
    """Which number of 03/04/2026 is the month, by country."""
    return "mdy" if region in ("US", "PH", "PR", "GU", "AS", "VI", "MP", "FM", "MH", "PW") else "dmy"


def parse_moment(text: str, order: DateOrder) -> datetime:
    """An aware moment; UTC where no zone is written. Raises ValueError for what is no date."""
    text = " ".join(text.split())
    if _ISO.fullmatch(text):
        found = datetime.fromisoformat(text.replace(" UTC", "+00:00").replace(" +", "+"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    if match := _NUMBERS.fullmatch(text):
        first, mark, second, third, clock = match.groups()
        year, month, day = _year_first(first, second, third) or _year_last(first, second, third, mark, order)
    elif match := _WORDS.fullmatch(text):
        name = (match[1] or match[4])[:3].lower()
        if name not in _MONTHS:
            raise ValueError("no month has this name")
        year, month, day, clock = int(match[5]), _MONTHS[name], int(match[2] or match[3]), match[6]
    else:
        raise ValueError("not a date")
    hour, minute, second_ = _clock(clock)
    return datetime(year, month, day, hour, minute, second_, tzinfo=UTC)


def _year_first(first: str, second: str, third: str) -> tuple[int, int, int] | None:
    return (int(first), int(second), int(third)) if len(first) == 4 and len(third) <= 2 else None


def _year_last(first: str, second: str, third: str, mark: str, order: DateOrder) -> tuple[int, int, int]:
    if len(third) not in (2, 4):
        raise ValueError("a year has two or four digits")
    one, two = int(first), int(second)
    year = int(third) if len(third) == 4 else 2000 + int(third)
    # 25/12 and 12/25 can only be read in one way; a dot always has the day first.
    month_first = two > 12 or (order == "mdy" and mark != "." and one <= 12)
    return (year, one, two) if month_first else (year, two, one)


def _clock(text: str | None) -> tuple[int, int, int]:
    if not text:
        return 0, 0, 0
    match = _CLOCK.fullmatch(text)
    if not match:
        raise ValueError("not a time of day")
    hour = int(match[1])
    if match[4]:
        hour = hour % 12 + (12 if match[4].lower() == "pm" else 0)
    return hour, int(match[2]), int(match[3] or 0)
