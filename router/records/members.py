"""Members one by one and by the chunk: the one way in which people get into the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import BadInput
from router.records.book import Book
from router.records.merge import merge_records
from router.records.pages import lock, open_book, read_pages, write_book
from router.records.people import Outcome, Told
from router.records.ready import Reading, Ready, prepare, refuse
from router.records.record import ConsentRecord, MemberRecord
from router.store.engine import Store
from router.store.tables import to_ms

__all__ = ["ConsentRecord", "MemberRecord", "UpsertResult", "merge_records", "upsert_member"]


class UpsertResult(BaseModel):
    """What became of one record."""

    model_config = ConfigDict(frozen=True)

    member_id: int
    outcome: str
    """``new``, ``updated`` or ``unchanged``."""
    household_id: int | None
    consents: dict[str, str]
    """channel → what the consent for the record's address there amounts to now."""


async def upsert_member(
    store: Store,
    key: bytes,
    default_region: str,
    record: MemberRecord,
    *,
    source: str,
    now: datetime,
    accounts: Mapping[str, Collection[str]] | None = None,
) -> UpsertResult:
    """Make a member or fill in what the record says, by the same rules as an import.

    `accounts` are those of the channels that are set up. A no that stands in the ledger is not overturned. Raises
    `BadInput` naming the field that cannot be used.
    """
    reading = Reading(key=key, region=default_region, source=source, accounts=accounts or {})
    row = prepare(record, reading, refuse)
    ids = await store.take_ids(ids_needed([row]))

    async def work(connection: AsyncConnection) -> UpsertResult:
        await lock(connection)
        chunk = await take_in(connection, [row], stamp=to_ms(now), ids=ids, respell=True)
        told, person = chunk.told[0], chunk.told[0].person
        if told.outcome is Outcome.NO_ADDRESS:
            raise BadInput("give a phone number or a mailbox, or the external_id of somebody we know", place="phone")
        if told.outcome is Outcome.AMBIGUOUS or person is None:
            raise BadInput("several people share this phone or mailbox; say by name who is meant", place="first_name")
        return UpsertResult(
            member_id=person.id,
            outcome=Outcome.NEW if person.fresh else Outcome.UPDATED if person.changed else Outcome.UNCHANGED,
            household_id=person.household_id,
            consents={a.channel: person.addresses[a.channel, a.hash].consent for a in row.addresses},
        )

    return await store.transact(work)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a chunk of rows came to."""

    told: list[Told]
    book: Book

    def counts(self) -> Counter[str]:
        """By the names of `ImportReport`; rows that nobody could use are left to the caller."""
        counts: Counter[str] = Counter()
        for told in self.told:
            if told.person is not None:
                counts[told.outcome.value] += 1
                counts["unconfirmed"] += not told.may_write
                counts["own_word"] += told.own_word
                counts["silenced"] += told.silenced
        counts["households"] += self.book.households
        counts["records_joined"] += self.book.records_joined
        counts["suppressed"] += len(self.book.refused)
        return counts


def ids_needed(rows: Sequence[Ready]) -> int:
    """Numbers that a chunk can use up: a member, a household, addresses and evidence for each row."""
    return sum(2 + sum(1 + len(address.claims) for address in row.addresses) for row in rows)


async def take_in(
    connection: AsyncConnection, rows: Sequence[Ready], *, stamp: int, ids: Iterable[int], respell: bool = False
) -> Chunk:
    """Find, merge or make the people of `rows`, in the caller's transaction, under `lock`.

    `stamp` (ms) is written into all that changes; `ids` are at least `ids_needed` numbers. With `respell` a row's
    spelling of a name always wins, else only a better one.
    """
    book = open_book(await read_pages(connection, rows), stamp=stamp, ids=iter(ids), respell=respell)
    told = [book.tell(row) for row in rows]
    await write_book(connection, book)
    return Chunk(told, book)
