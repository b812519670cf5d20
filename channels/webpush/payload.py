"""What the service worker of our page (``templates/member/static/sw.js``) is sent: JSON of a bounded size."""

from __future__ import annotations

import json
from typing import Any

from router.core.channel import Button, OutboundMessage
from router.core.errors import FailureClass, Refused

MOST_BYTES = 3_800
"""Of JSON. Services must take 4,096 bytes of encrypted body, about 3,990 of ours (RFC 8291, 4); vendors call 3,900
usable (FACTS.md 1.5)."""
_LONGEST_WORD = 40
"""Characters that are given up at most to cut between words: some scripts have no spaces."""


def build_payload(message: OutboundMessage, *, topic: str, organization: str) -> bytes:
    """A notification as JSON. A text that does not fit is cut at a word, with ``…``: its link leads to the whole.

    Raises `Refused` where not even an empty text fits.
    """
    payload: dict[str, Any] = {
        "title": message.subject or organization,
        "body": message.text,
        "tag": topic,
        "delivery": str(message.delivery),
    }
    if message.link:
        payload["url"] = message.link
    if message.locale:
        payload["lang"] = message.locale
    if message.picture is not None:
        payload |= {"image": message.picture.url, "image_alt": message.picture.alt}
    if message.buttons:
        payload["actions"] = [_action(button, number, message) for number, button in enumerate(message.buttons)]
    encoded = _json(payload)
    if len(encoded) <= MOST_BYTES:
        return encoded
    room = MOST_BYTES - len(_json({**payload, "body": ""}))
    if room < len("…".encode()):
        raise Refused(FailureClass.CONTENT, "too_long")
    return _json({**payload, "body": shortened(message.text, room)})


def shortened(text: str, room: int) -> str:
    """The longest beginning of `text` with ``…`` whose JSON takes at most `room` bytes, cut between words."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if len(_json(text[:middle] + "…")) - 2 <= room:
            low = middle
        else:
            high = middle - 1
    if not text[low : low + 1].isspace():
        last = max((at for at in range(max(0, low - _LONGEST_WORD), low) if text[at].isspace()), default=low)
        low = last
    return text[:low].rstrip() + "…"


def _action(button: Button, number: int, message: OutboundMessage) -> dict[str, str]:
    """An answer carries keyword and delivery; a button that opens a page carries its address beside its name."""
    if button.reply:
        return {"action": f"{button.reply}|{message.delivery}", "title": button.label}
    return {"action": f"open-{number}", "title": button.label, "url": button.url}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
