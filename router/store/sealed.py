"""Which columns of the ledger hold sealed text, and how all of it comes under the newest key."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, String, Table, Update, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.sealing import NONCE_BYTES, CannotOpen, KeyRing, Place
from router.store.engine import Store
from router.store.tables import address, hook, idempotency

SEALED: Sequence[Column[Any]] = (hook.c.url, hook.c.secret, idempotency.c.body, address.c.value)
"""What is read back in clear and is nobody else's business. `docs/promises-sealing.md` says what is not sealed."""

_BOUND_TO: Mapping[Column[Any], Sequence[Column[Any]]] = {address.c.value: (address.c.channel, address.c.hash)}
"""Whose text is bound to something else of its row than the primary key: see `router.store.sealed_addresses`."""

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
            after = tuple(rows[-1])[: len(_keys(column))]
            yield Resealed(f"{column.table.name}.{column.name}", done, shut)


async def _stale(
    store: Store, ring: KeyRing, column: Column[Any], after: tuple[Any, ...] | None, most: int
) -> Sequence[Any]:
    """The next rows whose text is not under the newest key: their primary key, what it is bound to, then the text."""
    keys = _keys(column)
    stale = func.substr(column, 1, len(ring.prefix)) != ring.prefix
    query = select(*keys, *_bound_to(column), column).where(*_wanted(store, column), stale).order_by(*keys).limit(most)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    async with store.read() as connection:
        return (await connection.execute(query)).all()


def _again(ring: KeyRing, column: Column[Any], rows: Sequence[Any]) -> tuple[list[Update], list[str]]:
    changes, shut = [], []
    keys = _keys(column)
    for *found, kept in rows:
        row, bound = found[: len(keys)], found[len(keys) :] or found
        try:
            new = seal(ring, unseal(ring, kept, column, *bound), column, *bound)
        except CannotOpen as error:
            shut.append(str(error))
            continue
        if not _has_room(column, new):
            shut.append(f"what is kept at {_place(column, tuple(bound))} is too long to be sealed")
            continue
        here = [key == value for key, value in zip(keys, row, strict=True)]
        changes.append(update(_table(column)).where(*here, column == kept).values({column.name: new}))
    return changes, shut


def _wanted(store: Store, column: Column[Any]) -> list[ColumnElement[bool]]:
    """Which rows have a text that is to be sealed."""
    if column is address.c.value:
        return [address.c.channel.in_(sorted(store.seals.channels)), column != ""]
    return [column.is_not(None)]


def _has_room(column: Column[Any], new: str) -> bool:
    return not isinstance(column.type, String) or column.type.length is None or len(new) <= column.type.length


def _bound_to(column: Column[Any]) -> Sequence[Column[Any]]:
    """What stands between primary key and text in a row of `_stale`; nothing where the text is bound to the key."""
    return _BOUND_TO.get(column, ())


def _place(column: Column[Any], row: tuple[int | str, ...]) -> Place:
    return Place(column.table.name, column.name, row)


def _table(column: Column[Any]) -> Table:
    table = column.table
    assert isinstance(table, Table), "only tables hold sealed text"
    return table


def _keys(column: Column[Any]) -> list[Column[Any]]:
    return list(_table(column).primary_key.columns)
