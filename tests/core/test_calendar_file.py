"""A calendar file, read back as a calendar reads it (RFC 5545)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.calendar_file import LINE, Entry, calendar_file

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def entry(**changes: object) -> Entry:
    values: dict[str, object] = {
        "uid": "event-7@outreach.example.org",
        "sequence": 1,
        "title": "Dinner",
        "starts_at": datetime(2026, 12, 3, 18, 0, tzinfo=UTC),
        "ends_at": datetime(2026, 12, 3, 20, 0, tzinfo=UTC),
        **changes,
    }
    return Entry(**values)  # type: ignore[arg-type]


def read_back(file: str) -> dict[str, str]:
    """The properties of a file: unfolded, split at the first colon outside quotes, unescaped."""
    assert file.endswith("\r\n")
    assert not re.search(r"(?<!\r)\n|\r(?!\n)", file)
    properties: dict[str, str] = {}
    for line in file.replace("\r\n ", "").removesuffix("\r\n").split("\r\n"):
        found = re.fullmatch(r'([A-Z-]+)((?:;[A-Z-]+=(?:"[^"]*"|[^":;,]*))*):(.*)', line, re.DOTALL)
        assert found, line
        value = re.sub(r"\\([\\;,nN])", lambda sign: "\n" if sign[1] in "nN" else sign[1], found[3])
        properties[found[1] + found[2]] = value
    return properties


def test_a_file_says_what_when_and_where() -> None:
    read = read_back(
        calendar_file(
            entry(
                location="12 High Street, SW1A 1AA",
                description="Ring twice; bring bread",
                url="https://outreach.example.org/e/7",
                organizer="Tenants Together",
                organizer_uri="https://outreach.example.org",
            ),
            now=NOW,
        )
    )
    assert read == {
        "BEGIN": "VEVENT",
        "VERSION": "2.0",
        "PRODID": "-//outreach//events//EN",
        "CALSCALE": "GREGORIAN",
        "METHOD": "PUBLISH",
        "UID": "event-7@outreach.example.org",
        "DTSTAMP": "20261120T180000Z",
        "SEQUENCE": "1",
        "STATUS": "CONFIRMED",
        "DTSTART": "20261203T180000Z",
        "DTEND": "20261203T200000Z",
        "SUMMARY": "Dinner",
        "LOCATION": "12 High Street, SW1A 1AA",
        "DESCRIPTION": "Ring twice; bring bread",
        "URL": "https://outreach.example.org/e/7",
        'ORGANIZER;CN="Tenants Together"': "https://outreach.example.org",
        "END": "VCALENDAR",
    }


def test_what_was_called_off_is_taken_out_of_calendars() -> None:
    file = calendar_file(entry(cancelled=True, sequence=2, organizer_uri="https://example.org"), now=NOW)
    read = read_back(file)
    assert (read["METHOD"], read["STATUS"], read["SEQUENCE"]) == ("CANCEL", "CANCELLED", "2")
    assert read["UID"] == read_back(calendar_file(entry(), now=NOW))["UID"]


@pytest.mark.parametrize(
    "title",
    [
        "a, b; c \\ d",
        "two\nlines",
        "\\n is no line end",
        "Ünïcode " * 40,
        "🎉" * 100,
        "x" * 75,
        "END:VEVENT\r\nBEGIN:X",
    ],
)
def test_a_title_comes_back_as_it_was(title: str) -> None:
    assert read_back(calendar_file(entry(title=title), now=NOW))["SUMMARY"] == "\n".join(title.splitlines())


def test_an_organizers_name_cannot_leave_its_quotes() -> None:
    file = calendar_file(entry(organizer='A "B": C;X=1', organizer_uri="https://example.org"), now=NOW)
    assert read_back(file)["ORGANIZER;CN=\"A 'B': C;X=1\""] == "https://example.org"


@given(st.text(max_size=300))
def test_no_text_breaks_a_file_and_no_line_is_too_long(words: str) -> None:
    file = calendar_file(entry(title=words, location=words, description=words), now=NOW)
    assert all(len(line.encode(errors="replace")) <= LINE for line in file.split("\r\n"))
    assert file.count("BEGIN:VEVENT\r\n") == file.count("\r\nEND:VEVENT\r\n") == 1
    kept = "\n".join("".join(sign for sign in line if sign >= " " and sign != "\x7f") for line in words.splitlines())
    assert read_back(file)["SUMMARY"] == kept
