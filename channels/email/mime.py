"""The bytes of an email.

Everything that is the same for every message is laid out once; per message only the few parts that differ are
written in. `email.message.EmailMessage` would give the same result at several hundred times the cost, and the
tests read the result back with the standard library to prove it.

Bodies are always quoted-printable: seven-bit on every relay, so that DKIM signatures survive, and never holding
the characters ``=_`` with which the boundary begins.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from router.core.channel import OutboundMessage
from router.core.errors import FailureClass, Refused

_ENCODED_WORD_BYTES = 39
"""Bytes of text in one encoded word: 64 characters with its frame, 73 after ``Subject: `` (RFC 2047, 2: at most 76)."""
_PLAIN_HEADER = 900
"""Longest header text that stays on one line (RFC 5322, 2.1.1: at most 998 with its name)."""
_CACHED_LINE = 400
"""Longest line of text whose encoding is remembered."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]+")
_MAILBOX = re.compile(r'[^\s<>()\[\]\\,;:"@]{1,320}')
_URL = re.compile(r"[!#-;=?-~]{1,900}")
_BOUNDARY = b"=_outreach_7c1d"

Sign = Callable[[bytes, bytes, datetime], bytes]
"""(headers, body, now) → a header to put in front, with its line end."""


def encode_words(text: str) -> bytes:
    """`text` as RFC 2047 encoded words, folded; only ASCII goes through as it is."""
    if text.isascii() and "=?" not in text and len(text) <= _PLAIN_HEADER:
        return text.encode()
    words, chunk = [], b""
    for character in text:
        piece = character.encode("utf-8", "replace")
        if len(chunk) + len(piece) > _ENCODED_WORD_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += piece
    words.append(chunk)
    return b"\r\n ".join(b"=?utf-8?b?" + base64.b64encode(word) + b"?=" for word in words)


def header_text(text: str) -> str:
    """`text` with line breaks and other controls made spaces, so that nobody can write a header of their own."""
    return _CONTROLS.sub(" ", text).strip()


def mailbox(name: str, address: str) -> bytes:
    """``"Name" <address>`` as a header value."""
    name = header_text(name)
    if not name:
        return b"<" + address.encode() + b">"
    if name.isascii() and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address}>'.encode()
    return encode_words(name) + b"\r\n <" + address.encode() + b">"


def is_mailbox(address: str) -> bool:
    """Whether `address` can stand in a header and in an SMTP command without breaking out of its place."""
    local, at, domain = address.rpartition("@")
    return bool(at and address.isprintable() and _MAILBOX.fullmatch(local) and _MAILBOX.fullmatch(domain))


def quoted_printable(text: str) -> bytes:
    """`text` as quoted-printable with CRLF line ends and no end of line after the last one."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return b"\r\n".join([_line(part) if len(part) <= _CACHED_LINE else _encode(part) for part in text.split("\n")])


def _encode(line: str) -> bytes:
    encoded = binascii.b2a_qp(line.encode("utf-8", "replace")).replace(b"\n", b"\r\n")
    # Mail stores put ">" before a line that begins with "From ", which breaks signatures.
    return b"=46" + encoded[1:] if encoded.startswith(b"From ") else encoded


_line = lru_cache(maxsize=4096)(_encode)
"""The messages of one campaign have nearly all their lines in common."""


@lru_cache(maxsize=8)
def _date(now: datetime) -> bytes:
    """As RFC 5322 writes it, to the second, which thousands of messages have in common."""
    return format_datetime(now).encode()


class Skeleton:
    """What all messages of one account share. `sign`, where given, adds the DKIM signature."""

    def __init__(
        self,
        *,
        from_name: str,
        from_address: str,
        reply_to: str = "",
        unsubscribe_mailto: str = "",
        sendgrid: bool = False,
        sign: Sign | None = None,
    ) -> None:
        self.domain = from_address.rpartition("@")[2]
        self._from = b"From: " + mailbox(from_name, from_address) + b"\r\nTo: <"
        self._at_domain = f"@{self.domain}>".encode()
        self._reply_to = b"Reply-To: <" + reply_to.encode() + b">\r\n" if reply_to else b""
        self._mailto = f", <mailto:{unsubscribe_mailto}>".encode() if unsubscribe_mailto else b""
        self._sendgrid = sendgrid
        self._sign = sign

    def message_id(self, message: OutboundMessage) -> str:
        """``<202611-17@example.org>``: the delivery's own name, the same however often it is built."""
        return f"<{message.delivery}@{self.domain}>"

    def build(self, message: OutboundMessage) -> bytes:
        """The whole message, CRLF line ends, dots not yet doubled. Raises `Refused` where it could not be safe."""
        kind, body = _body(message)
        head = b"".join(
            (
                self._from,
                message.to.encode(),
                b">\r\nSubject: ",
                encode_words(header_text(message.subject)),
                b"\r\nDate: ",
                _date(message.now.replace(microsecond=0)),
                b"\r\nMessage-ID: <",
                str(message.delivery).encode(),
                self._at_domain,
                b"\r\n",
                self._reply_to,
                self._unsubscribe(message.unsubscribe_url),
                b'X-SMTPAPI: {"unique_args":{"delivery":"%b"}}\r\n' % str(message.delivery).encode()
                if self._sendgrid
                else b"",
                kind,
            )
        )
        signature = self._sign(head, body, message.now) if self._sign else b""
        return signature + head + b"\r\n" + body

    def _unsubscribe(self, url: str) -> bytes:
        """RFC 8058 headers of bulk mail; without an unsubscribe address it is an answer to one person (RFC 3834)."""
        if not url:
            return b"Auto-Submitted: auto-generated\r\n"
        if not _URL.fullmatch(url):
            raise Refused(FailureClass.SENDER_CONFIG, "unsubscribe_url")
        return b"".join(
            (
                b"List-Unsubscribe: <",
                url.encode(),
                b">",
                self._mailto,
                b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nPrecedence: bulk\r\n",
            )
        )


_MULTIPART = b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="%b"\r\n' % _BOUNDARY
_TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
_HTML = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"


def _body(message: OutboundMessage) -> tuple[bytes, bytes]:
    """(the headers that describe the body, the body)."""
    text = quoted_printable(message.text)
    if not message.html:
        return b"MIME-Version: 1.0\r\n" + _TEXT, text + b"\r\n"
    line = b"--" + _BOUNDARY
    html = quoted_printable(message.html)
    return _MULTIPART, b"".join(
        (line, b"\r\n", _TEXT, b"\r\n", text, b"\r\n", line, b"\r\n", _HTML, b"\r\n", html, b"\r\n", line, b"--\r\n")
    )
