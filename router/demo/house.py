"""What every scenario of the demo runs in: a fresh ledger, simulated providers, web server, worker and a clock."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from channels.sandbox import CALLING, Sandbox
from router.app import open_runtime
from router.core.policy import Policy
from router.core.rates import ChannelRules, Pace
from router.runtime import Runtime
from router.serving import serving
from router.settings import Settings
from router.store.migrate import migrate
from router.worker import run_worker

EVENING = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
"""The demo's clock starts on this Thursday, when it is day from San Francisco to Berlin and night in Sydney."""

_FAST = Pace(rate=1000, burst=1000)
RULES = {
    "sms": ChannelRules(rate=400, burst=400, concurrency=10, price=0.0083),
    "whatsapp": ChannelRules(rate=400, burst=400, concurrency=10, price=0.005, no_asks_to=["+1"]),
    "telegram": ChannelRules(rate=400, burst=400, concurrency=10, each={"chat": Pace(rate=1), "group": Pace(rate=1)}),
    "slack": ChannelRules(rate=400, burst=400, concurrency=5, each={"chat": Pace(rate=1), "group": Pace(rate=1)}),
    "webpush": ChannelRules(rate=0, concurrency=10, each={"host": _FAST}),
    "fcm": ChannelRules(rate=400, burst=400, concurrency=10),
    "email": ChannelRules(rate=400, burst=400, concurrency=5, price=0.0001),
    "apprise": ChannelRules(rate=10, burst=10, concurrency=1),
}
"""A simulated sender may send faster than a real one; everything else is as shipped."""


class Clock:
    """Real time, moved to the demo's evening, and forward where the demo skips a night."""

    def __init__(self, start: datetime = EVENING) -> None:
        self._start = start
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def move_to(self, moment: datetime) -> None:
        self._start = moment
        self._began = time.monotonic()


@contextlib.asynccontextmanager
async def installation(
    folder: Path,
    clock: Clock,
    *,
    guarded: bool = False,
    rules: Mapping[str, ChannelRules] | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[Runtime, Sandbox, str]]:
    """A fresh ledger, the simulated providers and the web server that they call back.

    `rules` and `environment` go over the usual ones. Only where it is `guarded` does a large ask leave in stages, and
    stop where too many ask for silence.
    """
    port = free_port()
    public = f"http://127.0.0.1:{port}"
    settings = Settings(
        database_url=f"sqlite:///{folder / 'demo.sqlite3'}",
        public_url=public,
        organization="Tenants Together",
        postal_address="12 Example Street, Springfield",
        help_contact="https://example.org/help",
        default_region="US",
        private_networks="127.0.0.0/8",
        port=port,
    )
    async with (
        Sandbox(
            webhooks={name: f"{public}/hooks/{name}/main" for name in CALLING}, clock=lambda: clock().timestamp()
        ) as sandbox,
        open_runtime(
            settings,
            environment=sandbox.channel_environment() | dict(environment or {}),
            rules=RULES | dict(rules or {}),
            clock=clock,
        ) as shipped,
    ):
        runtime = shipped if guarded else replace(shipped, policy=_at_once(shipped.policy))
        await migrate(runtime.store)
        async with serving(runtime, host="127.0.0.1", port=port) as url:
            yield runtime, sandbox, url


def _at_once(policy: Policy) -> Policy:
    """The policy without stages and limits, for a scenario that is about something else."""
    guard = policy.guard
    changes = {
        "limits": guard.limits.model_copy(update={"opt_outs": {"default": 0.05}}),
        "canary": guard.canary.model_copy(update={"above": 10**9}),
        "ramp": guard.ramp.model_copy(update={"above": 10**9}),
    }
    return policy.model_copy(update={"guard": guard.model_copy(update=changes)})


@contextlib.asynccontextmanager
async def working(runtime: Runtime) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(runtime, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await task


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
