"""Is this process ready to work? What it stands on, part by part, each with a sentence.

A load balancer asks each web process and takes those out that say no. So only what makes one process useless while
others may be fine, or makes all useless anyway, is a failure: the database, and its version. Redis and workers are
shared by all web processes: to take all of these out because Redis is gone would lose the STOPs that they could still
take, so these are warnings. Monitoring asks strictly (``/readyz?strict=true``) and hears of warnings by the status.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from router.core.errors import Unavailable
from router.gauges import read_leases
from router.runtime import Runtime
from router.store.migrate import is_current

QUIET = 15.0
"""Seconds to warn of: since any worker looked, which one does every second, or since a batch could have been taken over
from a dead one, which takes a second or two where nothing more urgent waits."""

PATIENCE = 3.0
"""Seconds that the database may take; load balancers wait for 5 s by default."""


class State(StrEnum):
    """How a part is, the better first."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Part(BaseModel):
    """One thing that this process stands on."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: State
    sentence: str


async def look_around(runtime: Runtime) -> list[Part]:
    """Database, version, Redis, workers: how each is. Never raises."""
    ledger, redis = await asyncio.gather(_ledger(runtime), _redis(runtime))
    return [*ledger[:2], redis, *ledger[2:]]


async def _ledger(runtime: Runtime) -> list[Part]:
    try:
        async with asyncio.timeout(PATIENCE):
            current = await is_current(runtime.store)
            answers = Part(name="database", state=State.OK, sentence="It answers.")
            if not current:
                behind = "It is not at this program's version; run `outreach migrate`."
                return [answers, Part(name="version", state=State.FAILED, sentence=behind)]
            version = Part(name="version", state=State.OK, sentence="The ledger is at this program's version.")
            return [answers, version, *await _workers(runtime)]
    except (Unavailable, TimeoutError):
        gone = "It does not answer; look at its server and at OUTREACH_DATABASE_URL."
        return [Part(name="database", state=State.FAILED, sentence=gone)]


async def _redis(runtime: Runtime) -> Part:
    if runtime.ask_redis is None:
        return Part(name="redis", state=State.OK, sentence="None is set up; one process needs none.")
    try:
        await runtime.ask_redis()
    except Unavailable:
        gone = (
            "It does not answer; look at its server and at OUTREACH_REDIS_URL. Webhooks and STOPs are taken all the"
            " same; sending waits, or goes on with a share of each rate."
        )
        return Part(name="redis", state=State.WARNING, sentence=gone)
    return Part(name="redis", state=State.OK, sentence="It answers.")


async def _workers(runtime: Runtime) -> list[Part]:
    async with runtime.store.read() as connection:
        seen, expired = await read_leases(connection, lasts=runtime.settings.lease_ms)
    if seen is None:
        idle = "No worker is at work; start `outreach worker`, or nothing is sent."
        return [Part(name="worker", state=State.WARNING, sentence=idle)]
    if seen > QUIET:
        idle = f"No worker has looked for {seen:,.0f} s; see whether `outreach worker` still runs."
        return [Part(name="worker", state=State.WARNING, sentence=idle)]
    if expired > QUIET:
        late = f"What a dead worker left has waited for {expired:,.0f} s; look at the workers' logs, or start more."
        return [Part(name="worker", state=State.WARNING, sentence=late)]
    return [Part(name="worker", state=State.OK, sentence="A worker is at work.")]
