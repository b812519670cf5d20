"""The rules of the house as they stand in their files, with the reason of each, and which of them do not hold yet."""

from __future__ import annotations

import asyncio

from aiohttp import web

from router.core.toml_notes import Section, read_notes, sources
from router.policy_changes.sights import list_changes
from router.settings import toml_text
from router.web.auth import Page, Scope
from router.web.endpoints import Call, Registry, registrar
from router.web.office.show import show

POLICY: Registry = []
endpoint = registrar(POLICY)

FILES = {
    "policy": "How much we ask of people, and what stops us",
    "quiet_hours": "When messages may arrive",
}
"""File → what it rules."""


@endpoint(
    "GET", "/office/policy", access=Page(Scope.CAMPAIGNS_READ), reply="text/html", summary="The rules of the house"
)
async def policy(call: Call) -> web.StreamResponse:
    files: dict[str, list[Section]] = {}
    for name in FILES:
        text = await asyncio.to_thread(toml_text, name, call.runtime.settings)
        files[name] = read_notes(text, file=f"{name}.toml")
    changes = await list_changes(call.runtime, now=call.now)
    return show(
        call, "policy.html", files=files, titles=FILES, sources=sources, changes=changes,
        changing=call.runtime.policy.changes,
    )  # fmt: skip
