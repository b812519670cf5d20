"""Twilio's Content templates: texts with holes and quick-reply buttons, approved by WhatsApp or not yet.

https://www.twilio.com/docs/content/content-api-resources · what WhatsApp wants of them:
https://www.twilio.com/docs/whatsapp/tutorial/send-whatsapp-notification-messages-templates
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from channels.sandbox.httpd import Reply, Request, json_reply

MARKETING = "MARKETING"
UTILITY = "UTILITY"
_HOLE = re.compile(r"\{\{ *(\w+) *\}\}")


@dataclass(frozen=True, slots=True)
class QuickReply:
    """A button under a message."""

    title: str
    payload: str

    @property
    def keyword(self) -> str:
        """What it stands for, where its payload is like ``YES|202611-17``; else its title."""
        return (self.payload.partition("|")[0] or self.title).strip().upper()


@dataclass(frozen=True, slots=True)
class Content:
    """One template."""

    sid: str
    body: str
    buttons: tuple[QuickReply, ...] = ()
    category: str = ""
    """As WhatsApp approved it; "" where it has not."""

    def fill(self, variables: Mapping[str, str]) -> Content:
        """The message that it makes. Raises KeyError where a hole stays open."""
        buttons = tuple(
            QuickReply(_fill(button.title, variables), _fill(button.payload, variables)) for button in self.buttons
        )
        return replace(self, body=_fill(self.body, variables), buttons=buttons)


ASK = Content(
    "HX" + "a5" * 16,
    "Hi {{1}}, {{2}} See you there?",
    (QuickReply("Yes, I am in", "{{3}}"), QuickReply("Not this time", "{{4}}")),
    MARKETING,
)
"""Ready from the start: name, words, and what YES and NO carry."""
NOTICE = Content("HX" + "0e" * 16, "Hi {{1}}, {{2}} Thank you!", (), UTILITY)
"""Ready from the start: name and words."""


def _fill(text: str, variables: Mapping[str, str]) -> str:
    return _HOLE.sub(lambda match: variables[match[1]], text)


class Contents:
    """The templates of one account."""

    def __init__(self) -> None:
        self._contents = {content.sid: content for content in (ASK, NOTICE)}

    def add(self, body: str, buttons: Sequence[tuple[str, str]] = (), category: str = "", sid: str = "") -> str:
        """Make a template (`buttons`: title and payload) and return its name."""
        name = sid or f"HX{secrets.token_hex(16)}"
        self._contents[name] = Content(name, body, tuple(QuickReply(*button) for button in buttons), category)
        return name

    def get(self, sid: str) -> Content | None:
        """The template of this name, or None."""
        return self._contents.get(sid)

    def handle(self, request: Request) -> Reply | None:
        """Answer one request under ``/v1/Content``; None where there is no such thing."""
        match request.method, request.path.split("/")[3:]:
            case "POST", []:
                return self._create(request)
            case "GET", [sid] if sid in self._contents:
                return json_reply(self._resource(self._contents[sid]))
            case "POST", [sid, "ApprovalRequests", "whatsapp"] if sid in self._contents:
                category = str(request.json().get("category", ""))
                self._contents[sid] = replace(self._contents[sid], category=category)
                return json_reply({"category": category, "status": "approved", "name": sid.lower()}, 201)
        return None

    def _create(self, request: Request) -> Reply:
        types: Mapping[str, Any] = request.json()["types"]
        words = next(iter(types.values()))
        actions = words.get("actions", [])
        buttons = [(str(action["title"]), str(action.get("id", ""))) for action in actions]
        sid = self.add(str(words.get("body", "")), buttons)
        return json_reply(self._resource(self._contents[sid]), 201)

    def _resource(self, content: Content) -> dict[str, Any]:
        kind = "twilio/quick-reply" if content.buttons else "twilio/text"
        actions = [{"title": button.title, "id": button.payload, "type": "QUICK_REPLY"} for button in content.buttons]
        words = {"body": content.body} | ({"actions": actions} if actions else {})
        return {"sid": content.sid, "language": "en", "types": {kind: words}}
