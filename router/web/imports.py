"""``/api/v1/imports``: a file of members comes in as a stream and is imported in the background."""

from __future__ import annotations

from router.web.endpoints import Registry, registrar

IMPORTS: Registry = []
endpoint = registrar(IMPORTS)
