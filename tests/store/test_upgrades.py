"""Versions of the ledger and of the program that are not the same."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from router.store.engine import Store
from router.store.migrate import is_current, migrate


@pytest.mark.parametrize(("version", "enough"), [("9999", True), ("0001", False)])
async def test_an_older_program_goes_on_with_a_newer_ledger_and_not_the_other_way(
    store: Store, version: str, enough: bool
) -> None:
    async with store.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    assert await is_current(store) is enough
    if enough:
        await migrate(store)
        async with store.read() as connection:
            assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == version
