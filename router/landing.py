"""Waiting until what is in the air has landed: the end of rule 18, for a STOP and for whatever amounts to one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from router.runtime import Runtime
from router.stops import in_flight
from router.store.bulk import sql
from router.store.months import months_waiting

STOP_WAIT = 3.5
"""Seconds to wait for sends in flight: their window of 3 s and a little (rule 18)."""
_LOOK = 0.05
"""Seconds between looks."""


async def wait_until_landed(runtime: Runtime, flying: Sequence[tuple[int, int]], wait: float = STOP_WAIT) -> None:
    """Wait until none of these (month, id) is being sent any more, or none can start: `wait` seconds at most."""
    until = time.monotonic() + wait
    while flying and time.monotonic() < until:
        await asyncio.sleep(_LOOK)
        async with runtime.store.read() as connection:
            if not await in_flight(connection, flying):
                return


async def wait_for_member(runtime: Runtime, member_id: int) -> None:
    """Wait until nothing that was claimed for this member before can start any more.

    To be called once their wish is committed: claims that come later look at it themselves.
    """
    flying: list[tuple[int, int]] = []
    async with runtime.store.read() as connection:
        for month in await months_waiting(connection, now=runtime.clock()):
            rows = await connection.execute(
                sql("SELECT id FROM delivery WHERE month = :month AND member_id = :member AND status = 'sending'"),
                {"month": month, "member": member_id},
            )
            flying += [(month, number) for number in rows.scalars()]
    wait = max((runtime.specs[channel].start_within for channel in runtime.channels), default=0.0) + 0.5
    await wait_until_landed(runtime, flying, wait)
