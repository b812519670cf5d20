"""The row of an import: begun, taken up again, moved on with each chunk, finished."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotAllowed
from router.records.attest import attestation_row
from router.records.csvfile import CsvFile
from router.records.dates import DateOrder
from router.records.pages import lock
from router.records.record import Attestation
from router.records.report import as_counts
from router.store.bulk import insert_rows, is_sqlite
from router.store.campaigns import write_audit
from router.store.engine import Store
from router.store.tables import attestation, from_ms, import_job, import_problem, to_ms


class ImportOptions(BaseModel):
    """How a file is to be read and on what ground."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dry_run: bool = False
    """Count everything, write nothing."""
    restart: bool = False
    """Begin again instead of going on where an earlier run of the same file stopped."""
    suppress: bool = False
    """The file lists an old tool's unsubscribes and bounces: nobody in it is written to, nobody becomes a member."""
    attestation: Attestation | None = None
    delimiter: Annotated[str, Field(max_length=1)] = ""
    encoding: Annotated[str, Field(max_length=40)] = ""
    profile: Annotated[str, Field(max_length=40)] = ""
    """The tool that the file came from, or ``none``; found by its columns where it is empty."""
    mapping: dict[str, str] = {}
    """header → field, ``attribute`` or ``ignore``; goes before everything that we know of columns."""
    date_order: DateOrder | Literal[""] = ""
    """Of dates like 03/04/2026; the region's own where it is empty."""
    file_name: Annotated[str, Field(max_length=400)] = ""
    chunk_rows: Annotated[int, Field(ge=1, le=5_000)] = 500
    """Rows in one transaction. Makes no difference to what comes out."""

    def stored(self, region: str) -> dict[str, Any]:
        """What decides the outcome, as it is kept: a run goes on only with the same."""
        left_out = {"dry_run", "restart", "chunk_rows", "file_name"}
        kept: dict[str, Any] = json.loads(self.model_dump_json(exclude=left_out))
        return kept | {"region": region}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An import that is under way."""

    id: int
    rows_done: int
    stamp: int
    """Milliseconds. Marks what this import made or changed; no two imports have the same."""


async def open_job(
    store: Store, file: CsvFile, options: ImportOptions, *, region: str, name: str, by: str, now: datetime, key: bytes,
    extra: Mapping[str, Any], after: int = 0,
) -> Job:  # fmt: skip
    """Take up the interrupted import of the same file with the same options, or begin a new one.

    `after` (ms) is a moment that the import's stamp must lie behind.
    """
    numbers = await store.take_ids(4)
    stored = options.stored(region)

    async def work(connection: AsyncConnection) -> Job:
        await lock(connection)
        going_on = None if options.restart else await _interrupted(connection, file.sha256, stored)
        if going_on is not None:
            return going_on
        await connection.execute(
            update(import_job)
            .where(import_job.c.file_sha256 == file.sha256, import_job.c.status == "running")
            .values(status="failed", finished_at=now)
        )
        latest = await last_stamp(connection)
        job = Job(id=numbers[0], rows_done=0, stamp=max(to_ms(now), latest + 1, after + 1))
        await connection.execute(
            insert(import_job).values(
                id=job.id,
                file_name=name,
                file_sha256=file.sha256,
                options=stored,
                status="running",
                rows_done=0,
                report=dict(extra),
                started_by=by,
                started_at=from_ms(job.stamp),
            )
        )
        detail = {"file": name, "sha256": file.sha256, "suppress": options.suppress}
        await _audit(connection, numbers[1], by, now, "import.begin", job.id, detail)
        if options.attestation is not None:
            row = attestation_row(
                options.attestation, number=numbers[2], file_sha256=file.sha256, by=by, at=from_ms(to_ms(now)), key=key
            )
            await connection.execute(insert(attestation).values(row))
            told = {name: row[name] for name in ("basis", "source", "dated", "file_sha256", "signature")}
            await _audit(connection, numbers[3], by, now, "import.attest", job.id, told | {"attestation": numbers[2]})
        return job

    return await store.transact(work)


async def last_stamp(connection: AsyncConnection) -> int:
    """The stamp of the latest import, in milliseconds."""
    latest = await connection.scalar(select(func.max(import_job.c.started_at)))
    return 0 if latest is None else to_ms(latest)


async def _interrupted(connection: AsyncConnection, sha256: str, stored: dict[str, Any]) -> Job | None:
    rows = await connection.execute(
        select(import_job.c.id, import_job.c.rows_done, import_job.c.started_at, import_job.c.options)
        .where(import_job.c.file_sha256 == sha256, import_job.c.status == "running")
        .order_by(import_job.c.id.desc())
    )
    for number, done, started_at, options in rows:
        if options == stored:
            return Job(id=number, rows_done=done, stamp=to_ms(started_at))
    return None


async def _audit(
    connection: AsyncConnection, number: int, by: str, at: datetime, what: str, job: int, detail: dict[str, Any]
) -> None:
    await write_audit(connection, number, who=by, what=what, subject=f"import {job}", detail=detail, now=at)


async def lock_job(connection: AsyncConnection, job: Job) -> tuple[int, dict[str, Any]] | None:
    """(rows done, report) of a running import, held until the transaction ends; None where somebody finished it.

    Raises `NotAllowed` where somebody began the file anew.
    """
    await lock(connection)
    statement = select(import_job.c.status, import_job.c.rows_done, import_job.c.report).where(
        import_job.c.id == job.id
    )
    if not is_sqlite(connection):
        statement = statement.with_for_update()
    status, done, report = (await connection.execute(statement)).one()
    if status == "failed":
        raise NotAllowed("this import was begun anew by somebody else; see its report")
    return None if status == "finished" else (done, report)


async def move_on(
    connection: AsyncConnection,
    job: Job,
    *,
    rows_done: int,
    report: Mapping[str, Any],
    counts: Counter[str],
    problems: Iterable[tuple[int, str, str]],
) -> None:
    """Write the checkpoint, the counts and the problems of a chunk in the transaction of its rows."""
    table: dict[tuple[int, str], str] = {}
    for line, column, sentence in problems:
        place = (line, column[:200])
        table[place] = f"{table[place]}; {sentence}" if place in table else sentence
    await insert_rows(
        connection,
        import_problem,
        ("import_id", "line", "column", "sentence"),
        [(job.id, *place, sentence[:400]) for place, sentence in sorted(table.items())],
    )
    total = as_counts(report) + counts + Counter(problems=len(table))
    await connection.execute(
        update(import_job).where(import_job.c.id == job.id).values(rows_done=rows_done, report={**report, **total})
    )


async def finish_job(store: Store, job: Job, *, started: datetime, seconds: float) -> None:
    """Mark an import as finished, `seconds` after `started`."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(
            update(import_job)
            .where(import_job.c.id == job.id, import_job.c.status == "running")
            .values(status="finished", finished_at=started + timedelta(seconds=seconds))
        )

    await store.transact(work)
