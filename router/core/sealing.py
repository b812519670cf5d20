"""Secrets as they are kept: encrypted, each bound to the one place where it stands.

A sealed text is ``v1.KEYID.DATA``. KEYID is 8 hex digits and says which key it was sealed with; DATA is base64url,
without padding, over 12 bytes of nonce, the ciphertext and 16 bytes of tag: AES-256-GCM (NIST SP 800-38D), with the
names of its table and column and its row's own key as associated data. So it cannot be read without the key, and a
copy of it in another row does not open there.

The key is derived by HKDF-SHA256 (RFC 5869) from a long secret. Nonces are random: by 800-38D, 8.3, one key is good
for 2^32 of them.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from router.core.errors import Unavailable

NONCE_BYTES = 12
SHORTEST_SECRET = 32
"""Characters of a secret that a key may be derived from."""

OLD_KEYS = "OUTREACH_OLD_SECRET_KEYS"
"""The setting that names keys which only open."""

_SEALED = re.compile(r"v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)")


class Place(NamedTuple):
    """Where a sealed text stands."""

    table: str
    column: str
    row: tuple[int | str, ...]
    """The primary key of its row."""

    def __str__(self) -> str:
        return f"{self.table} {', '.join(str(part) for part in self.row)}, {self.column}"


def is_sealed(text: str) -> bool:
    """Whether this looks like a sealed text: what was opened never does."""
    return _SEALED.fullmatch(text) is not None


class CannotOpen(Unavailable):
    """A sealed text that this process cannot read: another key sealed it, or it was changed or moved."""


class KeyRing:
    """The newest key, which seals, and older ones, which only open.

    Making one takes as long as opening twenty texts: see `key_ring`.
    """

    def __init__(self, newest: bytes, older: Iterable[bytes] = ()) -> None:
        derived = [_derived(secret) for secret in (newest, *older)]
        self.newest = derived[0][0]
        """KEYID of the key that seals."""
        self._sealing = derived[0][1]
        self._keys = dict(reversed(derived))

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    @property
    def prefix(self) -> str:
        """What every text begins with that the newest key has sealed."""
        return f"v1.{self.newest}."

    def seal(self, plain: str, place: Place, nonce: bytes) -> str:
        """`plain` as it is kept at `place`. `nonce` is 12 random bytes that were never used before."""
        data = nonce + self._sealing.encrypt(nonce, plain.encode(), _bound_to(place))
        return self.prefix + urlsafe_b64encode(data).rstrip(b"=").decode("ascii")

    def open(self, kept: str, place: Place) -> str:
        """What was sealed. A text that is not sealed, from before there were seals, comes back as it is.

        Raises `CannotOpen`, whose sentence names the place and what to do, and never the text.
        """
        sealed = _SEALED.fullmatch(kept)
        if sealed is None:
            return kept
        key = self._keys.get(sealed[1])
        if key is None:
            raise CannotOpen(
                f"what is kept at {place} was sealed with the key {sealed[1]}, which is not set here;"
                f" add that key to {OLD_KEYS}"
            )
        try:
            data = urlsafe_b64decode(sealed[2] + "=" * (-len(sealed[2]) % 4))
            return key.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _bound_to(place)).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise CannotOpen(
                f"what is kept at {place} was changed, or belongs to another row; put that row back from a backup,"
                " or make it anew"
            ) from None


@lru_cache(maxsize=8)
def key_ring(secrets: tuple[bytes, ...]) -> KeyRing:
    """The `KeyRing` of these secrets, the newest first; the same one for the same secrets."""
    return KeyRing(secrets[0], secrets[1:])


def _derived(secret: bytes) -> tuple[str, AESGCM]:
    """KEYID and key of a secret. Each has a purpose of its own, so that neither tells of the other."""
    return _hkdf(secret, b"outreach seal v1 id", 4).hex(), AESGCM(_hkdf(secret, b"outreach seal v1", 32))


def _hkdf(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(secret)


def _bound_to(place: Place) -> bytes:
    """Each part with its length before it, so that no two places look alike. A quarter of what JSON would cost."""
    parts = [str(part) for part in (place.table, place.column, *place.row)]
    return "".join([f"{len(part)}:{part}" for part in parts]).encode()
