"""Voluntary application server identification (RFC 8292): a signed token that tells push services who we are."""

from __future__ import annotations

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from channels.webpush.encryption import CURVE
from router.core.errors import BadInput

LIFETIME = 23 * 3600
"""Seconds that a token is valid. A day is the most (RFC 8292, 2); an hour is left for clocks that differ."""
REUSE = 12 * 3600
"""Seconds for which it is used again: signing anew for each message would cost a third more."""
_MOST_ORIGINS = 1_000

_SUBJECT = re.compile(r"(mailto:[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+|https://[^\s<>]+\.[^\s<>]+)")
_KEY_PLACE = "OUTREACH_WEBPUSH_VAPID_PRIVATE_KEY"


class Vapid:
    """Signs for one key pair. `subject` is how a push service reaches us."""

    def __init__(self, private_key: str, subject: str) -> None:
        # Apple refuses one with brackets or spaces (403 BadJwtToken): developer.apple.com/forums/thread/725473
        if not _SUBJECT.fullmatch(subject):
            raise BadInput(
                "is an address that push services can reach: mailto:office@example.org or https://example.org",
                place="OUTREACH_WEBPUSH_VAPID_SUBJECT",
            )
        self._subject = subject
        self._key = load_private_key(private_key)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.public_key = encode(public)
        """The ``applicationServerKey`` that browsers subscribe to."""
        self._known: dict[str, tuple[int, str]] = {}

    def authorization(self, endpoint: str, now: datetime) -> str:
        """The header for a request to `endpoint`, the same for all of one push service for up to half a day."""
        origin = _origin(endpoint)
        second = int(now.timestamp())
        made, header = self._known.get(origin, (0, ""))
        if not 0 <= second - made < REUSE:
            if len(self._known) >= _MOST_ORIGINS:  # strangers bring the endpoints, so their hosts have no end
                self._known.clear()
            header = f"vapid t={self.token(origin, second + LIFETIME)}, k={self.public_key}"
            self._known[origin] = (second, header)
        return header

    def token(self, origin: str, expires: int) -> str:
        """A JSON Web Token for one push service, signed with ES256 (RFC 7515, 7518 3.4); `expires` is Unix time."""
        claims = {"aud": origin, "exp": expires, "sub": self._subject}
        signed = f"{_JOSE_HEADER}.{encode(_json(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{encode(r.to_bytes(32) + s.to_bytes(32))}"


def new_private_key() -> str:
    """A key for ``OUTREACH_WEBPUSH_VAPID_PRIVATE_KEY``. Browsers subscribe to it: it must never change."""
    return encode(ec.generate_private_key(CURVE).private_numbers().private_value.to_bytes(32))


def load_private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key, as 32 bytes of base64url or in PEM form, whose ``\\n`` may be written as two characters."""
    key: object = None
    try:
        if "-----BEGIN" in text:
            pem = text.replace("\\n", "\n").encode()
            key = serialization.load_pem_private_key(pem, password=None)
        else:
            bare = text.strip().rstrip("=")
            raw = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
            key = ec.derive_private_key(int.from_bytes(raw), CURVE) if len(raw) == 32 else None
    except (ValueError, TypeError, binascii.Error):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadInput("is no P-256 key: 32 bytes of base64url, or PEM without a password", place=_KEY_PLACE)
    return key


def _origin(url: str) -> str:
    """RFC 6454, 6.2: lower case, no default port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(':443' if parts.scheme == 'https' else ':80')}"


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_JOSE_HEADER = encode(_json({"typ": "JWT", "alg": "ES256"}))
