"""``Retry-After``: how long another system asks us to wait (RFC 9110, 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from router.core.channel import HttpReply

LONGEST_WAIT = 86_400.0
"""Seconds; whoever asks for more is asked again after a day (house rule)."""


def retry_after(reply: HttpReply, now: datetime) -> float | None:
    """Seconds from the header, which holds a number or a date; None without one, or one that means nothing."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 9:
        return min(float(text), LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, (date - now).total_seconds()), LONGEST_WAIT)
