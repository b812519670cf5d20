"""Values of a form's fields: what stands in a box, and what it means. Each `read_` undoes its `say_`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from router.core.ask import AskButton
from router.core.content_render import zone_of
from router.core.errors import BadInput

LINK = "link"
"""What stands after the ``=`` of a button that opens the ask's link."""

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,12}([.,][0-9]{1,2})?", re.ASCII)


def say_lines(values: Mapping[str, object]) -> str:
    """``name = value``, one in a line."""
    return "\n".join(f"{name} = {value}" for name, value in values.items())


def read_lines(text: str) -> dict[str, str]:
    """Lines of ``name = value``. Raises `BadInput` for a line without ``=`` and for a name that stands twice."""
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise BadInput(f"write each line as NAME = VALUE; {line[:40]!r} has no =")
        if name in found:
            raise BadInput(f"{name[:40]!r} stands here twice; keep one")
        found[name] = value
    return found


def say_buttons(buttons: Iterable[AskButton]) -> str:
    """``I come = YES``, one in a line."""
    return "\n".join(f"{button.label} = {LINK if button.link else button.reply}" for button in buttons)


def read_buttons(text: str) -> list[dict[str, Any]]:
    """Buttons as an ask's document has them. Raises `BadInput`."""
    found: list[dict[str, Any]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        label, equals, does = (part.strip() for part in line.rpartition("="))
        if not equals:
            raise BadInput(f"write each button as LABEL = YES, or LABEL = {LINK}; {line[:40]!r} has no =")
        found.append({"label": label, "link": True} if does.lower() == LINK else {"label": label, "reply": does})
    return found


def say_words(words: Iterable[str]) -> str:
    """One in a line: a tag may have a comma in it."""
    return "\n".join(words)


def read_words(text: str) -> list[str]:
    """One in a line, each once."""
    return list(dict.fromkeys(filter(None, map(str.strip, text.splitlines()))))


def read_whole(text: str) -> int | None:
    """A whole number; None where there is nothing. Raises `BadInput`."""
    if not text.strip():
        return None
    if not _WHOLE.fullmatch(text.strip()):
        raise BadInput("write a whole number, in digits")
    return int(text.strip())


def read_amount(text: str) -> float:
    """A sum of money. Raises `BadInput`."""
    if not _AMOUNT.fullmatch(text.strip()):
        raise BadInput("write a sum in digits, such as 250 or 12.50")
    return float(text.strip().replace(",", "."))


def say_amount(amount: float) -> str:
    """250, 12.50"""
    return f"{amount:.0f}" if amount == int(amount) else f"{amount:.2f}"


def say_moment(at: datetime | None) -> str:
    """As a browser's field for date and time has it; UTC where it has a zone."""
    if at is None:
        return ""
    plain = (at.astimezone(UTC) if at.tzinfo else at).replace(tzinfo=None)
    return plain.isoformat(timespec="auto" if plain.second or plain.microsecond else "minutes")


def read_moment(text: str) -> datetime | None:
    """A moment by nobody's clock in particular; None where there is nothing. Raises `BadInput`."""
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        raise BadInput("write date and time as in 2026-12-01T18:00") from None


def read_moment_at(text: str, zone: str) -> datetime | None:
    """The moment at which the clocks of `zone` show this; None where there is nothing. Raises `BadInput`."""
    at, there = read_moment(text), zone_of(zone.strip() or "UTC")
    if there is None:
        raise BadInput("is no time zone; write it as in Europe/Berlin, America/New_York or UTC", place="zone")
    try:
        return None if at is None else at.replace(tzinfo=there).astimezone(UTC)
    except OverflowError:
        raise BadInput("lies in no year that a message is sent in") from None


def as_sentence(words: str) -> str:
    """What the program says of a field, as a sentence of its own."""
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '!', '?')) else '.'}" if words else ""
