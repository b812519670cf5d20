"""Connections: kept, counted, waited for in turn, closed in time, and gone without a trace when one is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from router.core.channel import HttpReply
from router.core.errors import OutcomeUnknown
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.wire.raw import BODIES, OK, failure, moments, post, raw, say, take


async def test_a_server_that_closes_after_each_answer_loses_nothing(wire: HttpWire) -> None:
    """Every request is answered or unknown; none is seen twice, and one that was answered was seen."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request := await take(reader):
            seen.append(request[-2:])
            writer.write(OK + request[-2:])

    async with raw(serve) as port:
        outcomes = {body: await asyncio.gather(say(wire, port, body), return_exceptions=True) for body in BODIES}
        answered = [body for body, [reply] in outcomes.items() if isinstance(reply, HttpReply) and reply.body == body]
        assert all(isinstance(reply, HttpReply | OutcomeUnknown) for [reply] in outcomes.values())
        assert len(seen) == len(set(seen))
        assert set(answered) <= set(seen)
        for body in BODIES:
            await asyncio.sleep(0.005)  # time enough to learn that the connection is closed
            assert (await say(wire, port, body)).body == body


async def test_first_come_first_served() -> None:
    """With one connection the order is that of asking, also for those who ask while one comes free."""
    seen: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while request := await take(reader):
            seen.append(request[-2:])
            writer.write(OK + request[-2:])

    async with raw(serve) as port, HttpWire(connections=1) as wire:
        latecomers = []

        async def ask(body: bytes) -> None:
            await say(wire, port, body)
            latecomers.append(asyncio.create_task(say(wire, port, b"z" + body[1:])))

        await asyncio.gather(*(ask(body) for body in BODIES))
        await asyncio.gather(*latecomers)
    assert seen[: len(BODIES)] == BODIES
    assert connections == 1


async def test_no_more_connections_than_allowed() -> None:
    """Counted over two servers: an idle connection to one makes room for the other."""
    open_now = most = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        while await take(reader):
            await asyncio.sleep(0.001)
            writer.write(OK + b"ok")
        open_now -= 1

    async with raw(serve) as one, raw(serve) as other, HttpWire(connections=3) as wire:
        for port in (one, other) * 3:
            await asyncio.gather(*(say(wire, port) for _ in range(9)))
            await asyncio.sleep(0.01)
            assert open_now == 3
    assert most <= 6  # a server hears of the end of a connection a little later than of the next one's beginning


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await take(reader):
            writer.write(OK + b"ok")
        ended.set()

    async with raw(serve) as port, HttpWire(keepalive=0.1) as wire:
        for _ in range(3):
            await say(wire, port)
            await asyncio.sleep(0.05)
            assert not ended.is_set()
        await asyncio.wait_for(ended.wait(), 1.0)


@pytest.mark.parametrize("moment", [0, 1, 2, 3, 4, 5, 6, 8, 10, 20])
async def test_cancelling_at_any_moment_leaves_no_trace(moment: int) -> None:
    """The connection is closed, its place is free, and the next request has its own answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await take(reader):
            writer.write(OK + request[-2:-1])
            if request.endswith(b"no"):
                await asyncio.sleep(0.02)
            if writer.is_closing():  # uvloop takes no more where asyncio only forgets it
                return
            writer.write(request[-1:])

    async with raw(serve) as port, HttpWire(connections=2) as wire:
        for body in BODIES[:5]:
            tasks = [asyncio.create_task(say(wire, port, b"no")) for _ in range(5)]
            await moments(moment)
            for task in tasks:
                task.cancel()
            assert all(
                isinstance(end, asyncio.CancelledError | HttpReply)
                for end in await asyncio.gather(*tasks, return_exceptions=True)
            )
            replies = await asyncio.gather(*(say(wire, port, body) for _ in range(4)))
            assert {reply.body for reply in replies} == {body}


async def test_cancelling_closes_the_connection(wire: HttpWire) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await take(reader):
            writer.write(OK)  # and never the body
        ended.set()

    async with raw(serve) as port:
        task = asyncio.create_task(say(wire, port))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait_for(ended.wait(), 1.0)


async def test_nothing_is_left_open(server: HttpProvider) -> None:
    server.script(Reply(), Reply(hang=True), Reply())
    wire = HttpWire()
    await post(wire, server)
    busy = asyncio.create_task(failure(post(wire, server)))
    await asyncio.sleep(0.05)
    await wire.aclose()
    assert type(await busy) is OutcomeUnknown
    await post(wire, server)  # and a late request leaves nothing behind
    await asyncio.sleep(0.01)
    assert all(writer.transport.is_closing() for writer in server._writers)
