"""Dispatch: lease a batch, take tokens, decide once more, write the intent, send, write the outcome.

The order is the whole point (DESIGN.md 6). Tokens come first, so that a row is claimed only when it may leave at
once. The intent is durable before the first byte leaves, so that a crash can lose a message only into ``unknown``,
never send it twice. Outcomes of one claim are written together with the next claim's intent, in one commit. No
transaction is open while a provider is awaited.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

from router.core.channel import Channel
from router.core.errors import FailureClass, OutcomeUnknown, Refused, SendError, Unavailable
from router.core.sms import count_segments
from router.intent import Work, write_intent
from router.letters import Claim, Letter, Writer, Writers
from router.outcomes import Outcome, not_tried, outcome_of
from router.runtime import Runtime
from router.signals import Wake
from router.store.batches import Batch, lease_batch, let_go, rows_of_claim

log = logging.getLogger(__name__)

START_WITHIN = 3.0
"""Seconds after its claim in which a send may start (rule 8), on a monotonic clock started before the intent."""

SLOW = 2.0
"""Seconds an answer may take before we claim one row at a time (rule 8)."""

MOST = 500
"""Most rows of one claim (rule 4)."""

AHEAD = 2.0
"""A claim holds so many seconds' worth of the rate (rule 4)."""

PATIENCE = 10.0
"""Seconds that a leased batch may wait for its first token; then it is given back."""

POLL = 1.5
"""Seconds between looks for work; signals shorten it (rule 11)."""


class Sender:
    """Sends one account's deliveries, batch by batch. Several of them may run beside each other.

    `lanes` is how many requests it keeps under way at once.
    """

    def __init__(
        self, runtime: Runtime, writers: Writers, channel: str, account: str, *, owner: str, lanes: int
    ) -> None:
        self._runtime = runtime
        self._writers = writers
        self._channel = channel
        self._account = account
        self._adapter: Channel = runtime.channels[channel][account]
        self._spec = self._adapter.spec
        self._rules = runtime.rules[channel]
        self._owner = owner
        self._lanes = lanes
        self._pace = float(lanes)
        self._slowest = 0.0
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Lease and send until told to stop; a database that is gone is waited for."""
        signals, was_busy = self._runtime.signals, False
        while not self.stopping.is_set():
            try:
                busy = await self.send_one_batch()
                if was_busy and not busy:
                    signals.wake(Wake.PLAN)  # a campaign may be done
                if not busy:
                    await signals.wait_for(Wake.SEND, POLL)
                was_busy = busy
            except Unavailable as error:
                log.warning("waiting for the database: %s", error)
                await asyncio.sleep(min(error.retry_after, 2.0))

    async def send_one_batch(self) -> bool:
        """Lease the most urgent batch and send what it holds; False where there is none."""
        now = self._runtime.clock()
        batch = await self._runtime.store.transact(
            lambda connection: lease_batch(connection, [self._channel], owner=self._owner, now=now)
        )
        if batch is None:
            return False
        await self._drain(batch)
        return True

    async def _drain(self, batch: Batch) -> None:
        """Claim, send and record until the batch has no row that may leave now, then let go of it."""
        previous: Claim | None = None
        done: list[Outcome] = []
        while True:
            # What is done is recorded at once; only with nothing to record may we wait for tokens.
            tokens = self._tokens_now() or (0 if done else await self._tokens_soon())
            work = await self._commit(batch, previous, done, tokens)
            if work is None:
                return
            self._give_back(tokens - len(work.letters))
            if work.letters:
                previous, done = work.claim, await self._send_all(work)
            elif done and not tokens and not self.stopping.is_set():
                done = []
            else:
                break
        await self._runtime.store.transact(lambda connection: let_go(connection, batch))

    # ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _bucket(self) -> str:
        return f"{self._channel}/{self._account}"

    def _tokens_now(self) -> int:
        """How many rows may leave at once, maybe 0 (rule 4)."""
        if self.stopping.is_set():
            return 0
        rate = self._rules.rate
        wanted = 1 if self._slowest > SLOW else max(1, min(MOST, int(rate * AHEAD if rate else self._pace)))
        return self._runtime.limits.take(self._bucket, wanted, rate=rate, burst=self._rules.burst)

    async def _tokens_soon(self) -> int:
        """The same, waiting a while for the first; 0 where the bucket rests longer than a lease should be held."""
        until = time.monotonic() + PATIENCE
        while not self.stopping.is_set():
            wait = self._runtime.limits.wait(self._bucket, rate=self._rules.rate)
            if time.monotonic() + wait > until:
                await asyncio.sleep(min(wait, POLL))
                return 0
            await asyncio.sleep(max(wait, 0.005))
            granted = self._tokens_now()
            if granted:
                return granted
        return 0

    def _give_back(self, tokens: int) -> None:
        if self._rules.rate and tokens:
            self._runtime.limits.give_back(self._bucket, tokens)

    # ── intent and outcome ────────────────────────────────────────────────────────────────────────────────────────

    async def _commit(self, batch: Batch, previous: Claim | None, done: list[Outcome], tokens: int) -> Work | None:
        """Record `done` and claim up to `tokens` rows in one commit; None where the batch is no longer ours.

        Rule 5: after a commit that failed to answer, the rows that carry the claim tell whether it took place.
        """
        [claim_id] = await self._runtime.store.take_ids(1)
        claim = Claim(id=claim_id, batch=batch, account=self._account)
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

    # ── send ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send_all(self, work: Work) -> list[Outcome]:
        """Send the letters of a claim, `lanes` at a time, none after its time is over."""
        assert work.writer is not None, "letters come with their writer"
        done: list[Outcome] = []
        letters = iter(work.letters)
        self._slowest = 0.0
        began = time.monotonic()
        async with asyncio.TaskGroup() as lanes:
            for _ in range(min(self._lanes, len(work.letters))):
                lanes.create_task(self._send_lane(work.claim, work.writer, letters, done))
        took = time.monotonic() - began
        # Without a rate of ours, claim what a second sends: enough to commit in bulk, little to be unsure of.
        tried = sum(outcome.was_tried for outcome in done)
        self._pace = max(self._lanes, min(MOST, tried / max(took, 0.001)))
        return done

    async def _send_lane(self, claim: Claim, writer: Writer, letters: Iterator[Letter], done: list[Outcome]) -> None:
        for letter in letters:
            outcome = await self._send(claim, writer, letter)
            done.append(outcome)

    async def _send(self, claim: Claim, writer: Writer, letter: Letter) -> Outcome:
        clock, policy = self._runtime.clock, self._runtime.policy.retry
        now = clock()
        began = time.monotonic()
        late = began - claim.started > START_WITHIN
        if late or self._is_withdrawn(claim.batch, letter) or self._runtime.limits.is_paused(self._bucket):
            return not_tried(letter, now)
        try:
            message = writer.write(letter, now)
        except Exception:
            # Words that cannot be put together for this one member; the others shall have theirs.
            log.exception("campaign %s cannot be put into words for delivery %s", claim.batch.campaign_id, letter.ref)
            return outcome_of(letter, Refused(FailureClass.CONTENT, "render"), now, policy)
        if self._spec.counts_segments and self._rules.rate:
            self._give_back(1 - count_segments(message.text).segments)
        try:
            return outcome_of(letter, await self._adapter.send(message), now, policy)
        except SendError as error:
            outcome = outcome_of(letter, error, clock(), policy)
            if outcome.next is not None and outcome.next.pause is not None:
                self._runtime.limits.pause(self._bucket, outcome.next.pause.total_seconds())
            return outcome
        except Exception:
            # A bug of the adapter's own: nobody knows how far it got, so it may have been sent.
            log.exception("channel %s failed in a way its contract does not know", self._channel)
            return outcome_of(letter, OutcomeUnknown("adapter"), clock(), policy)
        finally:
            self._slowest = max(self._slowest, time.monotonic() - began)

    def _is_withdrawn(self, batch: Batch, letter: Letter) -> bool:
        signals = self._runtime.signals
        address = letter.allow.address
        return batch.campaign_id in signals.halted or (
            letter.text is None and (address.hash, address.channel) in signals.revoked
        )
