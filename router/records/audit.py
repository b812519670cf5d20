"""The audit as a chain: sealed within seconds of each deed, and verified from its first entry to its last.

Entries are written in the transactions of their deeds, by any process, in any order. To chain them there and then,
every deed would have to wait for the one before it; so one process at a time (`router.tending`) seals what has come,
in turns. Between a deed and its seal lies a second or two in which somebody with the database's own rights could still
take the entry away unseen; `docs/promises.md` says so.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.audit_chain import FIRST, Entry, Fault, Head, Sealed, chain_key, check_chain, seal
from router.runtime import Runtime
from router.store.tables import audit, to_ms

AT_ONCE = 500
"""Entries sealed, or read, in one transaction."""
LATE = timedelta(minutes=10)
"""An entry that is older than this, and has no seal although later ones have, was put in by other means."""

_SEAL = (
    update(audit)
    .where(audit.c.id == bindparam("number"), audit.c.place.is_(None))
    .values(place=bindparam("nth"), seal=bindparam("sealed"))
)


class Verdict(NamedTuple):
    """What `verify_audit` found."""

    faults: list[Fault]
    head: Head
    """The newest entry that is sealed; (0, "") where there is none."""
    waiting: int
    """Entries that wait for their seal: none to speak of while a worker runs."""


async def seal_audit(runtime: Runtime, *, now: datetime) -> int:
    """Seal up to `AT_ONCE` entries that have come; returns how many. Two at once do no harm: one is taken back."""
    waits = select(audit).where(audit.c.place.is_(None)).order_by(audit.c.id).limit(AT_ONCE)
    async with runtime.store.read() as connection:
        if not (await connection.execute(waits.with_only_columns(audit.c.id).limit(1))).first():
            return 0
    key = chain_key(runtime.key)

    async def work(connection: AsyncConnection) -> int:
        # Locked first: of two that seal at once the second waits, and then finds nothing that waits.
        locked = waits if runtime.store.is_sqlite else waits.with_for_update()
        rows = (await connection.execute(locked)).all()
        place, before = await _head(connection)
        seals = []
        for row in rows:
            place, before = place + 1, seal(key, place + 1, _entry(row), before)
            seals.append({"number": row.id, "nth": place, "sealed": before})
        if seals:
            await connection.execute(_SEAL, seals)
        return len(seals)

    return await runtime.store.transact(work)


async def verify_audit(runtime: Runtime, *, expected: Head | None = None) -> Verdict:
    """Read the whole chain and say what is not as it was written; `expected` is a head that was noted earlier."""
    faults: list[Fault] = []
    key, head = chain_key(runtime.key), Head(0, FIRST)
    async for chain in _pieces(runtime):
        faults += check_chain(key, chain, head)
        head = Head(chain[-1].place, chain[-1].seal)
        if expected is not None and chain[0].place <= expected.place <= head.place:
            faults += [
                Fault(one.place, f"entry {one.place} does not have the seal that was noted")
                for one in chain
                if one.place == expected.place and one.seal != expected.seal
            ]
    if expected is not None and expected.place > head.place:
        faults.append(Fault(head.place + 1, f"entries {head.place + 1} to {expected.place} were cut off at the end"))
    late, waiting = await _unsealed(runtime)
    faults += [Fault(0, f"the entry with number {number} was never sealed: it did not come as entries do")
               for number in late]  # fmt: skip
    return Verdict(sorted(faults), head, waiting)


async def read_chain(runtime: Runtime) -> AsyncIterator[dict[str, Any]]:
    """Every sealed entry in the order of the chain, as `outreach audit export` writes it."""
    async for chain in _pieces(runtime):
        for place, entry, sealed in chain:
            yield {
                "place": place, "id": entry.id, "at": entry.at, "who": entry.who, "what": entry.what,
                "subject": entry.subject, "detail": entry.detail, "seal": sealed,
            }  # fmt: skip


async def _pieces(runtime: Runtime) -> AsyncIterator[list[Sealed]]:
    place = 0
    while True:
        statement = select(audit).where(audit.c.place > place).order_by(audit.c.place).limit(AT_ONCE)
        async with runtime.store.read() as connection:
            rows = (await connection.execute(statement)).all()
        if not rows:
            return
        yield [Sealed(row.place, _entry(row), row.seal or "") for row in rows]
        place = rows[-1].place


async def _head(connection: AsyncConnection) -> Head:
    statement = select(audit.c.place, audit.c.seal).where(audit.c.place.is_not(None))
    row = (await connection.execute(statement.order_by(audit.c.place.desc()).limit(1))).first()
    return Head(0, FIRST) if row is None else Head(row.place, row.seal)


async def _unsealed(runtime: Runtime) -> tuple[list[int], int]:
    """(numbers of entries that should have had their seal long ago, how many wait in all)."""
    sealed_last = select(func.max(audit.c.at)).where(audit.c.place.is_not(None)).scalar_subquery()
    waits = audit.c.place.is_(None)
    async with runtime.store.read() as connection:
        newest = await connection.scalar(select(sealed_last))
        waiting = await connection.scalar(select(func.count()).where(waits)) or 0
        if newest is None:
            return [], waiting
        late = select(audit.c.id).where(waits, audit.c.at < newest - LATE).order_by(audit.c.id).limit(AT_ONCE)
        return list((await connection.execute(late)).scalars()), waiting


def _entry(row: Row[Any]) -> Entry:
    detail = row.detail if isinstance(row.detail, dict) else json.loads(row.detail)
    return Entry(
        id=row.id, at=to_ms(row.at), who=row.who, what=row.what, subject=row.subject, detail=detail
    )  # fmt: skip
