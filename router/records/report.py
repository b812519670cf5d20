"""What an import came to: counts, sentences, and the problems as a CSV that no spreadsheet runs as formulas."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select, tuple_

from router.core.errors import NotFound
from router.store.engine import Store
from router.store.tables import import_job, import_problem

_PAGE = 2_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""


class Problem(BaseModel):
    """One thing in a file that could not be used."""

    model_config = ConfigDict(frozen=True)

    line: int
    column: str
    """As the file calls it; "" for a whole row."""
    sentence: str


class ImportReport(BaseModel):
    """What became of a file. ``rows = new + updated + unchanged + merged_in_file + bad_rows``, or, with `suppress`,
    ``suppressed + unchanged + bad_rows``."""

    model_config = ConfigDict(frozen=True)

    id: int
    """0 for a dry run, which leaves nothing behind."""
    file_name: str
    status: str
    dry_run: bool = False
    suppress: bool = False
    rows: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    merged_in_file: int = 0
    """Rows that met a member whom an earlier row of this file made or changed."""
    records_joined: int = 0
    """Records that a row showed to be one person."""
    households: int = 0
    unconfirmed: int = 0
    """Rows kept without an address that may be written to."""
    own_word: int = 0
    """US numbers that the attested basis does not cover."""
    silenced: int = 0
    """Addresses for which the file says yes and their owner had said no."""
    suppressed: int = 0
    """Rows of a list of unsubscribes; otherwise addresses that a row without a name refused for."""
    bad_rows: int = 0
    problems: int = 0
    first_problems: list[Problem] = []
    encoding: str = ""
    delimiter: str = ""
    profile: str = ""
    columns: dict[str, str] = {}
    """header → what it was taken for."""
    notes: list[str] = []
    started_by: str = ""
    started_at: datetime
    finished_at: datetime | None = None

    @property
    def sentences(self) -> list[str]:
        """The report in words."""
        return list(_sentences(self))


COUNTS = (
    "rows", "new", "updated", "unchanged", "merged_in_file", "records_joined", "households", "unconfirmed", "own_word",
    "silenced", "suppressed", "bad_rows", "problems",
)  # fmt: skip


def as_counts(stored: object) -> Counter[str]:
    """The counts of a job's stored report."""
    known = stored if isinstance(stored, dict) else {}
    return Counter({name: int(known.get(name, 0)) for name in COUNTS})


def _sentences(report: ImportReport) -> list[str]:
    n = report
    said = [f"{_many(n.rows, 'row')} read" + (" in a dry run: nothing was written." if n.dry_run else ".")]
    if n.suppress:
        said.append(f"{_many(n.suppressed, 'row')} suppressed; {n.unchanged:,} rows held nothing new.")
    else:
        said.append(f"{_many(n.new, 'new member')}, {n.updated:,} updated, {n.unchanged:,} already as the file says.")
    if n.merged_in_file:
        said.append(
            f"{_many(n.merged_in_file, 'row')} merged with an earlier row of this file: same phone, mailbox or member"
            " number, and same name (or none)."
        )
    if n.records_joined:
        said.append(f"{_many(n.records_joined, 'record')} joined to another: a row showed that both are one person.")
    if n.households:
        said.append(
            f"{_many(n.households, 'household')} found: people of different names with the same phone or mailbox share"
            " one delivery and one budget and stay separate members."
        )
    if n.unconfirmed:
        said.append(
            f"{_many(n.unconfirmed, 'row')} kept as unconfirmed: no consent stands in the file and no basis covers"
            " them, so they are not written to."
        )
    if n.own_word:
        said.append(
            f"{_many(n.own_word, 'US phone number')} unconfirmed: texts to the USA need the person's own consent in the"
            " file or a confirmed reply; the attested basis is not enough."
        )
    if n.silenced:
        said.append(
            f"{_many(n.silenced, 'address', 'es')} stay silent: their owner had said no, and a file cannot undo that."
        )
    if n.suppressed and not n.suppress:
        said.append(
            f"{_many(n.suppressed, 'address', 'es')} suppressed: a row without a name said no, and several members"
            " share that address."
        )
    if n.bad_rows or n.problems:
        said.append(f"{_many(n.bad_rows, 'row')} could not be used; {_many(n.problems, 'problem')} listed by line.")
    return said + list(n.notes)


def _many(count: int, noun: str, plural: str = "s") -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else plural)


async def import_status(store: Store, import_id: int) -> ImportReport:
    """How an import stands, or what it came to. Raises `NotFound`."""
    async with store.read() as connection:
        job = (await connection.execute(select(import_job).where(import_job.c.id == import_id))).one_or_none()
        if job is None:
            raise NotFound("there is no such import")
        rows = await connection.execute(
            select(import_problem.c.line, import_problem.c.column, import_problem.c.sentence)
            .where(import_problem.c.import_id == import_id)
            .order_by(import_problem.c.line, import_problem.c.column)
            .limit(100)
        )
        problems = [Problem(line=line, column=column, sentence=sentence) for line, column, sentence in rows]
    return ImportReport(
        **job.report,
        id=job.id,
        file_name=job.file_name,
        status=job.status,
        suppress=bool(job.options.get("suppress")),
        first_problems=problems,
        started_by=job.started_by,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


async def problems_csv(store: Store, import_id: int) -> AsyncIterator[bytes]:
    """All problems of an import as CSV, in pieces. Raises `NotFound`."""
    await import_status(store, import_id)
    yield csv_line("line", "column", "problem")
    table = import_problem.c
    last: tuple[int, str] = (-1, "")
    while True:
        async with store.read() as connection:
            rows = (
                await connection.execute(
                    select(table.line, table.column, table.sentence)
                    .where(table.import_id == import_id, tuple_(table.line, table.column) > last)
                    .order_by(table.line, table.column)
                    .limit(_PAGE)
                )
            ).all()
        if not rows:
            return
        yield b"".join(csv_line(*row) for row in rows)
        last = (rows[-1][0], rows[-1][1])


def csv_line(*cells: object) -> bytes:
    """One row of CSV; text that a spreadsheet would run as a formula is made plain text with an apostrophe."""
    line = io.StringIO()
    csv.writer(line).writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue().encode()


def safe_cell(text: str) -> str:
    """`text` such that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
