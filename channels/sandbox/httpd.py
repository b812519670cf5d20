"""A small HTTP/1.1 server on an asyncio protocol: a third of the cost of a full web framework per request.

The sandbox is the provider in benchmarks, so what it costs is taken from the program under test. Handlers are plain
functions from a request to a reply; waiting, never answering and cutting the connection are properties of the reply.
It is meant for loopback: bodies come with Content-Length, and are at most one megabyte.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from binascii import a2b_qp
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

MAX_HEAD = 32_768
MAX_BODY = 1_048_576


@dataclass(slots=True)
class Request:
    """One request. Header names are lower-case; `path` is still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""

    def arguments(self) -> dict[str, str]:
        """The query string; the last of equal names wins. Raises ValueError where there are absurdly many."""
        return dict(parse_qsl(self.query, keep_blank_values=True, max_num_fields=100))

    def form(self) -> dict[str, str]:
        """A urlencoded body; the last of equal names wins. Raises ValueError where it is none."""
        return parse_form(self.body)

    def json(self) -> dict[str, Any]:
        """A JSON object as body; raises ValueError where it is anything else."""
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("body: not a JSON object")
        return value


@dataclass(slots=True)
class Reply:
    """What is answered, when, and whether at all."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    """Seconds to wait first."""
    ending: str = ""
    """``hang`` never answers, ``cut`` drops the connection without an answer."""
    stream: Iterator[bytes] | None = None
    """Sent in pieces in the place of `body`."""


def json_reply(value: Any, status: int = 200, **more: Any) -> Reply:
    """A value as JSON."""
    return Reply(status, json.dumps(value, separators=(",", ":")).encode(), **more)


Handler = Callable[[Request], Reply]


class _BadRequestError(Exception):
    """Answered with this status; the connection is closed."""

    def __init__(self, status: int) -> None:
        self.status = status


class _Head(NamedTuple):
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    length: int
    """Of the body that follows."""
    last: bool
    """Whether the client wants the connection closed."""
    expects: bool
    """Whether the client waits for a word before it sends the body."""


@lru_cache(maxsize=1024)
def _parse_head(raw: bytes) -> _Head:
    """Read a request's head. A client sends the same few heads again and again, so they are remembered."""
    first, *lines = raw.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise _BadRequestError(400)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise _BadRequestError(411)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise _BadRequestError(400)
    if len(length) > 9 or int(length) > MAX_BODY:
        raise _BadRequestError(413)
    last = parts[2] == "HTTP/1.0" or headers.get("connection", "").lower() == "close"
    expects = headers.get("expect", "").lower() == "100-continue"
    path, _, query = parts[1].partition("?")
    return _Head(parts[0], path, query, headers, int(length), last, expects)


def parse_form(body: bytes) -> dict[str, str]:
    """A urlencoded form, as `urllib.parse.parse_qsl` reads it; the last of equal names wins. Raises ValueError.

    Percent escapes are decoded by the quoted-printable decoder of the standard library, which is the same escape with
    another sign and runs in C: parsing with ``parse_qsl`` was nearly half of the whole cost of a message.
    """
    pairs = body.split(b"&")
    if len(pairs) > 100:
        raise ValueError("more than 100 fields")
    form = {}
    for pair in pairs:
        name, equals, value = pair.partition(b"=")
        if not (name or equals):
            continue
        if b"%" not in value:
            text = value.replace(b"+", b" ").decode("utf-8", "replace")
        elif _ODD.search(value):
            text = unquote_plus(value.decode("utf-8", "replace"))
        else:
            text = a2b_qp(value.replace(b"+", b" ").replace(b"%", b"=")).decode("utf-8", "replace")
        key = name.decode("utf-8", "replace")
        form[unquote_plus(key) if "%" in key or "+" in key else key] = text
    return form


_ODD = re.compile(rb"[=\r\n]|%(?![0-9A-Fa-f]{2})")
"""Where the two escapes differ."""


class Connection(asyncio.Protocol):
    """One client. Requests are answered one after the other, in order, pipelined or not."""

    def __init__(self, handler: Handler, connections: set[Connection]) -> None:
        self._handler = handler
        self._connections = connections
        self._transport: asyncio.Transport
        self._buffer = b""
        self._request: Request | None = None
        self._missing = 0
        self._busy = False
        self._last = False
        self._stream: Iterator[bytes] | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        self._stream = None

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if len(self._buffer) > MAX_HEAD + MAX_BODY and self._busy:
            self.abort()
        elif not self._busy:
            self._advance()

    def _advance(self) -> None:
        """Answer every complete request in the buffer."""
        try:
            while not self._busy and not self._transport.is_closing():
                if self._request is None and not self._read_head():
                    return
                request = self._request
                if request is None or len(self._buffer) < self._missing:
                    return
                request.body, self._buffer = self._buffer[: self._missing], self._buffer[self._missing :]
                self._request = None
                self._answer(self._handler(request))
        except _BadRequestError as error:
            self._last = True
            self._write(Reply(error.status))
        except Exception as error:
            # A fault of ours must neither look like a provider's answer nor pass unseen.
            asyncio.get_running_loop().call_exception_handler({"message": "sandbox handler failed", "exception": error})
            self.abort()

    def _read_head(self) -> bool:
        """Take one request's head off the buffer; False where it is not all there yet."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise _BadRequestError(431)
            return False
        head = _parse_head(self._buffer[:end])
        self._buffer = self._buffer[end + 4 :]
        self._missing = head.length
        self._last = self._last or head.last
        if head.expects and len(self._buffer) < self._missing:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._request = Request(head.method, head.path, head.query, head.headers)
        return True

    def _answer(self, reply: Reply) -> None:
        if reply.delay or reply.ending:
            self._busy = True
            if reply.ending != "hang":
                asyncio.get_running_loop().call_later(reply.delay, self._answer_late, reply)
        else:
            self._write(reply)

    def _answer_late(self, reply: Reply) -> None:
        if reply.ending == "cut":
            self.abort()
        elif not self._transport.is_closing():
            self._busy = False
            self._write(reply)
            if not self._busy:
                self._advance()

    def _write(self, reply: Reply) -> None:
        head = _status_line(reply.status, reply.content_type) + _date(int(time.time()))
        for name, value in reply.headers:
            head += f"{name}: {value}\r\n".encode()
        if self._last:
            head += b"Connection: close\r\n"
        if reply.stream is not None:
            self._busy = True
            self._stream = reply.stream
            self._transport.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
            self._pump()
            return
        self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(reply.body), reply.body))
        if self._last:
            self._transport.close()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pump()

    def _pump(self) -> None:
        """Send the next piece of a stream, then let others have their turn."""
        if self._stream is None or self._paused:
            return
        piece = next(self._stream, b"")
        self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if piece:
            if not self._paused:
                asyncio.get_running_loop().call_soon(self._pump)
            return
        self._stream = None
        self._busy = False
        if self._last:
            self._transport.close()
        else:
            self._advance()


@lru_cache(maxsize=64)
def _status_line(status: int, content_type: str) -> bytes:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type}\r\n".encode()


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
