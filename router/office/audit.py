"""The audit, to be read: who did what, the latest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from router.runtime import Runtime
from router.store.tables import audit

PAGE = 50
"""Entries of one page."""
LOOKED_AT = 5_000
"""Entries that one page looks through for those that were asked for: the audit of years is never read at once."""


class Entry(NamedTuple):
    """Somebody did something."""

    id: int
    at: datetime
    who: str
    what: str
    subject: str
    detail: Mapping[str, Any]


class AuditPage(NamedTuple):
    """Some entries, and where to go on."""

    entries: list[Entry]
    before: int | None
    """The number to go on from; None where there is nothing older."""


async def read_audit(
    runtime: Runtime, *, who: str = "", what: str = "", subject: str = "", before: int | None = None
) -> AuditPage:
    """Entries older than `before`, by their numbers. `what` may be the beginning of a deed (``campaign``).

    Each process takes numbers in blocks, so that entries of the same minute may stand in another order.
    """
    window = select(audit).order_by(audit.c.id.desc()).limit(LOOKED_AT)
    if before is not None:
        window = window.where(audit.c.id < before)
    if subject:
        window = window.where(audit.c.subject == subject)  # its entries alone, by their index
    seen = window.subquery()
    query = select(seen)
    if who:
        query = query.where(seen.c.who == who)
    if what:
        query = query.where((seen.c.what == what) | seen.c.what.startswith(f"{what}.", autoescape=True))
    async with runtime.store.read() as connection:
        rows = (await connection.execute(query.order_by(seen.c.id.desc()).limit(PAGE + 1))).all()
        entries = [Entry(row.id, row.at, row.who, row.what, row.subject, row.detail) for row in rows[:PAGE]]
        if len(rows) > PAGE:
            return AuditPage(entries, entries[-1].id)
        numbers = select(window.with_only_columns(audit.c.id).subquery().c.id)
        looked = (await connection.execute(numbers)).scalars().all()
        return AuditPage(entries, looked[-1] if len(looked) == LOOKED_AT else None)
