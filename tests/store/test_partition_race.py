"""A row that is moved into its month's own partition is still found by who waits for it."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from router.store.engine import Store
from router.store.partitions import _make


async def test_an_outcome_is_recorded_while_the_months_partition_is_made(store: Store) -> None:
    if store.is_sqlite:
        return
    async with store.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO delivery (month, id, campaign_id, member_id, channel, address_id, status, not_before)"
                " VALUES (209901, 1, 1, 1, 'sms', 1, 'sending', 0)"
            )
        )

    async def record() -> int:
        async with store.write() as connection:
            done = await connection.execute(
                text("UPDATE delivery SET status = 'sent' WHERE month = :month AND id = 1 AND status = 'sending'"),
                {"month": 209901},
            )
            return int(done.rowcount)

    async with store.write() as connection:
        assert await _make(connection, "delivery", 209901)
        recording = asyncio.create_task(record())
        await asyncio.sleep(0.5)
        assert not recording.done(), "it waits for the partition"
    assert await recording == 1


async def test_a_row_that_comes_while_the_months_partition_is_made_goes_there(store: Store) -> None:
    if store.is_sqlite:
        return

    async def come() -> None:
        await store.transact(
            lambda connection: connection.execute(
                text(
                    "INSERT INTO attempt (month, delivery_id, number, account, outcome, at)"
                    " VALUES (209901, 1, 1, 'main', 'sent', 0)"
                )
            )
        )

    async with store.write() as connection:
        assert await _make(connection, "attempt", 209901)
        coming = asyncio.create_task(come())
        await asyncio.sleep(0.5)
        assert not coming.done(), "it waits for the partition"
    await coming
    async with store.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM attempt WHERE month = 209901")) == 1
