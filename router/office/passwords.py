"""Passwords: argon2id, checked in a thread, because a check takes a good part of a second on purpose."""

from __future__ import annotations

import asyncio
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from router.core.errors import BadInput

SHORTEST, LONGEST = 12, 200
"""Characters. NIST SP 800-63B 5.1.1 asks for 8 at least, and for no rules about which; 15 where it stands alone."""

_ADVICE = "four words in a row are easy to keep"

_hasher = PasswordHasher()
"""The library's own settings, which are those of RFC 9106 for machines with little memory."""


def check_new(password: str) -> None:
    """Refuse what is too easy to guess. Raises `BadInput`."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadInput(
            f"has {SHORTEST} to {LONGEST} characters; four words in a row are easy to keep", place="password"
        )
    if len(set(password.casefold())) < 5:
        raise BadInput(f"repeats itself too much; {_ADVICE}", place="password")


def fresh() -> str:
    """One for somebody who has forgotten theirs, until they choose another."""
    return secrets.token_urlsafe(15)


async def hashed(password: str) -> str:
    """What is kept of a password."""
    return await asyncio.to_thread(_hasher.hash, password)


async def fits(kept: str, password: str) -> bool:
    """Whether this is the password of which `kept` was kept; as slow for "", which nobody's fits."""
    return await asyncio.to_thread(_fits, kept, password[: LONGEST + 1])


def is_outdated(kept: str) -> bool:
    """Whether it was hashed with weaker settings than today's."""
    return _hasher.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    """Checked where there is no such organizer, so that how long a check takes tells nothing."""
    return _hasher.hash("a password that nobody has")


def _fits(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept or _nobodys(), password) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False
