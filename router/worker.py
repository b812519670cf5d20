"""The loops of a worker and their graceful stop. No rules live here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from sqlalchemy import text

from router.community.group_chats.showing import show_tallies, stop_showing
from router.competing import next_route
from router.core.channel import Listening
from router.core.errors import Unavailable
from router.core.standing import rebalance
from router.crm.posting import forget_told, post_events, stop_posting
from router.dispatch import BLASTS, POLL, REPLIES, Dispatcher
from router.fanout import ROUTES_AT_ONCE, route_range_of
from router.guard import Guard
from router.launch import finish_done_campaigns, start_due_campaigns
from router.letters import Writers
from router.listen import Listener
from router.logs import bind
from router.plans import Route
from router.receipts import close_unknowns, retry_parked
from router.receive import Receiver
from router.records.retention import keep_house
from router.runtime import Runtime
from router.senders import Pool, pools_of
from router.signals import Wake
from router.stops import withdraw_batch
from router.tending import stop_tending, tend

log = logging.getLogger(__name__)

BESIDE = 3
"""Dispatchers of a pool without a rate of ours: while one commits, the others send (two to four, rule 4)."""

FOR_REPLIES = 8
"""Requests at once that are kept for answers, so that no blast is ever in their way: 80 a second where a provider takes
a tenth of a second."""

REPLIERS = 4
"""Dispatchers that share these. Answers come in batches of a few (those of one group commit), and a batch takes three
transactions and one answer of the provider: while one waits for that, the others go on with the next batches."""

HEED = 5.0
"""Seconds between looks at how other processes' senders do."""

GRACE = 10.0
"""Seconds after which a stopping worker leaves what is still in the air to its successor."""

TEND = 1.0
"""Seconds between looks at what running campaigns need (`router.tending`)."""

HOUSE = 600.0
"""Seconds between looks whether it is the hour to drop what was kept for long enough (`records.retention`)."""

SWEEP = 30.0
"""Seconds between looks for parked receipts and outcomes that will never be known."""


async def run_worker(runtime: Runtime, *, until_idle: bool = False, stop: asyncio.Event | None = None) -> None:
    """Start campaigns, route, send and sweep until `stop` is set; with `until_idle`, until no campaign has work."""
    worker = Worker(runtime)
    stopped = stop or asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        if until_idle:
            group.create_task(_set_when_idle(runtime, stopped))
        await stopped.wait()
        await worker.stop()


class Worker:
    """One worker process: a scheduler, a router, dispatchers for each pool of senders, a sweeper."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._guard = Guard(runtime)
        self._pools = pools_of(runtime)
        for sender in [sender for pool in self._pools for sender in pool.senders]:
            runtime.metrics.know_channel(sender.channel)
            runtime.metrics.know_sender(sender.channel, sender.label, sender.rules.rate)
        self._writers = Writers(runtime)
        self._dispatchers = self._make_dispatchers()

    def _make_dispatchers(self) -> list[Dispatcher]:
        made = []
        for pool in self._pools:
            limited = any(sender.rules.rate for sender in pool.senders)
            beside = 1 if limited else min(BESIDE, pool.rules.concurrency)
            each = max(1, pool.rules.concurrency // beside)
            wanted = [(f"blast{place}", each, BLASTS) for place in range(beside)]
            wanted += [(f"reply{place}", FOR_REPLIES // REPLIERS, REPLIES) for place in range(REPLIERS)]
            for name, requests, lanes in wanted:
                owner = f"{self.owner}-{pool.name}-{name}"
                made.append(
                    Dispatcher(
                        self._runtime,
                        self._writers,
                        self._guard,
                        pool,
                        owner=owner[:64],
                        requests=requests,
                        lanes=lanes,
                    )
                )
        return made

    async def run(self) -> None:
        """Run every loop until `stop`."""
        bind(worker=self.owner)
        loops: list[Callable[[], Awaitable[None]]] = [self._schedule, self._sweep, self._heed, self._tend]
        loops += [self._route] * ROUTES_AT_ONCE[self._runtime.store.dialect]
        loops += [self._tell, self._show, self._keep_house]
        loops += [dispatcher.run for dispatcher in self._dispatchers]
        self._tasks = [asyncio.ensure_future(loop()) for loop in loops]
        try:
            async with self._listening():
                await asyncio.gather(*self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        """Listen to the accounts that want it, beside everything else."""
        wanted = [
            (channel, account)
            for channel, accounts in self._runtime.channels.items()
            for account, adapter in accounts.items()
            if isinstance(adapter, Listening) and adapter.listens
        ]
        if not wanted:
            yield
            return
        async with Receiver(self._runtime).running() as receiver:
            listeners = [
                Listener(self._runtime, receiver, channel, account, owner=self.owner) for channel, account in wanted
            ]
            tasks = [asyncio.create_task(listener.run()) for listener in listeners]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for listener in listeners:
                    await listener.let_go()

    async def stop(self) -> None:
        """Finish what is in the air, give the rest back, then return; what takes longer than `GRACE` is left."""
        self._stopping.set()
        for dispatcher in self._dispatchers:
            dispatcher.stopping.set()
        for _ in range(len(self._tasks)):
            self._runtime.signals.wake()
        _, late = await asyncio.wait(self._tasks, timeout=GRACE) if self._tasks else ((), ())
        for task in late:
            task.cancel()

    async def _schedule(self) -> None:
        async def once() -> bool:
            now = self._runtime.clock()
            started = await start_due_campaigns(self._runtime, now=now)
            if started:
                self._runtime.signals.wake(Wake.ROUTE)
            withdrawn = await withdraw_batch(self._runtime, f"{self.owner}-withdraw", now=now)
            await finish_done_campaigns(self._runtime, now=now)
            return withdrawn

        await self._repeat(once, Wake.PLAN, pause=0.25)

    async def _route(self) -> None:
        known: dict[int, Route] = {}
        taken: set[int] = set()

        async def once() -> bool:
            prepared = await next_route(self._runtime, known, without=taken)
            if prepared is None:
                taken.clear()
                return False
            if await route_range_of(self._runtime, prepared, now=self._runtime.clock()) is None:
                taken.add(prepared.campaign.id)  # other workers are at its last parts
            else:
                taken.clear()
            self._runtime.signals.wake(Wake.SEND)
            return True

        await self._repeat(once, Wake.ROUTE, pause=0.25)

    async def _sweep(self) -> None:
        async def once() -> bool:
            now = self._runtime.clock()
            settled = await retry_parked(self._runtime, now=now)
            await self._runtime.store.transact(lambda connection: forget_told(connection, now=now))
            return settled > 0 or await close_unknowns(self._runtime, now=now) > 0

        await self._repeat(once, None, pause=SWEEP)

    async def _tend(self) -> None:
        owner = f"{self.owner}-tend"

        async def once() -> bool:
            changed = await tend(self._runtime, owner, now=self._runtime.clock())
            if changed:
                self._runtime.signals.wake()
            return False

        await self._repeat(once, None, pause=TEND)
        with contextlib.suppress(Unavailable):
            await stop_tending(self._runtime, owner)

    async def _tell(self) -> None:
        """Tell other systems what happened."""
        owner = f"{self.owner}-tell"

        async def once() -> bool:
            return await post_events(self._runtime, owner, now=self._runtime.clock())

        await self._repeat(once, None, pause=TEND)
        with contextlib.suppress(Unavailable):
            await stop_posting(self._runtime, owner)

    async def _show(self) -> None:
        """Bring the tallies under posts in groups up to date."""
        owner = f"{self.owner}-show"

        async def once() -> bool:
            return await show_tallies(self._runtime, owner, now=self._runtime.clock(), writers=self._writers)

        await self._repeat(once, None, pause=TEND)
        with contextlib.suppress(Unavailable):
            await stop_showing(self._runtime, owner)

    async def _keep_house(self) -> None:
        async def once() -> bool:
            await keep_house(self._runtime, self.owner, now=self._runtime.clock())
            return False

        await self._repeat(once, None, pause=HOUSE)

    async def _heed(self) -> None:
        """Learn how other processes' senders do, and move weight between those of a pool."""
        policy = self._runtime.policy.breaker
        since: datetime | None = None
        shifted = drifted = time.monotonic()

        async def once() -> bool:
            nonlocal since, shifted, drifted
            since = await self._guard.read(self._pools, since)
            if time.monotonic() - shifted >= policy.shift_seconds:
                shifted = time.monotonic()
                drift = shifted - drifted >= policy.drift_seconds
                drifted = shifted if drift else drifted
                await self._rebalance(drift=drift)
            return False

        await self._repeat(once, None, pause=HEED)

    async def _rebalance(self, *, drift: bool) -> None:
        pools: list[Pool] = [pool for pool in self._pools if len(pool.senders) > 1]
        for pool in pools:
            standings = [sender.standing for sender in pool.senders]
            if rebalance(standings, self._runtime.policy.breaker, drift=drift):
                await self._guard.write(pool.senders)

    async def _repeat(self, once: Callable[[], Awaitable[bool]], wake: Wake | None, *, pause: float) -> None:
        """Call `once` again and again; rest where it found nothing to do or the database is gone, until `wake`."""
        while not self._stopping.is_set():
            try:
                busy = await once()
            except Unavailable as error:
                log.warning("waiting for the database: %s", error)
                busy = False
            if busy or self._stopping.is_set():
                continue
            if wake is not None:
                await self._runtime.signals.wait_for(wake, pause)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)


async def _set_when_idle(runtime: Runtime, stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        async with runtime.store.read() as connection:
            busy = await connection.scalar(
                text(
                    "SELECT 1 FROM campaign c WHERE c.status = 'scheduled'"
                    " OR (c.status = 'running' AND c.kind <> 'reply')"
                    " OR EXISTS (SELECT 1 FROM batch b WHERE b.campaign_id = c.id AND b.open"
                    " AND c.status IN ('running', 'cancelled')) LIMIT 1"
                )
            )
        if not busy:
            stopped.set()
            return
        await asyncio.sleep(min(0.1, POLL))
