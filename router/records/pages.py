"""The book's pages: reading the part of the ledger that a chunk of rows touches, and writing back what changed.

Everything is read and written in bulk, and in number order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import purse
from router.core.purse import EMPTY
from router.records.book import Book
from router.records.merge import merge_records
from router.records.people import Known, Person
from router.records.ready import Claim, Ready
from router.store.budgets import lock_budgets, write_budgets
from router.store.bulk import in_numbers, insert_new_rows, insert_rows, is_sqlite, numbers
from router.store.people import read_attributes
from router.store.sealed_addresses import seals_of
from router.store.tables import address, consent, member, member_tag, suppression

LOCK = 0x6F757473
"""PostgreSQL advisory lock of a transaction that brings members in ("outs"): one at a time, so that two cannot both
find a person missing. SQLite has one writer anyway."""

_BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
"""For this transaction: a plan made while the ledger was still empty would go on reading whole tables as it fills
(seen: 280 rows/s where 2,500 are usual)."""

MEMBER_COLUMNS = (
    "id", "first_name", "last_name", "name_key", "locale", "zone", "zone_source", "country", "postcode", "place",
    "attributes", "household_id", "external_id", "joined_at", "created_at", "updated_at",
)  # fmt: skip
ADDRESS_COLUMNS = ("id", "member_id", "channel", "value", "hash", "consent", "rank", "account", "created_at")
TAG_COLUMNS = ("tag", "member_id")
CONSENT_COLUMNS = (
    "id", "member_id", "channel", "address_hash", "state", "basis", "source", "wording", "at", "recorded_at",
)  # fmt: skip


class Pages:
    """Raw rows of the members found at some addresses, as the database stores them."""

    def __init__(self) -> None:
        self.members: list[tuple[Any, ...]] = []
        self.addresses: list[tuple[Any, ...]] = []
        self.tags: list[tuple[Any, ...]] = []
        self.consents: list[tuple[Any, ...]] = []
        self.suppressions: list[tuple[str, str]] = []


async def lock(connection: AsyncConnection) -> None:
    """Wait until nobody else brings members in."""
    if not is_sqlite(connection):
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


async def read_pages(connection: AsyncConnection, rows: Iterable[Ready]) -> Pages:
    """Everybody at the addresses of `rows`, or with their external ids."""
    rows = list(rows)
    if not is_sqlite(connection):
        await connection.execute(text(_BY_INDEX))
    hashes = sorted({a.hash for row in rows for a in row.addresses})
    keys = sorted({row.external_id for row in rows if row.external_id})
    pages = Pages()
    found = {r[0] for r in await _read(connection, "SELECT member_id FROM address WHERE hash", hashes)}
    if keys:
        found |= {r[0] for r in await _read(connection, "SELECT id FROM member WHERE external_id", keys)}
    suppressions = await _read(connection, "SELECT channel, address_hash FROM suppression WHERE address_hash", hashes)
    pages.suppressions = [(channel, hash_) for channel, hash_ in suppressions]
    if not found:
        return pages
    ids = sorted(found)
    pages.members = await _of(connection, MEMBER_COLUMNS, "member", "id", ids, " AND erased_at IS NULL")
    alive = [row[0] for row in pages.members]
    pages.addresses = await _of(connection, ADDRESS_COLUMNS, "address", "member_id", alive)
    pages.tags = await _of(connection, TAG_COLUMNS, "member_tag", "member_id", alive)
    pages.consents = await _of(connection, CONSENT_COLUMNS, "consent", "member_id", alive)
    return pages


def open_book(pages: Pages, *, stamp: int, ids: Iterator[int], respell: bool = False) -> Book:
    """The members of these pages, ready to meet rows. `stamp` is the moment that is written into what changes."""
    book = Book(stamp=stamp, ids=ids, respell=respell)
    people: dict[int, Person] = {}
    for row in pages.members:
        values = dict(zip(MEMBER_COLUMNS, row, strict=True))
        values["attributes"] = read_attributes(values["attributes"])
        people[row[0]] = Person(**values)
    for number, member_id, channel, value, hash_, state, rank, account, _ in pages.addresses:
        people[member_id].addresses[channel, hash_] = Known(number, value, state, rank, account)
    for tag, member_id in pages.tags:
        people[member_id].tags.add(tag)
    for _, member_id, channel, hash_, state, basis, source, wording, at, recorded_at in pages.consents:
        claim = Claim(state, basis, source, wording, None if at == recorded_at else at)
        people[member_id].evidence.setdefault((channel, hash_), []).append(claim)
    for _, person in sorted(people.items()):
        book.add(person)
    book.suppressed.update(pages.suppressions)
    return book


async def write_book(connection: AsyncConnection, book: Book) -> None:
    """Write what the rows changed: records that became one, then new rows, changes, households."""
    before = {person.id: person.household_id for person in book.people.values()}
    people = sorted(book.people.values(), key=lambda person: person.id)
    for person in people:
        person.household_id = book.root(person.household_id)
    for kept, lost in book.folded():
        await merge_records(connection, keep=kept, lose=lost)
    await _write_new(connection, book, people)
    await _write_changes(connection, people)
    await _write_refusals(connection, book)
    for old, new in sorted(book.joined.items()):
        await connection.execute(
            text("UPDATE member SET household_id = :new WHERE household_id = :old"),
            {"new": book.root(new), "old": old},
        )
    purses = {old: book.root(new) or new for old, new in book.joined.items()}
    purses |= {p.id: p.household_id for p in people if p.household_id and (p.moved or before[p.id] != p.household_id)}
    await _join_budgets(connection, purses)


async def _write_new(connection: AsyncConnection, book: Book, people: Sequence[Person]) -> None:
    fresh = [_member_row(person) for person in people if person.fresh]
    await insert_rows(connection, member, MEMBER_COLUMNS, fresh)
    seals = seals_of(connection)
    addresses = sorted(
        (known.id, person.id, channel, seals.keep(channel, hash_, known.value), hash_, known.consent, known.rank,
         known.account, book.stamp)
        for person in people
        for (channel, hash_), known in person.addresses.items()
        if known.fresh
    )  # fmt: skip
    await insert_rows(connection, address, ADDRESS_COLUMNS, addresses)
    tags = sorted((tag, person.id) for person in people for tag in dict.fromkeys(person.new_tags))
    await insert_rows(connection, member_tag, TAG_COLUMNS, tags)
    consents = [
        (
            next(book.ids),
            person.id,
            *place,
            claim.state,
            claim.basis,
            claim.source,
            claim.wording,
            book.stamp if claim.at is None else claim.at,
            book.stamp,
        )
        for person in people
        for place, claim in person.new_evidence
    ]
    await insert_rows(connection, consent, CONSENT_COLUMNS, consents)


def _member_row(person: Person) -> tuple[Any, ...]:
    attributes = json.dumps(person.attributes, ensure_ascii=False, separators=(",", ":")) if person.attributes else "{}"
    return (
        person.id, person.first_name, person.last_name, person.name_key, person.locale, person.zone, person.zone_source,
        person.country, person.postcode, person.place, attributes, person.household_id, person.external_id,
        person.joined_at, person.created_at, person.updated_at,
    )  # fmt: skip


async def _write_changes(connection: AsyncConnection, people: Sequence[Person]) -> None:
    changed = [
        dict(zip(MEMBER_COLUMNS, _member_row(person), strict=True))
        for person in people
        if not person.fresh and (person.changed or person.moved)
    ]
    if changed:
        sets = ", ".join(f"{name} = {_value(connection, name)}" for name in MEMBER_COLUMNS[1:])
        await connection.execute(text(f"UPDATE member SET {sets} WHERE id = :id"), changed)
    addresses = [
        {"id": known.id, "consent": known.consent, "rank": known.rank, "account": known.account}
        for known in sorted((k for p in people for k in p.addresses.values()), key=lambda known: known.id)
        if known.changed and not known.fresh
    ]
    if addresses:
        # A STOP that came since this address was read stands.
        statement = (
            "UPDATE address SET rank = :rank, account = :account,"
            " consent = CASE WHEN consent = 'revoked' THEN consent ELSE CAST(:consent AS varchar) END WHERE id = :id"
        )
        await connection.execute(text(statement), addresses)


async def _write_refusals(connection: AsyncConnection, book: Book) -> None:
    rows = [
        (hash_, channel, "import", claim.source, book.stamp if claim.at is None else claim.at)
        for (channel, hash_), claim in book.refused.items()
    ]
    columns = ("address_hash", "channel", "reason", "source", "at")
    await insert_new_rows(connection, suppression, columns, sorted(rows), returning="address_hash")


def _value(connection: AsyncConnection, name: str) -> str:
    return "CAST(:attributes AS json)" if name == "attributes" and not is_sqlite(connection) else f":{name}"


async def _join_budgets(connection: AsyncConnection, purses: dict[int, int]) -> None:
    """What was asked of somebody before they were found to share an address counts for the household too."""
    if not purses:
        return
    ids = sorted(purses)
    spent = {
        row[0] for row in await _of(connection, ("holder", "slots"), "contact_budget", "holder", ids) if row[1] != "[]"
    }
    if not spent:
        return
    slots = await lock_budgets(connection, {*spent, *(purses[holder] for holder in spent)})
    for holder in sorted(spent):
        house = purses[holder]
        slots[house] = purse.merge(slots.get(house, EMPTY), slots.get(holder, EMPTY))
        slots[holder] = EMPTY
    await write_budgets(connection, slots)


async def _read(connection: AsyncConnection, statement: str, values: list[str]) -> Sequence[Any]:
    """``statement IN values``, whatever their number."""
    if not values:
        return ()
    if is_sqlite(connection):
        fit, bound = " IN (SELECT value FROM json_each(:values))", json.dumps(values)
    else:
        fit, bound = " = ANY(CAST(:values AS varchar[]))", values  # type: ignore[assignment]
    return (await connection.execute(text(statement + fit), {"values": bound})).all()


async def _of(
    connection: AsyncConnection, columns: Sequence[str], table: str, key: str, ids: Sequence[int], extra: str = ""
) -> list[tuple[Any, ...]]:
    """These columns of the rows whose `key` is one of `ids`, in the order of their first column."""
    names = ", ".join(columns)
    statement = f"SELECT {names} FROM {table} WHERE {key} {in_numbers(connection, 'ids')}{extra} ORDER BY 1"
    return [tuple(row) for row in await connection.execute(text(statement), {"ids": numbers(connection, ids)})]
