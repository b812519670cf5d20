"""The wire over real sockets: what counts as not sent, what as unknown, and what it never does."""

from __future__ import annotations

import asyncio
import gzip
import socket
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.core.errors import FailureClass, NotSent, OutcomeUnknown, SendError
from router.wire import MAX_REPLY, HttpWire
from tests.channels.contract.http_provider import HttpProvider, Reply


@pytest.fixture
async def wire() -> AsyncIterator[HttpWire]:
    async with HttpWire() as wire:
        yield wire


@pytest.fixture
async def server() -> AsyncIterator[HttpProvider]:
    server = HttpProvider()
    await server.start()
    yield server
    await server.stop()
    assert server.leftovers() == []


async def post(wire: HttpWire, server: HttpProvider, **options: Any) -> Any:
    values: dict[str, Any] = {"headers": {"X-Key": "hush"}, "body": b"text", "timeout": 0.5}
    return await wire.request("POST", f"http://127.0.0.1:{server.port}/a?b=%2B", **(values | options))


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


async def failure(awaitable: Any) -> SendError:
    with pytest.raises(SendError) as caught:
        await awaitable
    assert "hush" not in "".join(traceback.format_exception(caught.value))
    return caught.value


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
        busy = asyncio.create_task(failure(post(wire, server, timeout=0.8)))
        await asyncio.sleep(0.05)
        error = await failure(post(wire, server, timeout=0.4))
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
    error = await failure(post(wire, server))
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
    task = asyncio.create_task(post(wire, server))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
