"""One event as a calendar file (``.ics``): RFC 5545, with the method and the status of RFC 5546.

Calendars know an event again by its `uid` and take the version with the highest `sequence`, so a file that is fetched
again after the event was moved or called off changes what stands in the calendar. Moments are written in UTC: the
calendar shows them by its owner's clock, and no zone has to be described.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

LINE = 75
"""Octets of a line without its end (RFC 5545, 3.1); a longer one goes on behind a space."""

_END = "\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What stands in a calendar."""

    uid: str
    """Stays the same as long as the event exists (RFC 5545, 3.8.4.7)."""
    sequence: int
    """Goes up when the event changes."""
    title: str
    starts_at: datetime
    ends_at: datetime
    location: str = ""
    description: str = ""
    url: str = ""
    organizer: str = ""
    """A name, shown as it is."""
    organizer_uri: str = ""
    """Needed beside a method (RFC 5546, 3.2); any URI names somebody."""
    cancelled: bool = False


def calendar_file(entry: Entry, *, now: datetime) -> str:
    """The whole file, made at `now`."""
    return "".join(_folded(line) + _END for line in _lines(entry, now))


def _lines(entry: Entry, now: datetime) -> Iterator[str]:
    yield "BEGIN:VCALENDAR"
    yield "VERSION:2.0"
    yield "PRODID:-//outreach//events//EN"
    yield "CALSCALE:GREGORIAN"
    if entry.organizer_uri:
        yield f"METHOD:{'CANCEL' if entry.cancelled else 'PUBLISH'}"
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(entry.uid)}"
    yield f"DTSTAMP:{_moment(now)}"
    yield f"SEQUENCE:{entry.sequence}"
    yield f"STATUS:{'CANCELLED' if entry.cancelled else 'CONFIRMED'}"
    yield f"DTSTART:{_moment(entry.starts_at)}"
    yield f"DTEND:{_moment(entry.ends_at)}"
    yield f"SUMMARY:{_text(entry.title)}"
    for name, value in (("LOCATION", entry.location), ("DESCRIPTION", entry.description)):
        if value:
            yield f"{name}:{_text(value)}"
    if entry.url:
        yield f"URL:{_plain(entry.url)}"
    if entry.organizer_uri:
        yield f"ORGANIZER{_name(entry.organizer)}:{_plain(entry.organizer_uri)}"
    yield "END:VEVENT"
    yield "END:VCALENDAR"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    """A value of the type TEXT (RFC 5545, 3.3.11)."""
    for sign in "\\;,":
        value = value.replace(sign, "\\" + sign)
    return "\\n".join(map(_plain, value.splitlines()))


def _name(value: str) -> str:
    """A CN parameter, quoted; a quotation mark cannot stand in one (RFC 5545, 3.2)."""
    return ';CN="' + _plain(value).replace('"', "'") + '"' if value else ""


def _plain(value: str) -> str:
    """Without control characters, which no property may hold."""
    return "".join(sign for sign in value if sign >= " " and sign != "\x7f")


def _folded(line: str) -> str:
    """In pieces of at most `LINE` octets, none of which cuts a character in two."""
    pieces, piece, room = [], "", LINE
    for sign in line:
        size = len(sign.encode())
        if size > room:
            pieces.append(piece)
            piece, room = "", LINE - 1
        piece += sign
        room -= size
    return (_END + " ").join([*pieces, piece])
