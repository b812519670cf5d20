"""The owner of outbound HTTP connections: kept-open HTTP/1.1, its time limits, its errors.

What a failed request means (DESIGN.md 5):

    NotSent          no connection: name look-up, connect, TLS handshake, or no free connection in time
    OutcomeUnknown   the request may have left: read time-out, cut connection, broken or oversized answer

Nothing is sent a second time, not even when a kept connection turns out dead, and no redirect is followed. Errors
carry the name of what went wrong and nothing else: no address, header or body, because those hold secrets.

This is the hot path of a blast, so a request costs one write, one future and one timer. Answers are read by
llhttp, the parser of Node.js, through httptools; no line of HTTP is taken apart here.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

from router.core.channel import HttpReply
from router.core.errors import FailureClass, NotSent, OutcomeUnknown

MAX_REPLY = 1024 * 1024
"""Bytes of an answer that we are willing to hold. No provider's answer to one send comes near it."""

_MAX_HEAD = 64 * 1024
_STAGGER = 0.25
"""Seconds until a host's next address is tried beside a silent one (RFC 8305, 5)."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_CONTROLS = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_OURS = frozenset({"host", "user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"})
"""Headers that the wire writes itself; whoever else could would decide where a request ends."""


class _Origin(NamedTuple):
    host: str
    port: int
    tls: bool


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
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "User-Agent: outreach-router\r\nAccept-Encoding: identity\r\n"
    )
    return _Origin(parts.hostname, port, tls), head.encode()


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
    try:
        text = unpack.decompress(body, MAX_REPLY + 1) if encoding in ("gzip", "x-gzip", "deflate") else b""
    except zlib.error:
        text = b""
    if len(text) > MAX_REPLY:
        raise OutcomeUnknown("too_long")
    if not unpack.eof or unpack.unused_data:
        raise OutcomeUnknown("connection", "content-encoding")
    return text


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way. The ``on_`` methods are called by the parser."""

    transport: asyncio.Transport

    def __init__(self, origin: _Origin, lost: Callable[[_Connection], None]) -> None:
        self.origin = origin
        self.closed = False
        self.idle_since = 0.0
        self.answer: asyncio.Future[HttpReply] | None = None
        """Set from the first byte of a request to the last of its answer."""
        self._lost = lost
        self._parser = HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: bytes, answer: asyncio.Future[HttpReply], *, bodiless: bool) -> None:
        """Write the request and let `answer` have what comes back; `bodiless` for HEAD."""
        self.answer = answer
        self._bodiless = bodiless
        self._headers: dict[str, str] = {}
        self._headed = False
        self._parts: list[bytes] = []
        self._received = 0
        self.transport.write(request)

    def fail(self, code: str, detail: str = "") -> None:
        """Close the connection; the request under way, if any, has an unknown outcome."""
        answer, self.answer = self.answer, None
        self.closed = True
        self.transport.abort()
        if answer is not None and not answer.done():
            answer.set_exception(OutcomeUnknown(code, detail))

    def data_received(self, data: bytes) -> None:
        if self.answer is None:  # a server that talks out of turn must not answer the next request with it
            self.fail("connection")
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self.fail("connection", type(error).__name__)
            return
        if self._received > _MAX_HEAD + (MAX_REPLY if self._headed else 0) and self.answer is not None:
            self.fail("too_long")

    def eof_received(self) -> None:
        self.closed = True
        if self.answer is None:
            return
        if self._headed and not self._headers.keys() & {"content-length", "transfer-encoding"}:
            self._finish(keep=False)  # RFC 9112, 6.3: the end of the connection is the end of the body
        else:
            self.fail("connection", "cut")

    def connection_lost(self, error: Exception | None) -> None:
        self.fail("connection", type(error).__name__ if error else "cut")
        self._lost(self)

    def on_message_begin(self) -> None:
        if self.answer is None:
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
        answer, self.answer = self.answer, None
        if not keep:
            self.fail("connection")
        if answer is None or answer.done():
            return
        headers, body = self._headers, b"".join(self._parts)
        try:
            if len(body) > MAX_REPLY:
                raise OutcomeUnknown("too_long")
            body = _unpacked(body, headers.get("content-encoding", "").lower())
        except OutcomeUnknown as error:
            answer.set_exception(error)
            return
        answer.set_result(
            HttpReply(
                status=self._parser.get_status_code(),
                body=body,
                content_type=headers.get("content-type", ""),
                headers=headers,
            )
        )


class HttpWire:
    """`core.channel.Wire` over kept-open connections, at most `connections` in all, first come, first served.

    Use it as a context manager, or `aclose` it. A connection is kept for `keepalive` seconds without a request.
    """

    def __init__(self, *, connections: int = 100, keepalive: float = 30.0) -> None:
        self._limit = connections
        self._keepalive = keepalive
        self._open = 0
        """Connections that are or may come to be: idle, busy, being made, or promised to somebody waiting."""
        self._idle: dict[_Origin, deque[_Connection]] = {}
        self._busy: set[_Connection] = set()
        self._waiting: deque[asyncio.Future[_Connection | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection. A later request opens one for itself and leaves none behind."""
        self._keepalive = 0.0
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(ConnectionAbortedError())
        for connection in [*self._busy, *(c for kept in self._idle.values() for c in kept)]:
            connection.fail("connection", "closed")
        if self._sweeper is not None:
            self._sweeper.cancel()
        await asyncio.sleep(0)  # in which the sockets close

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout: float = 8.0,
    ) -> HttpReply:
        """Send one request and read the whole answer; see `core.channel.Wire`. `url` is percent-encoded already.

        At most half of `timeout` goes to getting a connection, so that one that never comes ends as `NotSent`.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        try:
            origin, head = _head(method, url)
            fields = b"".join([_field(name, value) for name, value in headers.items()])
        except ValueError:
            raise NotSent(FailureClass.SENDER_CONFIG, "request") from None
        length = b"Content-Length: %d\r\n" % len(body) if body or method not in ("GET", "HEAD") else b""
        connection = self._kept(origin, now) or await self._connection(origin, timeout / 2)
        answer: asyncio.Future[HttpReply] = loop.create_future()
        timer = loop.call_at(now + timeout, connection.fail, "timeout")
        self._busy.add(connection)
        connection.send(b"".join((head, fields, length, b"\r\n", body)), answer, bodiless=method == "HEAD")
        try:
            return await answer
        finally:
            timer.cancel()
            self._busy.discard(connection)
            if connection.answer is not None:
                connection.fail("connection")  # cancelled half-way
            self._give_back(connection, loop)

    def _kept(self, origin: _Origin, now: float) -> _Connection | None:
        """The connection that was busy last, so that the others can grow old."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if not connection.closed and not connection.transport.is_closing():
                if now - connection.idle_since < self._keepalive:
                    return connection
                connection.fail("connection")
            self._free_slot()
        return None

    async def _connection(self, origin: _Origin, seconds: float) -> _Connection:
        """A new connection, or one that comes free where there are as many as may be; or `NotSent`."""
        try:
            async with asyncio.timeout(seconds):
                connection = await self._slot()
                if connection is not None and connection.origin == origin and not connection.closed:
                    return connection
                if connection is not None:
                    connection.fail("connection")
                return await self._connect(origin)
        except (OSError, ValueError):  # with time-outs, TLS and name look-up; ValueError: a name that is none
            raise NotSent(FailureClass.TRANSPORT, "connect") from None

    async def _slot(self) -> _Connection | None:
        """Wait for the right to one connection; with it may come the connection of whoever had it before."""
        if self._open < self._limit:
            self._open += 1
            return None
        for idle in self._idle.values():
            if idle:
                return idle.popleft()
        turn: asyncio.Future[_Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                connection = turn.result()  # our turn came too late for us
                if connection is not None:
                    connection.fail("connection")
                self._free_slot()
            raise

    async def _connect(self, origin: _Origin) -> _Connection:
        """Fill the slot that is ours, or free it."""
        try:
            if origin.tls and self._tls is None:
                self._tls = ssl.create_default_context()
                self._tls.set_alpn_protocols(["http/1.1"])
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(origin, self._lost),
                origin.host,
                origin.port,
                ssl=self._tls if origin.tls else None,
                happy_eyeballs_delay=_STAGGER,
            )
        except BaseException:
            self._free_slot()
            raise
        return connection

    def _give_back(self, connection: _Connection, loop: asyncio.AbstractEventLoop) -> None:
        """After a request: to whoever waits longest, or to the others that are kept."""
        if not connection.closed and self._keepalive <= 0:
            connection.fail("connection")
        if connection.closed:
            self._free_slot()
        elif not self._promise(connection):
            connection.idle_since = loop.time()
            self._idle.setdefault(connection.origin, deque()).append(connection)
            if self._sweeper is None:
                self._sweeper = loop.call_later(self._keepalive, self._sweep, loop)

    def _promise(self, connection: _Connection | None) -> bool:
        """Hand a slot to whoever waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    def _free_slot(self) -> None:
        if not self._promise(None):
            self._open -= 1

    def _lost(self, connection: _Connection) -> None:
        """A connection is gone. Where a request had it, that request frees the slot."""
        idle = self._idle.get(connection.origin, ())
        if connection in idle:
            self._idle[connection.origin].remove(connection)
            self._free_slot()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what has been idle for too long; `_lost` then forgets it."""
        since = loop.time() - self._keepalive
        kept = [connection for idle in self._idle.values() for connection in idle]
        for connection in kept:
            if connection.idle_since <= since:
                connection.fail("connection")
        self._sweeper = loop.call_later(self._keepalive, self._sweep, loop) if kept else None
