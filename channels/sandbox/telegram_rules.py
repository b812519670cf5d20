"""What Telegram's Bot API takes as a request, and how it refuses: https://core.telegram.org/bots/api#making-requests"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from channels.sandbox.httpd import Request

MAX_TEXT, MAX_CAPTION, MAX_DATA = 4096, 1024, 64

Given = Mapping[str, Any]
"""The parameters of a request."""


class RefusedError(Exception):
    """How Telegram refuses a request."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


def read(request: Request) -> Given:
    """The parameters, as JSON, as a form or in the address."""
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            return request.json() if request.body else {}
        return {name: _decoded(value) for name, value in (request.arguments() | request.form()).items()}
    except ValueError:
        raise RefusedError(400, "Bad Request: can't parse the request") from None


def _decoded(value: str) -> Any:
    """In a form objects and lists are JSON."""
    if not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def mapping(value: object) -> Given:
    """An object, or an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def number(given: Given, name: str) -> int:
    """An integer, written as one or as a string; 0 where it is missing."""
    try:
        return int(given.get(name) or 0)
    except (TypeError, ValueError):
        return 0


def words(given: Given, name: str, longest: int) -> str:
    """A text; raises where it is too long."""
    text = str(given.get(name) or "")
    if len(text) > longest:
        raise RefusedError(400, f"Bad Request: message {'caption ' * (name == 'caption')}is too long")
    return text


def keyboard(given: Given) -> list[list[dict[str, str]]]:
    """The inline keyboard; raises where Telegram would not take it."""
    rows = mapping(given.get("reply_markup")).get("inline_keyboard") or []
    try:
        for row in rows:
            for button in row:
                _check(button)
    except (AttributeError, TypeError):
        raise RefusedError(400, "Bad Request: can't parse inline keyboard button") from None
    return list(rows)


def _check(button: Mapping[str, str]) -> None:
    if not button.get("text") or len({"url", "callback_data"} & button.keys()) != 1:
        raise RefusedError(400, "Bad Request: can't parse inline keyboard button")
    if not 0 < len(button.get("callback_data", "x").encode()) <= MAX_DATA:
        raise RefusedError(400, "Bad Request: BUTTON_DATA_INVALID")
    if not button.get("url", "https://").startswith(("https://", "http://", "tg://")):
        raise RefusedError(400, "Bad Request: BUTTON_URL_INVALID")
