"""A file of members into the ledger: read, understand, merge, checkpoint, chunk by chunk.

The file is never held: a chunk of about a thousand rows is read and normalised in a thread, then brought in by one
transaction that also moves the import's checkpoint on. Whatever stops it, the next run of the same file goes on there.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import BadInput, Unavailable
from router.records.attest import attested_claim, check_attestation
from router.records.chunks import Chunks, Read, bring_in, suppress
from router.records.columns import ColumnRules, packaged_rules, plan_columns
from router.records.csvfile import CsvFile, inspect
from router.records.dates import day_order
from router.records.jobs import ImportOptions, Job, finish_job, last_stamp, lock_job, move_on, open_job
from router.records.members import ids_needed
from router.records.ready import Reading
from router.records.report import ImportReport, Problem, import_status, problems_csv
from router.records.rows import RowReader
from router.records.scratch import Scratch, open_scratch
from router.store.engine import Store

__all__ = ["ImportOptions", "ImportProgress", "ImportReport", "Problem", "import_file", "import_status", "problems_csv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress:
    """How far an import is; told once at its beginning and after each chunk is safely in the ledger."""

    import_id: int
    bytes_done: int
    bytes_total: int
    rows: int
    """Rows in the ledger, those of an earlier run of the same file included."""
    rate: float
    """Rows per second of this run."""


async def import_file(
    store: Store,
    source: Path | str | AsyncIterable[bytes],
    *,
    key: bytes,
    default_region: str,
    by: str,
    now: datetime,
    options: ImportOptions | None = None,
    progress: Callable[[ImportProgress], None] | None = None,
    rules: ColumnRules | None = None,
    accounts: Mapping[str, Collection[str]] | None = None,
) -> ImportReport:
    """Bring the members (or, with `suppress`, the unsubscribes) of a CSV file into the ledger.

    `source` is a path or a stream of bytes. Raises `BadInput` where the file as a whole cannot be used, before anything
    is written; single rows and cells that cannot be used are in the report. If anything else stops it (an exception out
    of `progress` too), the import stays ``running`` and the same call goes on with it.
    """
    options = options or ImportOptions()
    if options.attestation is not None:
        check_attestation(options.attestation, now)
    async with contextlib.AsyncExitStack() as stack:
        path = Path(source) if isinstance(source, str | Path) else await stack.enter_async_context(_spooled(source))
        try:
            file = await asyncio.to_thread(inspect, path, encoding=options.encoding, delimiter=options.delimiter)
        except OSError as error:
            raise BadInput(f"the file cannot be read: {error.strerror}", place=path.name) from None
        rules = rules or packaged_rules()
        plan = plan_columns(rules, file.header, profile=options.profile, mapping=options.mapping)
        name = (options.file_name or (path.name if isinstance(source, str | Path) else "upload"))[:400]
        run = _Run(
            file=file,
            options=options,
            reader=RowReader(plan=plan, rules=rules, order=options.date_order or day_order(default_region), now=now),
            reading=Reading(
                key=key,
                region=default_region,
                source=f"import of {name}"[:400],
                attested=attested_claim(options.attestation) if options.attestation else None,
                accounts=accounts or {},
            ),
        )
        about = {
            "encoding": file.encoding,
            "delimiter": file.delimiter,
            "profile": plan.profile,
            "columns": plan.meanings(),
            "notes": list(plan.notes),
        }
        scratch = await stack.enter_async_context(open_scratch(store)) if options.dry_run else None
        async with store.read() as connection:
            after = await last_stamp(connection)
        target = scratch.store if scratch else store
        job = await open_job(
            target, file, options, region=default_region, name=name, by=by, now=now, key=key, extra=about, after=after
        )
        started = time.monotonic()
        await run.go(target, scratch, job, progress)
        await finish_job(target, job, started=now, seconds=time.monotonic() - started)
        report = await import_status(target, job.id)
        return report.model_copy(update={"id": 0, "dry_run": True}) if options.dry_run else report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One pass over one file."""

    file: CsvFile
    options: ImportOptions
    reader: RowReader
    reading: Reading

    async def go(
        self, store: Store, scratch: Scratch | None, job: Job, progress: Callable[[ImportProgress], None] | None
    ) -> None:
        """Read chunk after chunk and bring each in."""
        chunks = Chunks(self.file, self.reader, self.reading, suppress=self.options.suppress, skip=job.rows_done)
        began, rows = time.monotonic(), job.rows_done

        def tell() -> None:
            if progress is not None:
                seconds = max(time.monotonic() - began, 0.001)
                progress(
                    ImportProgress(
                        import_id=job.id,
                        bytes_done=chunks.position,
                        bytes_total=self.file.size,
                        rows=rows,
                        rate=(rows - job.rows_done) / seconds,
                    )
                )

        try:
            tell()
            while chunk := await asyncio.to_thread(chunks.take, self.options.chunk_rows):
                if scratch is not None:
                    await scratch.seed([read.ready for read in chunk if read.ready])
                await self._commit(store, job, chunk)
                rows = chunk[-1].number + 1
                tell()
        finally:
            chunks.close()

    async def _commit(self, store: Store, job: Job, chunk: list[Read]) -> None:
        """One transaction: the rows of `chunk` that are not in the ledger yet, their problems and the checkpoint."""
        ids = await store.take_ids(ids_needed([read.ready for read in chunk if read.ready]))

        async def work(connection: AsyncConnection) -> None:
            state = await lock_job(connection, job)
            if state is None:
                return
            done, report = state
            # Another process may be at work on the same file, and further on.
            left = [read for read in chunk if read.number >= done]
            if not left:
                return
            take = suppress if self.options.suppress else bring_in
            counts, problems = await take(connection, left, job=job, ids=ids, rules=self.reader.rules)
            await move_on(
                connection, job, rows_done=left[-1].number + 1, report=report, counts=counts, problems=problems
            )

        await store.transact(work)


def _new_file() -> IO[bytes]:
    return tempfile.NamedTemporaryFile(prefix="outreach-import-", suffix=".csv", delete=False)


def _write(file: IO[bytes], block: bytes) -> None:
    file.write(block)


@contextlib.asynccontextmanager
async def _spooled(stream: AsyncIterable[bytes]) -> AsyncIterator[Path]:
    """A stream as a temporary file: its encoding and checksum are known only at its end."""
    handle = await asyncio.to_thread(_new_file)
    path = Path(handle.name)
    try:
        try:
            with handle:
                async for block in stream:
                    await asyncio.to_thread(_write, handle, block)
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            raise Unavailable(f"the file could not be stored: {error.strerror}", retry_after=60) from error
        yield path
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)
