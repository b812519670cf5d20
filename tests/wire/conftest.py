"""Every test of this folder that has an event loop runs on each that a process of ours may have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from router.loop import loop_factory
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """asyncio's own loop, and uvloop's where that can be had."""
    uvloop = loop_factory()
    return {"asyncio": asyncio.new_event_loop} | ({"uvloop": uvloop} if uvloop else {})


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
