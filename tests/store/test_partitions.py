"""Large tables by month: nothing is lost when they are cut, and the way of a message touches its own month only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, text

from router.community.afterwards import afterwards
from router.community.inbox_threads import list_threads
from router.core.channel import Inbound, Receipt, Received
from router.core.errors import FailureClass
from router.core.model import DeliveryRef, DeliveryStatus
from router.launch import start_due_campaigns
from router.receipts import close_unknowns, retry_parked
from router.results import results_of
from router.store.engine import Store
from router.store.heard import Heard, keep_heard
from router.store.migrate import alembic_config, migrate
from router.store.partitions import MOVED_AT_MOST, PARTITIONED, Made, drop_month, ensure_month, keep_months, partitions
from router.tending import tend
from router.views import view_campaign
from tests.support.ledger import Ledger
from tests.support.runtime import Clock

S = DeliveryStatus

BEFORE = "0015"
"""The revision before tables are cut."""


# ── the migration ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("months", [(202509, 202512), (202512,)], ids=["several months", "one month"])
async def test_the_migration_carries_every_row_there_and_back(database_url: str, months: tuple[int, ...]) -> None:
    store = Store(database_url)
    await _run(store, lambda: command.downgrade, BEFORE)
    for place, month in enumerate(months):
        at = int(datetime(month // 100, month % 100, 5, tzinfo=UTC).timestamp() * 1000)
        for statement in _ROWS:
            await _execute(store, statement, month=month, id=100 + place, at=at, event=f"in{100 + place}")
    before = await _all_rows(store, ("delivery", "attempt", "receipt", "reply_text", "inbound"))
    await migrate(store)

    after = await _all_rows(store, ("delivery", "attempt", "receipt", "reply_text"))
    assert after == {table: rows for table, rows in before.items() if table != "inbound"}
    assert await _execute(store, "SELECT id, month, event_id, text FROM inbound ORDER BY id") == [
        (100 + place, month, f"in{100 + place}", "Yes!") for place, month in enumerate(months)
    ]
    assert await _execute(store, "SELECT event_id, month FROM inbound_claim ORDER BY 1") == [
        (f"in{100 + place}", month) for place, month in enumerate(months)
    ]
    assert await _execute(store, "SELECT inbound_id, inbound_month FROM thread ORDER BY 1") == [
        (100 + place, month) for place, month in enumerate(months)
    ]
    if not store.is_sqlite:
        async with store.read() as connection:
            rest, old = sorted((await partitions(connection, ["delivery"]))["delivery"], key=lambda piece: piece.first)
        assert (rest.name, old.covers(202512), old.covers(202601)) == ("delivery_default", True, False)
        assert old.covers(202509) is (len(months) > 1)
        assert await _execute(store, f"SELECT count(*) FROM {old.name}") == [(len(months),)], "no row has moved"
        assert await _execute(store, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
        assert (await ensure_month(store, 202601)).tables

    await _run(store, lambda: command.downgrade, BEFORE)
    assert await _all_rows(store, tuple(before)) == before
    await migrate(store)
    await store.aclose()


_ROWS = (
    "INSERT INTO delivery (month, id, campaign_id, member_id, channel, status)"
    " VALUES (:month, :id, 1, :id, 'sms', 'sent')",
    "INSERT INTO attempt (month, delivery_id, number, outcome, provider_id, at)"
    " VALUES (:month, :id, 1, 'sent', 'x', :at)",
    "INSERT INTO receipt (month, delivery_id, event_id, status, moved, at)"
    " VALUES (:month, :id, 'e', 'sent', true, :at)",
    "INSERT INTO reply_text (month, delivery_id, text, asked_at) VALUES (:month, :id, 'Thank you', :at)",
    "INSERT INTO inbound (id, channel, account, event_id, sender_hash, text, intent, at)"
    " VALUES (:id, 'sms', 'main', :event, 'h', 'Yes!', 'yes', :at)",
    "INSERT INTO thread (member_id, status, channel, inbound_id, messages, last_in_at)"
    " VALUES (:id, 'open', 'sms', :id, 1, :at)",
)


async def _run(store: Store, what: Callable[[], Any], revision: str) -> None:
    def work(connection: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        what()(config, revision)

    async with store.write() as connection:
        await connection.run_sync(work)


async def _execute(store: Store, statement: str, **values: Any) -> list[Any]:
    named = {name: value for name, value in values.items() if f":{name}" in statement}
    async with store.write() as connection:
        result = await connection.execute(text(statement), named)
        return [tuple(row) for row in result] if result.returns_rows else []


async def _all_rows(store: Store, tables: tuple[str, ...]) -> dict[str, list[Any]]:
    return {table: sorted(await _execute(store, f"SELECT * FROM {table}"), key=repr) for table in tables}


async def test_what_a_provider_tells_again_in_another_month_counts_once(store: Store) -> None:
    async def told(number: int, month: int, event: str) -> bool:
        async with store.write() as connection:
            one = Heard(number, month, "sms", "main", event, "h", None, "Yes", "yes", 0)
            return await keep_heard(connection, one)

    assert [await told(1, 202610, "a"), await told(2, 202611, "a"), await told(3, 202611, "b")] == [True, False, True]
    assert await _execute(store, "SELECT id, month FROM inbound ORDER BY id") == [(1, 202610), (3, 202611)]


# ── months ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_month_is_made_once_by_however_many_and_takes_in_what_came_before_it(postgresql_url: str) -> None:
    stores = [Store(postgresql_url) for _ in range(4)]
    await _execute(stores[0], _ROWS[0], month=203312, id=1)
    await _execute(stores[0], _ROWS[0], month=203401, id=2)
    for _ in range(50):  # each gives way to the others
        if not any(one.in_the_way for one in await asyncio.gather(*(ensure_month(store, 203312) for store in stores))):
            break
    assert await ensure_month(stores[0], 203312) == Made([], in_the_way=False)
    async with stores[0].read() as connection:
        for table, pieces in (await partitions(connection)).items():
            assert [piece.name for piece in pieces if piece.covers(203312)] == [f"{table}_203312"]
        options = await connection.scalar(text("SELECT reloptions FROM pg_class WHERE relname = 'delivery_203312'"))
    assert {"fillfactor=50", "autovacuum_vacuum_scale_factor=0.02"} <= set(options or ())
    where = "SELECT tableoid::regclass::text, id FROM delivery ORDER BY id"
    assert await _execute(stores[0], where) == [("delivery_203312", 1), ("delivery_default", 2)]

    # Another month comes and goes while somebody is in the middle of writing to this one.
    async with stores[1].write() as busy:
        await busy.execute(text(_ROWS[0]), {"month": 203312, "id": 3})
        assert set((await ensure_month(stores[0], 203402)).tables) == PARTITIONED
    async with stores[0].write() as connection:
        assert await drop_month(connection, "delivery", 203312)
        assert not await drop_month(connection, "delivery", 203401), "it has none of its own"
    assert await _execute(stores[0], where) == [("delivery_default", 2)]
    for month in (203312, 203402):
        async with stores[0].write() as connection:
            for table in PARTITIONED:
                await drop_month(connection, table, month)
    for store in stores:
        await store.aclose()


async def test_too_much_to_move_stays_where_it_is(postgresql_url: str) -> None:
    store = Store(postgresql_url)
    await _execute(
        store,
        "INSERT INTO receipt (month, delivery_id, event_id, status, moved, at)"
        f" SELECT 203501, i, 'e', 'sent', true, 0 FROM generate_series(0, {MOVED_AT_MOST}) AS i",
    )
    assert set((await ensure_month(store, 203501)).tables) == PARTITIONED - {"receipt"}
    async with store.write() as connection:
        there = await partitions(connection)
        assert [table for table, pieces in there.items() if not any(p.covers(203501) for p in pieces)] == ["receipt"]
        for table in PARTITIONED:
            await drop_month(connection, table, 203501)
    await store.aclose()


async def test_a_worker_makes_this_month_and_the_next(postgresql_url: str) -> None:
    store = Store(postgresql_url)
    december = datetime(2036, 12, 31, 23, tzinfo=UTC)
    assert [await keep_months(store, now=december) for _ in range(2)] == [2, 0]
    async with store.write() as connection:
        pieces = (await partitions(connection, ["inbound"]))["inbound"]
        assert {piece.only for piece in pieces} >= {203612, 203701}
        for table in PARTITIONED:
            for month in (203612, 203701):
                await drop_month(connection, table, month)
    await store.aclose()


# ── one month is enough ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_way_of_a_message_touches_its_own_month_only(postgresql_url: str) -> None:
    """Each step runs on connections of its own; at their end the server has counted which tables they looked into."""
    store = Store(postgresql_url)
    [(since,)] = await _execute(store, "SELECT clock_timestamp()")
    ledger = Ledger(store, clock=Clock(datetime(2026, 9, 12, 15, tzinfo=UTC)))
    await ledger.add_members(6, channels=("sms", "email"))
    for at in (ledger.clock(), datetime(2026, 10, 20, 15, tzinfo=UTC)):
        ledger.clock.now = at
        await ledger.launch_and_route()
        await ledger.send()
        await ledger.finish()
    ledger.clock.now = datetime(2026, 11, 20, 15, tzinfo=UTC)
    await keep_months(store, now=ledger.clock())
    await ledger.execute(_MUCH_WRITTEN)
    await ledger.execute("ANALYZE")
    campaign = await ledger.launch(start=False)
    runtime, now, seen = ledger.runtime, ledger.clock(), {""}

    async def touches(step: Awaitable[Any]) -> set[str]:
        """Partitions of other months that it looks into."""
        before = await _looks(store, since)
        await step
        looked = {name for name, times in (await _looks(store, since)).items() if times > before.get(name, 0)}
        seen.update(looked)
        return {name for name in looked if not name.endswith("_202611")}

    async def send() -> None:
        await start_due_campaigns(runtime, now=now)
        await ledger.route()
        await ledger.send()

    async def receipts() -> None:
        for row, status in zip(rows[:2], (S.DELIVERED, S.READ), strict=True):
            await ledger.receipt(DeliveryRef(row.month, row.id), status)
        failed = {"code": "30005", "failure": FailureClass.ADDRESS_DEAD}
        await ledger.receipt(DeliveryRef(rows[2].month, rows[2].id), S.FAILED, **failed)
        await ledger.send("email")

    async def say(words: str, row: Any) -> None:
        query = "SELECT value FROM address WHERE member_id = :id AND channel = 'sms'"
        [(phone,)] = await ledger.execute(query, id=row.member_id)
        one = Inbound(event_id=words, sender=phone, recipient="+12025550100", text=words, at=ledger.clock())
        await ledger.submit(Received(events=(one,)))
        await ledger.send()

    async def by_name(name: str) -> None:
        one = Receipt(event_id=name, status=S.DELIVERED, at=ledger.clock(), provider_id=name)
        await ledger.submit(Received(events=(one,)))

    assert await touches(send()) == set()
    rows = await ledger.rows(campaign)
    assert await touches(receipts()) == set()
    assert await touches(close_unknowns(runtime, now=now)) == set()
    assert await touches(tend(runtime, "one", now=now)) == set()
    for look in (view_campaign(runtime, campaign), results_of(runtime, campaign, now=now)):
        assert await touches(look) == set()
    assert await touches(afterwards(runtime, campaign, now=now)) == set()

    # What does not say to which ask it belongs is looked for in this month and the last.
    last = {"delivery_202610", "attempt_202610", "reply_text_202610"}
    assert await touches(say("HELP", rows[0])) <= last
    assert await touches(say("Who brings the chairs?", rows[1])) <= last
    assert await touches(list_threads(runtime)) == set()
    assert await touches(say("STOP", rows[4])) <= last
    [(name,)] = await ledger.execute("SELECT provider_id FROM attempt WHERE delivery_id = :id", id=rows[3].id)
    assert await touches(by_name(name)) <= last
    assert await touches(by_name("of another sender")) <= last
    assert await touches(retry_parked(runtime, now=now)) <= last
    assert {f"{table}_202611" for table in PARTITIONED} <= seen, "the server does count"
    await store.aclose()


async def _looks(store: Store, since: datetime) -> dict[str, int]:
    """Partition → how often it was looked into so far."""
    await store.aclose()
    for _ in range(1_000):
        if await _execute(store, _OTHERS, since=since) == [(0,)]:
            return dict(await _execute(store, _LOOKS))
        await asyncio.sleep(0.01)
    raise AssertionError("somebody still holds a connection")


_MUCH_WRITTEN = (
    "INSERT INTO inbound (id, month, channel, account, event_id, sender_hash, text, intent, at)"
    " SELECT 10000000 + i, 202609 + i % 3, 'sms', 'main', i, 'h', 'Yes', 'yes', 0 FROM generate_series(1, 9000) AS i"
)
"""A table of ten rows would be read as a whole, whatever the key."""
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    " AND pid <> pg_backend_pid() AND backend_start > :since"
)
_LOOKS = (
    "SELECT s.relname, s.seq_scan + coalesce(s.idx_scan, 0) FROM pg_stat_user_tables s"
    " JOIN pg_class c ON c.oid = s.relid WHERE c.relispartition"
)
