"""A scripted HTTP server on loopback: plain sockets, one step for each request."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer. `hang` never answers; `cut` closes the line instead."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    cut: bool = False

    def encode(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        head = {"Content-Type": "application/json", **self.headers, "Content-Length": str(len(body))}
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in head.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Seen:
    """One request that came in."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


class HttpProvider:
    """Plays `Reply` steps in order and remembers the requests."""

    def __init__(self, setting: str = "api_url") -> None:
        self.requests: list[Seen] = []
        self._setting = setting
        self._steps: deque[Reply] = deque()
        self._unscripted = 0
        self._connections = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def settings(self) -> dict[str, str]:
        return {self._setting: f"http://127.0.0.1:{self.port}"}

    def script(self, *steps: Reply) -> None:
        self._steps.extend(steps)

    def leftovers(self) -> list[str]:
        return [f"never used: {step}" for step in self._steps] + ["not scripted"] * self._unscripted

    def seen(self) -> str:
        return "\n".join(request.line for request in self.requests)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._connections += 1
        number = self._connections
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *rest = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (item.partition(":") for item in rest)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append(Seen(line, headers, body, number))
                if not self._steps:
                    self._unscripted += 1
                    break
                step = self._steps.popleft()
                if step.hang:
                    await reader.read()
                    break
                if step.cut:
                    break
                writer.write(step.encode())
                await writer.drain()
        writer.close()
