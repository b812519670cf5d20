"""A second ledger to compare with, and one for rules that have nothing to do with the database."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.store.engine import Store


@pytest.fixture
async def ledger(sqlite_url: str) -> AsyncIterator[Store]:
    """SQLite only: for tables of rules that no database decides."""
    store = Store(sqlite_url)
    yield store
    await store.aclose()


@pytest.fixture
async def other_ledger(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Store]:
    """Where the same thing is done in another way, to compare."""
    path = tmp_path / "other.sqlite3"
    shutil.copy(sqlite_template, path)
    store = Store(f"sqlite:///{path}")
    yield store
    await store.aclose()
