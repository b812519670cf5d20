"""A message as Block Kit: its words, its picture, its buttons.

The words go into a ``rich_text`` block, which interprets nothing: no ``*bold*``, no ``<!channel>``, whoever wrote
them. A ``plain_text`` object would be as safe, but only ``mrkdwn`` and explicit link elements give links that can be
tapped. https://docs.slack.dev/reference/block-kit/blocks/rich-text-block and
https://docs.slack.dev/reference/block-kit/composition-objects/text-object
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from router.core.channel import Button, OutboundMessage
from router.core.model import DeliveryRef

METADATA_TYPE = "outreach_delivery"
"""``event_type`` of the metadata that carries our delivery's name."""

_LABEL = 75
"""Most characters on a button (https://docs.slack.dev/reference/block-kit/block-elements/button-element)."""

_ALT = 2000
"""Most characters of a picture's description (https://docs.slack.dev/reference/block-kit/blocks/image-block)."""

_LINK = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_AFTER_LINK = ".,;:!?'’”»…]}*_~"


def message_body(message: OutboundMessage) -> dict[str, Any]:
    """What chat.postMessage and chat.update have in common."""
    blocks: list[dict[str, Any]] = [
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": rich(message.text)}]}
    ]
    if message.picture is not None:
        picture = message.picture
        blocks.append({"type": "image", "image_url": picture.url, "alt_text": picture.alt[:_ALT]})
    if message.buttons:
        elements = [_button(number, button, message.delivery) for number, button in enumerate(message.buttons)]
        blocks.append({"type": "actions", "elements": elements})
    return {
        "text": escape(message.text),
        "blocks": blocks,
        "metadata": {"event_type": METADATA_TYPE, "event_payload": {"delivery": str(message.delivery)}},
        "parse": "none",
    }


def encode(body: Mapping[str, Any]) -> bytes:
    """As it goes over the wire; half a surrogate pair, which no JSON reader takes, becomes a question mark."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def escape(text: str) -> str:
    """The words for a notification, where Slack does interpret ``&``, ``<`` and ``>``.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def rich(text: str) -> list[dict[str, str]]:
    """The elements of a rich text section: words as they are, and links."""
    elements: list[dict[str, str]] = []
    done = 0
    for found in _LINK.finditer(text):
        url = _trimmed(found.group())
        if found.start() > done:
            elements.append({"type": "text", "text": text[done : found.start()]})
        elements.append({"type": "link", "url": url})
        done = found.start() + len(url)
    if done < len(text):
        elements.append({"type": "text", "text": text[done:]})
    return elements


def _trimmed(url: str) -> str:
    """A link without the punctuation of the sentence around it; a bracket that it opened itself stays."""
    while url[-1] in _AFTER_LINK or (url[-1] == ")" and url.count(")") > url.count("(")):
        url = url[:-1]
    return url


def _button(number: int, button: Button, delivery: DeliveryRef) -> dict[str, Any]:
    element: dict[str, Any] = {
        "type": "button",
        "action_id": f"answer-{number}",
        "text": {"type": "plain_text", "text": button.label[:_LABEL]},
    }
    if button.url:
        return element | {"url": button.url}
    return element | {"value": f"{button.reply}|{delivery}"}
