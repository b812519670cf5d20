"""Fixtures that every folder of tests shares: real databases, no fakes."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from router.store.engine import Store
from router.store.migrate import migrate
from tests.support.databases import Databases
from tests.support.postgres import admin_url

pytest_plugins = ["tests.strict"]

collect_ignore = ["counterparts"]
"""They need Node.js and have a run of their own: ``make test-counterparts``."""


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that tests are copied from."""
    import asyncio

    path = tmp_path_factory.mktemp("ledger") / "template.sqlite3"

    async def fill() -> None:
        store = Store(f"sqlite:///{path}")
        await migrate(store)
        await store.aclose()

    asyncio.run(fill())
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A fresh, migrated SQLite ledger."""
    path = tmp_path / "ledger.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The PostgreSQL databases of this run."""
    if admin_url() is None:
        pytest.skip("no PostgreSQL: install it, or set OUTREACH_TEST_DATABASE_URL")
    with Databases() as databases:
        yield databases


@pytest.fixture
def postgresql_url(databases: Databases) -> Iterator[str]:
    """A fresh, migrated PostgreSQL ledger."""
    with databases.fresh() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh ledger on each of the two databases."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """The ledger, open."""
    store = Store(database_url)
    yield store
    await store.aclose()
