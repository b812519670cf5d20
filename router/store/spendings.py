"""What sending costs, in millionths of a currency: by month of sending and campaign.

A message's price is put aside with its claim, in the same commit, and corrected with its outcome: what surely was not
taken is given back. So a crash leaves counted what may have been taken.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.bulk import is_sqlite, sql
from router.store.tables import spending

Entry = tuple[int, int, str]
"""(month as yyyymm UTC, campaign, currency)."""

_MILLION = 1_000_000


@dataclass(slots=True)
class Booked:
    """What one claim put aside for its messages."""

    month: int
    currency: str
    price: int
    """Of one unit: a message, or a segment."""
    units: dict[int, int] = field(default_factory=dict)
    """Delivery number → its units, where they were counted and are not one."""

    def of(self, delivery: int) -> int:
        """For this delivery."""
        return self.price * self.units.get(delivery, 1)


def micros(amount: float) -> int:
    """An amount of money in millionths."""
    return round(amount * _MILLION)


def month_of(moment: datetime) -> int:
    """The calendar month of a moment, UTC, as yyyymm."""
    return moment.year * 100 + moment.month


async def lock_limit(connection: AsyncConnection, subject: str) -> None:
    """Let nobody else add to what this limit binds until the transaction ends. Campaigns' before the months', both
    before the counters. SQLite has one writer anyway.
    """
    if is_sqlite(connection):
        return
    await connection.execute(
        sql("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))"), {"subject": f"spending {subject}"}
    )


async def read_spent(
    connection: AsyncConnection, currency: str, *, campaign: int | None = None, month: int | None = None
) -> int:
    """Millionths spent by one campaign over all months, or by all campaigns in one month."""
    column, value = ("campaign_id", campaign) if campaign is not None else ("month", month)
    spent = await connection.scalar(
        sql(f"SELECT sum(micros) FROM spending WHERE {column} = :value AND currency = :currency"),
        {"value": value, "currency": currency},
    )
    return int(spent or 0)


async def read_spending(connection: AsyncConnection, campaign_id: int) -> dict[str, float]:
    """Currency → what a campaign has cost so far."""
    total: Counter[str] = Counter()
    rows = await connection.execute(
        select(spending.c.currency, spending.c.micros).where(spending.c.campaign_id == campaign_id)
    )
    for currency, amount in rows:
        total[currency] += amount
    return {currency: round(amount / _MILLION, 4) for currency, amount in sorted(total.items()) if amount}


async def write_spending(connection: AsyncConnection, spent: Counter[Entry]) -> None:
    """Add these, in one order for everybody so that nobody deadlocks, and forget them."""
    rows = [(*entry, amount) for entry, amount in sorted(spent.items()) if amount]
    spent.clear()
    if not rows:
        return
    values = ", ".join(f"(:m{i}, :a{i}, :c{i}, :n{i})" for i in range(len(rows)))
    await connection.execute(
        sql(
            f"INSERT INTO spending (month, campaign_id, currency, micros) VALUES {values}"
            " ON CONFLICT (month, campaign_id, currency) DO UPDATE SET micros = spending.micros + excluded.micros"
        ),
        {f"{name}{i}": cell for i, row in enumerate(rows) for name, cell in zip("macn", row, strict=True)},
    )
