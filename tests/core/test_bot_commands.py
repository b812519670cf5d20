"""Commands to the bot: with a slash, on buttons, after a mention, in private."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.bot_commands import COMMANDS, Command, in_private_words, quiet_days, read_command
from router.core.keywords import classify, default_table

LONG = "a" * 4_000


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/events", Command("events")),
        ("/Events now please", Command("events")),
        ("EVENTS", Command("events")),
        ("/rsvp 3", Command("rsvp", 3)),
        ("RSVP 3.", Command("rsvp", 3)),
        ("/rsvp", Command("rsvp")),
        ("/second 7", Command("second", 7)),
        ("/second #7", Command("second", 7)),
        ("/second_7", Command("second", 7)),
        ("/second ٧", Command("second", 7)),
        ("SECOND 7", Command("second", 7)),
        ("second 7", Command("second", 7)),
        ("/second", Command("second")),
        ("/second thoughts", Command("second", text="thoughts")),
        ("/second 99999999999", Command("second", text="99999999999")),
        ("/report 7 it is hateful", Command("report", 7, "it is hateful")),
        ("REPORT: 7 hateful", Command("report", 7, "hateful")),
        ("/propose A picket on Friday\nat noon?", Command("propose", text="A picket on Friday\nat noon?")),
        ("propose: a picket", Command("propose", text="a picket")),
        ("PROPONGO un piquete", Command("propose", text="un piquete")),
        ("/propose", Command("propose")),
        ("/propose 🎉", Command("propose", text="🎉")),
        (f"/propose {LONG}", Command("propose", text=LONG)),
        ("/why?", Command("why")),
        ("why me", Command("why")),
        ("/quiet 2 weeks", Command("quiet", text="2 weeks")),
        ("/quiet off", Command("quiet", text="off")),
        ("/quiet", Command("quiet")),
        ("/help", Command("help")),
        ("ayuda", Command("help")),
    ],
)
def test_what_is_a_command(text: str, command: Command) -> None:
    assert read_command(text, classify(text)) == command


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "/stop", "/start", "/calls", "/secondly 7", "/second7", "yes", "STOP", "yes 4",
        "second thoughts about it", "propose a picket tomorrow", "I was quiet", "see http://example.org/second 7",
        "the events of last night",
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    assert read_command(text, classify(text)) is None


@given(st.text(max_size=40), st.sampled_from(["", "/", *(f"/{name} " for name in COMMANDS)]))
def test_no_words_break_it(words: str, before: str) -> None:
    text = before + words
    command = read_command(text, classify(text))
    assert command is None or command.name in COMMANDS
    assert isinstance(in_private_words(text), str)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("/propose A picket on Friday", "propose", "A picket on Friday"),
        ("/propose", "propose", ""),
        ("/second 7", "second", "7"),
        ("/report 7 hateful", "report", "7 hateful"),
        ("/quiet 2 weeks", "pause", "14"),
        ("/quiet", "pause", ""),
        ("/quiet off", "more", ""),
        ("/why", "why", ""),
        ("/help", "help", ""),
        ("/stop", "stop", ""),
    ],
)
def test_in_private_a_command_is_certain(text: str, kind: str, value: str) -> None:
    meant = classify(in_private_words(text))
    assert (meant.kind, meant.value, meant.certain) == (kind, value, True)


def test_in_private_other_words_stay_as_they_are() -> None:
    assert in_private_words("yes / no") == "yes / no"
    assert in_private_words("/rsvp 3") == "RSVP 3"
    assert in_private_words("/events") == "EVENTS"


@pytest.mark.parametrize(
    ("span", "locale", "days"),
    [
        ("2 weeks", "", 14),
        ("2 weeks", "es", 14),
        ("3 días", "es", 3),
        ("2 Wochen", "de", 14),
        ("until january", "en", 43),
        ("", "", 14),
        ("off", "fr", 0),
        (" OFF ", "", 0),
        ("forever", "", None),
        ("400 days", "", None),
        ("0 days", "", None),
        ("7", "", None),
        ("stop", "", None),
    ],
)
def test_how_long_quiet_lasts(span: str, locale: str, days: int | None) -> None:
    found = quiet_days(span, locale, default_table(), date(2026, 11, 19), otherwise=14)
    assert found == days
