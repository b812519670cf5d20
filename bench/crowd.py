"""Fill a ledger with members who have a past, faster than an import: five old deliveries each, and the purse of them.

``python -m bench.crowd --url URL --members N``. Each has a telephone and a mailbox, both with consent. The past lies
in the last month: a tenth were asked yesterday, so that there is something to hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from bench.members import midday_zone, phone
from router.core.purse import ANSWERABLE, SPENT, Purse, Slot, encode
from router.store.engine import Store
from router.store.migrate import migrate

CHUNK = 20_000
DAYS_AGO = (27, 20, 13, 9, 5)
HISTORY = len(DAYS_AGO)

_MEMBER = ("id", "first_name", "locale", "zone", "country", "attributes", "joined_at", "created_at", "updated_at")
_ADDRESS = ("id", "member_id", "channel", "value", "hash", "state", "consent", "rank", "account", "created_at")
_BUDGET = ("holder", "slots")
_DELIVERY = (
    "month", "id", "campaign_id", "member_id", "channel", "hop", "address_id", "status", "attempts", "not_before",
    "costs", "sent_at",
)  # fmt: skip

Rows = dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]]


def chunks(members: int, now: datetime) -> Iterator[Rows]:
    """All rows, some members at a time."""
    zone = midday_zone(now)
    month = now.year * 100 + now.month
    joined = _ms(now - timedelta(days=400))
    for first in range(1, members + 1, CHUNK):
        people, addresses, budgets, past = [], [], [], []
        for number in range(first, min(first + CHUNK, members + 1)):
            people.append((number, f"First{number % 977}", "en", zone, "US", "{}", joined, joined, joined))
            telephone, mailbox = 2_000_000_000 + 2 * number, 2_000_000_001 + 2 * number
            for rank, (address, channel, value) in enumerate(
                ((telephone, "sms", phone(number)), (mailbox, "email", f"member{number}@example.org"))
            ):
                addresses.append(
                    (address, number, channel, value, f"{channel[0]}{number}", "active", "granted", rank, "", joined)
                )
            days = (*DAYS_AGO[:-1], 0.5) if number % 10 == 0 else DAYS_AGO
            slots = []
            for place, ago in enumerate(days):
                at, delivery = _ms(now - timedelta(days=ago)), 10_000_000_000 + number * HISTORY + place
                slots.append(Slot(at, delivery, "sms" if place % 2 else "email", SPENT | ANSWERABLE * (place % 2)))
                past.append(
                    (
                        month,
                        delivery,
                        100 + place,
                        number,
                        slots[-1].channel,
                        0,
                        telephone,
                        "delivered",
                        1,
                        at,
                        True,
                        at,
                    )
                )
            budgets.append((number, encode(Purse(tuple(slots)))))
        yield {
            "member": (_MEMBER, people),
            "address": (_ADDRESS, addresses),
            "contact_budget": (_BUDGET, budgets),
            "delivery": (_DELIVERY, past),
        }


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


async def write(url: str, chunks: Iterator[Rows]) -> None:
    """Migrate the ledger and write all rows into it."""
    store = Store(url)
    try:
        await migrate(store)
    finally:
        await store.aclose()
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            for rows in chunks:
                for table, (columns, values) in rows.items():
                    holes = ", ".join("?" * len(columns))
                    connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holes})", values)
                connection.commit()
            connection.execute("UPDATE id_block SET next_id = 100000000000")
            connection.execute("ANALYZE")
            connection.commit()
        return
    postgres = await asyncpg.connect(url)
    try:
        for rows in chunks:
            for table, (columns, values) in rows.items():
                await postgres.copy_records_to_table(table, columns=columns, records=values)
        await postgres.execute("UPDATE id_block SET next_id = 100000000000")
        await postgres.execute("VACUUM ANALYZE")
    finally:
        await postgres.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.crowd")
    parser.add_argument("--url", required=True)
    parser.add_argument("--members", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(write(options.url, chunks(options.members, datetime.now(UTC))))
    print(json.dumps({"members": options.members}))


if __name__ == "__main__":
    main()
