"""A group is left in peace by an organizer, as its steward can have it by ``/quiet``."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import BadInput, NotFound
from router.core.keywords_values import LONGEST_PAUSE
from router.dial import quiet_group
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.tables import member


async def quiet_for(runtime: Runtime, group_id: int, days: int, *, by: str, now: datetime) -> None:
    """No asks are posted in this group for so many days; 0 ends its quiet. Raises `NotFound` and `BadInput`."""
    if not 0 <= days <= LONGEST_PAUSE:
        raise BadInput(f"write 0 to {LONGEST_PAUSE} days", place="days")
    ids = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        there = (member.c.id == group_id) & (member.c.kind == "group") & member.c.erased_at.is_(None)
        if await connection.scalar(select(member.c.id).where(there)) is None:
            raise NotFound(f"there is no group {group_id}")
        await quiet_group(connection, group_id, now + timedelta(days=days), now=now)
        await write_audit(
            connection, ids[0], who=by, what="group.quiet", subject=str(group_id), detail={"days": days}, now=now
        )

    await runtime.store.transact(work)
