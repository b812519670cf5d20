"""Dispatch: lease a batch, take tokens, decide once more, write the intent, send, write the outcome.

The order is the whole point (DESIGN.md 6). Tokens come first, so that a row is claimed only when it may leave at
once. The intent is durable before the first byte leaves, so that a crash can lose a message only into ``unknown``,
never send it twice. Outcomes of one claim are written together with the next claim's intent, in one commit. No
transaction is open while a provider is awaited.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter

from router.core.errors import Unavailable
from router.core.model import Lane
from router.guard import Guard
from router.intent import Work, write_intent
from router.letters import Claim, Writers
from router.limits import Grant
from router.outcomes import Outcome
from router.runtime import Runtime
from router.senders import Grants, Pool, Sender
from router.sending import SLOW, Handed, Hands
from router.signals import Wake
from router.store.batches import Batch, is_outranked, lease_batch, let_go, rows_of_claim

log = logging.getLogger(__name__)

MOST = 500
"""Most rows of one claim (rule 4)."""

AHEAD = 2.0
"""A claim holds so many seconds' worth of the rate (rule 4)."""

PATIENCE = 10.0
"""Seconds that a leased batch may wait for its first token; then it is given back."""

POLL = 1.5
"""Seconds between looks for work; signals shorten it (rule 11)."""

SLOW_REST = 15.0
"""Seconds for which a sender whose answers took longer than `SLOW` is spared where others can send in its place."""

GLANCE = 1.0
"""Seconds between looks for a batch of a more urgent lane while one is being sent."""

ALL_LANES = (int(Lane.REPLY), int(Lane.NORMAL))
BLASTS = (int(Lane.URGENT), int(Lane.NORMAL))
REPLIES = (int(Lane.REPLY), int(Lane.REPLY))


class Dispatcher:
    """Sends one pool's deliveries, batch by batch. Several of them may run beside each other.

    `requests` is how many it keeps under way at once, `lanes` the first and last of the lanes that it looks after.
    """

    def __init__(
        self,
        runtime: Runtime,
        writers: Writers,
        guard: Guard,
        pool: Pool,
        *,
        owner: str,
        requests: int,
        lanes: tuple[int, int] = ALL_LANES,
    ) -> None:
        self._runtime = runtime
        self._writers = writers
        self._guard = guard
        self._pool = pool
        self._owner = owner
        self._requests = requests
        self._lanes = lanes
        self._pace = float(requests)
        self._without_limits = False
        self.hands = Hands(runtime, pool, requests=requests)
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Lease and send until told to stop; a database or Redis that is gone is waited for."""
        signals, was_busy = self._runtime.signals, False
        while not self.stopping.is_set():
            try:
                told = signals.told(Wake.SEND)
                busy = await self.send_one_batch()
                if was_busy and not busy:
                    signals.wake(Wake.PLAN)  # a campaign may be done
                if not busy:
                    await signals.wait_for(Wake.SEND, POLL, since=told)
                was_busy = busy
            except Unavailable as error:
                log.warning("waiting: %s", error)
                await asyncio.sleep(min(error.retry_after, 2.0))

    async def send_one_batch(self) -> bool:
        """Lease the most urgent batch and send what it holds; False where there is none, or nobody to send it."""
        now = self._runtime.clock()
        if not self._pool.alive(now):
            return False
        batch = await self._runtime.store.transact(
            lambda connection: lease_batch(
                connection,
                [self._pool.spec.name],
                owner=self._owner,
                now=now,
                account=self._pool.account or None,
                lanes=self._lanes,
                lasts=self._runtime.settings.lease_ms,
            )
        )
        if batch is None:
            return False
        if batch.taken_over:
            self._runtime.metrics.takeovers.labels(batch.channel).inc()
        with self._runtime.at("batch", campaign=batch.campaign_id, batch=batch.id, channel=batch.channel):
            await self._drain(batch)
        # A pause that is under way waits for the claims of its campaign: claiming on and on would hold it up.
        return not self._is_halted(batch)

    async def _drain(self, batch: Batch) -> None:
        """Claim, send and record until the batch has no row that may leave now, then let go of it."""
        previous: Claim | None = None
        done: list[Outcome] = []
        glanced = time.monotonic()
        yielding = False
        while True:
            # What is done is recorded at once; only with nothing to record may we wait for tokens.
            yielding = yielding or self._is_halted(batch)
            grants = Grants() if yielding else await self._tokens_now()
            if not grants.total and not done and not yielding:
                grants = await self._tokens_soon()
            with self._runtime.traces.span("claim", {"outcomes": len(done), "wanted": grants.total}):
                work = await self._commit(batch, previous, done, grants.total)
            if work is None or work.let_go:
                await self._give_back(grants)
                return
            if work.letters:
                with self._runtime.traces.span("send", {"messages": len(work.letters)}):
                    handed = await self.hands.hand_over(work, grants)
                previous, done = work.claim, handed.outcomes
                self._learn(handed)
                with contextlib.suppress(Unavailable):  # what is `done` must outlive a database that is away
                    await self._guard.take(batch.campaign_id, handed.outcomes, self._pool, changed=handed.changed)
            elif done and not grants.total and not self.stopping.is_set() and not yielding:
                done = []
            else:
                await self._give_back(grants)
                break
            await self._give_back(grants)
            if batch.lane > Lane.REPLY and time.monotonic() - glanced > GLANCE:
                glanced = time.monotonic()
                with contextlib.suppress(Unavailable):
                    yielding = await self._is_outranked(batch)
        await self._runtime.store.transact(lambda connection: let_go(connection, batch))

    def _is_halted(self, batch: Batch) -> bool:
        return batch.campaign_id in self._runtime.signals.halted

    async def _is_outranked(self, batch: Batch) -> bool:
        """Whether something more urgent waits that nobody else looks after."""
        async with self._runtime.store.read() as connection:
            return await is_outranked(connection, batch, first_lane=self._lanes[0], now=self._runtime.clock())

    def _learn(self, handed: Handed) -> None:
        """Without a rate of ours, claim what a second sends: enough to commit in bulk, little to be unsure of."""
        tried = sum(outcome.was_tried for outcome in handed.outcomes)
        self._runtime.metrics.count_claim(self._pool.spec.name, Counter(map(_result, handed.outcomes)))
        for sender, seconds in handed.slowest.items():
            sender.slow_until = time.monotonic() + SLOW_REST if seconds > SLOW else 0.0
        self._pace = max(self._requests, min(MOST, tried / max(handed.took, 0.001)))

    # ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _tokens_now(self) -> Grants:
        """How many rows may leave at once, by sender, maybe none (rule 4)."""
        grants = Grants()
        if self.stopping.is_set():
            return grants
        now, moment = self._runtime.clock(), time.monotonic()
        alive = self._pool.alive(now)
        # While one is paused or slow the others take its people: a claim ends with its slowest answer.
        ready = [
            sender
            for sender in alive
            if moment >= sender.slow_until and not self._runtime.limits.is_paused(sender.bucket.name)
        ]
        for sender in ready or alive:
            rate = sender.rules.rate
            wanted = max(1, min(MOST, int(rate * AHEAD if rate else self._pace)) // len(ready or alive))
            if moment < sender.slow_until:
                wanted = 1  # rule 8
            wanted = min(sender.standing.may_send(wanted, now), MOST - grants.total)
            if wanted > 0:
                grants.add(sender, (await self._ask(sender, wanted)).granted)
        return grants

    async def _ask(self, sender: Sender, wanted: int) -> Grant:
        """Take tokens of one sender's bucket; none while nobody knows what is in it."""
        spare = sender.spare if self._lanes[0] > Lane.REPLY else 0
        try:
            grant = await self._runtime.limits.take(sender.bucket, wanted, spare=spare)
        except Unavailable as error:
            if not self._without_limits:
                log.warning("nothing is sent by %s: %s", sender.bucket.name, error)
            self._without_limits = True
            return Grant(0, error.retry_after)
        self._without_limits = False
        return grant

    async def _tokens_soon(self) -> Grants:
        """The same, waiting a while for the first; none where the buckets rest longer than a lease should be held."""
        until = time.monotonic() + PATIENCE
        while not self.stopping.is_set():
            alive = self._pool.alive(self._runtime.clock())
            wait = min([(await self._ask(sender, 0)).wait for sender in alive], default=POLL)
            if not alive or time.monotonic() + wait > until:
                await asyncio.sleep(min(wait, POLL))
                return Grants()
            await asyncio.sleep(max(wait, 0.005))
            grants = await self._tokens_now()
            if grants.total:
                return grants
        return Grants()

    async def _give_back(self, grants: Grants) -> None:
        for sender, tokens in grants.rest().items():
            if sender.rules.rate:
                await self._runtime.limits.give_back(sender.bucket, tokens)

    # ── intent and outcome ────────────────────────────────────────────────────────────────────────────────────────

    async def _commit(self, batch: Batch, previous: Claim | None, done: list[Outcome], tokens: int) -> Work | None:
        """Record `done` and claim up to `tokens` rows in one commit; None where the batch is no longer ours.

        Rule 5: after a commit that failed to answer, the rows that carry the claim tell whether it took place.
        """
        [claim_id] = await self._runtime.store.take_ids(1)
        claim = Claim(id=claim_id, batch=batch)
        while True:
            claim.started = time.monotonic()
            work = Work(claim=claim, previous=previous, done=done, wanted=tokens, now=self._runtime.clock())
            try:
                return work if await write_intent(self._runtime, self._writers, work) else None
            except Unavailable as error:
                log.warning("a commit did not answer, asking the ledger: %s", error)
                if await self._was_committed(claim):
                    return work

    async def _was_committed(self, claim: Claim) -> bool:
        while True:
            await asyncio.sleep(0.5)
            try:
                async with self._runtime.store.read() as connection:
                    return await rows_of_claim(connection, claim.batch, claim.id) > 0
            except Unavailable:
                continue


def _result(outcome: Outcome) -> tuple[str, str, str]:
    """Who sent it, what came of it, and the class of the failure."""
    return outcome.account, outcome.kind, "" if outcome.error is None else outcome.error.failure.value
