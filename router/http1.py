"""One HTTP/1.1 connection: how a request is written and its answer read (RFC 9112).

Answers are read by llhttp, the parser of Node.js, through httptools. What a cut, broken or oversized answer means is
always the same: `OutcomeUnknown`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from router.core.channel import HttpReply
from router.core.errors import OutcomeUnknown

MAX_REPLY = 1024 * 1024
"""Bytes of an answer that we are willing to hold. No provider's answer to one send comes near it."""

Origin = tuple[str, int, bool]
"""Host, port, and whether over TLS."""

_MAX_HEAD = 64 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_CONTROLS = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_FIELDS = "User-Agent: outreach-router\r\nAccept-Encoding: identity\r\n"
_OURS = frozenset({"host", "user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"})
"""Headers that the wire writes itself; whoever else could would decide where a request ends."""
_TIMEOUT = re.compile(r"\btimeout\s*=\s*(\d{1,6})", re.IGNORECASE)


def written(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[Origin, bytes]:
    """Where a request goes, and its bytes. Raises ValueError where it would be something else than one request."""
    origin, head = _head(method, url)
    fields = [_field(name, value) for name, value in headers.items()]
    length = b"Content-Length: %d\r\n" % len(body) if body or method not in ("GET", "HEAD") else b""
    return origin, b"".join((head, *fields, length, b"\r\n", body))


@lru_cache(maxsize=512)
def _head(method: str, url: str) -> tuple[Origin, bytes]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("not an HTTP address")
    if not url.isascii() or not url.isprintable() or " " in url or not _TOKEN.fullmatch(method):
        raise ValueError("would break the request line")
    tls = parts.scheme == "https"
    port = (443 if tls else 80) if parts.port is None else parts.port
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{_FIELDS}"
    return (parts.hostname, port, tls), head.encode()


@lru_cache(maxsize=512)
def _field(name: str, value: str) -> bytes:
    if not _TOKEN.fullmatch(name) or not _NO_CONTROLS.fullmatch(value) or name.lower() in _OURS:
        raise ValueError("not a header")
    return f"{name}: {value}\r\n".encode()


@lru_cache(maxsize=512)
def _name(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _unpacked(body: bytes, encoding: str) -> bytes:
    """Some proxies pack although we ask for ``identity``."""
    if not body or encoding in ("", "identity"):
        return body
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, as its first bytes say
    with contextlib.suppress(zlib.error):
        text = unpack.decompress(body, MAX_REPLY + 1) if encoding in ("gzip", "x-gzip", "deflate") else b""
        if len(text) > MAX_REPLY:
            raise OutcomeUnknown("too_long")
        if unpack.eof and not unpack.unused_data:
            return text
    raise OutcomeUnknown("connection", "content-encoding")


class Connection(asyncio.Protocol):
    """One connection with at most one request under way. The ``on_`` methods are called by the parser."""

    def __init__(self, origin: Origin, forget: Callable[[Connection], None]) -> None:
        self.origin = origin
        self.patience = float("inf")
        """Seconds that the server keeps it open without a request, as far as it told."""
        self._forget = forget
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[HttpReply] | None = None
        """Set from the first byte of a request to the last of its answer."""
        self._parser = HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has all of its methods but is no subclass

    def send(self, request: bytes, answer: asyncio.Future[HttpReply], *, bodiless: bool) -> None:
        """Write the request and let `answer` have what comes back; `bodiless` for HEAD."""
        assert self._transport is not None
        self._answer = answer
        self._bodiless = bodiless
        self._headers: dict[str, str] = {}
        self._headed = False
        self._parts: list[bytes] = []
        self._received = 0
        self._transport.write(request)

    def usable(self) -> bool:
        """Whether another request may go over it."""
        return self._answer is None and self._transport is not None and not self._transport.is_closing()

    def close(self, code: str = "connection", detail: str = "") -> None:
        """Close at once; the request under way, if there is one, has an unknown outcome."""
        answer, self._answer = self._answer, None
        self._forget(self)
        if self._transport is not None:
            self._transport.abort()
        if answer is not None and not answer.done():
            answer.set_exception(OutcomeUnknown(code, detail))

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # a server that talks out of turn must not answer the next request with it
            self.close()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.close("connection", type(error).__name__)
        if self._received > _MAX_HEAD + (MAX_REPLY if self._headed else 0) and self._answer is not None:
            self.close("too_long")

    def eof_received(self) -> None:
        lengths = {"content-length", "transfer-encoding"}
        if self._answer and self._headed and not self._headers.keys() & lengths and self._ended_in_order():
            self._finish(keep=False)  # RFC 9112, 6.3: such a body lasts until the connection ends
        self.close("connection", "cut")

    def _ended_in_order(self) -> bool:
        """Anybody on the way can cut a TLS connection, only the server can say that it ends (RFC 9112, 9.8)."""
        assert self._transport is not None
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        try:
            return tls is None or tls.read(1) == b""
        except ssl.SSLError:
            return False

    def connection_lost(self, error: Exception | None) -> None:
        self.close("connection", type(error).__name__ if error else "cut")

    def on_message_begin(self) -> None:
        if self._answer is None:
            raise HttpParserError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # afterwards come trailers
            self._headers[_name(name)] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        self._headed = self._parser.get_status_code() >= 200
        if self._headed and self._bodiless:
            self._finish(keep=False)

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        if self._headed:
            self._finish(keep=self._parser.should_keep_alive())
        else:
            self._headers = {}  # of a "100 Continue" and its like

    def _finish(self, *, keep: bool) -> None:
        answer, self._answer = self._answer, None
        assert self._transport is not None
        if not keep or self._transport.get_write_buffer_size():  # answered before it had read the whole request
            self.close()
        if answer is None or answer.done():
            return
        status, headers, body = self._parser.get_status_code(), self._headers, b"".join(self._parts)
        if "keep-alive" in headers and (said := _TIMEOUT.search(headers["keep-alive"])):
            self.patience = int(said[1]) - 1.0  # a request that meets its close has an unknown outcome
        try:
            if len(body) > MAX_REPLY:
                raise OutcomeUnknown("too_long")
            body = _unpacked(body, headers.get("content-encoding", "").lower())
        except OutcomeUnknown as error:
            answer.set_exception(error)
        else:
            content_type = headers.get("content-type", "")
            answer.set_result(HttpReply(status=status, body=body, content_type=content_type, headers=headers))
