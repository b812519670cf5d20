"""The ledger on both databases, with a worker's parts in the test's hands."""

from __future__ import annotations

import pytest

from router.store.engine import Store
from tests.support.ledger import Ledger


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A fresh installation."""
    return Ledger(store)
