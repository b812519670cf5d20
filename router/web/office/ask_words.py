"""What the pages about an ask call the things that one may choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from router.core.ask import ANY_CHANNEL
from router.core.ladder import Rung
from router.core.model import AskKind, Purpose

KINDS: Final[Mapping[AskKind, str]] = {
    AskKind.ASK: "An ask: it wants something of people, and costs a little of their attention",
    AskKind.REMINDER: "A reminder, for those who said yes to another ask",
    AskKind.MOVED: "A change of time or place, for those who said yes",
    AskKind.CANCELLED: "It does not take place, for those who said yes",
    AskKind.RECEIPT: "A receipt, for those who acted",
    AskKind.CORRECTION: "A correction, for those who got the wrong text",
    AskKind.WELCOME: "A welcome to those who joined",
}
"""What an author may write here. A report-back has a page of its own, replies are the program's."""

WANTS: Final[Mapping[Rung, str]] = {
    Rung.CUSTOM: "Something else, or nothing: people answer YES or NO",
    Rung.SIGN: "Sign",
    Rung.SHARE: "Share with others",
    Rung.GIVE: "Give money",
    Rung.CALL: "Call somebody",
    Rung.ATTEND: "Come to an event",
    Rung.HOST: "Host an event",
    Rung.VOLUNTEER: "Volunteer",
}

PURPOSES: Final[Mapping[Purpose, str]] = {
    Purpose.GENERAL: "None of these",
    Purpose.FUNDRAISING: "Raising money (stricter hours hold in some states)",
    Purpose.BALLOT: "A ballot: everybody whom it concerns is owed it",
    Purpose.MEETING: "A meeting that members have a right to come to",
    Purpose.NOTICE: "A notice that must be given",
}

STARTS: Final[Mapping[str, str]] = {
    "now": "As soon as it is launched",
    "at": "Not before this moment",
    "local": "Not before this hour by each member's own clock",
}

SWITCH_WORDS: Final[Mapping[str, str]] = {
    "urgent": "Urgent: goes before other asks and lives six hours. It still respects what people can bear.",
    "tonight": "An emergency tonight: urgent, in quick steps. Needs a moment until which it is of use.",
    "alert": "An alert: on all channels at once, at any hour, to those who agreed to alerts. Never to raise money.",
    "paced": "Only as fast as organizers can answer those who write back.",
    "stop_at_goal": "Once the goal is met, leave in peace who was not asked yet.",
}

VARIABLE_WORDS: Final[Mapping[str, str]] = {
    "first_name": "their first name",
    "last_name": "their last name",
    "place": "their town",
    "organization": "our name",
    "title": "the title of the ask",
    "link": "their own link to the page below",
    "forward": "a link of theirs to pass on",
    "deadline": "until when it is of use, by their clock",
    "total": "how far the goal is",
    "attribute.NAME": "what else we know of them, by its name",
}
"""What may stand between ``{{`` and ``}}``."""

_PARTS: Final[Mapping[str, str]] = {
    "text": "Text", "subject": "Subject", "buttons": "Buttons", "template": "Approved text", "variables": "Its holes",
}  # fmt: skip


def box_name(name: str) -> str:
    """``texts.en.default.text`` → ``Text (en, for all channels)``, as the page calls that box."""
    place, _, part = name.rpartition(".")
    if not place.startswith(("texts.", "second.")) or part not in _PARTS:
        return name.replace(".", " ").replace("_", " ").capitalize()
    kind, locale, channel = place.split(".")
    where = "for all channels" if channel == ANY_CHANNEL else f"for {channel}"
    return f"{_PARTS[part]} ({locale}, {where}{', second text' if kind == 'second' else ''})"
