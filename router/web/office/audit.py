"""The audit: who did what, the latest first, a page at a time."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.core.audience import Number
from router.core.toml_notes import in_words
from router.office.audit import LOOKED_AT, read_audit
from router.web.auth import Page, Scope
from router.web.endpoints import Call, Registry, registrar
from router.web.office.show import show

AUDIT: Registry = []
endpoint = registrar(AUDIT)


class AuditQuery(BaseModel):
    """Which entries; empty fields leave nothing out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: str = Field("", max_length=200)
    what: str = Field("", max_length=80)
    subject: str = Field("", max_length=200)
    before: Number | None = None
    """The number to go on from."""


@endpoint("GET", "/office/audit", access=Page(Scope.ADMIN), reply="text/html", query=AuditQuery, summary="Who did what")
async def audit(call: Call, query: AuditQuery) -> web.StreamResponse:
    asked = {name: getattr(query, name).strip() for name in ("who", "what", "subject")}
    page = await read_audit(call.runtime, **asked, before=query.before)
    older = urlencode({name: value for name, value in asked.items() if value} | {"before": page.before})
    return show(
        call, "audit.html", page=page, asked=asked, older=older if page.before is not None else "",
        is_asked=any(asked.values()), looked_at=LOOKED_AT, in_words=in_words,
    )  # fmt: skip
