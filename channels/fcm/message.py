"""One message as FCM wants it.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages#resource:-message
"""

from __future__ import annotations

import json
from bisect import bisect_right
from typing import Any

from router.core.channel import OutboundMessage

MAX_BYTES = 4096
"""Of a payload (FACTS.md 1.5). We count everything but the token, which is more than FCM does."""
MAX_SECONDS = 2_419_200
"""Four weeks: FCM keeps a message no longer (AndroidConfig.ttl)."""

_LAST_WORD = 40
"""A text is cut at a space that is at most so many characters back; where there is none (Chinese), in the middle."""


def request_body(message: OutboundMessage) -> bytes:
    """The body of a ``messages:send``. Where it is too long, its text ends with "…"; the link leads to the rest."""
    fields = _fields(message)
    over = len(encoded(fields)) - MAX_BYTES
    if over > 0:
        notification = fields["notification"]
        notification["body"] = shortened(message.text, len(encoded(message.text)) - over)
    return encoded({"message": {"token": message.to, **fields}})


def encoded(value: Any) -> bytes:
    """Compact JSON in UTF-8. Half a surrogate pair, which some phones write, becomes "?"."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def shortened(text: str, room: int) -> str:
    """As much of `text` as fits into `room` bytes of JSON, quotation marks included, up to the end of a word."""
    fits = bisect_right(range(len(text)), room, key=lambda length: len(encoded(text[:length] + "…"))) - 1
    cut = text[: max(fits, 0)]
    if not text[len(cut) : len(cut) + 1].isspace():
        words = cut.rsplit(maxsplit=1)
        if len(words) == 2 and len(words[1]) <= _LAST_WORD:
            cut = words[0]
    return cut.rstrip() + "…"


def _fields(message: OutboundMessage) -> dict[str, Any]:
    """Everything but to whom it goes."""
    # A later message of the same ask replaces an unread earlier one, and so does the same message sent twice.
    topic = message.topic or str(message.delivery)
    seconds = min(max(message.valid_seconds, 0), MAX_SECONDS)
    notification = {"title": message.subject, "body": message.text}
    data = {"url": message.link, "delivery": str(message.delivery)}
    apns: dict[str, Any] = {
        "headers": {
            "apns-expiration": str(int(message.now.timestamp()) + seconds),
            "apns-collapse-id": topic,
            "apns-priority": "10" if message.urgent else "5",
        }
    }
    webpush: dict[str, Any] = {
        "headers": {"TTL": str(seconds), "Urgency": "high" if message.urgent else "normal"},
        "notification": {"tag": topic},
    }
    if message.picture is not None:
        notification["image"] = message.picture.url
        # Without it iOS does not wake the app's extension that shows pictures:
        # https://firebase.google.com/docs/cloud-messaging/ios/send-image
        apns["payload"] = {"aps": {"mutable-content": 1}}
    if message.buttons:
        data["buttons"] = json.dumps(
            [{"label": button.label, "reply": button.reply, "url": button.url} for button in message.buttons]
        )
    if message.link.startswith("https://"):  # FCM refuses any other (WebpushFcmOptions.link)
        webpush["fcm_options"] = {"link": message.link}
    return {
        "notification": notification,
        "data": data,
        "android": {
            "priority": "HIGH" if message.urgent else "NORMAL",
            "ttl": f"{seconds}s",
            "collapse_key": topic,
            "notification": {"tag": topic},
        },
        "apns": apns,
        "webpush": webpush,
    }
