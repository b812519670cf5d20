"""Reading what came in, strictly: JSON into a model, a query string into a model, a file onto the disk."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from router.core.errors import BadInput, Unavailable
from router.web.multipart import MULTIPART, open_form
from router.web.problems import ProblemError, invalid_fields

M = TypeVar("M", bound=BaseModel)

MAX_BODY = 1024 * 1024
"""Bytes; files may be larger (`receive_upload`)."""
BODY_SECONDS = 30
"""A body, or the next piece of a file, that takes longer is given up."""
LARGEST_INTEGER = 2**63 - 1
"""What the ledger can hold."""


class _DuplicateError(ValueError):
    pass


async def read_body(request: web.Request) -> bytes:
    """The whole raw body, at most `MAX_BODY` bytes; 415 where it is compressed, 408 where it does not come."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProblemError(415, "send the body uncompressed")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise ProblemError(408, f"the body did not arrive within {BODY_SECONDS} seconds") from None


def read_json(request: web.Request, raw: bytes, model: type[M], *, optional: bool = False) -> M:
    """`raw` as a `model`. No body stands for ``{}`` where `optional`.

    400 where it is not JSON, 415 where it does not say that it is, 422 where it does not fit.
    """
    if optional and not raw:
        raw = b"{}"
    elif request.content_type != "application/json" or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise ProblemError(415, "send JSON in UTF-8, with the header Content-Type: application/json")
    check_json(raw)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            raise ProblemError(400, "this is not JSON that we can read, or it nests too deep") from None
        raise invalid_fields(error, what="the body") from None


def check_json(raw: bytes) -> None:
    """Refuse what parsers disagree on or the ledger cannot hold.

    That is: bytes that are not UTF-8, NaN and infinities, a name twice in one object, depth without end, integers
    beyond 64 bits, NUL characters and halves of surrogate pairs.
    """
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except UnicodeDecodeError as error:
        raise ProblemError(400, f"the body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise ProblemError(
            400, f"the body is not JSON: {error.msg}, line {error.lineno} column {error.colno}"
        ) from None
    except _DuplicateError as error:
        raise ProblemError(400, f"the body names {error} twice in one object") from None
    except RecursionError:
        raise ProblemError(400, "the body nests too deep") from None
    except ValueError:
        raise ProblemError(400, "the body holds a number that we cannot read") from None
    _check_values(document)


def _no_constant(name: str) -> Any:
    raise json.JSONDecodeError(f"{name} is not a JSON number", "", 0)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateError(json.dumps(next(name for name in names if names.count(name) > 1)[:100]))
    return found


def _check_values(document: Any) -> None:
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            for name, below in value.items():
                _check_text(name, place or "a field's name")
                waiting.append((f"{place}.{name}" if place else name, below))
        elif isinstance(value, list):
            waiting += [(f"{place}.{index}", below) for index, below in enumerate(value)]
        elif isinstance(value, str):
            _check_text(value, place)
        elif isinstance(value, int | float) and not abs(value) <= LARGEST_INTEGER:
            raise BadInput("this number is too large", place=place)


def _check_text(value: str, place: str) -> None:
    if "\x00" in value:
        raise BadInput("holds a NUL character; take it out", place=place)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ProblemError(400, "the body holds half of a surrogate pair, which is no character") from None


def read_query(request: web.Request, model: type[M]) -> M:
    """The query string as a `model`; 422 where a name is unknown, stands twice or does not fit."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise BadInput("stands twice in the query", place=name)
        if "\x00" in value:
            raise BadInput("holds a NUL character; take it out", place=name)
        given[name] = value
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        raise invalid_fields(error, what="the query") from None


@dataclass(slots=True)
class Upload:
    """A file that came in, on disk. It is removed when the request ends, unless somebody took it over (`keep`)."""

    path: Path
    size: int = 0
    sha256: str = ""
    kept: bool = False

    def keep(self) -> None:
        """The caller removes it (`discard`) from now on."""
        self.kept = True

    def discard(self) -> None:
        """Remove the file and the folder made for it."""
        shutil.rmtree(self.path.parent, ignore_errors=True)


@contextlib.asynccontextmanager
async def receive_upload(request: web.Request, max_bytes: int, *, fields: bool = False) -> AsyncIterator[Upload]:
    """Stream a ``text/csv`` body, or the one file of a form, onto the disk; never holds more than a piece of it.

    With `fields` the form may have some before its file (`open_form`).
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="outreach-upload-"))
    upload = Upload(folder / "upload.csv")
    try:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ProblemError(415, "send the file uncompressed")
        if (request.content_length or 0) > max_bytes:
            raise _too_large(max_bytes)
        try:
            if request.content_type in ("text/csv", "application/csv", "text/plain"):
                await _store(request.content.iter_any(), upload, max_bytes)
            elif request.content_type == MULTIPART:
                await _store_part(request, upload, max_bytes, fields=fields)
            else:
                raise ProblemError(415, "send the CSV file itself as text/csv, or a form with one file")
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable("the disk is full; nothing was imported", retry_after=60) from None
            raise
        if not upload.size:
            raise BadInput("the file is empty", place="file")
        yield upload
    finally:
        if not upload.kept:
            upload.discard()


async def _store_part(request: web.Request, upload: Upload, max_bytes: int, *, fields: bool) -> None:
    given, reader, part = await open_form(request)
    if part is None or (given and not fields):
        raise BadInput("send a form with one file, and options in the query", place="file")
    if not part.filename:
        raise BadInput("choose a file", place="file")
    upload.path = upload.path.with_name(_harmless(part.filename))

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await part.read_chunk(64 * 1024):
            yield bytes(piece)

    try:
        await _store(pieces(), upload, max_bytes)
        if await reader.next() is not None:
            raise BadInput("send a form with one file only, and options in the query", place="file")
    except (AssertionError, ValueError, HttpProcessingError) as error:
        if isinstance(error, BadInput):
            raise
        raise ProblemError(400, "this form cannot be read; is it complete?") from error


async def _store(pieces: AsyncIterator[bytes], upload: Upload, max_bytes: int) -> None:
    digest = hashlib.sha256()

    def append(file: BinaryIO, piece: bytes) -> None:
        file.write(piece)
        digest.update(piece)

    with await asyncio.to_thread(upload.path.open, "wb") as file:
        while True:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    piece = await anext(pieces, b"")
            except TimeoutError:
                raise ProblemError(408, f"the file stopped coming for {BODY_SECONDS} seconds") from None
            if not piece:
                break
            upload.size += len(piece)
            if upload.size > max_bytes:
                raise _too_large(max_bytes)
            await asyncio.to_thread(append, file, piece)
    upload.sha256 = digest.hexdigest()


def _too_large(max_bytes: int) -> ProblemError:
    return ProblemError(
        413, f"the file is larger than {max_bytes // 1024 // 1024} MiB; split it, or use `outreach import`"
    )


def _harmless(file_name: str) -> str:
    """A name for our disk and our reports, made of what the sender called the file."""
    return re.sub(r"[^\w.-]+", "_", Path(file_name.replace("\\", "/")).name)[-100:].lstrip(".") or "upload.csv"
