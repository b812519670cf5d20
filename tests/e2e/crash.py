"""One life of a worker that kills itself with -9 at a chosen moment. Run in a process of its own.

The moments are reached by wrapping what the shipped worker calls; the worker itself is the shipped one. Two mutants
break its protocol on purpose, to show that the test would notice.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text

import router.dispatch
import router.fanout
import router.intent
import router.ranges
import router.store.batches
from router.app import open_runtime
from router.core.rates import ChannelRules
from router.sending import Hands
from router.settings import Settings
from router.wire import HttpWire
from router.worker import run_worker
from tests.support.movement import Clock
from tests.support.runtime import plain_guard

ROUTING = "routing"
BEFORE_FIRST_BYTE = "between intent and first byte"
AWAITING = "awaiting the provider"
BEFORE_COMMIT = "between answer and commit"
PHASES = (ROUTING, BEFORE_FIRST_BYTE, AWAITING, BEFORE_COMMIT)

RANGE = 200
MOST = 20
DISPATCHERS = 3
"""Rows granted at once are at most MOST for each sender."""

RULES = {"sms": ChannelRules(rate=0, concurrency=9), "email": ChannelRules(rate=0, concurrency=3)}


@dataclass(frozen=True, kw_only=True)
class Life:
    """When this worker dies: at the `nth` time that it comes to `phase`."""

    settings: dict[str, Any]
    environment: dict[str, str]
    began: datetime
    """What the clock says when this life begins: later than in the life before, or it would find work of the future."""
    phase: str
    nth: int
    mutant: str = ""


def live(life: Life) -> None:
    """Work until the moment of death, or until nothing is left to do."""
    asyncio.run(_live(life))


async def _live(life: Life) -> None:
    router.ranges.RANGE = RANGE
    router.dispatch.MOST = MOST
    _MUTANTS.get(life.mutant, lambda: None)()
    _arm(life)
    settings = Settings(**life.settings)
    async with open_runtime(settings, environment=life.environment, rules=RULES, clock=Clock(life.began)) as shipped:
        plain = {"guard": plain_guard(shipped.policy.guard)}
        runtime = replace(shipped, policy=shipped.policy.model_copy(update=plain))
        await run_worker(runtime, until_idle=True)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(life: Life) -> None:
    left = life.nth

    def due() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    if life.phase == ROUTING:
        names = ("insert_rows", "write_slots", "_claim")
        name = names[life.nth % len(names)]
        original = getattr(router.fanout, name)

        async def half_routed(*arguments: Any, **more: Any) -> Any:
            result = await original(*arguments, **more)
            if due():
                _die()
            return result

        setattr(router.fanout, name, half_routed)
        return
    request: Callable[..., Awaitable[Any]] = HttpWire.request

    async def dying(self: HttpWire, *arguments: Any, **more: Any) -> Any:
        now = due()
        if now and life.phase == BEFORE_FIRST_BYTE:
            _die()
        if now and life.phase == AWAITING:
            asyncio.get_running_loop().call_later(0.004, _die)
        reply = await request(self, *arguments, **more)
        if now:
            _die()
        return reply

    HttpWire.request = dying  # type: ignore[method-assign, assignment]


# ── mutants ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _intent_after_the_send() -> None:
    """Write down that a message is being sent once it was sent."""
    real = router.intent.mark_sending
    waiting: dict[int, tuple[Any, ...]] = {}

    async def later(connection: Any, leased: Any, ids: Any, *, claim_id: int, text_version: int) -> None:
        waiting[claim_id] = (leased, list(ids), text_version)

    hand_over = Hands.hand_over

    async def send_then_intend(self: Hands, work: Any, grants: Any) -> Any:
        done = await hand_over(self, work, grants)
        leased, ids, version = waiting.pop(work.claim.id)
        await self._runtime.store.transact(
            lambda connection: real(connection, leased, ids, claim_id=work.claim.id, text_version=version)
        )
        return done

    router.intent.mark_sending = later
    Hands.hand_over = send_then_intend  # type: ignore[method-assign]


def _blind_resend() -> None:
    """Take over by sending again what the dead worker had in flight."""

    async def send_again(connection: Any, leased: Any, now: Any) -> None:
        await connection.execute(
            text(
                "UPDATE delivery SET status = 'queued' WHERE month = :month AND id BETWEEN :first AND :last"
                " AND status = 'sending'"
            ),
            {"month": leased.month, "first": leased.first_id, "last": leased.last_id},
        )

    router.store.batches._give_up_in_flight = send_again


_MUTANTS: dict[str, Callable[[], None]] = {
    "intent after the send": _intent_after_the_send,
    "blind re-send": _blind_resend,
}
