"""One simulated provider alone on a real socket, for the tests of the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from channels.sandbox.httpd import Connection, Reply, Request
from channels.sandbox.world import World
from router.core.channel import ChannelSpec
from router.settings import channel_settings
from tests.channels.contract.table import WEBHOOK_URL


class HttpSandbox(Protocol):
    """What every provider of the sandbox that speaks HTTP has."""

    prefix: str

    def handle(self, request: Request) -> Reply: ...
    def environment(self, http_url: str) -> dict[str, str]: ...


@contextlib.asynccontextmanager
async def mounted(world: World, provider: HttpSandbox) -> AsyncIterator[str]:
    """Serve `provider`; gives the address to make its environment from."""

    def handle(request: Request) -> Reply:
        return provider.handle(request) if request.path.startswith(provider.prefix) else Reply(404)

    connections: set[Connection] = set()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(handle, connections), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await world.callbacks.aclose()
        for connection in list(connections):
            connection.abort()
        await asyncio.sleep(0.01)


def settings_of(spec: ChannelSpec, environment: dict[str, str]) -> dict[str, str]:
    """What the composition root would hand to the adapter."""
    about = {"account": "main", "webhook_url": WEBHOOK_URL, "organization": "Example Union"}
    return channel_settings(spec, environment) | about
