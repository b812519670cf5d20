"""The loop that tells other systems: oldest first, one after another for each member, again where it failed.

Each event is told at least once. The receiver knows one that comes twice by its ``webhook-id``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.channel import Wire
from router.core.errors import OutcomeUnknown, Refused, SendError
from router.core.outgoing import headers_of, next_try, rest_after
from router.core.retry_after import retry_after
from router.core.sealing import CannotOpen
from router.runtime import Runtime
from router.store.leases import give_lease_back, take_lease
from router.store.sealed import unseal
from router.store.tables import hook, to_ms

log = logging.getLogger(__name__)

LEASE = "webhooks"

AT_ONCE = 25
"""Requests at once to all addresses together; they are over well within the lease."""

TIMEOUT = 15.0
"""Seconds for one request."""

KEPT = timedelta(days=30)
"""What was told is forgotten after so long; dead letters stay."""

_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What came of one try."""

    event_id: int
    hook_id: int
    attempts: int
    error: str = ""
    """"" where the address took it."""
    wait: float | None = None
    """Seconds it asked us to wait."""
    down: bool = False
    """The whole address is at fault, not this event."""
    closed: str = ""
    """Why the address is told nothing more."""


async def post_events(runtime: Runtime, owner: str, *, now: datetime) -> bool:
    """Tell what is due, where no other process does; whether there may be more right away."""
    wire, lasts = runtime.strangers, runtime.settings.lease_ms
    if wire is None or not await runtime.store.transact(
        lambda connection: take_lease(connection, LEASE, owner, lasts=lasts)
    ):
        return False
    async with runtime.store.read() as connection:
        due = await _due(connection, now)
    if not due:
        return False
    told = await asyncio.gather(*[_post(runtime, wire, row) for row in due])
    await runtime.store.transact(lambda connection: _record(connection, told, now=now))
    return any(not one.error for one in told)


async def stop_posting(runtime: Runtime, owner: str) -> None:
    """Leave it to another process at once."""
    await runtime.store.transact(lambda connection: give_lease_back(connection, LEASE, owner))


async def _due(connection: AsyncConnection, now: datetime) -> Sequence[Any]:
    """The next event for each member at each address that may be told now."""
    rows = await connection.execute(
        text(
            "SELECT e.id, e.hook_id, e.body, e.attempts, h.url, h.secret FROM hook h JOIN hook_event e"
            " ON e.hook_id = h.id AND e.status = 'waiting' WHERE h.active AND coalesce(h.rest_until, 0) <= :now"
            " AND e.not_before <= :now AND NOT EXISTS (SELECT 1 FROM hook_event p WHERE p.hook_id = e.hook_id"
            " AND p.member_id = e.member_id AND p.status = 'waiting' AND e.member_id <> 0"
            " AND (p.at < e.at OR (p.at = e.at AND p.id < e.id))) ORDER BY e.at, e.id LIMIT :most"
        ),
        {"now": to_ms(now), "most": AT_ONCE},
    )
    return rows.all()


async def _post(runtime: Runtime, wire: Wire, row: Any) -> _Told:
    now, body = runtime.clock(), row.body.encode()
    about = {"event_id": row.id, "hook_id": row.hook_id, "attempts": row.attempts + 1}
    try:
        url = unseal(runtime.ring, row.url, hook.c.url, row.hook_id)
        secret = unseal(runtime.ring, row.secret, hook.c.secret, row.hook_id)
    except CannotOpen as error:
        log.error("webhook %s is not told: %s", row.hook_id, error)
        return _Told(**about, error=str(error), down=True)
    try:
        reply = await wire.request(
            "POST", url, headers=headers_of(secret, row.id, now, body), body=body, timeout=TIMEOUT
        )
    except Refused:
        return _Told(**about, error="private network", down=True, closed="its address leads into a private network")
    except OutcomeUnknown:
        return _Told(**about, error="no answer", down=True)
    except SendError:
        return _Told(**about, error="no connection", down=True)
    if 200 <= reply.status < 300:
        return _Told(**about)
    if reply.status == _GONE:
        return _Told(**about, error="410", closed="it answered 410 Gone")
    if 300 <= reply.status < 400:
        return _Told(**about, error=f"{reply.status}: it leads elsewhere, which we never follow; enter the new address")
    busy = reply.status == 429 or reply.status >= 500
    return _Told(**about, error=str(reply.status), wait=retry_after(reply, now) if busy else None, down=busy)


async def _record(connection: AsyncConnection, told: Sequence[_Told], *, now: datetime) -> None:
    for one in sorted(told, key=lambda each: each.event_id):
        again = next_try(one.attempts, now, one.wait) if one.error else None
        status = "told" if not one.error else "waiting" if again else "dead"
        await connection.execute(
            text(
                "UPDATE hook_event SET status = :status, attempts = :attempts, last_error = :error,"
                " not_before = coalesce(CAST(:again AS bigint), not_before), done_at = CAST(:done AS bigint)"
                " WHERE id = :id AND status = 'waiting'"
            ),
            {
                "status": status, "attempts": one.attempts, "error": one.error[:200], "id": one.event_id,
                "again": None if again is None else to_ms(again), "done": None if again else to_ms(now),
            },
        )  # fmt: skip
    for number in sorted({one.hook_id for one in told}):
        await _judge(connection, number, [one for one in told if one.hook_id == number], now=now)


async def _judge(connection: AsyncConnection, number: int, told: Sequence[_Told], *, now: datetime) -> None:
    """An address that took anything is well; one that could not be reached rests, and is told nothing meanwhile."""
    if closed := next((one.closed for one in told if one.closed), ""):
        await connection.execute(
            text("UPDATE hook SET active = false, reason = :reason WHERE id = :id"), {"reason": closed, "id": number}
        )
    well = any(not one.down for one in told)
    failures = await connection.scalar(text("SELECT failures FROM hook WHERE id = :id"), {"id": number}) or 0
    if well and not failures:
        return
    failures = 0 if well else min(failures + 1, 1_000)
    waits = [one.wait for one in told if one.wait]
    rest = None if well else to_ms(rest_after(failures, now, max(waits, default=None)))
    await connection.execute(
        text("UPDATE hook SET failures = :failures, rest_until = CAST(:rest AS bigint) WHERE id = :id"),
        {"failures": failures, "rest": rest, "id": number},
    )


async def forget_told(connection: AsyncConnection, *, now: datetime) -> int:
    """Remove what was told long ago; returns how many."""
    removed = await connection.execute(
        text("DELETE FROM hook_event WHERE status = 'told' AND done_at < :before"), {"before": to_ms(now - KEPT)}
    )
    return removed.rowcount
