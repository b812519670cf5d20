"""Bring the ledger to the newest version. Safe to run twice and from two processes at once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from router.store.engine import Store

_LOCK = 0x6F757472
"""PostgreSQL advisory lock of the transaction that migrates ("outr")."""


async def migrate(store: Store) -> None:
    """Run what is missing, in one transaction that waits for any other process doing the same."""
    async with store.write() as connection:
        if not store.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(_upgrade)


async def is_current(store: Store) -> bool:
    """Whether the ledger has what this program was written for: it is at its version, or at one of a newer program.

    While a newer version is rolled out the older one goes on beside it, and must be able to start again, so migrations
    take nothing away that the version before still uses (docs/operations.md).
    """
    async with store.read() as connection:
        return await connection.run_sync(_at_head)


def newest_version() -> str:
    """The version of the ledger that this program was written for: "0012"."""
    return _head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection) -> None:
    if _at_head(connection):
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _at_head(connection: Connection) -> bool:
    current = MigrationContext.configure(connection).get_current_revision()
    return current is not None and current >= _head()  # "0001", "0002" …


@cache
def _head() -> str:
    """Read once: that takes 9 ms, and load balancers ask for it every few seconds."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "there is a first migration"
    return head
