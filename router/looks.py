"""That somebody looked at a person's data is written down, once an hour for each who looks, at whom and how."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select

from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.tables import audit

AGAIN = timedelta(hours=1)
"""A further look within so long says nothing new: somebody works on the same person's matter."""


class Look(StrEnum):
    """What was looked at, as the audit names it."""

    FILE = "member.view"
    """Their page: history, consents, masked addresses."""
    WHY = "member.why"
    """Why they got a message, or did not."""
    THREAD = "member.thread"
    """What they wrote and were answered."""
    EXPORT = "member.export"
    """All that there is, as a file."""


async def note_view(runtime: Runtime, look: Look, member_id: int, *, by: str, now: datetime) -> None:
    """Write down that `by` looked. Two looks at the same moment may both be written, which is no harm."""
    recent = select(audit.c.id).where(
        audit.c.subject == str(member_id), audit.c.what == look.value, audit.c.who == by, audit.c.at > now - AGAIN
    )
    async with runtime.store.read() as connection:
        if (await connection.execute(recent.limit(1))).first() is not None:
            return
    [number] = await runtime.store.take_ids(1)
    async with runtime.store.write() as connection:
        await write_audit(
            connection, number, who=by, what=look.value, subject=str(member_id), detail={}, now=now
        )  # fmt: skip
