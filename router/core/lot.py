"""What is decided by lot: reproducible draws from the installation's key, so that the same person draws the same."""

from __future__ import annotations

import hashlib
import hmac


def draw(key: bytes, *what: object) -> float:
    """A number in [0, 1) that depends on nothing but `key` and `what`."""
    digest = hmac.digest(key, "\x00".join(str(one) for one in what).encode(), hashlib.sha256)
    return int.from_bytes(digest[:6]) / (1 << 48)


def variant_of(key: bytes, campaign_id: int, member_id: int) -> int:
    """Which of two texts this member gets: 0, or 1 for the second."""
    return int(draw(key, "variant", campaign_id, member_id) < 0.5)


def is_held_out(key: bytes, member_id: int, year: int, share: float) -> bool:
    """Whether this member is left out of what is measured this year. Redrawn yearly."""
    return draw(key, "hold-out", year, member_id) < share
