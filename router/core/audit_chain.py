"""The chain over the audit: each entry's seal covers the entry and the seal before it.

A seal is HMAC-SHA-256 under a key of the installation's own, so whoever can write in the database, but has not that
key, can change, remove, add or reorder nothing without a seal that no longer fits. What a chain cannot show is that its
newest entries were cut off: for that somebody has to know the newest seal from elsewhere (`Head`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from router.core.errors import BadInput

FIRST = ""
"""What stands before the first entry."""
_PURPOSE = b"outreach audit chain"
_SEAL = 43
"""Characters of a seal: 32 bytes, base64url without padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One deed as it is sealed. `at` is in milliseconds since 1970 UTC."""

    id: int
    at: int
    who: str
    what: str
    subject: str
    detail: Mapping[str, Any]


class Sealed(NamedTuple):
    """An entry with its place in the chain, from 1 on, and the seal that it was given."""

    place: int
    entry: Entry
    seal: str


class Head(NamedTuple):
    """The newest entry of a chain, as somebody noted it: ``PLACE:SEAL``."""

    place: int
    seal: str

    def __str__(self) -> str:
        return f"{self.place}:{self.seal}"


class Fault(NamedTuple):
    """Something is not as it was written."""

    place: int
    sentence: str


def read_head(text: str) -> Head:
    """``PLACE:SEAL`` as `outreach audit verify` prints it. Raises `BadInput`."""
    place, _, seal = text.strip().partition(":")
    if not (place.isascii() and place.isdigit() and len(seal) == _SEAL):
        raise BadInput("give it as `outreach audit verify` printed it: a number, a colon and 43 characters")
    return Head(int(place), seal)


def chain_key(key: bytes) -> bytes:
    """The key of the chain, from the installation's."""
    return hmac.digest(key, _PURPOSE, "sha256")


def seal(key: bytes, place: int, entry: Entry, before: str) -> str:
    """The seal of `entry` at `place`, behind an entry that has the seal `before`."""
    content = [place, before, entry.id, entry.at, entry.who, entry.what, entry.subject, entry.detail]
    written = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    return urlsafe_b64encode(hmac.new(key, written, hashlib.sha256).digest()).decode().rstrip("=")


def check_chain(key: bytes, chain: Iterable[Sealed], after: Head) -> Iterator[Fault]:
    """What is wrong in a piece of a chain that goes on `after` an entry; an altered entry is named, and it alone."""
    place, before = after
    for one in chain:
        if one.place != place + 1:
            gone = f"{place + 1}" if one.place == place + 2 else f"{place + 1} to {one.place - 1}"
            yield Fault(place + 1, f"entry {gone} is gone")
        # Behind a gap the seal before is not known: the entry shows itself as right or wrong by the next one.
        if one.place == place + 1 and not hmac.compare_digest(seal(key, one.place, one.entry, before), one.seal):
            who = f"{one.entry.what} by {one.entry.who}"
            yield Fault(one.place, f"entry {one.place} (number {one.entry.id}, {who}) is not what was written there")
        place, before = one.place, one.seal
