"""Receive: what came in by webhook, link or API, made durable before anybody hears 200.

Many webhooks join one transaction (a *group commit*); each waits for it. A STOP then waits a little longer, until
nothing to that address can start any more (DESIGN.md 6, rule 18).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash
from router.core.channel import Event, GroupEvent, Inbound, OptOut, Receipt, Received
from router.core.errors import Unavailable
from router.core.model import DeliveryRef
from router.groups import apply_group_event
from router.guard import Guard
from router.landing import STOP_WAIT, wait_until_landed
from router.receipts import Arrived, apply_receipts, ids_needed
from router.replies import IDS_PER_EVENT, After, Silence, Wished, apply_inbound, apply_opt_out, silence
from router.rerouting import follow_wishes
from router.runtime import Runtime
from router.signals import Wake
from router.stops import cancel_queued
from router.store.tallies import Moves

log = logging.getLogger(__name__)

GATHER = 0.003
"""Seconds that the first event of a group waits for others."""

MOST = 500
"""Most receipts in one group."""

REPLY_WEIGHS = 20
"""What somebody wrote takes as long as so many receipts (7 ms on SQLite and 13 ms on PostgreSQL for a YES with its seat
and its answer, 2026-11): a group is over in a third of a second, so that no webhook waits for a storm of others."""


@dataclass(slots=True)
class _Waiting:
    channel: str
    account: str
    events: Sequence[Event]
    now: datetime
    place: Any
    """Where in the traces it came in."""
    done: asyncio.Future[list[After]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Receiver:
    """The one entrance to the ledger for what comes from outside. Run it with ``async with receiver.running():``."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._guard = Guard(runtime)
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._running = False
        for channel in runtime.channels:
            runtime.metrics.know_channel(channel)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        """Commit groups until the block ends; what is already queued is committed first."""
        committer = asyncio.create_task(self._commit_groups())
        self._running = True
        try:
            yield self
        finally:
            self._running = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._queue.join(), 5)
            committer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await committer

    async def submit(self, channel: str, account: str, received: Received, now: datetime) -> None:
        """Make the events of one webhook durable. Raises `Unavailable` where that cannot be done now."""
        if not received.events:
            return
        if not self._running:
            raise Unavailable("this process is stopping; ask again")
        waiting = _Waiting(channel, account, received.events, now, self._runtime.traces.here())
        self._queue.put_nowait(waiting)
        for one in await waiting.done:
            if isinstance(one, Wished):
                await follow_wishes(self._runtime, one.members, channels=one.channels, now=now)
            else:
                self._runtime.metrics.silences.labels(channel).inc()
                await self._enforce(one, self._runtime.specs[channel].start_within + 0.5)

    async def unsubscribe(self, ref: DeliveryRef, now: datetime) -> str | None:
        """One-click unsubscribe (RFC 8058): silence that delivery's address; its channel, None for a stranger."""
        async with self._runtime.store.read() as connection:
            row = (
                await connection.execute(
                    text(
                        "SELECT a.hash, d.channel FROM delivery d JOIN address a ON a.id = d.address_id"
                        " WHERE d.month = :month AND d.id = :id"
                    ),
                    {"month": ref.month, "id": ref.id},
                )
            ).one_or_none()
        if row is None:
            return None
        ids = await self._runtime.store.take_ids(IDS_PER_EVENT)
        hash_, channel = row

        async def work(connection: AsyncConnection) -> Silence:
            moves = Moves()
            silent = await silence(
                self._runtime, connection, hash_, channel, ids, moves,
                reason="unsubscribe", source="one-click", now=now, about=ref,
            )  # fmt: skip
            await moves.write(connection)
            return silent

        await self._enforce(await self._runtime.store.transact(work), STOP_WAIT)
        self._runtime.metrics.silences.labels(channel).inc()
        return str(channel)

    # ── group commit ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _commit_groups(self) -> None:
        while True:
            group = [await self._queue.get()]
            await asyncio.sleep(GATHER)
            size = _weight(group[0])
            while size < MOST and not self._queue.empty():
                group.append(self._queue.get_nowait())
                size += _weight(group[-1])
            try:
                with self._runtime.traces.span("group commit", links=[waiting.place for waiting in group]):
                    silences = await self._apply(group)
                self._count(group)
            except Exception as error:  # each waiter is told; the provider will ask again
                for waiting in group:
                    if not waiting.done.done():
                        waiting.done.set_exception(error)
            else:
                for waiting, found in zip(group, silences, strict=True):
                    if not waiting.done.done():
                        waiting.done.set_result(found)
            finally:
                for _ in group:
                    self._queue.task_done()

    def _count(self, group: list[_Waiting]) -> None:
        metrics = self._runtime.metrics
        found = Counter((waiting.channel, _kind(event)) for waiting in group for event in waiting.events)
        metrics.count(metrics.received, found.items())
        metrics.group_commit.observe(found.total())

    async def _apply(self, group: list[_Waiting]) -> list[list[After]]:
        """Transaction A of rule 18, and everything else that came in: all of it or nothing."""
        runtime = self._runtime
        receipts = [
            Arrived(channel=waiting.channel, receipt=event)
            for waiting in group
            for event in waiting.events
            if isinstance(event, Receipt)
        ]
        others = sorted(
            (
                (self._sender_hash(waiting.channel, event), place, event)
                for place, waiting in enumerate(group)
                for event in waiting.events
                if not isinstance(event, Receipt)
            ),
            # So that two groups lock the rows of the same senders in the same order, and answers that go the same way
            # follow one another (`Moves`).
            key=lambda one: (group[one[1]].channel, group[one[1]].account, one[0]),
        )
        for_receipts = ids_needed(receipts)
        ids = await runtime.store.take_ids(max(1, for_receipts + len(others) * IDS_PER_EVENT))
        now = group[0].now

        ended: list[tuple[int, bool]] = []

        async def work(connection: AsyncConnection) -> list[list[After]]:
            moves = Moves(together=ids[for_receipts:])
            ended.clear()
            senders = {hash_ for hash_, _, _ in others if hash_}
            mine = ids[:for_receipts]
            ended.extend(await apply_receipts(runtime, connection, receipts, mine, moves, senders=senders, now=now))
            left = ids[for_receipts:]
            found: list[list[After]] = [[] for _ in group]
            for _, place, event in others:
                some, left = left[:IDS_PER_EVENT], left[IDS_PER_EVENT:]
                silent = await self._apply_one(connection, group[place], event, some, moves)
                if silent is not None:
                    found[place].append(silent)
            await moves.write(connection)
            return found

        result = await runtime.store.transact(work)
        for campaign_id in {campaign_id for campaign_id, _ in ended}:
            await self._guard.refused(campaign_id, [refused for one, refused in ended if one == campaign_id])
        if others or for_receipts:  # a receipt of success brings nothing to send
            runtime.signals.wake(Wake.SEND)
        return result

    def _sender_hash(self, channel: str, event: Inbound | OptOut | GroupEvent) -> str:
        """The hash of the address that an event comes from; "" for what happened to a group's chat."""
        if isinstance(event, GroupEvent):
            return ""
        sender = event.sender if isinstance(event, Inbound) else event.address
        return address_hash(self._runtime.key, self._runtime.specs[channel].address_kind, sender)

    async def _apply_one(
        self,
        connection: AsyncConnection,
        waiting: _Waiting,
        event: Inbound | OptOut | GroupEvent,
        ids: range,
        moves: Moves,
    ) -> After | None:
        if isinstance(event, GroupEvent):
            await apply_group_event(
                self._runtime, connection, waiting.channel, waiting.account, event, ids, moves, now=waiting.now
            )
            return None
        if isinstance(event, OptOut):
            return await apply_opt_out(self._runtime, connection, waiting.channel, event, ids, moves, now=waiting.now)
        return await apply_inbound(
            self._runtime, connection, waiting.channel, waiting.account, event, ids, moves, now=waiting.now
        )

    async def _enforce(self, silent: Silence, wait: float) -> None:
        """Transaction B of rule 18, then wait until what is in flight has left or can no longer start.

        `wait` is in seconds: the window in which a send may start on this channel, and a little.
        """
        now = self._runtime.clock()

        async def work(connection: AsyncConnection) -> list[tuple[int, int]]:
            moves = Moves()
            flying = await cancel_queued(connection, silent.address_hash, silent.channels, moves, now=now)
            await moves.write(connection)
            return flying

        await wait_until_landed(self._runtime, await self._runtime.store.transact(work), wait)


def _weight(waiting: _Waiting) -> int:
    """How long the events of one webhook take, in receipts."""
    return sum(1 if isinstance(event, Receipt) else REPLY_WEIGHS for event in waiting.events)


def _kind(event: Event) -> str:
    """What is counted: a receipt by its status."""
    if isinstance(event, Receipt):
        return event.status.value
    return "group" if isinstance(event, GroupEvent) else "opt_out" if isinstance(event, OptOut) else "inbound"
