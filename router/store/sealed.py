"""Which columns of the ledger hold sealed text, and how all of it comes under the newest key."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Table, Update, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.sealing import NONCE_BYTES, CannotOpen, KeyRing, Place
from router.store.engine import Store
from router.store.tables import hook, idempotency

SEALED: Sequence[Column[Any]] = (hook.c.url, hook.c.secret, idempotency.c.body)
"""What is read back in clear and is nobody else's business. `docs/promises-sealing.md` says what is not sealed."""

CHUNK = 200
"""Rows in one transaction: a few milliseconds, so that nobody waits for it."""


class Resealed(NamedTuple):
    """How far a column has come."""

    column: str
    """``hook.secret``"""
    done: int
    """Texts that are under the newest key now and were not before."""
    shut: Sequence[str]
    """Of the last chunk: why a text could not be opened. It is left as it is."""


def seal(ring: KeyRing, plain: str, column: Column[Any], *row: int | str) -> str:
    """`plain` as it is kept in this column of the row with this primary key."""
    return ring.seal(plain, _place(column, row), secrets.token_bytes(NONCE_BYTES))


def unseal(ring: KeyRing, kept: str, column: Column[Any], *row: int | str) -> str:
    """What was sealed there. Raises `CannotOpen`."""
    return ring.open(kept, _place(column, row))


async def reseal(store: Store, ring: KeyRing, *, chunk: int = CHUNK) -> AsyncIterator[Resealed]:
    """Bring all sealed text under the newest key, and seal what is plain, a chunk at a time; tells after each.

    Stopped in the middle it goes on where it was, since it looks for what is not under the newest key. Others may read
    and write meanwhile, if they have that key too: a text that somebody else changed in between is left to them.
    """
    for column in SEALED:
        done = 0
        after: tuple[Any, ...] | None = None
        while True:
            rows = await _stale(store, ring, column, after, chunk)
            if not rows:
                break
            changes, shut = _again(ring, column, rows)

            async def work(connection: AsyncConnection, changes: Sequence[Update] = changes) -> int:
                return sum([(await connection.execute(change)).rowcount for change in changes])

            done += await store.transact(work)
            after = tuple(rows[-1])[:-1]
            yield Resealed(f"{column.table.name}.{column.name}", done, shut)


async def _stale(
    store: Store, ring: KeyRing, column: Column[Any], after: tuple[Any, ...] | None, most: int
) -> Sequence[Any]:
    """The next rows whose text is not under the newest key: their primary key, then the text."""
    keys = _keys(column)
    stale = func.substr(column, 1, len(ring.prefix)) != ring.prefix
    query = select(*keys, column).where(column.is_not(None), stale).order_by(*keys).limit(most)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    async with store.read() as connection:
        return (await connection.execute(query)).all()


def _again(ring: KeyRing, column: Column[Any], rows: Sequence[Any]) -> tuple[list[Update], list[str]]:
    changes, shut = [], []
    for *row, kept in rows:
        try:
            new = seal(ring, unseal(ring, kept, column, *row), column, *row)
        except CannotOpen as error:
            shut.append(str(error))
            continue
        here = [key == value for key, value in zip(_keys(column), row, strict=True)]
        changes.append(update(_table(column)).where(*here, column == kept).values({column.name: new}))
    return changes, shut


def _place(column: Column[Any], row: tuple[int | str, ...]) -> Place:
    return Place(column.table.name, column.name, row)


def _table(column: Column[Any]) -> Table:
    table = column.table
    assert isinstance(table, Table), "only tables hold sealed text"
    return table


def _keys(column: Column[Any]) -> list[Column[Any]]:
    return list(_table(column).primary_key.columns)
