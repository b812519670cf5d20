"""What a domain must publish so that mailbox providers believe its mail: DKIM, SPF, DMARC (FACTS.md 1.6)."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from router.core.errors import BadInput

_BITS = 2048
"""RFC 8301, 3.2: at least 1,024; 2,048 is what should be used."""
_LONGEST_STRING = 255
"""Bytes of one string of a TXT record; longer ones are split (RFC 6376, 3.6.2.2)."""

_SPF = {
    # https://www.twilio.com/docs/sendgrid/ui/sending-email/verify-sender-with-spf
    "sendgrid.net": "include:sendgrid.net",
    # https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-spf.html
    "amazonaws.com": "include:amazonses.com",
    # https://support.google.com/a/answer/33786
    "google.com": "include:_spf.google.com",
    "gmail.com": "include:_spf.google.com",
}
"""Where a mail server's name ends so → who may send for the domain."""


def new_dkim_key() -> str:
    """An RSA key in PEM form on one line, with ``\\n`` written as two characters, as the email channel takes it."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_BITS)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode().strip().replace("\n", "\\n")


def mail_records(dkim_key: str, selector: str, domain: str, host: str = "") -> list[str]:
    """The TXT records of a domain whose mail is signed with this key and sent by the server `host`.

    Raises `BadInput` where the key is none.
    """
    spf = _strings(f"v=spf1 {_senders(host)} ~all")
    dmarc = _strings(f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}")
    return [
        f"{selector}._domainkey.{domain}. TXT {_strings(_dkim(dkim_key))}",
        f"{domain}. TXT {spf}  (one such record only: add to yours, if there is one)",
        f"_dmarc.{domain}. TXT {dmarc}  (p=quarantine once the reports show that all your mail passes)",
    ]


def _dkim(pem: str) -> str:
    """RFC 6376, 3.6.1."""
    try:
        key = serialization.load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError):
        raise BadInput("is not a private key in PEM form without a password", place="OUTREACH_EMAIL_DKIM_KEY") from None
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def _senders(host: str) -> str:
    for end, senders in _SPF.items():
        if host == end or host.endswith(f".{end}"):
            return senders
    return f"a:{host}" if host else "include:SPF-NAME-OF-YOUR-MAIL-PROVIDER"


def _strings(text: str) -> str:
    parts = [text[start : start + _LONGEST_STRING] for start in range(0, len(text), _LONGEST_STRING)]
    return " ".join(f'"{part}"' for part in parts)
