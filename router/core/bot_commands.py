"""What people may tell the bot: ``/second 7``, ``SECOND 7`` on a button, ``propose: …`` after its name.

The words are the same in every language, as STOP and HELP are. Whether a message is for our bot at all, and not for
another one in the same group, the channel has settled before (``/second@our_bot 7``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from router.core.keywords import KeywordTable
from router.core.keywords_intent import HELP, PAUSE, Intent
from router.core.keywords_values import pause_days

EVENTS, RSVP, PROPOSE, SECOND, REPORT, WHY, QUIET = (
    "events", "rsvp", "propose", "second", "report", "why", "quiet",
)  # fmt: skip


class Takes(StrEnum):
    """What a command is given along."""

    NOTHING = "nothing"
    NUMBER = "number"
    NUMBER_AND_TEXT = "number and text"
    TEXT = "text"
    """Also a span of time: ``2 weeks``, ``off``."""


COMMANDS: Mapping[str, Takes] = {
    EVENTS: Takes.NOTHING,
    RSVP: Takes.NUMBER,
    PROPOSE: Takes.TEXT,
    SECOND: Takes.NUMBER,
    REPORT: Takes.NUMBER_AND_TEXT,
    WHY: Takes.NOTHING,
    QUIET: Takes.TEXT,
    HELP: Takes.NOTHING,
}

_PRIVATE: Mapping[str, str] = {
    EVENTS: "EVENTS", RSVP: "RSVP", PROPOSE: "PROPOSE:", SECOND: "SECOND", REPORT: "REPORT:", WHY: "WHY",
    QUIET: "PAUSE",
}  # fmt: skip
"""The same in the words of a private conversation."""

_OFF = "off"
# Telegram makes a link of /second_7 as a whole, of "/second 7" only of its first word.
_SLASH = re.compile(r"\s*/([a-z]{1,32})(?:_(?=\d)|(?!\w))(.*)", re.IGNORECASE | re.DOTALL)
_NUMBERED = re.compile(r"\s*(rsvp|second|report)\s*[#:.-]?\s*\d{1,9}\s*[.!]*\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\s*#?(\d{1,9})(?!\d)(.*)", re.DOTALL)
_BETWEEN = " \t\n:;,.!?-"


class Command(NamedTuple):
    """What somebody wants of the bot."""

    name: str
    number: int | None = None
    """Of an event or an idea; None where none was given."""
    text: str = ""
    """What they wrote along, as they wrote it."""


def read_command(text: str, intent: Intent) -> Command | None:
    """The command that words are, None for any other words. `intent` is what they mean as a reply.

    Without the slash it takes the bare form that stands on buttons (``SECOND 7``, ``EVENTS``), or a reply that is
    beyond doubt (``propose: …``, ``why``).
    """
    if found := _SLASH.fullmatch(text):
        name = found[1].lower()
        return _command(name, found[2]) if name in COMMANDS else None
    if found := _NUMBERED.fullmatch(text):
        return _command(found[1].lower(), text[found.end(1) :])
    if text.strip(_BETWEEN).lower() == EVENTS:
        return Command(EVENTS)
    if intent.certain and intent.kind in (PROPOSE, SECOND, REPORT, WHY, HELP):
        return _command(intent.kind, intent.value)
    return None


def in_private_words(text: str) -> str:
    """A command as a private conversation knows it (``/quiet 2 weeks`` is PAUSE 2 weeks); other words as they are."""
    found = _SLASH.fullmatch(text)
    word = _PRIVATE.get(found[1].lower()) if found else None
    if found is None or word is None:
        return text
    rest = found[2].strip()
    if word == _PRIVATE[QUIET] and rest.lower() == _OFF:
        return "MORE"
    return f"{word} {rest}" if rest else word.rstrip(":")


def quiet_days(span: str, locale: str, table: KeywordTable, today: date, *, otherwise: int) -> int | None:
    """How many days of quiet ``/quiet SPAN`` asks for: 0 for ``off``, `otherwise` where it does not say.

    None where it cannot be understood, or is longer than anybody's pause.
    """
    if span.strip().lower() == _OFF:
        return 0
    if not span.strip():
        return otherwise
    meant = table.classify(f"{PAUSE} {span}", locale)
    return pause_days(meant.value, today) if meant.kind == PAUSE and meant.certain else None


def _command(name: str, rest: str) -> Command:
    match COMMANDS[name]:
        case Takes.NOTHING:
            return Command(name)
        case Takes.TEXT:
            return Command(name, text=rest.lstrip(_BETWEEN).rstrip())
        case Takes.NUMBER | Takes.NUMBER_AND_TEXT:
            rest = rest.strip(_BETWEEN)
            found = _NUMBER.fullmatch(rest)
            return Command(name, int(found[1]), found[2].strip(_BETWEEN)) if found else Command(name, text=rest)
