"""The ledger on both databases, with a worker's parts in the test's hands."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from router.store.engine import Store
from tests.support.accounts import Open
from tests.support.ledger import Ledger
from tests.support.movement import Movement, everywhere
from tests.support.settling import policy_with


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A fresh installation."""
    return Ledger(store)


@pytest.fixture
def open_movement(database_url: str, tmp_path: Path) -> Open:
    """Opens an installation; `policy` changes numbers of the house's rules."""

    def opened(*, policy: dict[str, Any] | None = None, **options: Any) -> AbstractAsyncContextManager[Movement]:
        return everywhere(database_url, config=policy_with(tmp_path, **(policy or {})), **options)

    return opened
