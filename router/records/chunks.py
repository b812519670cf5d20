"""Chunks of rows: read and normalised away from the event loop, then brought in by one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash, parse_email, parse_phone
from router.core.errors import BadAddress
from router.records.columns import ColumnRules
from router.records.csvfile import CsvFile, Reader, Row
from router.records.jobs import Job
from router.records.members import take_in
from router.records.people import Outcome
from router.records.ready import Reading, Ready, prepare
from router.records.rows import RowReader
from router.store.bulk import insert_new_rows
from router.store.tables import suppression, to_ms

_MAX_CHUNK = 8 * 1024 * 1024
"""Characters in one chunk, however few rows they make."""

Problem = tuple[int, str, str]
"""(line, column, sentence)."""


class Silent(NamedTuple):
    """One line of an old tool's unsubscribes: (kind, hash) of its addresses."""

    addresses: tuple[tuple[str, str], ...]
    at: int | None


class Read(NamedTuple):
    """One row of the file: a person, or somebody who wants silence, or nothing of use; and what was wrong with it."""

    number: int
    """0 for the first row below the header."""
    line: int
    ready: Ready | None = None
    silent: Silent | None = None
    problems: tuple[Problem, ...] = ()


class Chunks:
    """Takes rows off a file by the chunk. Used from one thread at a time."""

    def __init__(self, file: CsvFile, reader: RowReader, reading: Reading, *, suppress: bool, skip: int) -> None:
        self._csv = Reader(file)
        self._rows: Iterator[tuple[int, Row]] = enumerate(self._csv)
        self._reader = reader
        self._reading = reading
        self._read = self._silent if suppress else self._person
        self._skip = skip

    @property
    def position(self) -> int:
        """Bytes of the file that have been read."""
        return self._csv.position

    def close(self) -> None:
        """Close the file."""
        self._csv.close()

    def take(self, count: int) -> list[Read]:
        """The next `count` rows; empty at the end."""
        chunk: list[Read] = []
        length = 0
        for number, row in self._rows:
            if number < self._skip:
                continue
            chunk.append(self._read(number, row))
            length += sum(map(len, row.cells))
            if len(chunk) >= count or length > _MAX_CHUNK:
                break
        return chunk

    def _person(self, number: int, row: Row) -> Read:
        if row.problem:
            return Read(number, row.line, problems=((row.line, row.column, row.problem),))
        problems: list[Problem] = []
        plan = self._reader.plan

        def report(column: str, sentence: str) -> None:
            problems.append((row.line, column, sentence))

        record = self._reader.read(row.cells, report)
        if record is None:
            return Read(number, row.line, problems=tuple(problems))
        ready = prepare(record, self._reading, lambda field, text: report(plan.header(field), text), line=row.line)
        return Read(number, row.line, ready, problems=tuple(problems))

    def _silent(self, number: int, row: Row) -> Read:
        if row.problem:
            return Read(number, row.line, problems=((row.line, row.column, row.problem),))
        problems: list[Problem] = []
        found = self._reader.suppressed(row.cells, lambda column, text: problems.append((row.line, column, text)))
        if found is None:
            return Read(number, row.line, problems=tuple(problems))
        phone, email, at = found
        addresses = []
        for kind, raw in (("phone", phone), ("email", email)):
            if raw:
                try:
                    value = parse_phone(raw, self._reading.region) if kind == "phone" else parse_email(raw)
                except BadAddress as error:
                    problems.append((row.line, self._reader.plan.header(kind), error.sentence))
                else:
                    addresses.append((kind, address_hash(self._reading.key, kind, value)))
        if not addresses:
            if not problems:
                problems.append((row.line, "", _NO_ADDRESS))
            return Read(number, row.line, problems=tuple(problems))
        silent = Silent(tuple(addresses), None if at is None else to_ms(at))
        return Read(number, row.line, silent=silent, problems=tuple(problems))


_NO_ADDRESS = "this row has no phone number and no mailbox, so nobody can be reached by it"
_AMBIGUOUS = "several members share this phone or mailbox; the row has no name, so it cannot be said who is meant"


async def bring_in(
    connection: AsyncConnection, chunk: list[Read], *, job: Job, ids: range, rules: ColumnRules
) -> tuple[Counter[str], list[Problem]]:
    """Bring the people of a chunk into the ledger; returns counts and problems."""
    problems = [problem for read in chunk for problem in read.problems]
    rows = [read.ready for read in chunk if read.ready]
    taken = await take_in(connection, rows, stamp=job.stamp, ids=ids)
    counts = taken.counts()
    complained = {line for line, _, _ in problems}
    for row, told in zip(rows, taken.told, strict=True):
        if told.outcome is Outcome.AMBIGUOUS:
            problems.append((row.line, "", _AMBIGUOUS))
        elif told.outcome is Outcome.NO_ADDRESS and row.line not in complained:
            problems.append((row.line, "", _NO_ADDRESS))
    counts["rows"] = len(chunk)
    counts["bad_rows"] = len(chunk) - sum(told.person is not None for told in taken.told)
    return counts, problems


async def suppress(
    connection: AsyncConnection, chunk: list[Read], *, job: Job, ids: range, rules: ColumnRules
) -> tuple[Counter[str], list[Problem]]:
    """Write the suppressions of a chunk; returns counts and problems."""
    rows: dict[tuple[str, str], tuple[Any, ...]] = {}
    owners: dict[tuple[str, str], list[int]] = {}
    for read in chunk:
        if read.silent is not None:
            at = job.stamp if read.silent.at is None else read.silent.at
            for kind, hash_ in read.silent.addresses:
                for channel in rules.suppress[kind]:
                    rows.setdefault((hash_, channel), (hash_, channel, "import", f"import {job.id}", at))
                    owners.setdefault((hash_, channel), []).append(read.number)
    columns = ("address_hash", "channel", "reason", "source", "at")
    ordered = [rows[place] for place in sorted(rows)]
    marks = await insert_new_rows(connection, suppression, columns, ordered, returning="address_hash || ' ' || channel")
    fresh = {hash_ for hash_, _, _ in (mark.partition(" ") for mark in marks)}
    return _suppressed_counts(chunk, fresh), [problem for read in chunk for problem in read.problems]


def _suppressed_counts(chunk: list[Read], fresh: set[str]) -> Counter[str]:
    counts: Counter[str] = Counter(rows=len(chunk))
    for read in chunk:
        if read.silent is None:
            counts["bad_rows"] += 1
        elif fresh.isdisjoint(hash_ for _, hash_ in read.silent.addresses):
            counts["unchanged"] += 1
        else:
            counts["suppressed"] += 1
            fresh.difference_update(hash_ for _, hash_ in read.silent.addresses)
    return counts
