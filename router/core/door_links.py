"""Signed, expiring names of a member's own page, ``/m/…``, which can be made void before their time.

A token holds the member, how often their links were made void so far (their epoch), the second from which it is void
anyway, and a keyed BLAKE2b sum of these: 36 characters of base64url. Who has it sees and changes all that concerns the
member, so it goes to the member only; a phone that was lost is cut off by one more epoch.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

EPOCHS = 2**16
"""After so many the first comes again."""

_LENGTH = 36
_SUM = 13
_PAYLOAD = 14
_PURPOSE = b"outreach.door"


class Door(NamedTuple):
    """Whose page a token opens, and the epoch in which it was made."""

    member_id: int
    epoch: int


def door_token(key: bytes, door: Door, expires: datetime) -> str:
    """The token of a member's own page. ValueError for a number or a moment that cannot be."""
    second = int(expires.timestamp())
    if not (0 <= door.member_id < 2**63 and 0 <= door.epoch < EPOCHS and 0 <= second < 2**32):
        raise ValueError("no such number or moment")
    payload = door.member_id.to_bytes(8) + door.epoch.to_bytes(2) + second.to_bytes(4)
    return urlsafe_b64encode(payload + _sum(key, payload)).decode()


def read_door_token(key: bytes, token: str, now: datetime) -> Door | None:
    """What a token opens; None for one that is too old or not ours. Its epoch is the caller's to compare."""
    if len(token) != _LENGTH or not token.isascii():
        return None
    try:
        raw = urlsafe_b64decode(token)
    except binascii.Error:
        return None
    payload, mac = raw[:_PAYLOAD], raw[_PAYLOAD:]
    # A second spelling of the same bytes is not ours either.
    if not compare_digest(mac, _sum(key, payload)) or urlsafe_b64encode(raw).decode() != token:
        return None
    if now.timestamp() >= int.from_bytes(payload[10:]):
        return None
    return Door(int.from_bytes(payload[:8]), int.from_bytes(payload[8:10]))


def _sum(key: bytes, payload: bytes) -> bytes:
    if len(key) < 16:
        raise ValueError("a signing key has at least 16 bytes")
    fitting = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
    return blake2b(payload, key=fitting, person=_PURPOSE, digest_size=_SUM).digest()
