"""Hand the letters of one claim to the provider and learn what came of each. No ledger is written here."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from router.core.delivery import after_allowance
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, SendError, Throttled, Unavailable
from router.core.sealing import is_sealed
from router.core.sms import count_segments
from router.core.standing import Result
from router.intent import Work
from router.letters import Letter
from router.limits import Bucket
from router.outcomes import Outcome, not_tried, outcome_of
from router.runtime import Runtime
from router.senders import Grants, Pool, Sender, day_of, is_open, next_day
from router.store.spendings import micros

log = logging.getLogger(__name__)

SLOW = 2.0
"""Seconds from which an answer is slow: then we claim one row at a time (rule 8)."""


@dataclass(slots=True)
class Handed:
    """What came of a claim."""

    outcomes: list[Outcome]
    slowest: dict[Sender, float] = field(default_factory=dict)
    """Seconds that the slowest answer of each sender took."""
    took: float = 0.0
    changed: bool = False
    """Whether a sender's breaker opened or closed."""
    owed: Counter[Sender] = field(default_factory=Counter)
    """Segments beyond the one that was paid for with each text."""


class Hands:
    """Sends the letters of a pool's claims, `requests` at a time."""

    def __init__(self, runtime: Runtime, pool: Pool, *, requests: int) -> None:
        self._runtime = runtime
        self._pool = pool
        self._spec = pool.spec
        self._requests = requests
        self.start_within = pool.spec.start_within
        """Seconds after its claim in which a send may start (rule 8), on a monotonic clock."""

    async def hand_over(self, work: Work, grants: Grants) -> Handed:
        """Send all letters of a claim, none after its time is over; what may not leave now is put back."""
        assert work.writer is not None, "letters come with their writer"
        done = Handed([])
        letters = await self._admit(work.letters, done)
        chosen = [(letter, grants.spend(letter.allow.address.hash, letter.attempts)) for letter in letters]
        soon = self._runtime.clock() + timedelta(milliseconds=200)
        done.outcomes += [not_tried(letter, soon) for letter, sender in chosen if sender is None]
        paired = iter([(letter, sender) for letter, sender in chosen if sender is not None])
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._requests, len(letters))):
                group.create_task(self._send_in_turn(work, paired, done))
        done.took = time.monotonic() - began
        for sender, segments in done.owed.items():
            await self._runtime.limits.give_back(sender.bucket, -segments)
        return done

    # ── what a place or a day has room for ────────────────────────────────────────────────────────────────────────

    async def _admit(self, letters: list[Letter], done: Handed) -> list[Letter]:
        """The letters for which their chat, host and day have room; the others go back until they have."""
        rules = self._pool.rules
        try:
            if letters and rules.each and self._spec.limit_key is not None:
                letters = await self._admit_by_place(letters, done)
            if letters and rules.daily is not None:
                letters = await self._admit_by_day(letters, done)
        except Unavailable as error:
            log.warning("nothing is sent by %s: %s", self._pool.name, error)
            now = self._runtime.clock()
            done.outcomes += [not_tried(letter, now + timedelta(seconds=error.retry_after)) for letter in letters]
            return []
        return letters

    async def _admit_by_place(self, letters: list[Letter], done: Handed) -> list[Letter]:
        buckets: list[Bucket] = []
        limited: list[int] = []
        for place, letter in enumerate(letters):
            bucket = self._pool.place_of(letter.allow.address.value)
            if bucket is not None:
                buckets.append(bucket)
                limited.append(place)
        waits = await self._runtime.limits.take_each(buckets) if buckets else []
        late = {place: wait for place, wait in zip(limited, waits, strict=True) if wait > 0}
        if not late:
            return letters
        now = self._runtime.clock()
        done.outcomes += [not_tried(letters[place], now + timedelta(seconds=wait)) for place, wait in late.items()]
        return [letter for place, letter in enumerate(letters) if place not in late]

    async def _admit_by_day(self, letters: list[Letter], done: Handed) -> list[Letter]:
        """The allowance counts accounts, not numbers, and answers to people do not wait for the next day."""
        daily = self._pool.rules.daily
        assert daily is not None
        now = self._runtime.clock()
        counted = [
            place
            for place, letter in enumerate(letters)
            if letter.text is None and letter.allow.address.value.startswith(daily.prefix)
        ]
        wanted = math.ceil(len(counted) * daily.share)
        if not wanted:
            return letters
        name = f"{self._pool.name}/daily"
        cap = daily.cap * len({sender.account for sender in self._pool.senders})
        granted = await self._runtime.limits.count(name, wanted, cap=cap, day=day_of(daily, now))
        if granted >= wanted:
            return letters
        late = set(counted[int(granted / daily.share) :])
        reset = next_day(daily, now)
        for place in late:
            step = after_allowance(now=now, expires_at=letters[place].expires_at, reset=reset)
            done.outcomes.append(Outcome(letters[place], now, next=step))
        return [letter for place, letter in enumerate(letters) if place not in late]

    # ── one after the other ───────────────────────────────────────────────────────────────────────────────────────

    async def _send_in_turn(self, work: Work, paired: Iterator[tuple[Letter, Sender]], done: Handed) -> None:
        for letter, sender in paired:
            done.outcomes.append(await self._send(work, letter, sender, done))

    async def _send(self, work: Work, letter: Letter, sender: Sender, done: Handed) -> Outcome:
        runtime = self._runtime
        now = runtime.clock()
        began = time.monotonic()
        if (
            began - work.claim.started > self.start_within
            or self._is_withdrawn(work, letter)
            or is_open(sender)
            or runtime.limits.is_paused(sender.bucket.name)
        ):
            return not_tried(letter, now)
        if self._spec.sealed_address and is_sealed(letter.allow.address.value):
            # Our key is missing, which says nothing against the address: it waits until there is one.
            return self._outcome(letter, Refused(FailureClass.SENDER_CONFIG, "sealed"), now, sender)
        host = self._host_of(letter)
        if sender.hosts is not None and (rest := sender.hosts.rests_until(host, now)) is not None:
            return not_tried(letter, rest)
        assert work.writer is not None
        try:
            message = work.writer.write(letter, now, sender=sender.name)
        except Exception:
            # Words that cannot be put together for this one member; the others shall have theirs.
            log.exception(
                "campaign %s cannot be put into words for delivery %s", work.claim.batch.campaign_id, letter.ref
            )
            return self._outcome(letter, Refused(FailureClass.CONTENT, "render"), now, sender)
        if not sender.standing.begin():
            return not_tried(letter, now)
        if sender.hosts is not None:
            sender.hosts.begin(host)
        segments = count_segments(message.text).segments if self._spec.counts_segments else 1
        if segments > 1 and sender.rules.rate:
            done.owed[sender] += segments - 1
        cost = micros(sender.rules.price) * segments
        try:
            sent = await sender.adapter.send(message)
        except SendError as error:
            outcome = self._outcome(letter, error, runtime.clock(), sender, cost=cost)
            if outcome.next is not None and outcome.next.pause is not None:
                if sender.hosts is not None:
                    sender.hosts.slow_down(host, runtime.clock() + outcome.next.pause)
                else:
                    await runtime.limits.pause(sender.bucket.name, outcome.next.pause.total_seconds())
            self._judge(sender, host, error, time.monotonic() - began, done)
            return outcome
        except Exception:
            # A bug of the adapter's own: nobody knows how far it got, so it may have been sent.
            log.exception("channel %s failed in a way its contract does not know", self._spec.name)
            bug = OutcomeUnknown("adapter")
            self._judge(sender, host, bug, time.monotonic() - began, done)
            return self._outcome(letter, bug, runtime.clock(), sender, cost=cost)
        self._judge(sender, host, None, time.monotonic() - began, done)
        return outcome_of(letter, sent, now, runtime.policy.retry, account=sender.label, cost=cost)

    def _outcome(self, letter: Letter, error: SendError, at: datetime, sender: Sender, *, cost: int = 0) -> Outcome:
        daily = self._pool.rules.daily
        return outcome_of(
            letter,
            error,
            at,
            self._runtime.policy.retry,
            account=sender.label,
            others=any(other is not sender for other in self._pool.alive(at)),
            daily_reset=next_day(daily, at) if daily and error.failure is FailureClass.DAILY_CAP else None,
            cost=cost,
        )

    def _host_of(self, letter: Letter) -> str:
        """The host that a stranger's address names; "" on other channels."""
        spec = self._spec
        return spec.limit_key(letter.allow.address.value)[1] if spec.strangers and spec.limit_key else ""

    def _judge(self, sender: Sender, host: str, error: SendError | None, seconds: float, done: Handed) -> None:
        """What this send says of its sender, and of the host that it went to."""
        done.slowest[sender] = max(done.slowest.get(sender, 0.0), seconds)
        result, now = _result_of(error, seconds), self._runtime.clock()
        code = error.code if error is not None else ""
        if sender.hosts is not None:
            result = sender.hosts.record(host, result, now, code=code)
        if sender.standing.record((result,), now, code=code):
            done.changed = True

    def _is_withdrawn(self, work: Work, letter: Letter) -> bool:
        signals = self._runtime.signals
        address = letter.allow.address
        return work.claim.batch.campaign_id in signals.halted or (
            letter.text is None and (address.hash, address.channel) in signals.revoked
        )


def _result_of(error: SendError | None, seconds: float) -> Result:
    if error is not None and error.failure is FailureClass.SENDER_CONFIG:
        return Result.OURS
    failed = isinstance(error, OutcomeUnknown) or (isinstance(error, NotSent) and not isinstance(error, Throttled))
    if failed and error is not None and error.failure is FailureClass.TRANSPORT:
        return Result.FAILED
    return Result.SLOW if seconds > SLOW else Result.WELL
