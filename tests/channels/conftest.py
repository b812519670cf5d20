"""What the tests of adapters and of the simulated providers share: a wire, a scripted provider, hooks, a client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider
from tests.channels.sandbox_hooks import Hooks


@pytest.fixture
async def wire() -> AsyncIterator[HttpWire]:
    """The shipped owner of outbound connections."""
    async with HttpWire() as wire:
        yield wire


@pytest.fixture
async def provider() -> AsyncIterator[HttpProvider]:
    """A provider that answers as it is told; no answer may be left over."""
    provider = HttpProvider()
    await provider.start()
    yield provider
    await provider.stop()
    assert provider.leftovers() == []


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    """Where simulated providers post their webhooks."""
    async with Hooks() as hooks:
        yield hooks


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the simulated providers."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session
