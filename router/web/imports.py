"""``/api/v1/imports``: a file of members comes in as a stream and is imported in the background."""

from __future__ import annotations

import asyncio
import logging
from datetime import date
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.core.errors import OutreachError, Unavailable
from router.core.model import LegalBasis
from router.records.dates import DateOrder
from router.records.imports import ImportOptions, ImportProgress, ImportReport, import_file, import_status, problems_csv
from router.records.record import Attestation
from router.web.auth import Scope
from router.web.bodies import Upload
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import IMPORTS_UNDER_WAY
from router.web.problems import ProblemError, without_values

log = logging.getLogger(__name__)

IMPORTS: Registry = []
endpoint = registrar(IMPORTS)

ANSWER_SECONDS = 5.0
"""A file that is imported within so long gets its report at once; a longer one a number to ask for it."""

ONE = "/api/v1/imports/{id:[0-9]{1,18}}"


class ImportQuery(BaseModel):
    """How the file is to be read, and on what ground its people may be written to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dry_run: bool = False
    """Count everything, write nothing."""
    restart: bool = False
    """Begin again instead of going on where an earlier run of the same file stopped."""
    suppress: bool = False
    """The file lists an old tool's unsubscribes and bounces."""
    file_name: Annotated[str, Field(max_length=400)] = ""
    delimiter: Annotated[str, Field(max_length=1)] = ""
    encoding: Annotated[str, Field(max_length=40)] = ""
    profile: Annotated[str, Field(max_length=40)] = ""
    date_order: DateOrder | Literal[""] = ""
    attest_basis: LegalBasis | None = None
    """Admins only: the legal basis of the whole file, together with its source and date."""
    attest_source: Annotated[str, Field(max_length=400)] = ""
    attest_dated: date | None = None

    @model_validator(mode="after")
    def _whole_word(self) -> ImportQuery:
        parts = (self.attest_basis, self.attest_source, self.attest_dated)
        if any(parts) and not all(parts):
            raise ValueError("attest_basis, attest_source and attest_dated go together")
        return self

    def options(self) -> ImportOptions:
        """As the import takes them."""
        given = self.model_dump(exclude={"attest_basis", "attest_source", "attest_dated"})
        if self.attest_basis and self.attest_dated:
            given["attestation"] = Attestation(
                basis=self.attest_basis, source=self.attest_source, dated=self.attest_dated
            )
        return ImportOptions(**given)


@endpoint(
    "POST",
    "/api/v1/imports",
    access=Scope.IMPORTS_WRITE,
    upload=True,
    query=ImportQuery,
    reply=ImportReport,
    status=200,
    also={202: ImportReport},
    summary="Import members from CSV; 202 where it takes longer, with the number to ask for",
)
async def start_import(call: Call, body: Upload, query: ImportQuery) -> tuple[int, ImportReport]:
    return await begin_import(call, body, query)


async def begin_import(call: Call, body: Upload, query: ImportQuery) -> tuple[int, ImportReport]:
    """Import a file: 200 and what became of it, or 202 and how it stands after `ANSWER_SECONDS`."""
    if query.attest_basis and not (call.caller and call.caller.may(Scope.ADMIN)):
        raise ProblemError(403, "only an admin may attest the legal basis of a file; leave out attest_…, or ask one")
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    body.keep()
    task = asyncio.create_task(_import(call, body, query.options(), begun), name="import")
    under_way = call.request.app[IMPORTS_UNDER_WAY]
    under_way.add(task)
    task.add_done_callback(under_way.discard)
    either: list[asyncio.Future[Any]] = [task, begun]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({task}, timeout=None if query.dry_run else ANSWER_SECONDS)
    if task.done():
        return 200, task.result()
    return 202, await import_status(call.runtime.store, begun.result())


async def _import(call: Call, upload: Upload, options: ImportOptions, begun: asyncio.Future[int]) -> ImportReport:
    """Import until it is done, through times without a database. What else stops it is kept for the next run."""

    def note(progress: ImportProgress) -> None:
        if not begun.done():
            begun.set_result(progress.import_id)

    runtime = call.runtime
    try:
        while True:
            try:
                return await import_file(
                    runtime.store,
                    upload.path,
                    key=runtime.key,
                    default_region=runtime.settings.default_region,
                    by=call.by,
                    now=call.now,
                    options=options,
                    progress=note,
                    accounts=runtime.channels,
                )
            except Unavailable as error:
                if not begun.done():
                    raise
                await asyncio.sleep(error.retry_after)
                # What was begun anew must not begin anew once more.
                options = options.model_copy(update={"restart": False})
    except Exception as error:
        if begun.done():
            # Nobody may be waiting any more. An OutreachError's sentence holds no address and no secret.
            reason = str(error) if isinstance(error, OutreachError) else without_values(error)
            log.error("import %s stopped and can be sent again: %s", begun.result(), reason)
        raise
    finally:
        await asyncio.to_thread(upload.discard)


@endpoint(
    "GET", ONE, access=Scope.IMPORTS_WRITE, reply=ImportReport, summary="How an import stands, or what it came to"
)
async def get_import(call: Call) -> ImportReport:
    return await import_status(call.runtime.store, call.id)


@endpoint(
    "GET",
    ONE + "/problems.csv",
    access=Scope.IMPORTS_WRITE,
    reply="text/csv",
    summary="Every line that could not be used, as CSV that no spreadsheet runs as formulas",
)
async def get_problems(call: Call) -> web.StreamResponse:
    return await stream_problems(call)


async def stream_problems(call: Call) -> web.StreamResponse:
    """The lines of the import in the path that could not be used, piece by piece."""
    pieces = problems_csv(call.runtime.store, call.id)
    piece = await anext(pieces)  # before the headers are out: no such import is a 404
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="import-{call.id}-problems.csv"',
        }
    )
    await response.prepare(call.request)
    try:
        await response.write(piece)
        async for piece in pieces:
            await response.write(piece)
        await response.write_eof()
    except Exception as error:
        # Too late for another answer: a connection that breaks off says that the file is not whole.
        log.warning("the problems of import %s broke off: %s", call.id, without_values(error))
        if call.request.transport is not None:
            call.request.transport.abort()
    return response
