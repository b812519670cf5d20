"""DKIM signatures (RFC 6376), relaxed/simple, rsa-sha256.

dkimpy canonicalises; OpenSSL signs, because dkimpy's own RSA is written in Python and takes about 12 ms where
OpenSSL takes under 1. The time in the signature is the message's own.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from dkim.canonicalization import CanonicalizationPolicy

from router.core.errors import BadInput

SIGNED = (
    # Those of RFC 6376, 5.4.1 that we write, and both headers of RFC 8058, which demands it. `from` stands twice,
    # so that a second From cannot be added.
    b"from",
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
)

_POLICY = CanonicalizationPolicy.from_c_value(b"relaxed/simple")


class Signer:
    """Signs for one domain. `pem` is the private key; ``\\n`` in it may be written as two characters."""

    def __init__(self, pem: str, *, domain: str, selector: str) -> None:
        if not (domain and selector):
            raise BadInput("needs OUTREACH_EMAIL_DKIM_SELECTOR beside it", place="OUTREACH_EMAIL_DKIM_KEY")
        try:
            key = serialization.load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise BadInput("is not an RSA private key in PEM form without a password", place="OUTREACH_EMAIL_DKIM_KEY")
        self._key = key
        self._start = f"v=1; a=rsa-sha256; c=relaxed/simple; d={domain}; s={selector};\r\n t="

    def sign(self, headers: bytes, body: bytes, now: datetime) -> bytes:
        """The DKIM-Signature header of a message, with its line end."""
        fields = _POLICY.canonicalize_headers(_fields(headers))
        by_name = dict(fields)
        present = [name for name in SIGNED if name in by_name]
        body_hash = base64.b64encode(hashlib.sha256(_POLICY.canonicalize_body(body)).digest()).decode()
        value = (
            f"{self._start}{int(now.timestamp())};\r\n h={b':'.join(present).decode()};\r\n bh={body_hash};\r\n b="
        ).encode()
        text = bytearray()
        unsigned = set()
        for name in present:
            if name not in unsigned:  # the second `from` signs that there is none
                text += name + b":" + by_name[name]
                unsigned.add(name)
        [(name, canonical)] = _POLICY.canonicalize_headers([(b"DKIM-Signature", b" " + value + b"\r\n")])
        text += name + b":" + canonical.rstrip(b"\r\n")
        signature = base64.b64encode(self._key.sign(bytes(text), padding.PKCS1v15(), hashes.SHA256()))
        folded = b"\r\n ".join(signature[at : at + 72] for at in range(0, len(signature), 72))
        return b"DKIM-Signature: " + value + folded + b"\r\n"


def _fields(headers: bytes) -> list[tuple[bytes, bytes]]:
    """Header lines as (name, value with its line end), folded lines kept together."""
    fields: list[tuple[bytes, bytes]] = []
    for line in headers.splitlines(keepends=True):
        if line[:1] in (b" ", b"\t"):
            name, value = fields.pop()
            fields.append((name, value + line))
        else:
            name, _, value = line.partition(b":")
            fields.append((name, value))
    return fields
