"""Signed, expiring names of members and addresses: ``/push/…``, ``t.me/BOT?start=…``, ``/join/confirm/…``.

A token holds a number, the second from which it is void, and a keyed BLAKE2b sum of both: 32 characters of base64url,
of which Telegram takes at most 64 after ``?start=`` (core.telegram.org/bots/features#deep-linking). Each purpose has
its own sum, so that no token of one kind passes as the other.

Whoever has a member's token may let an address of their own be written to in that member's name; whoever has an
address's token confirms that it is theirs, or proposes and seconds (``/propose/…``). So each goes to its owner only.
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
_MEMBER = b"outreach.join"
_ADDRESS = b"outreach.confirm"
_IDEAS = b"outreach.ideas"


def join_token(key: bytes, member_id: int, expires: datetime) -> str:
    """The token of a member's link. ValueError for a number or a moment that cannot be."""
    return _token(key, _MEMBER, member_id, expires)


def read_join_token(key: bytes, token: str, now: datetime) -> int | None:
    """The member that a token names; None for one that is too old or that we did not make."""
    return _read(key, _MEMBER, token, now)


def confirm_token(key: bytes, address_id: int, expires: datetime) -> str:
    """The token by which an address confirms itself. ValueError for a number or a moment that cannot be."""
    return _token(key, _ADDRESS, address_id, expires)


def read_confirm_token(key: bytes, token: str, now: datetime) -> int | None:
    """The address that a token names; None for one that is too old or that we did not make."""
    return _read(key, _ADDRESS, token, now)


def ideas_token(key: bytes, address_id: int, expires: datetime) -> str:
    """The token by which the owner of an address proposes and seconds. ValueError for what cannot be."""
    return _token(key, _IDEAS, address_id, expires)


def read_ideas_token(key: bytes, token: str, now: datetime) -> int | None:
    """The address that a token names; None for one that is too old or that we did not make."""
    return _read(key, _IDEAS, token, now)


def _token(key: bytes, purpose: bytes, number: int, expires: datetime) -> str:
    second = int(expires.timestamp())
    if not (0 <= number < 2**63 and 0 <= second <= _MOST_SECONDS):
        raise ValueError("no such number or moment")
    payload = number.to_bytes(8) + second.to_bytes(4)
    return urlsafe_b64encode(payload + _sum(key, purpose, payload)).decode()


def _read(key: bytes, purpose: bytes, token: str, now: datetime) -> int | None:
    if len(token) != _LENGTH or not token.isascii():
        return None
    try:
        raw = urlsafe_b64decode(token)
    except binascii.Error:
        return None
    payload, mac = raw[:12], raw[12:]
    # A second spelling of the same bytes is not ours either.
    if not compare_digest(mac, _sum(key, purpose, payload)) or urlsafe_b64encode(raw).decode() != token:
        return None
    return int.from_bytes(payload[:8]) if now.timestamp() < int.from_bytes(payload[8:]) else None


def _sum(key: bytes, purpose: bytes, payload: bytes) -> bytes:
    if len(key) < 16:
        raise ValueError("a signing key has at least 16 bytes")
    fitting = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
    return blake2b(payload, key=fitting, person=purpose, digest_size=_SUM).digest()
