"""One lease, one claim, its outcomes: what a dispatcher does, step by step."""

from __future__ import annotations

import time
from typing import Any

from router.intent import Work, write_intent
from router.letters import Claim, Writers
from router.outcomes import Outcome, outcome_of
from router.store.batches import Batch, lease_batch
from tests.support.ledger import Ledger


async def lease(ledger: Ledger, owner: str = "worker-1") -> Batch | None:
    return await ledger.store.transact(
        lambda connection: lease_batch(connection, ["sms"], owner=owner, now=ledger.clock())
    )


async def claim(
    ledger: Ledger, batch: Batch, wanted: int, *, previous: Claim | None = None, done: list[Outcome] | None = None
) -> Work | None:
    """One intent, as `Dispatcher` writes it."""
    [number] = await ledger.store.take_ids(1)
    work = Work(
        claim=Claim(id=number, batch=batch, started=time.monotonic()),
        previous=previous,
        done=done or [],
        wanted=wanted,
        now=ledger.clock(),
    )
    return work if await write_intent(ledger.runtime, Writers(ledger.runtime), work) else None


async def lease_and_claim(ledger: Ledger, wanted: int = 10) -> tuple[Batch, Work]:
    batch = await lease(ledger)
    assert batch is not None
    work = await claim(ledger, batch, wanted)
    assert work is not None
    return batch, work


async def expire_lease(ledger: Ledger, batch: Batch) -> None:
    await ledger.execute("UPDATE batch SET leased_until = 1 WHERE id = :id", id=batch.id)


def results(ledger: Ledger, work: Work, *outcomes: Any) -> list[Outcome]:
    policy = ledger.runtime.policy.retry
    return [outcome_of(letter, one, ledger.clock(), policy) for letter, one in zip(work.letters, outcomes, strict=True)]


async def record(ledger: Ledger, work: Work, *outcomes: Any) -> None:
    """Record outcomes of a claim, whoever leases the batch now."""
    await claim(ledger, work.claim.batch, 0, previous=work.claim, done=results(ledger, work, *outcomes))
