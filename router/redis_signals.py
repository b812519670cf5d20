"""Signals that cross processes, over Redis pub/sub. Best effort: the ledger is the truth (``signals.py``)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from router.redis_client import TIMEOUT
from router.signals import MISSED, Signals, Wake

log = logging.getLogger(__name__)

_GONE = (RedisError, OSError)

PACE = 0.02
"""Seconds between two messages of one process: what is told meanwhile travels together, the same thing once."""

TRIES = 2
"""How often a message is tried, since a connection may have been cut unseen. Then it is dropped: by the time that a
Redis is back, a stop is in every worker's ledger, and an old one could hold up what has gone on meanwhile."""

REST = 0.5
"""Seconds after a message that nobody took before the next is tried."""

MOST_EVENTS = 1_000
"""Live events that wait to be published; beyond that the oldest are dropped."""

SILENCE = 5.0
"""Seconds without a word from Redis after which we ask whether it is still there; after twice that it is gone."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a new connection is tried: the first time, and at most."""


class RedisSignals(Signals):
    """`Signals` in this process that other processes with the same `prefix` hear, and whose own it hears.

    A signal acts here at once and is published in the background; that never blocks or fails the caller. After a
    connection was lost something may have been missed: everybody here is woken, listeners hear `MISSED`.
    """

    def __init__(self, client: Redis, *, prefix: str = "outreach", clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._client = client
        self._channel = f"{prefix}:signals"
        self._me = secrets.token_hex(8)
        self._outbox: dict[str, None] = {}
        self._events: deque[str] = deque(maxlen=MOST_EVENTS)
        self._to_tell = asyncio.Event()
        self._hears = asyncio.Event()
        self._ending = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def hears(self) -> bool:
        """Whether other processes are heard just now."""
        return self._hears.is_set()

    async def __aenter__(self) -> Self:
        """Start to hear and to tell; a Redis that is not there yet is waited for in the background."""
        self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._publish())]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hears.wait(), TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Tell what is still to be told, if Redis takes it within about two seconds, and stop."""
        hearing = self._tasks[0]
        hearing.cancel()
        self._ending = True
        self._to_tell.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._hears.clear()

    # ── tell ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, signal: Sequence[Any]) -> None:
        written = json.dumps(signal)
        self._apply(signal)
        if signal[0] == "event":
            self._events.append(written)
        else:
            self._outbox.pop(written, None)  # the last word counts: halt, proceed, halt ends with halt
            self._outbox[written] = None
        self._to_tell.set()

    async def _publish(self) -> None:
        while not self._ending or self._outbox or self._events:
            await self._to_tell.wait()
            try:
                await self._flush()
                await asyncio.sleep(PACE)
            except _GONE:
                await asyncio.sleep(REST)

    async def _flush(self) -> None:
        """Publish all that waits, in one message."""
        if not self._outbox and not self._events:
            return
        message = ",".join([f'"{self._me}"', *self._outbox, *self._events])
        self._outbox.clear()
        self._events.clear()
        self._to_tell.clear()
        for tries in range(1, TRIES + 1):
            try:
                async with asyncio.timeout(TIMEOUT):
                    await self._client.publish(self._channel, f"[{message}]")
                return
            except _GONE:
                if tries == TRIES:
                    raise

    # ── hear ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _hear(self) -> None:
        pause, warned = FIRST_PAUSE, False
        while True:
            try:
                await self._hear_until_lost()
            except _GONE as error:
                if self.hears or not warned:
                    pause, warned = FIRST_PAUSE, True
                    log.warning(
                        "signals: Redis is lost (%s); others are heard by the ledger alone", type(error).__name__
                    )
            self._hears.clear()
            await asyncio.sleep(pause * (0.5 + secrets.randbelow(512) / 512))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _hear_until_lost(self) -> None:
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(self._channel)
            asked = False
            while True:
                message = await subscription.get_message(timeout=SILENCE)
                if message is None:
                    if asked:
                        raise TimeoutError
                    await subscription.ping()
                asked = message is None
                if message is not None and message["type"] == "subscribe":
                    self._catch_up()
                elif message is not None and message["type"] == "message":
                    self._take_in(message["data"])

    def _catch_up(self) -> None:
        """Nobody knows what was said while we did not listen."""
        log.info("signals: other processes are heard")
        self._hears.set()
        self._apply(["wake", *Wake])
        self._show(MISSED)

    def _take_in(self, data: bytes) -> None:
        try:
            sender, *signals = json.loads(data)
        except (ValueError, TypeError):
            log.warning("signals: what came on %s is not ours", self._channel)
            return
        if sender != self._me:
            for signal in signals:
                self._apply(signal)
