"""The API reference, made from the same document that programs read at ``/openapi.json``."""

from __future__ import annotations

import json
from functools import lru_cache

from aiohttp import web

from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import OPENAPI
from router.web.office.reference_words import Reference, read_reference
from router.web.office.show import show

REFERENCE: Registry = []
endpoint = registrar(REFERENCE)


@endpoint("GET", "/docs/api", access=Open.PUBLIC, reply="text/html", summary="The API reference, for people")
async def reference(call: Call) -> web.StreamResponse:
    response = show(call, "reference.html", reference=_read(call.request.app[OPENAPI]))
    response.enable_compression()
    return response


@lru_cache(maxsize=4)
def _read(document: bytes) -> Reference:
    return read_reference(json.loads(document))
