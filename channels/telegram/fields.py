"""Careful reading of an Update: it is JSON from outside, so nothing in it is taken for granted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from router.core.model import DeliveryRef

Fields = Mapping[str, object]
"""A JSON object."""

_LONGEST = 8_192
_LATEST = 253_402_300_799
"""31 December 9999."""


def inner(fields: Fields, name: str) -> Fields:
    """The object of this name, or an empty one."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def items(fields: Fields, name: str) -> list[Fields]:
    """The objects in the list of this name."""
    value = fields.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(fields: Fields, name: str) -> str:
    """The string of this name as any database takes it: no NUL, no half characters, of bounded length; or ""."""
    value = fields.get(name)
    return value[:_LONGEST].replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def number(fields: Fields, name: str) -> int:
    """The integer of this name within 64 bits, or 0."""
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else 0


def moment(fields: Fields, otherwise: datetime | None) -> datetime | None:
    """The object's ``date``, Unix time; `otherwise` where it has none."""
    date = number(fields, "date")
    return datetime.fromtimestamp(date, UTC) if 0 < date < _LATEST else otherwise


def place(message: Fields) -> str:
    """The address of the chat that a message stands in, of its topic where it has one; "" where it tells none.

    A thread that is no topic (an ordinary chain of replies) is no place to write to:
    https://github.com/tdlib/telegram-bot-api/issues/447
    """
    chat, thread = number(inner(message, "chat"), "id"), number(message, "message_thread_id")
    if not chat:
        return ""
    return f"{chat}/{thread}" if chat < 0 and thread > 0 and message.get("is_topic_message") is True else str(chat)


def person(user: Fields) -> str:
    """The id of a human user, "" of a bot."""
    found = number(user, "id")
    return str(found) if found > 0 and user.get("is_bot") is not True else ""


_PRESSED = re.compile(r"([^|]{1,32})\|(\d{6}-\d{1,18})", re.ASCII)


def pressed(data: str) -> tuple[str, DeliveryRef] | None:
    """Keyword and delivery of a button of ours (``YES|202611-17``), None of any other."""
    found = _PRESSED.fullmatch(data)
    return (found[1], DeliveryRef.parse(found[2])) if found else None


def posted(message: Fields) -> DeliveryRef | None:
    """The delivery that a post of ours belongs to, by the buttons under it."""
    rows = inner(message, "reply_markup").get("inline_keyboard")
    for row in rows if isinstance(rows, list) else []:
        for button in row if isinstance(row, list) else []:
            found = pressed(text(button, "callback_data")) if isinstance(button, dict) else None
            if found:
                return found[1]
    return None
