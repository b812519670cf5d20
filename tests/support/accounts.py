"""What the ledger says of accounts and of tries, for the tests of senders and of failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.support.movement import Movement

Open = Callable[..., AbstractAsyncContextManager[Movement]]
"""Opens an installation; `policy` changes numbers of the house's rules."""


async def attempts(movement: Movement, campaign: int) -> Counter[tuple[str, str]]:
    """(account, outcome) of every try → how many."""
    rows = await movement.execute(
        "SELECT a.account, a.outcome FROM attempt a JOIN delivery d ON d.month = a.month AND d.id = a.delivery_id"
        " WHERE d.campaign_id = :id",
        id=campaign,
    )
    return Counter((row.account, row.outcome) for row in rows)


async def notices(movement: Movement, kind: str) -> dict[str, Any]:
    """subject → what the operator is told and not yet rid of."""
    rows = await movement.execute("SELECT * FROM notice WHERE kind = :kind AND cleared_at IS NULL", kind=kind)
    return {row.subject: row for row in rows}
