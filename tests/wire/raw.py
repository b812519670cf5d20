"""Servers that say what a scripted provider does not: raw bytes, in any pieces, at any time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import stat
import struct
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from router.core.channel import HttpReply
from router.core.errors import SendError
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
BODIES = [b"%02d" % number for number in range(30)]


async def failure(awaitable: Any) -> SendError:
    with pytest.raises(SendError) as caught:
        await awaitable
    assert "hush" not in "".join(traceback.format_exception(caught.value))
    return caught.value


async def take(reader: asyncio.StreamReader) -> bytes:
    """The next request's bytes; b"" at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return head + await reader.readexactly(int(length or b"0"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw(serve: Serve, **options: Any) -> AsyncIterator[int]:
    """A server's port. Every connection is `serve`d and then closed."""

    tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await serve(reader, writer)
        finally:
            writer.close()

    def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks[asyncio.create_task(connected(reader, writer))] = writer

    server = await asyncio.start_server(start, options.pop("host", "127.0.0.1"), 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task, writer in tasks.items():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def say(wire: HttpWire, port: int, body: bytes = b"", **options: Any) -> HttpReply:
    values: dict[str, Any] = {"method": "POST", "headers": {"X-Key": "v"}, "body": body, "timeout": 2.0}
    url = f"{options.pop('base', 'http://127.0.0.1')}:{port}/a?b"
    return await wire.request(url=url, **(values | options))


async def moments(count: int) -> None:
    """Let everybody else take so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a crashed server's machine does: by RST instead of FIN."""
    line: socket.socket = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def open_sockets() -> int:
    """How many sockets this process has open."""
    gc.collect()
    found = 0
    for number in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):
            found += stat.S_ISSOCK(os.fstat(int(number.name)).st_mode)
    return found


async def settled(count: int) -> None:
    """Wait until this process has `count` sockets open, as before; fail where that does not come about."""
    for _ in range(100):
        if open_sockets() <= count:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{open_sockets() - count} sockets are left open")


async def post(wire: HttpWire, server: HttpProvider, **options: Any) -> Any:
    """One request to where the provider listens."""
    values: dict[str, Any] = {"headers": {"X-Key": "hush"}, "body": b"text", "timeout": 2.0}
    return await wire.request("POST", f"http://127.0.0.1:{server.port}/a?b=%2B", **(values | options))
