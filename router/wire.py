"""The owner of outbound HTTP connections: kept-open HTTP/1.1, its time limits, its errors.

What a failed request means (DESIGN.md 5):

    NotSent          no connection: name look-up, connect, TLS handshake, or no free connection in time
    OutcomeUnknown   the request may have left: read time-out, cut connection, broken or oversized answer

Nothing is sent a second time, not even when a kept connection turns out dead, and no redirect is followed. Errors
carry the name of what went wrong and nothing else: no address, header or body, because those hold secrets.

This is the hot path of a blast, so a request costs one write, one future and one timer. Answers are read by llhttp,
the parser of Node.js, through httptools.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Self, TypeVar
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from router.core.channel import HttpReply
from router.core.errors import FailureClass, NotSent, OutcomeUnknown

T = TypeVar("T")
MAX_REPLY = 1024 * 1024
"""Bytes of an answer that we are willing to hold. No provider's answer to one send comes near it."""

_MAX_HEAD = 64 * 1024
_Origin = tuple[str, int, bool]
"""Host, port, and whether over TLS."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_CONTROLS = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_FIELDS = "User-Agent: outreach-router\r\nAccept-Encoding: identity\r\n"
_OURS = frozenset({"host", "user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"})
"""Headers that the wire writes itself; whoever else could would decide where a request ends."""


@lru_cache(maxsize=512)
def _head(method: str, url: str) -> tuple[_Origin, bytes]:
    """Where a request goes, and its first lines. `url` is percent-encoded; raises ValueError where it is none."""
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
    """One header line; raises ValueError where it would be more than one, or is not the caller's to set."""
    if not _TOKEN.fullmatch(name) or not _NO_CONTROLS.fullmatch(value) or name.lower() in _OURS:
        raise ValueError("not a header")
    return f"{name}: {value}\r\n".encode()


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


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way. The ``on_`` methods are called by the parser."""

    def __init__(self, origin: _Origin, forget: Callable[[_Connection], None]) -> None:
        self.origin = origin
        self._forget = forget
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[HttpReply] | None = None
        """Set from the first byte of a request to the last of its answer."""
        self._parser = HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

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
        if self._answer and self._headed and not self._headers.keys() & {"content-length", "transfer-encoding"}:
            self._finish(keep=False)  # RFC 9112, 6.3: such a body lasts until the connection ends
        self.close("connection", "cut")

    def connection_lost(self, error: Exception | None) -> None:
        self.close("connection", type(error).__name__ if error else "cut")

    def on_message_begin(self) -> None:
        if self._answer is None:
            raise HttpParserError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # afterwards come trailers
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

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
        if not keep:
            self.close()
        if answer is None or answer.done():
            return
        status, headers, body = self._parser.get_status_code(), self._headers, b"".join(self._parts)
        try:
            if len(body) > MAX_REPLY:
                raise OutcomeUnknown("too_long")
            body = _unpacked(body, headers.get("content-encoding", "").lower())
        except OutcomeUnknown as error:
            answer.set_exception(error)
        else:
            content_type = headers.get("content-type", "")
            answer.set_result(HttpReply(status=status, body=body, content_type=content_type, headers=headers))


async def _in_time(step: Awaitable[T], deadline: float) -> T:
    """What must come about before anything is sent."""
    try:
        async with asyncio.timeout_at(deadline):
            return await step
    except (OSError, ValueError):  # with time-outs, TLS and name look-up; ValueError: a name that is none
        raise NotSent(FailureClass.TRANSPORT, "connect") from None


class HttpWire:
    """`core.channel.Wire` over kept-open connections, at most `connections` in all, first come, first served.

    Use it as a context manager, or `aclose` it. A connection is kept for `keepalive` seconds without a request.
    """

    def __init__(self, *, connections: int = 100, keepalive: float = 30.0) -> None:
        self._limit = connections
        self._keepalive = keepalive
        self._slots = asyncio.Semaphore(connections)
        self._open: set[_Connection] = set()
        """All that are or are being made."""
        self._idle: dict[_Connection, float] = {}
        """Those without a request, and since when; the one that has been so for longest comes first."""
        self._sweeper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection. A later request opens one for itself and leaves none behind."""
        self._keepalive = 0.0
        for connection in list(self._open):
            connection.close("connection", "closed")
        await asyncio.sleep(0)  # in which the sockets close

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", timeout: float = 8.0
    ) -> HttpReply:
        """Send one request and read the whole answer; see `core.channel.Wire`. `url` is percent-encoded already.

        At most half of `timeout` goes to getting a connection, so that one that never comes ends as `NotSent`.
        """
        try:
            origin, head = _head(method, url)
            fields = b"".join([_field(name, value) for name, value in headers.items()])
        except ValueError:
            raise NotSent(FailureClass.SENDER_CONFIG, "request") from None
        length = b"Content-Length: %d\r\n" % len(body) if body or method not in ("GET", "HEAD") else b""
        loop = asyncio.get_running_loop()
        start = loop.time()
        turn = self._slots.acquire()
        await (_in_time(turn, start + timeout / 2) if self._slots.locked() else turn)
        try:
            if (connection := self._kept(origin)) is None:
                connection = await _in_time(self._connect(origin, loop), start + timeout / 2)
            answer: asyncio.Future[HttpReply] = loop.create_future()
            timer = loop.call_at(start + timeout, connection.close, "timeout")
            try:
                connection.send(b"".join((head, fields, length, b"\r\n", body)), answer, bodiless=method == "HEAD")
                return await answer
            finally:
                timer.cancel()
                self._keep(connection, loop)
        finally:
            self._slots.release()

    def _kept(self, origin: _Origin) -> _Connection | None:
        """The connection that was busy last, so that the others can grow old."""
        for connection in reversed(self._idle):
            if connection.origin == origin and connection.usable():
                del self._idle[connection]
                return connection
        return None

    async def _connect(self, origin: _Origin, loop: asyncio.AbstractEventLoop) -> _Connection:
        if len(self._open) >= self._limit and self._idle:
            next(iter(self._idle)).close()
        host, port, tls = origin
        if tls and self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        connection = _Connection(origin, self._forget)
        self._open.add(connection)
        try:
            # With one address there is nothing to race, and a cancelled race drops a socket that it had won unclosed.
            race = 0.25 if len(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)) > 1 else None
            context = self._tls if tls else None
            await loop.create_connection(lambda: connection, host, port, ssl=context, happy_eyeballs_delay=race)
        except BaseException:
            self._open.discard(connection)
            raise
        return connection

    def _keep(self, connection: _Connection, loop: asyncio.AbstractEventLoop) -> None:
        """After a request: keep its connection, unless an answer may still come over it that nobody waits for."""
        if not connection.usable() or not self._keepalive:
            connection.close()
            return
        self._idle[connection] = loop.time()
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._keepalive, self._sweep, loop)

    def _forget(self, connection: _Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what has been idle for too long; come again when the next will have been."""
        self._sweeper = None
        for connection, since in list(self._idle.items()):
            if since + self._keepalive > loop.time():
                self._sweeper = loop.call_at(since + self._keepalive, self._sweep, loop)
                return
            connection.close()
