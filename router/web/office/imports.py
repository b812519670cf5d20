"""Bring in members from a list: look at it first, then bring it in, and see what became of each line."""

from __future__ import annotations

from aiohttp import web
from pydantic import ValidationError

from router.core.errors import BadInput
from router.core.model import LegalBasis
from router.office.import_list import latest_imports
from router.records.imports import import_status
from router.records.report import ImportReport
from router.web.auth import Page, Scope
from router.web.bodies import receive_upload
from router.web.endpoints import Call, Registry, registrar
from router.web.imports import ImportQuery, begin_import, stream_problems
from router.web.keys import MAX_UPLOAD
from router.web.multipart import open_form
from router.web.office.editor import organizer_of
from router.web.office.form_values import as_sentence
from router.web.office.show import see, show
from router.web.problems import ProblemError

IMPORT_PAGES: Registry = []
endpoint = registrar(IMPORT_PAGES)

WRITES = Page(Scope.IMPORTS_WRITE)

ROOM = "/office/imports"
ONE = ROOM + "/{id:[0-9]{1,18}}"

_ATTEST = ("attest_basis", "attest_source", "attest_dated")
_FIELDS = ("kind", *_ATTEST)
_BASES = [
    ("", "The list itself says who agreed to what"),
    (LegalBasis.CONSENT.value, "All of them agreed to hear from us"),
    (LegalBasis.MEMBERSHIP.value, "All of them are our members"),
    (LegalBasis.CHARITY_SOFT_OPT_IN.value, "UK charity: all of them supported us and were told that they can refuse"),
]
_KINDS = [
    ("members", "Members to bring in"),
    ("suppress", "People who must not be written to (an old list of opt-outs)"),
]


@endpoint("GET", ROOM, access=WRITES, reply="text/html", summary="Lists of members that were brought in, and a new one")
async def imports(call: Call) -> web.StreamResponse:
    return await _room(call)


@endpoint("POST", ROOM, access=WRITES, reply="text/html", summary="Look at a list, or bring it in")
async def bring_in(call: Call) -> web.StreamResponse:
    _everybody(call)
    if call.request.content_type != "multipart/form-data":
        return await _room(call, status=422, wrong={"file": "Choose a file."})
    fields = (await open_form(call.request)).fields
    typed = {name: fields.get(name, "") for name in _FIELDS}
    try:
        query = _query(typed, is_look=fields.get("do") != "import")
        async with receive_upload(call.request, call.request.app[MAX_UPLOAD], fields=True) as upload:
            _, report = await begin_import(call, upload, query)
    except BadInput as error:
        place = error.place if error.place in _FIELDS else "file"
        return await _room(call, status=422, typed=typed, wrong={place: as_sentence(error.sentence)})
    if query.dry_run:
        return await _room(call, typed=typed, looked_at=report)
    return see(f"{ROOM}/{report.id}")


@endpoint("GET", ONE, access=WRITES, reply="text/html", summary="How an import stands, or what it came to")
async def one_import(call: Call) -> web.StreamResponse:
    _everybody(call)
    return show(call, "import.html", report=await import_status(call.runtime.store, call.id))


@endpoint("GET", ONE + "/problems.csv", access=WRITES, reply="text/csv", summary="Each line that could not be used")
async def problems(call: Call) -> web.StreamResponse:
    _everybody(call)
    return await stream_problems(call)


def _query(typed: dict[str, str], *, is_look: bool) -> ImportQuery:
    """As the API takes it. Raises `BadInput`."""
    given = {name: typed[name] for name in _ATTEST if typed[name]}
    if given and len(given) < len(_ATTEST):
        missing = next(name for name in _ATTEST if not typed[name])
        raise BadInput("say on what ground, where it comes from and since when: all three, or nothing", place=missing)
    given |= {"dry_run": str(is_look), "suppress": str(typed["kind"] == "suppress")}
    try:
        return ImportQuery.model_validate_strings(given)
    except ValidationError as error:
        place = str(next(iter(error.errors()[0]["loc"]), "file"))
        raise BadInput("cannot be read; choose again", place=place) from None


def _everybody(call: Call) -> None:
    """A list brings in people outside anybody's part."""
    if organizer_of(call).audience is not None:
        raise ProblemError(403, "lists are for organizers who see all members; an admin can widen your part")


async def _room(
    call: Call,
    *,
    status: int = 200,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
    looked_at: ImportReport | None = None,
) -> web.Response:
    _everybody(call)
    return show(
        call, "imports.html", status=status, imports=await latest_imports(call.runtime), bases=_BASES, kinds=_KINDS,
        typed=typed or dict.fromkeys(_FIELDS, ""), wrong=wrong or {}, looked_at=looked_at,
    )  # fmt: skip
