"""Signed, expiring names of members, for links by which they join a channel: ``/push/…``, ``t.me/BOT?start=…``.

A token holds the member's number, the second from which it is void, and a keyed BLAKE2b sum of both: 32 characters of
base64url, of which Telegram takes at most 64 after ``?start=`` (core.telegram.org/bots/features#deep-linking). Whoever
has it may let an address of their own be written to in that member's name, so it goes to that member only.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import blake2b
from hmac import compare_digest

_LENGTH = 32
_SUM = 12
_MOST_SECONDS = 2**32 - 1


def join_token(key: bytes, member_id: int, expires: datetime) -> str:
    """The token of a member's link. ValueError for a number or a moment that cannot be."""
    second = int(expires.timestamp())
    if not (0 <= member_id < 2**63 and 0 <= second <= _MOST_SECONDS):
        raise ValueError("no such member or moment")
    payload = member_id.to_bytes(8) + second.to_bytes(4)
    return urlsafe_b64encode(payload + _sum(key, payload)).decode()


def read_join_token(key: bytes, token: str, now: datetime) -> int | None:
    """The member that a token names; None for one that is too old or that we did not make."""
    if len(token) != _LENGTH or not token.isascii():
        return None
    try:
        raw = urlsafe_b64decode(token)
    except binascii.Error:
        return None
    payload, mac = raw[:12], raw[12:]
    # A second spelling of the same bytes is not ours either.
    if not compare_digest(mac, _sum(key, payload)) or urlsafe_b64encode(raw).decode() != token:
        return None
    return int.from_bytes(payload[:8]) if now.timestamp() < int.from_bytes(payload[8:]) else None


def _sum(key: bytes, payload: bytes) -> bytes:
    if len(key) < 16:
        raise ValueError("a signing key has at least 16 bytes")
    fitting = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
    return blake2b(payload, key=fitting, person=b"outreach.join", digest_size=_SUM).digest()
