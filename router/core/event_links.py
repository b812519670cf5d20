"""Links to an event's page as one of its people sees it: ``/e/{event}/{token}``.

The token is the member's number and a keyed BLAKE2b sum of event and member, base64url without padding. It names who
looks, and no more: whether they still have a seat, and so may see the address, stands in the ledger.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest

TOKEN = r"[A-Za-z0-9_-]{14,24}"  # noqa: S105 - a route pattern
"""What a token looks like."""

_SUM = 9
"""Bytes. Guessing one of 2^72 over the network is hopeless, and what it guards is somebody's home."""


def guest_token(key: bytes, event_id: int, member_id: int) -> str:
    """The token of a guest or a host: 14 characters while numbers are small, 23 at most."""
    name = member_id.to_bytes(max(1, (member_id.bit_length() + 7) // 8))
    return urlsafe_b64encode(_sum(key, event_id, name) + name).rstrip(b"=").decode()


def read_guest_token(key: bytes, event_id: int, token: str) -> int | None:
    """The member whom a token names at this event; None for anything that we did not make."""
    if not token.isascii():
        return None
    try:
        raw = urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
    except binascii.Error:
        return None
    mac, name = raw[:_SUM], raw[_SUM:]
    if not compare_digest(mac, _sum(key, event_id, name)):
        return None
    member_id = int.from_bytes(name)
    # A second spelling of the same bytes is not ours either.
    return member_id if guest_token(key, event_id, member_id) == token else None


def _sum(key: bytes, event_id: int, name: bytes) -> bytes:
    if len(key) < 16:
        raise ValueError("a signing key has at least 16 bytes")
    fitting = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
    return blake2b(event_id.to_bytes(8) + name, key=fitting, person=b"outreach.event", digest_size=_SUM).digest()
