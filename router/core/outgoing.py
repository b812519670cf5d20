"""What other systems are told, how it is signed, and when it is tried again.

Signatures are those of Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks), for which
there are libraries in most languages: ``webhook-id``, ``webhook-timestamp`` (seconds) and ``webhook-signature``
(``v1,`` and the HMAC-SHA256 of ``id.timestamp.body``, base64).
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from hmac import new as hmac

_PREFIX = "whsec_"

WAITS = (
    timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5),
    timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24),
)  # fmt: skip
"""After each failed try; after the last one it is a dead letter (Standard Webhooks, "Retry Schedule")."""

REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=10)
"""An address that cannot be reached at all rests as a whole, twice as long each time."""


class Kind(StrEnum):
    """What another system may want to hear of."""

    ACTION = "action"
    """Somebody did something: a click, a YES, a gift."""
    OPT_OUT = "opt_out"
    """Somebody wants silence on a channel."""
    OPT_IN = "opt_in"
    """Somebody agreed to hear from us on a channel, or agreed again."""
    SUMMARY = "campaign_summary"
    """A campaign has finished: how many messages stand where."""


def headers_of(secret: str, number: int, at: datetime, body: bytes) -> Mapping[str, str]:
    """The headers that name, date and sign one event."""
    name, seconds = f"evt_{number}", int(at.timestamp())
    return {
        "webhook-id": name,
        "webhook-timestamp": str(seconds),
        "webhook-signature": sign(secret, name, seconds, body),
        "content-type": "application/json",
    }


def sign(secret: str, name: str, seconds: int, body: bytes) -> str:
    """The signature of what is sent under this name at this second. Raises ValueError for a secret that is none."""
    signed = b".".join([name.encode(), str(seconds).encode(), body])
    return "v1," + b64encode(hmac(_key(secret), signed, sha256).digest()).decode()


def new_secret(entropy: bytes) -> str:
    """A signing secret of 24 random bytes, as receivers' libraries read it."""
    return _PREFIX + b64encode(entropy).decode()


def next_try(attempts: int, at: datetime, retry_after: float | None = None) -> datetime | None:
    """When to try again after so many failed tries; None where it is given up. `retry_after` is in seconds."""
    if attempts > len(WAITS):
        return None
    wait = WAITS[attempts - 1]
    return at + max(wait, timedelta(seconds=retry_after or 0))


def rest_after(failures: int, at: datetime, retry_after: float | None = None) -> datetime:
    """Until when an address rests that could not be reached so often in a row."""
    rest = min(LONGEST_REST, REST * (1 << min(failures - 1, 10)))
    return at + max(rest, timedelta(seconds=retry_after or 0))


def _key(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a signing secret is whsec_ and base64") from None
