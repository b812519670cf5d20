"""How many deliveries of a campaign stand where: moved along with the deliveries, last in each transaction."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import DeliveryStatus, Reason
from router.store.tables import tally

Place = tuple[int, str, str, str]
"""(campaign, channel, status, reason or "")."""


class Moves:
    """The changes of one transaction, gathered and written in one go at its end."""

    def __init__(self) -> None:
        self._by: Counter[Place] = Counter()

    def add(
        self, campaign: int, channel: str, status: DeliveryStatus, reason: Reason | None = None, n: int = 1
    ) -> None:
        """`n` deliveries came to stand here."""
        self._by[campaign, channel, status.value, reason.value if reason else ""] += n

    def take(self, campaign: int, channel: str, status: DeliveryStatus, reason: str | None = None, n: int = 1) -> None:
        """`n` deliveries went from here."""
        self._by[campaign, channel, status.value, reason or ""] -= n

    def update(self, other: Moves) -> None:
        """These, too."""
        self._by.update(other._by)

    async def write(self, connection: AsyncConnection) -> None:
        """Apply them, in one order for everybody so that nobody deadlocks."""
        rows = [(*place, n) for place, n in sorted(self._by.items()) if n]
        self._by.clear()
        if not rows:
            return
        values = ", ".join(f"(:c{i}, :h{i}, :s{i}, :r{i}, :n{i})" for i in range(len(rows)))
        parameters = {f"{name}{i}": cell for i, row in enumerate(rows) for name, cell in zip("chsrn", row, strict=True)}
        await connection.execute(
            text(
                f"INSERT INTO tally (campaign_id, channel, status, reason, count) VALUES {values}"
                " ON CONFLICT (campaign_id, channel, status, reason) DO UPDATE SET count = tally.count + excluded.count"
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
