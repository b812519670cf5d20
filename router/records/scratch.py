"""Where a dry run writes: a ledger of its own in a temporary file, into which the members concerned are copied."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from router.records.pages import (
    ADDRESS_COLUMNS,
    CONSENT_COLUMNS,
    MEMBER_COLUMNS,
    TAG_COLUMNS,
    read_pages,
)
from router.records.ready import Ready
from router.store.engine import Store
from router.store.tables import metadata

_FIRST_ID = 1 << 40
"""Numbers in a dry run lie above all real ones, so that the order of members is the same."""


class Scratch:
    """A throw-away copy of those members that a file touches."""

    def __init__(self, real: Store, store: Store) -> None:
        self._real = real
        self.store = store

    async def seed(self, rows: Iterable[Ready]) -> None:
        """Copy the members at the addresses of `rows` that are not here yet."""
        async with self._real.read() as connection:
            pages = await read_pages(connection, rows)
        if not (pages.members or pages.suppressions):
            return
        async with self.store.write() as connection:
            here = await connection.execute(
                text("SELECT id FROM seeded WHERE id IN (SELECT value FROM json_each(:ids))"),
                {"ids": json.dumps([row[0] for row in pages.members])},
            )
            known = set(here.scalars())

            async def copy(table: str, columns: Sequence[str], rows: list[tuple[Any, ...]], owner: int) -> None:
                fresh = [tuple(map(_plain, row)) for row in rows if row[owner] not in known]
                if fresh:
                    names, holes = ", ".join(columns), ", ".join("?" * len(columns))
                    statement = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({holes})"
                    await connection.exec_driver_sql(statement, fresh)

            await copy("member", MEMBER_COLUMNS, pages.members, 0)
            await copy("address", ADDRESS_COLUMNS, pages.addresses, 1)
            await copy("member_tag", TAG_COLUMNS, pages.tags, 1)
            await copy("consent", CONSENT_COLUMNS, pages.consents, 1)
            known.clear()
            suppressions: list[tuple[Any, ...]] = [(*place, "import", 0) for place in pages.suppressions]
            await copy("suppression", ("channel", "address_hash", "reason", "at"), suppressions, 0)
            await copy("seeded", ("id",), [(row[0],) for row in pages.members], 0)


@contextlib.asynccontextmanager
async def open_scratch(real: Store) -> AsyncIterator[Scratch]:
    """An empty scratch ledger; its file is gone afterwards."""
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="outreach-dry-")
    store = Store(f"sqlite:///{Path(folder) / 'scratch.sqlite3'}")
    try:
        async with store.write() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.execute(text("CREATE TABLE seeded (id INTEGER PRIMARY KEY)"))
            await connection.execute(
                text("INSERT INTO id_block (one, next_id) VALUES (1, :first)"), {"first": _FIRST_ID}
            )
        yield Scratch(real, store)
    finally:
        await store.aclose()
        await asyncio.to_thread(_remove, Path(folder))


def _remove(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value
