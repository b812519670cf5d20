"""The wire over real sockets: what counts as not sent, what as unknown, and what it never does."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import socket
from typing import Any

import pytest

from router.core.errors import FailureClass, NotSent, OutcomeUnknown
from router.http1 import MAX_REPLY
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.wire.raw import OK, failure, post, raw, reset, say, take


async def test_an_answer_of_any_status_is_an_answer(wire: HttpWire, server: HttpProvider) -> None:
    server.script(Reply(503, b"later", {"Retry-After": "5", "X-Odd": "Mixed"}))
    reply = await post(wire, server)
    assert (reply.status, reply.body, reply.content_type) == (503, b"later", "application/json")
    assert reply.headers["retry-after"] == "5"
    assert reply.headers["x-odd"] == "Mixed"
    [request] = server.requests
    assert request.line == "POST /a?b=%2B HTTP/1.1"
    assert (request.body, request.headers["x-key"]) == (b"text", "hush")


async def test_connections_are_kept(wire: HttpWire, server: HttpProvider) -> None:
    server.script(*[Reply()] * 3)
    for _ in range(3):
        await post(wire, server)
    assert {request.connection for request in server.requests} == {1}


async def test_cookies_are_forgotten_and_redirects_not_followed(wire: HttpWire, server: HttpProvider) -> None:
    server.script(Reply(302, b"", {"Location": "/elsewhere", "Set-Cookie": "a=b"}), Reply())
    assert (await post(wire, server)).status == 302
    await post(wire, server)
    assert "cookie" not in server.requests[1].headers


async def test_a_post_is_not_sent_again_when_its_kept_connection_was_closed(
    wire: HttpWire, server: HttpProvider
) -> None:
    server.script(Reply(), Reply(cut=True), Reply())
    await post(wire, server)
    with pytest.raises(OutcomeUnknown):
        await post(wire, server)
    assert len(server.requests) == 2
    await post(wire, server)


async def test_nobody_listening_is_not_sent(wire: HttpWire, server: HttpProvider) -> None:
    closed = HttpProvider()
    await closed.start()
    await closed.stop()
    error = await failure(post(wire, closed))
    assert (type(error), error.failure, error.code) == (NotSent, FailureClass.TRANSPORT, "connect")
    error = await failure(wire.request("POST", "http://hush.invalid/hush", headers={}))
    assert (type(error), error.code) == (NotSent, "connect")
    error = await failure(wire.request("POST", f"https://127.0.0.1:{server.port}/hush", headers={}, timeout=1.0))
    assert (type(error), error.code) == (NotSent, "connect")


async def test_a_connection_that_never_comes_is_not_sent(wire: HttpWire) -> None:
    """A full backlog swallows the handshake: nothing answers, nothing refuses."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/hush"
        error = await failure(wire.request("POST", url, headers={}, timeout=0.4))
    assert (type(error), error.code) == (NotSent, "connect")


async def test_waiting_for_a_free_connection_is_not_sent(server: HttpProvider) -> None:
    server.script(Reply(hang=True))
    async with HttpWire(connections=1) as wire:
        busy = asyncio.create_task(failure(post(wire, server, timeout=1.5)))
        await asyncio.sleep(0.05)
        error = await failure(post(wire, server, timeout=0.5))
        assert (type(error), error.code) == (NotSent, "connect")
        assert type(await busy) is OutcomeUnknown


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(hang=True), "timeout"),
        (Reply(cut=True), "connection"),
        (Reply(body=b"x" * (MAX_REPLY + 1)), "too_long"),
        (Reply(body=gzip.compress(b"x" * (MAX_REPLY + 1)), headers={"Content-Encoding": "gzip"}), "too_long"),
        (Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}), "connection"),
    ],
)
async def test_what_may_have_been_sent_is_unknown(
    wire: HttpWire, server: HttpProvider, reply: Reply, code: str
) -> None:
    server.script(reply)
    error = await failure(post(wire, server, timeout=0.5 if reply.hang else 5.0))
    assert (type(error), error.failure, error.code) == (OutcomeUnknown, FailureClass.TRANSPORT, code)


async def test_the_largest_answer_is_read(wire: HttpWire, server: HttpProvider) -> None:
    server.script(
        Reply(body=b"x" * MAX_REPLY), Reply(body=gzip.compress(b"y" * MAX_REPLY), headers={"Content-Encoding": "gzip"})
    )
    assert len((await post(wire, server, timeout=5.0)).body) == MAX_REPLY
    assert (await post(wire, server, timeout=5.0)).body == b"y" * MAX_REPLY


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("not an address hush", {}),
        ("ftp://127.0.0.1/hush", {}),
        ("http://[hush/", {}),
        ("http://127.0.0.1:99999/hush", {}),
        ("http://127.0.0.1/", {"X-Key": "hush\r\nX-Other: 1"}),
        ("http://user:hush@127.0.0.1/", {"Authorization": "Basic hush"}),
    ],
)
async def test_a_request_that_cannot_be_made_is_not_sent(wire: HttpWire, url: str, headers: dict[str, str]) -> None:
    error = await failure(wire.request("POST", url, headers=headers, timeout=0.5))
    assert isinstance(error, NotSent)
    assert error.code in ("request", "connect")


async def test_cancelling_is_not_an_answer(wire: HttpWire, server: HttpProvider) -> None:
    server.script(Reply(hang=True))
    task = asyncio.create_task(post(wire, server, timeout=30.0))
    while not server.requests:  # noqa: ASYNC110 - the provider says nothing of itself
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("method", "length"), [("POST", b"Content-Length: 0\r\n"), ("GET", b"")])
async def test_what_is_written(wire: HttpWire, method: str, length: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await take(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + head)

    async with raw(serve) as port:
        assert (await say(wire, port, method=method)).body == (
            b"%b /a?b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: outreach-router\r\n"
            b"Accept-Encoding: identity\r\nX-Key: v\r\n%b\r\n" % (method.encode(), port, length)
        )


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "a", {"X-Key": "hush\r\nX-Other: 1"}),
        ("POST", "a", {"X-Key": "hush\n"}),
        ("POST", "a", {"X-Key": "hush\0"}),
        ("POST", "a", {"X-Key: hush\r\nX": ""}),
        ("POST", "a", {"X Key": "hush"}),
        ("POST", "a", {"": "hush"}),
        ("POST", "a", {"X-Key": "\ud800"}),
        ("POST", "a", {"content-length": "4"}),
        ("POST", "a", {"Transfer-Encoding": "chunked"}),
        ("POST", "a", {"Host": "hush.example.org"}),
        ("POST", "a\r\nX-Other: 1", {}),
        ("POST", "a\0", {}),
        ("POST", "a b", {}),
        ("POST", "ä", {}),
        ("POST / HTTP/1.1\r\nX", "a", {}),
        ("", "a", {}),
    ],
)
async def test_a_request_stays_in_its_lines(
    wire: HttpWire, server: HttpProvider, method: str, path: str, headers: dict[str, str]
) -> None:
    error = await failure(wire.request(method, f"http://127.0.0.1:{server.port}/{path}", headers=headers, body=b"text"))
    assert (type(error), error.failure, error.code) == (NotSent, FailureClass.SENDER_CONFIG, "request")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x16\x03\x01 not HTTP",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncut\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 9_000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_REPLY + 1),
    ],
)
async def test_a_broken_answer_is_unknown_and_spoils_nothing(wire: HttpWire, answer: bytes) -> None:
    answers = iter([answer, OK + b"ok"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await take(reader):
            writer.write(next_answer := next(answers))
            if b"br" not in next_answer[:60]:
                break
        await writer.drain()

    async with raw(serve) as port:
        assert isinstance(await failure(say(wire, port)), OutcomeUnknown)
        assert (await say(wire, port)).body == b"ok"


@pytest.mark.parametrize("pause", [0.0, 0.02])
async def test_what_a_server_says_unasked_answers_nothing(wire: HttpWire, pause: float) -> None:
    numbers = itertools.count(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await take(reader):
            writer.write(OK + b"%02d" % next(numbers))
            await asyncio.sleep(pause)
            writer.write(OK + b"no")

    async with raw(serve) as port:
        for number in (1, 2, 3):
            assert (await say(wire, port)).body == b"%02d" % number
            await asyncio.sleep(pause * 2)


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nX-A", OK + b"o", CHUNKS + b"2\r\nok\r\n", CHUNKS[:-2]])
async def test_a_reset_is_unknown_at_once_and_spoils_nothing(wire: HttpWire, said: bytes) -> None:
    resets = iter([True, False])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await take(reader):
            if next(resets):
                writer.write(said)
                await asyncio.sleep(0.01)
                reset(writer)
                return
            writer.write(OK + b"ok")

    async with raw(serve) as port:
        error = await failure(say(wire, port))
        assert (type(error), error.code) == (OutcomeUnknown, "connection")
        assert (await say(wire, port)).body == b"ok"


@pytest.mark.parametrize("greeting", [b"", b"220 mail.example.org ESMTP\r\n"])
@pytest.mark.parametrize("resets", [False, True])
async def test_a_server_that_does_not_wait_for_a_request(wire: HttpWire, greeting: bytes, resets: bool) -> None:
    """Whether the request was under way by then is a matter of luck; nobody waits for an answer that cannot come."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        if resets:
            reset(writer)

    async with raw(serve) as port:
        for _ in range(10):
            error = await failure(say(wire, port))
            assert (type(error), error.code) in [(NotSent, "connect"), (OutcomeUnknown, "connection")]


async def test_a_connection_that_ended_before_its_first_request_is_not_sent(
    wire: HttpWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def slowly(*arguments: Any, **options: Any) -> Any:
        made = await connect(*arguments, **options)
        await asyncio.sleep(0.02)
        return made

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    monkeypatch.setattr(loop, "create_connection", slowly)
    async with raw(serve) as port:
        error = await failure(say(wire, port))
    assert (type(error), error.code) == (NotSent, "connect")


async def test_what_a_server_says_before_its_answer_is_passed_over(wire: HttpWire) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await take(reader):
            for part in (
                b"HTTP/1.1 100 Con",
                b"tinue\r\nX-Early: 1\r\n\r\n",
                b"HTTP/1.1 102 Processing\r\n\r\n",
                OK,
                b"ok",
            ):
                writer.write(part)
                await asyncio.sleep(0.005)

    async with raw(serve) as port:
        for _ in range(2):
            reply = await say(wire, port)
            assert (reply.status, reply.body, reply.headers) == (200, b"ok", {"content-length": "2"})


async def test_chunks_that_dribble_in(wire: HttpWire) -> None:
    body = bytes(range(256)) * 64

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await take(reader):
            writer.write(CHUNKS)
            for at in range(0, len(body), 4096):
                writer.write(b"1000\r\n" + body[at : at + 4000])
                await asyncio.sleep(0.001)
                writer.write(body[at + 4000 : at + 4096] + b"\r")
                await asyncio.sleep(0)
                writer.write(b"\n")
            writer.write(b"0\r\nX-Sum: hush\r\n\r\n")

    async with raw(serve) as port:
        for _ in range(2):
            reply = await say(wire, port)
            assert (reply.body, reply.headers) == (body, {"transfer-encoding": "chunked"})


@pytest.mark.parametrize(
    ("said", "connections"),
    [
        ("timeout=1, max=9", 2),
        ("timeout=0", 2),
        ("max=9, Timeout = 1", 2),
        ("timeout=60", 1),
        ("max=9", 1),
        ("timeout=never", 1),
    ],
)
async def test_a_connection_is_not_used_when_the_server_is_about_to_close_it(
    wire: HttpWire, said: str, connections: int
) -> None:
    """Node.js closes after 5 s and says so; a request that meets the close has an unknown outcome."""
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        while await take(reader):
            writer.write(OK[:-2] + f"Keep-Alive: {said}\r\n\r\nok".encode())

    async with raw(serve) as port:
        for _ in range(2):
            assert (await say(wire, port)).body == b"ok"
    assert served == connections


async def test_an_answer_to_half_a_request_is_an_answer(wire: HttpWire) -> None:
    """ "413 Content Too Large" comes while we write. What is left to write must not hold up the next request."""
    answers = iter([b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", OK + b"ok"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(next(answers))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(3.0)

    async with raw(serve) as port:
        assert (await say(wire, port, b"x" * 20_000_000)).status == 413
        assert (await say(wire, port)).body == b"ok"
