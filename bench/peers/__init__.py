"""What a user would pick instead of this program, each from PyPI and each a process of its own.

All send the same words with the same fields to the same simulated provider as `bench.blast`. None of them knows
consent, a contact budget, quiet hours or receipts; what else each leaves out stands in `PEERS`.
"""

from __future__ import annotations

from dataclasses import dataclass

NOBODY = "consent, STOP, contact budget, quiet hours, receipts"
"""What none of them does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One of them: how it is run, and what it does not do."""

    name: str
    label: str
    how: str
    lacks: str
    """What it leaves out beside `NOBODY`."""
    module: str
    messages: int
    """As many as take it a few seconds."""
    tried: tuple[tuple[float, tuple[int, ...]], ...]
    """Provider's latency in seconds → requests under way at once to try; the fastest is what ours stands beside."""
    needs_redis: bool = False
    needs_postgresql: bool = False

    def concurrencies(self, latency: float) -> tuple[int, ...]:
        return dict(self.tried)[latency]


PEERS = (
    Peer(
        name="twilio",
        label="twilio SDK",
        how="create_async in a bare asyncio loop",
        lacks="nothing is written down: a crash forgets who was written to, and a new start writes to them twice",
        module="bench.yardsticks",
        messages=5_000,
        tried=((0.0, (10, 50)), (0.05, (100, 300))),
    ),
    Peer(
        name="aiohttp",
        label="bare aiohttp",
        how="bodies prepared before the clock runs, one session",
        lacks="nothing is written down, no words are put together, no answer is read: the limit of that library",
        module="bench.yardsticks",
        messages=10_000,
        tried=((0.0, (10, 50)), (0.05, (100, 300))),
    ),
    Peer(
        name="celery",
        label="Celery",
        how="a task a message by way of Redis, threads, requests, one UPDATE a message",
        lacks="no intent before the send: a worker killed in between has sent what stands as unsent",
        module="bench.peers.celery",
        messages=1_000,
        tried=((0.0, (4, 10)), (0.05, (50, 100))),
        needs_redis=True,
    ),
    Peer(
        name="taskiq",
        label="taskiq",
        how="a task a message by way of Redis, aiohttp, one UPDATE a message on PostgreSQL",
        lacks="no intent before the send; a task that was taken from the list is gone when its worker is killed",
        module="bench.peers.taskiq",
        messages=3_000,
        tried=((0.0, (10, 50)), (0.05, (100, 300))),
        needs_redis=True,
        needs_postgresql=True,
    ),
    Peer(
        name="apprise",
        label="apprise",
        how="async_notify once for each message",
        lacks="nothing is written down, no words for one person, no provider's number, no reason for a failure",
        module="bench.peers.apprise",
        messages=500,
        tried=((0.0, (4, 10)), (0.05, (50, 100))),
    ),
)
