"""``outreach join-code``, as a person types it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from router.core.errors import BadInput, NotFound
from tests.support.commands import Say, typed_in


@pytest.fixture
def say(sqlite_url: str) -> Say:
    """Run the command in an installation with a number of its own."""
    environment = {
        "OUTREACH_PUBLIC_URL": "https://outreach.example.org",
        "OUTREACH_SMS_ACCOUNT_SID": "AC" + "0" * 32,
        "OUTREACH_SMS_AUTH_TOKEN": "a token of the tests",
        "OUTREACH_SMS_FROM_NUMBER": "+12025550100",
        "COLUMNS": "200",
        "TERM": "xterm",
    }
    return typed_in(sqlite_url, "join-code", **environment)


def test_a_code_is_opened_shown_printed_listed_and_closed(say: Say, tmp_path: Path) -> None:
    opened = say("add", "dinners", "--title", "Dinners for all", "--tag", "dinner", "--first-step", "Tell a friend.")
    assert opened.exit_code == 0, opened.output
    for words in ("DINNERS: Dinners for all", "page: https://outreach.example.org/join/DINNERS", "JOIN DINNERS"):
        assert words in opened.output
    assert "sms:+12025550100?body=JOIN%20DINNERS" in opened.output
    picture = tmp_path / "poster.svg"
    shown = say("DINNERS", "--qr", str(picture))
    assert shown.exit_code == 0, shown.output
    assert ElementTree.fromstring(picture.read_text("utf-8")).tag.endswith("svg")
    listed = say("list")
    assert "DINNERS" in listed.output
    assert "closed" not in listed.output
    assert "DINNERS is closed; 0 came by it." in say("close", "dinners").output
    assert "closed" in say("list").output


def test_mistakes_are_told_in_a_sentence(say: Say) -> None:
    assert isinstance(say("NOSUCH").exception, NotFound)
    assert isinstance(say("add", "no such", "--title", "x").exception, BadInput)
    assert isinstance(say("add", "NOW", "--title", "x").exception, BadInput)


def test_help_teaches(say: Say) -> None:
    told = say("--help").output
    assert "--qr FILE.svg" in told
    assert "JOIN and a code by text message" in told
