"""A call in words: whom, the number, when by the caller's own clock, what to say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

from router.core.content_dates import WORDS
from router.core.zones import known_zone, one_clock, zones_of_country


class Line(Protocol):
    """What is said of a line."""

    @property
    def name(self) -> str: ...
    @property
    def phone(self) -> str: ...
    @property
    def script(self) -> str: ...


Say = Callable[..., str]
"""``say(phrase, **values)`` in the language of whoever it is for."""


def zone_for(person: Any) -> tzinfo:
    """Somebody's clock: theirs, the only one of their country, else UTC."""
    return known_zone(person.zone) or known_zone(one_clock(zones_of_country(person.country))) or UTC


def say_time(at: datetime, person: Any) -> str:
    """``15:05`` by their clock; by UTC, and saying so, where we do not know it."""
    zone = zone_for(person)
    return f"{at.astimezone(zone):%H:%M}" + (" UTC" if zone is UTC else "")


def say_when(say: Say, start: datetime, end: datetime, person: Any, *, now: datetime) -> str:
    """``now, until 10:20``, ``between 10:15 and 10:20``, ``on Thu 3 Dec between 10:15 and 10:20``."""
    if start <= now:
        return say("calls.now", end=say_time(end, person))
    zone = zone_for(person)
    there = start.astimezone(zone)
    times = {"start": f"{there:%H:%M}", "end": say_time(end, person)}
    if there.date() == now.astimezone(zone).date():
        return say("calls.between", **times)
    days, months = WORDS.get(person.locale.partition("-")[0], WORDS["en"])
    return say("calls.on_day", day=f"{days[there.weekday()]} {there.day} {months[there.month - 1]}", **times)


def say_line(say: Say, phrase: str, line: Line, start: datetime, end: datetime, person: Any, *, now: datetime) -> str:
    """Whom to call, when and what to say, and then the words that tell us how it went."""
    when = say_when(say, start, end, person, now=now)
    parts = [say(phrase, name=line.name, phone=line.phone, when=when)]
    if line.script:
        parts.append(say("calls.script", script=line.script))
    return "\n".join([*parts, say("calls.then")])
