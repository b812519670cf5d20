"""An ask with a deadline on channels that cannot deliver it in time: it overflows to each member's next one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.plans import Route
from router.runtime import Runtime


async def full_channels(
    runtime: Runtime, connection: AsyncConnection, prepared: Route, *, now: datetime
) -> frozenset[str]:
    """The channels whose queue already holds as much as can leave before the ask's deadline."""
    return frozenset()
