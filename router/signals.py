"""Signals between the parts of the program: wake up, paused, revoked, and live events for whoever looks on.

They only shorten waits. Whatever they say is also in the ledger and is checked there again before anything leaves,
so a lost signal costs seconds, never a wrong message. `Signals` is one process's; several processes hear one another
through Redis (``redis_signals.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Self

from router.expiring import Expiring

Event = Mapping[str, Any]
"""A live event: a small JSON object. It holds no address and nobody's words."""

MISSED: Event = {"kind": "missed"}
"""Stands in a listener's stream where events were lost: look at the ledger for how things are now."""

KEPT = 30.0
"""Seconds that a stop is remembered here. It is for claims that were made before it: their last send starts 3 s after
them (DESIGN.md 6, rule 8), and every later claim reads the ledger. A lost `proceed` or `restore` costs so long."""


class Wake(StrEnum):
    """What there may be to do."""

    PLAN = "plan"
    """Start a campaign that is due, finish one that is done."""
    ROUTE = "route"
    """A campaign is running whose audience is not routed."""
    SEND = "send"
    """A batch is open."""


class Listener:
    """The live events from now on, for one who looks on. A slow one misses the oldest and is told so by `MISSED`."""

    def __init__(self, most: int) -> None:
        self._waiting: deque[Event] = deque(maxlen=most)
        self._there = asyncio.Event()
        self._missed = False

    def put(self, event: Event) -> None:
        """Let it hear `event`. Never waits."""
        if event is MISSED or len(self._waiting) == self._waiting.maxlen:
            self._missed = True
        if event is not MISSED:
            self._waiting.append(event)
        self._there.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        await self._there.wait()
        missed, self._missed = self._missed, False
        event = MISSED if missed else self._waiting.popleft()
        if not self._waiting:
            self._there.clear()
        return event


class Signals:
    """In-process signals; ``async with`` it. `revoked` and `halted` are read before each single send."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._work = {work: asyncio.Event() for work in Wake}
        self._told = dict.fromkeys(Wake, 0)
        self._listeners: set[Listener] = set()
        self.revoked: Expiring[tuple[str, str], None] = Expiring(clock)
        """(address hash, channel) that said STOP within the last `KEPT` seconds."""
        self.halted: Expiring[int, None] = Expiring(clock)
        """Campaigns that were paused or cancelled within the last `KEPT` seconds."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to let go of in one process."""

    def wake(self, *works: Wake) -> None:
        """There may be work of these kinds, of any where none is named: do not wait for the next poll."""
        self._tell(["wake", *(works or Wake)])

    def told(self, work: Wake) -> int:
        """How often there was work of this kind: read before looking for it, and given to `wait_for` afterwards."""
        return self._told[work]

    async def wait_for(self, work: Wake, seconds: float, *, since: int | None = None) -> None:
        """Wait until `wake` (one after `since`, where given) or until `seconds` have passed."""
        if since is not None and self._told[work] != since:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._work[work].wait(), seconds)
        self._work[work].clear()

    def revoke(self, address_hash: str, channel: str) -> None:
        """From now on nothing is sent to this address on this channel."""
        self._tell(["revoke", address_hash, channel])

    def restore(self, address_hash: str, channel: str) -> None:
        """START: the address may be written to again."""
        self._tell(["restore", address_hash, channel])

    def halt(self, campaign_id: int) -> None:
        """Pause or cancel: stop this campaign's sends that have not started."""
        self._tell(["halt", campaign_id])

    def proceed(self, campaign_id: int) -> None:
        """Resume."""
        self._tell(["proceed", campaign_id])

    def publish(self, event: Event) -> None:
        """Show a live event to whoever looks on. Never waits; costs next to nothing where nobody does."""
        self._tell(["event", dict(event)])

    @contextlib.contextmanager
    def listen(self, most: int = 256) -> Iterator[Listener]:
        """Hear live events: ``with signals.listen() as events: async for event in events``.

        At most `most` wait for a slow listener.
        """
        listener = Listener(most)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def _tell(self, signal: Sequence[Any]) -> None:
        self._apply(signal)

    def _apply(self, signal: Sequence[Any]) -> None:
        """Do what a signal says. One that is not understood (another version's) is passed over."""
        match signal:
            case ["wake", *works]:
                for work in Wake:
                    if work in works:
                        self._told[work] += 1
                        self._work[work].set()
            case ["revoke", str(address_hash), str(channel)]:
                self.revoked.put((address_hash, channel), None, KEPT)
            case ["restore", str(address_hash), str(channel)]:
                self.revoked.drop((address_hash, channel))
            case ["halt", int(campaign_id)]:
                self.halted.put(campaign_id, None, KEPT)
            case ["proceed", int(campaign_id)]:
                self.halted.drop(campaign_id)
                self._apply(["wake", *Wake])
            case ["event", dict(event)]:
                self._show(event)

    def _show(self, event: Event) -> None:
        for listener in self._listeners:
            listener.put(event)
