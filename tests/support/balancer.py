"""What stands before several web servers: it passes connections on to the one that is in service."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

from tests.support.movement import free_port


class Balancer:
    """Listens on one port and passes each new connection on to `target`; nobody there: it is closed unanswered."""

    def __init__(self) -> None:
        self.port = free_port()
        self.target = 0
        self._server: asyncio.Server | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address that others know."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._under_way.copy():
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            with contextlib.suppress(OSError):
                there, here = await asyncio.open_connection("127.0.0.1", self.target)
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(_pass_on(reader, here))
                        group.create_task(_pass_on(there, writer))
                finally:
                    here.close()
        finally:
            writer.close()
            self._under_way.discard(task)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until one side has ended; then the other is ended, too."""
    with contextlib.suppress(OSError):
        while piece := await source.read(65_536):
            sink.write(piece)
            await sink.drain()
    sink.close()
