"""What a transaction changes for everybody, written last in it: how many deliveries stand where, batches of letters."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import DeliveryStatus, Reason
from router.store.bulk import sql
from router.store.spendings import Entry, write_spending
from router.store.tables import tally

Place = tuple[int, str, str, str]
"""(campaign, channel, status, reason or "")."""


class Letter(NamedTuple):
    """A delivery for one person that waits for its batch, and where it leaves."""

    number: int
    """The delivery's."""
    batch: int
    """A fresh number for its batch, unless it goes along with the one before."""
    month: int
    campaign: int
    channel: str
    account: str
    lane: int
    not_before: int
    """ms"""

    @property
    def way(self) -> tuple[int | str, ...]:
        """Letters that share it may leave in one batch."""
        return self[2:]


class Moves:
    """The changes of one transaction, gathered and written in one go at its end.

    Letters whose numbers are all `together` in a run that nobody else takes numbers from share a batch where they leave
    by the same way: a worker then claims, sends and records the answers of one group commit in one go.
    """

    def __init__(self, *, together: range = range(0)) -> None:
        self._together = together
        self._letters: list[Letter] = []
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

    def post(self, letter: Letter) -> None:
        """A delivery for one person was queued; its batch is opened at the end."""
        self._letters.append(letter)

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
        self._letters += other._letters

    async def write(self, connection: AsyncConnection) -> None:
        """Apply them, in one order for everybody so that nobody deadlocks."""
        await _open_batches(connection, self._letters, self._together)
        await write_spending(connection, self._spent)
        await _count(connection, "tally", "campaign_id, channel, status, reason", self._by)
        await _count(connection, "reaction", "campaign_id, channel, kind, variant", self._reactions)


_BATCH = sql(
    "INSERT INTO batch (id, month, campaign_id, channel, account, lane, first_id, last_id, open, not_before)"
    " VALUES (:batch, :month, :campaign, :channel, :account, :lane, :first, :last, true, :at)"
)


async def _open_batches(connection: AsyncConnection, letters: list[Letter], together: range) -> None:
    """A batch for each run of letters that go the same way; a batch holds all deliveries between its ends."""
    runs: list[tuple[Letter, int]] = []
    for letter in sorted(letters):
        if runs and runs[-1][0].way == letter.way and runs[-1][1] in together and letter.number in together:
            runs[-1] = (runs[-1][0], letter.number)
        else:
            runs.append((letter, letter.number))
    letters.clear()
    if runs:
        rows = [
            {
                "batch": one.batch, "month": one.month, "campaign": one.campaign, "channel": one.channel,
                "account": one.account, "lane": one.lane, "first": one.number, "last": last, "at": one.not_before,
            }
            for one, last in runs
        ]  # fmt: skip
        await connection.execute(_BATCH, rows)


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
