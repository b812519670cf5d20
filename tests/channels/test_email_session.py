"""One SMTP connection after its login, against a server that says what it is told to, at its own pace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from channels.email.session import LONGEST_ANSWER, Answer, LineLostError, Session

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def connected(serve: Serve, *, pipelining: bool = True) -> AsyncIterator[Session]:
    left = asyncio.Event()

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)
        session = Session(transport, pipelining=pipelining, smtputf8=False)
        yield session
        session.close()
        await left.wait()


def saying(*parts: bytes, then_stay: bool = False) -> Serve:
    """Answer the first bytes with these parts, one packet each."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        if then_stay:
            await reader.read()
            await reader.read()

    return serve


@pytest.mark.parametrize(
    "parts",
    [
        (b"250 2.1.0 ok\r\n250-first\r\n250 second\r\n354 go\r\n",),
        (b"25", b"0 2.1.0 ok\r", b"\n250-fir", b"st\r\n250 second\r\n", b"354 go\r\n"),
    ],
    ids=["in one packet", "cut anywhere"],
)
async def test_answers_are_read_however_they_are_cut(parts: tuple[bytes, ...]) -> None:
    async with connected(saying(*parts, then_stay=True)) as session:
        assert await session.ask(b"A\r\n", b"B\r\n", b"C\r\n") == [
            Answer(250, "2.1.0 ok"),
            Answer(250, "first\nsecond"),
            Answer(354, "go"),
        ]
        assert session.is_open


async def test_one_by_one_the_next_command_waits_and_a_refusal_ends_it() -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"250 ok\r\n", b"550 5.1.1 unknown\r\n"):
            heard.append(await reader.read(100))
            writer.write(answer)
        heard.append(await reader.read(100))

    async with connected(serve, pipelining=False) as session:
        answers = await session.ask(b"A\r\n", b"B\r\n", b"C\r\n")
    assert [answer.code for answer in answers] == [250, 550]
    assert heard[:2] == [b"A\r\n", b"B\r\n"]


async def test_who_says_421_is_heard_and_left() -> None:
    async with connected(saying(b"421 4.3.2 closing\r\n", then_stay=True)) as session:
        assert await session.ask(b"A\r\n", b"B\r\n") == [Answer(421, "4.3.2 closing")]
        assert not session.is_open


async def test_a_word_that_nobody_asked_for_makes_the_connection_useless() -> None:
    async with connected(saying(b"250 ok\r\n421 4.4.2 idle too long\r\n", then_stay=True)) as session:
        assert await session.ask(b"A\r\n") == [Answer(250, "ok")]
        await asyncio.sleep(0.05)
        assert not session.is_open


@pytest.mark.parametrize(
    "said",
    [b"", b"250 ok\r\n", b"<html>\r\n", b"2 5\r\n", b"250-" + b"x" * (2 * LONGEST_ANSWER) + b"\r\n", b"250-a\r\n"],
    ids=["nothing", "one answer of two", "no SMTP", "no code", "endless", "never finished"],
)
async def test_where_there_will_be_no_answer_it_says_so(said: bytes) -> None:
    async with connected(saying(said)) as session:
        with pytest.raises(LineLostError):
            await session.ask(b"A\r\n", b"B\r\n")
        assert not session.is_open
        with pytest.raises(LineLostError):
            session.write(b"C\r\n")


async def test_a_refusal_before_the_line_was_cut_is_what_counts() -> None:
    async with connected(saying(b"550 5.7.1 blocked\r\n")) as session:
        assert await session.ask(b"A\r\n", b"B\r\n") == [Answer(550, "5.7.1 blocked")]
