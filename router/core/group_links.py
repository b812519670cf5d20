"""Signed names of a group and an ask in it: ``t.me/BOT?start=TOKEN`` under a post.

A token holds both numbers and a keyed BLAKE2b sum of them: 40 characters of base64url, of which Telegram takes at most
64 (core.telegram.org/bots/features#deep-linking). It names no person, so whoever reads the group may have it, and it
lets nobody in who could not open the chat by the bot's own name. So it does not expire.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

_LENGTH = 40
_SUM = 14


class FromGroup(NamedTuple):
    """Where somebody comes from."""

    group_id: int
    campaign_id: int
    """The ask under whose post the link stood, 0 for none."""


def group_token(key: bytes, group_id: int, campaign_id: int) -> str:
    """The token of a link in a group. ValueError for numbers that cannot be."""
    if not (0 <= group_id < 2**63 and 0 <= campaign_id < 2**63):
        raise ValueError("no such number")
    payload = group_id.to_bytes(8) + campaign_id.to_bytes(8)
    return urlsafe_b64encode(payload + _sum(key, payload)).decode()


def read_group_token(key: bytes, token: str) -> FromGroup | None:
    """What a token names; None for one that we did not make."""
    if len(token) != _LENGTH or not token.isascii():
        return None
    try:
        raw = urlsafe_b64decode(token)
    except binascii.Error:
        return None
    payload, mac = raw[:16], raw[16:]
    # A second spelling of the same bytes is not ours either.
    if not compare_digest(mac, _sum(key, payload)) or urlsafe_b64encode(raw).decode() != token:
        return None
    return FromGroup(int.from_bytes(payload[:8]), int.from_bytes(payload[8:]))


def _sum(key: bytes, payload: bytes) -> bytes:
    if len(key) < 16:
        raise ValueError("a signing key has at least 16 bytes")
    fitting = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
    return blake2b(payload, key=fitting, person=b"outreach.group", digest_size=_SUM).digest()
