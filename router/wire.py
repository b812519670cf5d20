"""The owner of outbound HTTP connections: kept-open HTTP/1.1, its time limits, its errors, and whom it may reach.

What a failed request means (DESIGN.md 5):

    NotSent          no connection: name look-up, connect, TLS handshake, or no free connection in time
    Refused          a wire for strangers' addresses was to go to a private one: surely not sent, and never will be
    OutcomeUnknown   the request may have left: read time-out, cut connection, broken or oversized answer

Nothing is sent a second time, not even when a kept connection turns out dead, and no redirect is followed. Errors
carry the name of what went wrong and nothing else: no address, header or body, because those hold secrets.

This is the hot path of a blast, so a request costs one write, one future and one timer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Mapping
from typing import Self, TypeVar

from router.core.channel import HttpReply
from router.core.errors import FailureClass, NotSent
from router.hosts import Hosts, MayReach
from router.http1 import Connection, Origin, written

T = TypeVar("T")


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

    With `may_reach` it connects to no address for which that is false: the wire for URLs that strangers gave us is
    one of its own, made with `hosts.is_public` or `hosts.public_or`, and shares no connection with another.
    """

    def __init__(self, *, connections: int = 100, keepalive: float = 30.0, may_reach: MayReach | None = None) -> None:
        self._limit = connections
        self._keepalive = keepalive
        self._slots = asyncio.Semaphore(connections)
        self._hosts = Hosts(may_reach)
        self._open: set[Connection] = set()
        """All that are or are being made."""
        self._idle: dict[Connection, float] = {}
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
            origin, request = written(method, url, headers, body)
        except ValueError:
            raise NotSent(FailureClass.SENDER_CONFIG, "request") from None
        loop = asyncio.get_running_loop()
        start = loop.time()
        turn = self._slots.acquire()
        await (_in_time(turn, start + timeout / 2) if self._slots.locked() else turn)
        try:
            if (connection := self._kept(origin, loop)) is None:
                connection = await _in_time(self._connect(origin, loop), start + timeout / 2)
            answer: asyncio.Future[HttpReply] = loop.create_future()
            timer = loop.call_at(start + timeout, connection.close, "timeout")
            try:
                connection.send(request, answer, bodiless=method == "HEAD")
                return await answer
            finally:
                timer.cancel()
                self._keep(connection, loop)
        finally:
            self._slots.release()

    def _kept(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> Connection | None:
        """The connection that was busy last, so that the others can grow old."""
        for connection, since in reversed(self._idle.items()):
            if connection.origin == origin and connection.usable() and loop.time() < since + connection.patience:
                del self._idle[connection]
                return connection
        return None

    async def _connect(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> Connection:
        if len(self._open) >= self._limit and self._idle:
            next(iter(self._idle)).close()
        host, port, tls = origin
        if tls and self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        connection = Connection(origin, self._forget)
        self._open.add(connection)
        try:
            sock = await self._hosts.connect(host, port)
            context, name = (self._tls, host) if tls else (None, None)
            # The socket is the loop's from here on, which closes it also where this fails or is cancelled.
            await loop.create_connection(lambda: connection, sock=sock, ssl=context, server_hostname=name)
            if not connection.usable():  # ended as soon as it was made
                raise ConnectionResetError
        except BaseException:
            self._open.discard(connection)
            raise
        return connection

    def _keep(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """After a request: keep its connection, unless an answer may still come over it that nobody waits for."""
        if not connection.usable() or not self._keepalive:
            connection.close()
            return
        self._idle[connection] = loop.time()
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._keepalive, self._sweep, loop)

    def _forget(self, connection: Connection) -> None:
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
