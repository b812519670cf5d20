"""Route one ask to everybody, or preview it, and what one would write instead. Each is a process of its own.

``ours``     every range by the shipped router: all rules, the trace, claims, purses, batches, tallies
``preview``  the same decision, dry, every message put into words
``sql``      one INSERT … SELECT: the best address with consent, fewer than three messages in 7 days, daytime zones
``batch``    a thousand members at a time in Python, none of the rules: read, take the first address, insert
``orm``      one member at a time through SQLAlchemy's ORM, each committed
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import create_engine, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, registry

from bench.blast import ASK, ask_on
from bench.harness import Stopwatch, peak_mib
from bench.members import midday_zone
from router import drafting, launch
from router.app import open_runtime
from router.competing import next_route
from router.core.ask import Ask
from router.fanout import ROUTES_AT_ONCE, route_range_of
from router.loop import run
from router.plans import Route
from router.preview import preview_ask
from router.settings import load_settings
from router.store.tables import address, delivery, member

FIRST = 90_000_000_000
"""The yardsticks' delivery numbers begin here."""
CAMPAIGN = 999
WEEK = timedelta(days=7)
_COLUMNS = ("month", "id", "campaign_id", "member_id", "channel", "hop", "address_id", "status", "not_before", "costs")

_SQL = """
INSERT INTO delivery (month, id, campaign_id, member_id, channel, hop, address_id, status, not_before, costs)
SELECT {month}, {first} + m.id, {campaign}, m.id, a.channel, 0, a.id, 'queued', 0, true
FROM member m JOIN address a ON a.id = (
    SELECT b.id FROM address b WHERE b.member_id = m.id AND b.state = 'active' AND b.consent = 'granted'
    ORDER BY b.rank, b.id LIMIT 1)
WHERE m.kind = 'person' AND m.zone IN ('{zone}') AND (
    SELECT count(*) FROM delivery d WHERE d.month = {month} AND d.member_id = m.id AND d.sent_at > {week}) < 3
"""


async def ours(ask: Mapping[str, Any]) -> dict[str, Any]:
    async with open_runtime(load_settings()) as runtime:
        now = datetime.now(UTC)
        campaign = await drafting.save_campaign(runtime, Ask.model_validate(ask), by="bench", now=now)
        await launch.approve_campaign(runtime, campaign.id, by="bench", now=now)
        await launch.launch_campaign(runtime, campaign.id, by="bench", now=now, undo_seconds=0)
        await launch.start_due_campaigns(runtime, now=now)

        async def some() -> int:
            members = 0
            known: dict[int, Route] = {}
            while (prepared := await next_route(runtime, known)) is not None:
                found = await route_range_of(runtime, prepared, now=now)
                if found is None:  # the other one is at the last range
                    return members
                members += found
            return members

        with Stopwatch() as watch:
            members = await asyncio.gather(*[some() for _ in range(ROUTES_AT_ONCE[runtime.store.dialect])])
    return {**watch.as_dict(), "members": sum(members), "peak_mib": peak_mib()}


async def preview() -> dict[str, Any]:
    async with open_runtime(load_settings()) as runtime:
        with Stopwatch() as watch:
            found = await preview_ask(runtime, Ask.model_validate(ASK), now=datetime.now(UTC))
    return {**watch.as_dict(), "members": found.members}


def _now() -> tuple[datetime, int]:
    now = datetime.now(UTC)
    return now, now.year * 100 + now.month


async def by_sql(url: str) -> dict[str, Any]:
    now, month = _now()
    week = int((now - WEEK).timestamp() * 1000)
    statement = _SQL.format(month=month, first=FIRST, campaign=CAMPAIGN, zone=midday_zone(now), week=week)
    with Stopwatch() as watch:
        if url.startswith("sqlite"):
            with closing(_sqlite(url)) as connection:
                connection.execute(statement)
                connection.commit()
        else:
            postgres = await asyncpg.connect(url)
            await postgres.execute(statement)
            await postgres.close()
    return watch.as_dict()


def _sqlite(url: str) -> sqlite3.Connection:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


async def by_batch(url: str) -> dict[str, Any]:
    month = _now()[1]
    read = (
        "SELECT m.id, m.first_name, m.zone, a.id, a.channel FROM member m JOIN address a ON a.member_id = m.id"
        " WHERE m.id BETWEEN {} AND {} AND m.kind = 'person' ORDER BY m.id, a.rank"
    )
    bounds = "SELECT min(id), max(id) FROM member"

    def chosen(rows: list[Any]) -> list[tuple[Any, ...]]:
        first: dict[int, tuple[Any, ...]] = {}
        for row in rows:
            first.setdefault(row[0], (month, FIRST + row[0], CAMPAIGN, row[0], row[4], 0, row[3], "queued", 0, True))
        return list(first.values())

    with Stopwatch() as watch:
        if url.startswith("sqlite"):
            holes = ", ".join("?" * len(_COLUMNS))
            with closing(_sqlite(url)) as connection:
                low, high = connection.execute(bounds).fetchone()
                for start in range(low, high + 1, 1_000):
                    rows = connection.execute(read.format(start, start + 999)).fetchall()
                    insert = f"INSERT INTO delivery ({', '.join(_COLUMNS)}) VALUES ({holes})"
                    connection.executemany(insert, chosen(rows))
                    connection.commit()
        else:
            postgres = await asyncpg.connect(url)
            low, high = await postgres.fetchrow(bounds)
            for start in range(low, high + 1, 1_000):
                rows = await postgres.fetch(read.replace("{} AND {}", "$1 AND $2"), start, start + 999)
                await postgres.copy_records_to_table("delivery", columns=_COLUMNS, records=chosen(rows))
            await postgres.close()
    return watch.as_dict()


async def by_orm(url: str, members: int) -> dict[str, Any]:
    if url.startswith("sqlite"):
        with Session(create_engine(url)) as session:
            return _one_by_one(session, members)
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with AsyncSession(engine) as session:
        found = await session.run_sync(_one_by_one, members)
    await engine.dispose()
    return found


def _one_by_one(session: Session, members: int) -> dict[str, Any]:
    mapped = registry()
    classes = [type(name, (), {}) for name in ("Member", "Address", "Delivery")]
    for class_, table in zip(classes, (member, address, delivery), strict=True):
        mapped.map_imperatively(class_, table)
    person, place, message = classes
    now, month = _now()
    week = int((now - WEEK).timestamp() * 1000)
    with Stopwatch() as watch:
        for number in range(1, members + 1):
            found = session.get(person, number)
            assert found is not None
            best = session.scalars(
                select(place).where(address.c.member_id == number, address.c.consent == "granted").order_by("rank")
            ).first()
            asked = session.scalar(
                select(func.count()).where(
                    delivery.c.month == month, delivery.c.member_id == number, delivery.c.sent_at > week
                )
            )
            if best is not None and asked is not None and asked < 3:
                row = message()
                values = (month, FIRST + number, CAMPAIGN, number, best.channel, 0, best.id, "queued", 0, True)
                for name, value in zip(_COLUMNS, values, strict=True):
                    setattr(row, name, value)
                session.add(row)
            session.commit()
            session.expunge_all()
    return watch.as_dict()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.routing")
    parser.add_argument("what", choices=("ours", "preview", "sql", "batch", "orm"))
    parser.add_argument("--url", default="", help="for the yardsticks; ours reads the environment")
    parser.add_argument("--members", type=int, default=500, help="for orm")
    parser.add_argument("--channel", action="append", help="one of the ask's, for ours; sms by default")
    options = parser.parse_args()
    match options.what:
        case "ours":
            found = run(ours(ask_on(*options.channel or ("sms",))))
        case "preview":
            found = run(preview())
        case "sql":
            found = asyncio.run(by_sql(options.url))
        case "batch":
            found = asyncio.run(by_batch(options.url))
        case _:
            found = asyncio.run(by_orm(options.url, options.members))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
