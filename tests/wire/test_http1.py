"""Answers in pieces of any size: what comes of them does not depend on where they are cut."""

from __future__ import annotations

import asyncio
import gzip
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.channel import HttpReply
from router.core.errors import OutcomeUnknown
from router.http1 import Connection
from tests.wire.raw import OK


class Line(asyncio.Transport):
    """Stands for the socket where the pieces in which bytes arrive matter."""

    aborted = False

    def write(self, data: Any) -> None: ...

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0


def outcome(parts: Iterator[bytes], method: str = "POST") -> tuple[Any, bool]:
    """What comes of an answer that arrives in these parts before the line ends; and whether it could be kept."""
    loop = asyncio.new_event_loop()
    try:
        answer: asyncio.Future[HttpReply] = loop.create_future()
        connection = Connection(("127.0.0.1", 80, False), lambda _: None)
        connection.connection_made(Line())
        connection.send(b"", answer, bodiless=method == "HEAD")
        for part in parts:
            if not connection._transport.is_closing():  # type: ignore[union-attr]
                connection.data_received(part)
        kept = connection.usable()
        if kept or not connection._transport.is_closing():  # type: ignore[union-attr]
            connection.eof_received()
        connection.connection_lost(None)
        assert answer.done()
        return answer.exception() or answer.result(), kept
    finally:
        loop.close()


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return (data[start:end] for start, end in itertools.pairwise(places))


CUTS = st.lists(st.integers(0, 2000), max_size=20)
FRAMINGS: dict[str, Callable[[bytes], bytes]] = {
    "length": lambda body: b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
    "gzip": lambda body: (
        b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(gzip.compress(body)), gzip.compress(body))
    ),
    "chunks": lambda body: (
        b"Transfer-Encoding: chunked\r\n\r\n%b0\r\nX-Late: hush\r\n\r\n"
        % b"".join(b"%x;ext=1\r\n%b\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7))
    ),
    "end": lambda body: b"\r\n" + body,
}


@given(body=st.binary(max_size=200), cuts=CUTS, early=st.booleans(), closing=st.booleans())
@pytest.mark.parametrize("framing", FRAMINGS)
def test_an_answer_is_the_same_in_any_pieces(
    framing: str, body: bytes, cuts: list[int], early: bool, closing: bool
) -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nX-Early: hush\r\n\r\n" * early + b"HTTP/1.1 201 Created\r\n"
    answer += b"Connection: close\r\n" * closing + b"X-Empty:\r\nX-Odd: Mixed \r\n" + FRAMINGS[framing](body)
    reply, kept = outcome(pieces(answer, cuts))
    assert (reply.status, reply.body, reply.headers["x-odd"], reply.headers["x-empty"]) == (201, body, "Mixed", "")
    assert not {"x-early", "x-late"} & set(reply.headers)
    assert kept == (framing != "end" and not closing)


@given(cuts=CUTS)
def test_a_second_answer_is_no_part_of_the_first(cuts: list[int]) -> None:
    second = b"HTTP/1.1 200 OK\r\nX-Other: hush\r\nContent-Length: 0\r\n\r\n"
    reply, kept = outcome(pieces(OK + b"ok" + second, cuts))
    assert (reply.body, reply.headers, kept) == (b"ok", {"content-length": "2"}, False)


@pytest.mark.parametrize("endless", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 100 Continue\r\n\r\n" * 3000])
def test_an_endless_head_is_too_long(endless: bytes) -> None:
    error, _ = outcome(iter([endless + b"x" * 70_000 * endless.endswith(b" ")]))
    assert (type(error), error.code) == (OutcomeUnknown, "too_long")


@given(cuts=CUTS)
@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("POST", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\n"),
    ],
)
def test_some_answers_have_no_body(method: str, head: bytes, cuts: list[int]) -> None:
    reply, _ = outcome(pieces(head, cuts), method)
    assert (reply.status, reply.body) == (int(head[9:12]), b"")


@given(garbage=st.binary(max_size=300), cuts=CUTS)
@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 ",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: ",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n",
    ],
)
def test_garbage_has_an_outcome(start: bytes, garbage: bytes, cuts: list[int]) -> None:
    result, _ = outcome(pieces(start + garbage, cuts))
    assert isinstance(result, HttpReply | OutcomeUnknown)
