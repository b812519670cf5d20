"""Fetch what came in, for channels that have no public address to be called at: long polling, sockets.

One process listens to an account at a time, by lease. What was fetched is committed before the provider is asked for
more, so that nothing is lost; what is fetched twice has one effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time

from router.core.channel import Listening
from router.core.errors import SendError, Unavailable
from router.receive import Receiver
from router.runtime import Runtime
from router.store.leases import give_lease_back, take_lease

log = logging.getLogger(__name__)

_LONGEST_REST = 60.0
"""Seconds to wait at most before a provider that cannot be reached is tried again."""


class Listener:
    """Listens to one account."""

    def __init__(self, runtime: Runtime, receiver: Receiver, channel: str, account: str, *, owner: str) -> None:
        adapter = runtime.channels[channel][account]
        assert isinstance(adapter, Listening), "only a channel that listens can be listened to"
        self._runtime = runtime
        self._receiver = receiver
        self._adapter: Listening = adapter
        self._channel = channel
        self._account = account
        self._name = f"listen/{channel}/{account}"
        self._owner = owner
        self._lasts: float = runtime.settings.lease
        """Seconds without renewal after which another process may listen; it is renewed three times as often."""

    async def run(self) -> None:
        """Listen whenever the lease can be had, until cancelled."""
        failures = 0
        while True:
            try:
                if not await self._take():
                    await asyncio.sleep(self._lasts / 3)
                    continue
                async with asyncio.timeout(None) as limit:
                    await self._listen(limit)
                failures = 0
            except TimeoutError:
                log.warning("%s: the lease was lost", self._name)
            except (SendError, Unavailable) as error:
                failures += 1
                rest = min(_LONGEST_REST, 2.0 ** min(failures, 6)) * (0.5 + random.random() / 2)  # noqa: S311
                log.warning("%s: %s; again in %.0f s", self._name, error, rest)
                await asyncio.sleep(rest)

    async def let_go(self) -> None:
        """Give the lease back; called once `run` was cancelled."""
        with contextlib.suppress(Unavailable):
            await self._runtime.store.transact(lambda connection: give_lease_back(connection, self._name, self._owner))

    async def _take(self) -> bool:
        lasts = self._runtime.settings.lease_ms
        return await self._runtime.store.transact(
            lambda connection: take_lease(connection, self._name, self._owner, lasts=lasts)
        )

    async def _listen(self, limit: asyncio.Timeout) -> None:
        """Commit what comes in while the lease is ours; `limit` ends it where the lease cannot be renewed."""
        renewing = asyncio.create_task(self._renew(limit))
        try:
            async for received in self._adapter.listen():
                await self._receiver.submit(self._channel, self._account, received, self._runtime.clock())
                if received.rest:
                    await asyncio.sleep(received.rest)
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing

    async def _renew(self, limit: asyncio.Timeout) -> None:
        held = time.monotonic()
        while True:
            await asyncio.sleep(self._lasts / 3)
            with contextlib.suppress(Unavailable):
                if await self._take():
                    held = time.monotonic()
                    continue
                held = 0.0
            if time.monotonic() - held > self._lasts * 2 / 3:
                limit.reschedule(asyncio.get_running_loop().time())
                return
