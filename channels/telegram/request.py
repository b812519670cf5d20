"""Calls of the Bot API: python-telegram-bot's reading of answers over our wire.

Of the library's own client only its request layer is used. `telegram.Bot` writes the address of the API, which holds
the token, and every message into the log (at DEBUG), and costs many times what the request does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telegram.error import TelegramError
from telegram.request import BaseRequest

from channels.http import json_object
from channels.telegram.codes import NAMED, refusal, unnamed
from router.core.channel import Wire

_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method of the Bot API gave back."""

    result: object
    """Whatever JSON stood there; None where nothing did."""
    headers: Mapping[str, str]


class BotApi:
    """The methods of the Bot API for one token."""

    def __init__(self, wire: Wire, api_url: str, token: str) -> None:
        self._wire = wire
        self._base = f"{api_url.rstrip('/')}/bot{token}/"

    async def call(self, method: str, payload: Mapping[str, object], *, timeout: float = 8.0) -> Answer:
        """Call a method; raises a `SendError`. `timeout` is in seconds."""
        request = _Call(self._wire, payload, timeout)
        try:
            result = await request.post(self._base + method)
        except TelegramError as error:
            raise refusal(error) from None
        return Answer(result, request.headers)


class _Call(BaseRequest):
    """One call with a JSON body."""

    __slots__ = ("_body", "_timeout", "_wire", "headers")

    def __init__(self, wire: Wire, payload: Mapping[str, object], timeout: float) -> None:
        self._wire = wire
        # A half of a surrogate pair, which no JSON in UTF-8 can hold, becomes a question mark.
        self._body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        self._timeout = timeout
        self.headers: Mapping[str, str] = {}

    @property
    def read_timeout(self) -> float:
        return self._timeout

    async def initialize(self) -> None:
        """Nothing of its own: the connections are the wire's."""

    async def shutdown(self) -> None:
        """Nothing of its own: the connections are the wire's."""

    async def do_request(self, url: str, method: str, *_: Any, **__: Any) -> tuple[int, bytes]:
        """Send it; what python-telegram-bot could not name is raised as our own error, which it wraps in its."""
        reply = await self._wire.request(method, url, headers=_HEADERS, body=self._body, timeout=self._timeout)
        if not (200 <= reply.status < 300 or reply.status in NAMED):
            raise unnamed(reply)
        self.headers = reply.headers
        return reply.status, reply.body

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The fields that python-telegram-bot looks at, of the types that it takes for granted."""
        data = json_object(payload)
        description, parameters = data.get("description"), data.get("parameters")
        moved_to = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else None
        return {
            "result": data.get("result"),
            "description": description if isinstance(description, str) else "",
            "parameters": {"migrate_to_chat_id": moved_to} if isinstance(moved_to, int) else {},
        }
