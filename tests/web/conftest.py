"""A real web application over a real ledger, reached over a real socket."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from channels.sms import SmsChannel
from router.receive import Receiver
from router.runtime import Runtime
from router.store.engine import Store
from router.web import make_app
from router.web.auth import Scope, create_token
from router.wire import HttpWire
from tests.support.runtime import Clock, running_runtime

AUTH_TOKEN = "the auth token of a Twilio account of the tests"
ACCOUNT_SID = "AC" + "0" * 32
MakeHeaders = Callable[..., Awaitable[dict[str, str]]]


@contextlib.asynccontextmanager
async def serving(runtime: Runtime, **options: Any) -> AsyncIterator[TestClient]:
    """A client of the application over `runtime`."""
    async with (
        Receiver(runtime).running() as receiver,
        TestClient(TestServer(make_app(runtime, receiver, **options))) as client,
    ):
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 20, 18, 0, tzinfo=UTC))


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    """The pages and the API are the same over both databases; what differs has tests of its own over both."""
    store = Store(sqlite_url)
    yield store
    await store.aclose()


@pytest.fixture
async def runtime(store: Store, clock: Clock) -> AsyncIterator[Runtime]:
    async with HttpWire() as wire:
        settings = {
            "account_sid": ACCOUNT_SID,
            "auth_token": AUTH_TOKEN,
            "from_number": "+12025550100",
            "account": "main",
            "webhook_url": "https://outreach.example.org/hooks/sms/main",
            "organization": "Tenants Together",
        }
        channels = {"sms": {"main": SmsChannel(settings, wire)}}
        async with running_runtime(store, clock=clock, channels=channels) as runtime:
            yield runtime


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[TestClient]:
    """Redirects are not followed and cookies do not exist."""
    async with serving(runtime, max_upload=3 * 1024 * 1024) as client:
        yield client


@pytest.fixture
def bearer(store: Store, clock: Clock) -> MakeHeaders:
    """``await bearer("campaigns:read")`` → the headers of a caller with those scopes; of an admin without any."""

    async def make(*scopes: str) -> dict[str, str]:
        token = await create_token(store, "tests", scopes or [Scope.ADMIN], clock())
        return {"Authorization": f"Bearer {token}"}

    return make


@pytest.fixture
async def admin(bearer: MakeHeaders) -> dict[str, str]:
    return await bearer()
