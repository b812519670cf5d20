"""What the conversation about events reads in a message, as tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core import event_replies as replies
from router.core.event_links import guest_token, read_guest_token
from router.core.event_replies import Hosting, Telling
from router.core.event_words import country_name, day_and_time, distance
from router.core.reminding import DAY_BEFORE, SOON_BEFORE, Reminder, due, next_moment, rating_at

KEY = b"a key of the tests, long enough"
TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("HOST", Hosting()),
        ("host 8", Hosting(8)),
        ("Host: 8 guests", Hosting(8)),
        ("HOST 8, 12 High Street, SW1A 1AA", Hosting(8, "12 High Street, SW1A 1AA")),
        ("host 8\n12 High Street\nSW1A 1AA", Hosting(8, "12 High Street\nSW1A 1AA")),
        ("HOST 12 High Street, SW1A 1AA", Hosting(None, "12 High Street, SW1A 1AA")),
        ("hosting is hard", None),
        ("I host", None),
    ],
)
def test_host(words: str, read: Hosting | None) -> None:
    assert replies.read_hosting(words) == read


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("12 High Street, SW1A 1AA", ("12 High Street, SW1A 1AA", "SW1A 1AA")),
        ("5 rue Haute\n75011 Paris", ("5 rue Haute, 75011 Paris", "75011")),
        ("SW1A 1AA", None),
        ("12 High Street", None),
        ("somewhere at sea", None),
    ],
)
def test_an_address_has_a_postcode_and_something_beside_it(words: str, read: tuple[str, str] | None) -> None:
    assert replies.read_address(words, "en") == read


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        ("2026-12-03 19:00", "2026-12-03T19:00"),
        ("2026-12-03T19:00", "2026-12-03T19:00"),
        ("3 Dec 19:00", "2026-12-03T19:00"),
        ("Dec 3, 7pm", "2026-12-03T19:00"),
        ("Thu 3 December at 7:30 pm", "2026-12-03T19:30"),
        ("3. Dez. 19:00", "2026-12-03T19:00"),
        ("3 de diciembre 19:00", "2026-12-03T19:00"),
        ("3 décembre 19:00", "2026-12-03T19:00"),
        ("December 3, 2027 12 am", "2027-12-03T00:00"),
        ("1 Nov 19:00", "2027-11-01T19:00"),
        ("29 Feb 19:00", "2028-02-29T19:00"),
    ],
)
def test_a_day_and_a_time(words: str, starts: str) -> None:
    assert replies.read_start(words, today=TODAY) == datetime.fromisoformat(starts)


@pytest.mark.parametrize(
    "words",
    [
        "3.12. 19:00",
        "12/3 7pm",
        "tomorrow 7pm",
        "31 Feb 19:00",
        "3 Dec",
        "19:00",
        "3 Dec 25:00",
        "3 Dec 13pm",
        "3 Xyz 9:00",
        "",
    ],
)
def test_a_day_that_could_be_another_is_not_guessed_at(words: str) -> None:
    assert replies.read_start(words, today=TODAY) is None


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("5", (5, "")),
        ("4 great evening", (4, "great evening")),
        ("5/5!", (5, "")),
        ("3 out of 5, cold", (3, "cold")),
        ("2 stars", (2, "")),
        ("⭐⭐⭐⭐ lovely", (4, "lovely")),
        ("0", None),
        ("6", None),
        ("10", None),
        ("3.5", None),
        ("lovely", None),
        ("", None),
    ],
)
def test_a_rating(words: str, read: tuple[int, str] | None) -> None:
    assert replies.read_rating(words) == read


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("TELL HOST we are late", Telling("host", "we are late")),
        ("tell 3: bring bread", Telling("3", "bring bread")),
        ("Tell #3 hi", Telling("3", "hi")),
        ("tell everybody\nhi", Telling("all", "hi")),
        ("TELL HOST", Telling("host", "")),
        ("tell me more", None),
        ("please tell host", None),
    ],
)
def test_words_for_somebody_else(words: str, read: Telling | None) -> None:
    assert replies.read_telling(words) == read


@pytest.mark.parametrize(
    ("words", "bare", "listed"),
    [
        ("RSVP 3", 3, 3),
        ("rsvp#3.", 3, 3),
        ("3", None, 3),
        ("RSVP 99", 99, 99),
        ("75011", None, None),
        ("3 of us", None, None),
    ],
)
def test_the_number_of_an_event(words: str, bare: int | None, listed: int | None) -> None:
    assert replies.event_number(words, listed=False) == bare
    assert replies.event_number(words, listed=True) == listed


@pytest.mark.parametrize(
    ("postcode", "known", "others", "country"),
    [
        ("SW1A 1AA", "GB", ["GB"], "GB"),
        ("SW1A 1AA", "FR", ["FR"], None),
        ("SW1A 1AA", "FR", ["FR", "GB"], "GB"),
        ("75011", "FR", ["FR"], "FR"),
        ("75011", "GB", ["GB"], None),
        ("75011", "", ["FR", "GB"], "FR"),
        ("K1A 0B1", "US", ["US"], None),
        ("1012 AB", "NL", [], "NL"),
        ("75011", "", [], ""),
        ("SW1A 1AA", "", [], "GB"),
    ],
)
def test_the_country_of_a_postcode(postcode: str, known: str, others: list[str], country: str | None) -> None:
    assert replies.country_of_postcode(postcode, known, others) == country


@pytest.mark.parametrize(
    ("postcode", "public"), [("SW1A1AA", "SW1A"), ("K1A 0B1", "K1A"), ("1012AB", "1012"), ("75011", "75011"), ("", "")]
)
def test_everybody_is_told_a_neighbourhood_and_never_a_door(postcode: str, public: str) -> None:
    assert replies.neighbourhood(postcode) == public


@given(st.text(max_size=200))
def test_nothing_that_people_write_crashes_a_reader(words: str) -> None:
    replies.event_number(words, listed=True)
    replies.gives_seat_back(words)
    replies.leaves_chat(words)
    replies.read_address(words, "en")
    replies.read_hosting("HOST " + words)
    replies.read_rating(words)
    replies.read_seats(words)
    replies.read_start(words, today=TODAY)
    replies.read_telling("TELL 3 " + words)
    replies.country_of_postcode(words, "FR", ["GB"])


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 2**62))
def test_a_guests_token_names_them_at_that_event_only(event: int, member: int, other: int) -> None:
    token = guest_token(KEY, event, member)
    assert read_guest_token(KEY, event, token) == member
    assert other == event or read_guest_token(KEY, other, token) is None
    assert read_guest_token(b"another key, also long enough", event, token) is None


@pytest.mark.parametrize("token", ["", "x", "a" * 18, "é" * 18, "A" * 30, "----" * 5])
def test_what_we_did_not_make_is_no_token(token: str) -> None:
    assert read_guest_token(KEY, 7, token) is None


def test_every_letter_of_a_token_counts() -> None:
    token = guest_token(KEY, 7, 300)
    for place, letter in enumerate(token):
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        assert read_guest_token(KEY, 7, changed) is None


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "Thu 3 Dec 19:00"),
        ("en-US", "Thu, Dec 3 7:00 PM"),
        ("fr", "jeu. 3 déc. 19:00"),
        ("de", "Do., 3. Dez. 19:00"),
        ("xx-nonsense", "Thu 3 Dec 19:00"),
        ("", "Thu 3 Dec 19:00"),
    ],
)
def test_a_moment_in_words(locale: str, words: str) -> None:
    assert day_and_time(datetime(2026, 12, 3, 18, 0, tzinfo=UTC), "Europe/Paris", locale) == words


def test_distances_and_countries_in_words() -> None:
    assert (distance(1.234, "en"), distance(1.234, "de"), distance(12.6, "en")) == ("1.2", "1,2", "13")
    assert (country_name("FR", "de"), country_name("??", "de")) == ("Frankreich", "??")


def at(hours: float, *, starts: datetime = datetime(2026, 12, 3, 18, 0, tzinfo=UTC)) -> Reminder | None:
    """What is due so many hours after the start of an evening of two hours in Paris."""
    return due(starts, starts + timedelta(hours=2), "Europe/Paris", starts + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("hours", "what"),
    [
        (-24.1, None), (-24, Reminder.TOMORROW), (-2.1, Reminder.TOMORROW), (-2, Reminder.SOON), (-0.1, Reminder.SOON),
        (0, None), (2, None), (14.9, None), (15, Reminder.RATE), (200, Reminder.RATE),
    ],
)  # fmt: skip
def test_what_is_due(hours: float, what: Reminder | None) -> None:
    assert at(hours) == what


@pytest.mark.parametrize(
    ("zone", "ends", "morning"),
    [
        ("Europe/Paris", "2026-12-03T21:00+00:00", "2026-12-04T09:00+00:00"),
        ("Europe/Paris", "2026-12-03T23:30+00:00", "2026-12-04T09:00+00:00"),
        ("Europe/Paris", "2026-12-04T01:30+00:00", "2026-12-05T09:00+00:00"),
        ("Pacific/Kiritimati", "2026-12-03T08:00+00:00", "2026-12-03T20:00+00:00"),
        ("America/New_York", "2026-10-31T23:00-04:00", "2026-11-01T10:00-05:00"),
        ("Europe/London", "2026-03-28T21:00+00:00", "2026-03-29T10:00+01:00"),
        ("", "2026-12-03T21:00+00:00", "2026-12-04T10:00+00:00"),
    ],
)
def test_how_it_was_is_asked_in_the_morning_of_the_place(zone: str, ends: str, morning: str) -> None:
    assert rating_at(datetime.fromisoformat(ends), zone) == datetime.fromisoformat(morning)


@given(st.integers(-72, 72))
def test_each_moment_leads_to_the_next_and_the_last_to_none(hours: int) -> None:
    starts = datetime(2026, 12, 3, 18, 0, tzinfo=UTC)
    ends, now = starts + timedelta(hours=2), starts + timedelta(hours=hours)
    then = next_moment(starts, ends, "Europe/Paris", now)
    moments = (starts - DAY_BEFORE, starts - SOON_BEFORE, rating_at(ends, "Europe/Paris"))
    assert then == min((at for at in moments if at > now), default=None)
