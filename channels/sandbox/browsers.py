"""The keys of simulated browsers, made from their names, and what they read in a push message."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (FIPS 186-5): private keys lie below."""


def decrypt(body: bytes, name: str) -> bytes:
    """What the browser of this name reads (RFC 8188, 2, and RFC 8291, 3.4). Raises ValueError or InvalidTag."""
    salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20] if len(body) > 20 else 0
    sender, record = body[21 : 21 + length], body[21 + length :]
    if length != 65 or size < 18 or not 17 <= len(record) <= size:
        raise ValueError("body: not one record of aes128gcm with a key id")
    key = private_key(name)
    secret = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, sender))
    ikm = _hkdf(secret, _auth(name), b"WebPush: info\0" + point(key) + sender, 32)
    content = AESGCM(_hkdf(ikm, salt, b"Content-Encoding: aes128gcm\0", 16))
    plain = content.decrypt(_hkdf(ikm, salt, b"Content-Encoding: nonce\0", 12), record, None).rstrip(b"\0")
    if not plain.endswith(b"\x02"):
        raise ValueError("body: no delimiter of a last record")
    return plain[:-1]


def _hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


@lru_cache(maxsize=4096)
def private_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The key of a browser, the same for the same name."""
    seed = blake2b(name.encode("utf-8", "replace"), person=b"sandbox-webpush", digest_size=40).digest()
    return ec.derive_private_key(int.from_bytes(seed) % (_ORDER - 1) + 1, CURVE)


def _auth(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "replace"), person=b"sandbox-auth", digest_size=16).digest()


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key as browsers hand it out: an uncompressed point."""
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def public_keys(name: str) -> dict[str, str]:
    """``keys`` of ``PushSubscription.toJSON()``."""
    return {"p256dh": encode(point(private_key(name))), "auth": encode(_auth(name))}


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of base64url without padding; raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
