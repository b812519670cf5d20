"""Bring the ledger to the newest version. Safe to run twice and from two processes at once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from router.store.engine import Store

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x6F757472
"""PostgreSQL advisory lock of the transaction that migrates ("outr")."""

_SCRIPTS = Path(__file__).parent / "migrations"


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


@cache
def newest_version() -> str:
    """The version of the ledger that this program was written for: "0012"."""
    return max(path.name[:4] for path in (_SCRIPTS / "versions").glob("[0-9]*.py"))


def _upgrade(connection: Connection) -> None:
    if _at_head(connection):
        return
    from alembic import command  # a tenth of a second and 9 MiB, which a ledger that is up to date does not need

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_config() -> Config:
    """What Alembic must know to find our migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


def _at_head(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    current = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return current is not None and str(current) >= newest_version()  # "0001", "0002" …
