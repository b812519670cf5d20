"""What a process counts while it works, for Prometheus. One `Metrics` for each runtime; nothing is kept globally.

Counters go up once for a chunk, a range or a request, never once for a message. No label holds a person: labels are
channels, lanes, our own senders and words of this program, so their number is bounded by what is set up. What is read
from the ledger instead stands in ``router/gauges.py``. Every name begins with ``outreach_`` and ends in its unit.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter as Counts
from collections.abc import AsyncIterator, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from router.core.masking import mask

LAG_EVERY = 0.5
"""Seconds between two looks at how late the event loop is."""

ROOMS = ("api", "hooks", "office", "pages", "static", "system")
"""The parts of the web that requests are counted by."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter, which nothing of ours reads

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ANSWER = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000)

Family = Iterable[Metric]


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self.routed = self._counter(
            "routed", "Members an ask was decided for: `queued`, or the reason why not.", "result"
        )
        self.outcomes = self._counter(
            "outcomes",
            "Sends by what came of them: sent, unknown, refused, not_sent, not_tried; and the class of the failure.",
            "channel", "outcome", "failure",
        )  # fmt: skip
        self.sender_sends = self._counter("sender_sends", "Tries of one of our senders.", "channel", "sender")
        self.sender_limit = self._gauge(
            "sender_limit_per_second", "Rate that a sender may reach; 0: no limit of ours.", "channel", "sender"
        )
        self.claim_rows = self._histogram("claim_rows", "Messages of one claim.", _SIZES, "channel")
        self.takeovers = self._counter("lease_takeovers", "Batches whose last worker let its lease run out.", "channel")
        self.received = self._counter(
            "received", "What providers told us: a receipt's status, inbound, opt_out, group.", "channel", "kind"
        )
        self.silences = self._counter("opt_outs", "Times that somebody asked for silence and got it.", "channel")
        self.group_commit = self._histogram("group_commit_events", "Events that one commit made durable.", _SIZES)
        self.webhooks = self._histogram("webhook_seconds", "From a webhook to its answer.", _ANSWER, "channel")
        self.requests = self._counter("http_requests", "Answers by room and status class.", "room", "status")
        self.transactions = self._histogram(
            "transaction_seconds", "A transaction of the ledger, waiting for its connection and lock included.",
            _QUICK, "kind",
        )  # fmt: skip
        self.lag = self._histogram("event_loop_lag_seconds", "How late a task ran that was due.", _QUICK)
        for room in ROOMS:
            self.requests.labels(room, "5xx")
        self._write = self.transactions.labels("write")
        self._read = self.transactions.labels("read")

    def took(self, kind: str, seconds: float) -> None:
        """A transaction of this kind, ``read`` or ``write``, took so long."""
        (self._write if kind == "write" else self._read).observe(seconds)

    def count(self, counter: Counter, found: Iterable[tuple[tuple[str, ...], int]]) -> None:
        """Add what was counted: labels, how many."""
        for labels, n in found:
            counter.labels(*labels).inc(n)

    def count_claim(self, channel: str, results: Mapping[tuple[str, str, str], int]) -> None:
        """What came of one claim: (sender, outcome, failure) → how many."""
        outcomes: Counts[tuple[str, ...]] = Counts()
        senders: Counts[tuple[str, ...]] = Counts()
        for (sender, outcome, failure), n in results.items():
            outcomes[channel, outcome, failure] += n
            if sender:
                senders[channel, sender_label(sender)] += n
        self.count(self.outcomes, outcomes.items())
        self.count(self.sender_sends, senders.items())
        self.claim_rows.labels(channel).observe(sum(results.values()))

    def know_channel(self, channel: str) -> None:
        """A channel that is set up: what seldom happens on it is counted from 0 on, or its first time is not seen."""
        self.takeovers.labels(channel)
        self.silences.labels(channel)
        self.outcomes.labels(channel, "unknown", "transport")
        for outcome in ("refused", "not_sent"):
            self.outcomes.labels(channel, outcome, "sender_config")

    def know_sender(self, channel: str, sender: str, rate: float) -> None:
        """One of our senders and its limit per second."""
        self.sender_limit.labels(channel, sender_label(sender)).set(rate)

    @contextlib.asynccontextmanager
    async def watching_loop(self) -> AsyncIterator[None]:
        """Watch how late this process's event loop is."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(LAG_EVERY)
            self.lag.observe(max(0.0, time.monotonic() - began - LAG_EVERY))

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"outreach_{name}_total", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"outreach_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"outreach_{name}", meaning, labels, buckets=buckets, registry=self.registry)


class Read(Collector):
    """Families that were read elsewhere, as a registry takes them."""

    def __init__(self, families: Family) -> None:
        self._families = families

    def collect(self) -> Family:
        """See `Collector`."""
        return self._families


def sender_label(sender: str) -> str:
    """A sender as a label: ``main``, or ``main/…0100``; whole numbers stay in settings and ledger."""
    account, slash, name = sender.partition("/")
    shown = f"…{name[-4:]}" if mask(name) != name or len(name) > 20 else name
    return f"{account}{slash}{shown}" if slash else account
