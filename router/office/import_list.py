"""The files that were brought in last."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from router.runtime import Runtime
from router.store.tables import import_job

MOST = 30


class ImportLine(NamedTuple):
    """One file."""

    id: int
    file_name: str
    status: str
    """``running``, ``finished`` or ``failed``: begun anew by somebody."""
    rows_done: int
    started_by: str
    started_at: datetime


async def latest_imports(runtime: Runtime) -> list[ImportLine]:
    """The latest first."""
    columns = [import_job.c[name] for name in ImportLine._fields]
    async with runtime.store.read() as connection:
        rows = await connection.execute(select(*columns).order_by(import_job.c.id.desc()).limit(MOST))
        return [ImportLine(*row) for row in rows]
