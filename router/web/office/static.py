"""What browsers load besides pages: our style, our few scripts, and those of others (``.ci/vendor``)."""

from __future__ import annotations

import gzip
import hashlib
from typing import NamedTuple

from aiohttp import web

from router.core.data import data_folder
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.problems import ProblemError

STATIC: Registry = []
endpoint = registrar(STATIC)

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR = "public, max-age=31536000, immutable"
_HOUR = "public, max-age=3600"


class _File(NamedTuple):
    content: bytes
    packed: bytes
    content_type: str
    version: str


def _load() -> dict[str, _File]:
    folder = data_folder("templates") / "static"
    found = {}
    for path in sorted((*folder.glob("*.*"), *(folder / "vendor").glob("*.*"))):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            version = hashlib.sha256(content).hexdigest()[:12]
            found[path.name] = _File(content, gzip.compress(content, 9, mtime=0), _TYPES[path.suffix], version)
    return found


_FILES = _load()


def static(name: str) -> str:
    """The address of a file, which changes with its content. Raises KeyError where there is none of that name."""
    return f"/static/{name}?v={_FILES[name].version}"


@endpoint(
    "GET",
    "/static/{name:[A-Za-z0-9._-]{1,60}}",
    access=Open.PUBLIC,
    reply="text/plain",
    summary="Styles and scripts of our pages",
)
async def page_file(call: Call) -> web.StreamResponse:
    request = call.request
    found = _FILES.get(request.match_info["name"])
    if found is None:
        raise ProblemError(404, "there is nothing at this address")
    packs = "gzip" in request.headers.get("Accept-Encoding", "")
    headers = {
        # An address with another version may be of a newer program that runs beside this one.
        "Cache-Control": _YEAR if request.query.get("v") == found.version else _HOUR,
        "Vary": "Accept-Encoding",
        **({"Content-Encoding": "gzip"} if packs else {}),
    }
    return web.Response(
        body=found.packed if packs else found.content,
        content_type=found.content_type,
        charset="utf-8",
        headers=headers,
    )
