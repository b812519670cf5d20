"""How many deliveries of a campaign stand where: moved along with the deliveries, last in each transaction."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import DeliveryStatus, Reason
from router.store.bulk import sql
from router.store.spendings import Entry, write_spending
from router.store.tables import tally

Place = tuple[int, str, str, str]
"""(campaign, channel, status, reason or "")."""


class Moves:
    """The changes of one transaction, gathered and written in one go at its end."""

    def __init__(self) -> None:
        self._by: Counter[Place] = Counter()
        self._reactions: Counter[tuple[int, str, str, int]] = Counter()
        self._spent: Counter[Entry] = Counter()

    def add(
        self, campaign: int, channel: str, status: DeliveryStatus, reason: Reason | None = None, n: int = 1
    ) -> None:
        """`n` deliveries came to stand here."""
        self._by[campaign, channel, status.value, reason.value if reason else ""] += n

    def take(self, campaign: int, channel: str, status: DeliveryStatus, reason: str | None = None, n: int = 1) -> None:
        """`n` deliveries went from here."""
        self._by[campaign, channel, status.value, reason or ""] -= n

    def react(self, campaign: int, channel: str, kind: str, variant: int) -> None:
        """Somebody reacted to what they got: ``opt_out`` or ``complaint``."""
        self._reactions[campaign, channel, kind, variant] += 1

    def spend(self, month: int, campaign: int, currency: str, micros: int) -> None:
        """So much more, or less, was spent on sending."""
        self._spent[month, campaign, currency] += micros

    def pending(self, currency: str, *, campaign: int | None = None, month: int | None = None) -> int:
        """Millionths in this transaction that `router.store.spendings.read_spent` does not see yet."""
        return sum(
            amount
            for (in_month, of_campaign, in_currency), amount in self._spent.items()
            if in_currency == currency and campaign in (None, of_campaign) and month in (None, in_month)
        )

    def update(self, other: Moves) -> None:
        """These, too."""
        self._by.update(other._by)
        self._reactions.update(other._reactions)
        self._spent.update(other._spent)

    async def write(self, connection: AsyncConnection) -> None:
        """Apply them, in one order for everybody so that nobody deadlocks."""
        await write_spending(connection, self._spent)
        await _count(connection, "tally", "campaign_id, channel, status, reason", self._by)
        await _count(connection, "reaction", "campaign_id, channel, kind, variant", self._reactions)


async def _count(connection: AsyncConnection, table: str, key: str, by: Counter[Any]) -> None:
    """Add to the counters of a table whose key has four columns."""
    rows = [(*place, n) for place, n in sorted(by.items()) if n]
    by.clear()
    if not rows:
        return
    values = ", ".join(f"(:a{i}, :b{i}, :c{i}, :d{i}, :n{i})" for i in range(len(rows)))
    parameters = {f"{name}{i}": cell for i, row in enumerate(rows) for name, cell in zip("abcdn", row, strict=True)}
    await connection.execute(
        sql(
            f"INSERT INTO {table} ({key}, count) VALUES {values}"
            f" ON CONFLICT ({key}) DO UPDATE SET count = {table}.count + excluded.count"
        ),
        parameters,
    )


async def read_tally(connection: AsyncConnection, campaign_id: int) -> list[tuple[str, str, str, int]]:
    """(channel, status, reason, how many) of one campaign, zeros left out."""
    rows = await connection.execute(
        select(tally.c.channel, tally.c.status, tally.c.reason, tally.c.count)
        .where(tally.c.campaign_id == campaign_id, tally.c.count != 0)
        .order_by(tally.c.channel, tally.c.status, tally.c.reason)
    )
    return [tuple(row) for row in rows]
