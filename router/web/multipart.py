"""A form with a file: its fields stand before the file and are read first, so that nothing is stored unasked."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from router.web.problems import ProblemError

MULTIPART = "multipart/form-data"

_MOST_FIELDS = 20
_LONGEST = 4_000
"""Bytes of a field."""
_SECONDS = 30


class Form(NamedTuple):
    """What was read of it so far."""

    fields: dict[str, str]
    reader: MultipartReader
    file: BodyPartReader | None
    """Not read yet; None where there is none after the first fields."""


_OPENED = web.RequestKey("opened_form", Form)


async def open_form(request: web.Request) -> Form:
    """The fields before the file, and the file; the same when asked again. 400 where it cannot be read."""
    found = request.get(_OPENED)
    if found is None:
        try:
            async with asyncio.timeout(_SECONDS):
                found = await _read(request)
        except TimeoutError:
            raise ProblemError(408, f"the form did not arrive within {_SECONDS} seconds") from None
        except (ValueError, AssertionError, HttpProcessingError) as error:
            raise ProblemError(400, "this form cannot be read; is it complete?") from error
        request[_OPENED] = found
    return found


async def _read(request: web.Request) -> Form:
    reader = await request.multipart()
    fields: dict[str, str] = {}
    while len(fields) < _MOST_FIELDS:
        part = await reader.next()
        if not isinstance(part, BodyPartReader):
            break
        if part.filename is not None:
            return Form(fields, reader, part)
        fields[part.name or ""] = (await _short(part)).decode("utf-8").replace("\0", "").strip()
    return Form(fields, reader, None)


async def _short(part: BodyPartReader) -> bytes:
    value = b""
    while piece := await part.read_chunk(_LONGEST):
        value += piece
        if len(value) > _LONGEST:
            raise ProblemError(400, f"a field of this form is longer than {_LONGEST} bytes")
    return value
