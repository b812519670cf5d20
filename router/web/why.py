"""``/api/v1/members/{id}/why/{campaign}``: how it came that a member got a message, or did not."""

from __future__ import annotations

from router import why
from router.looks import Look, note_view
from router.web.auth import Scope
from router.web.endpoints import Call, Registry, registrar

WHY: Registry = []
endpoint = registrar(WHY)


@endpoint(
    "GET",
    "/api/v1/members/{id:[0-9]{1,18}}/why/{campaign:[0-9]{1,18}}",
    access=Scope.CAMPAIGNS_READ,
    reply=why.Why,
    summary="Why this member got that campaign's message or did not: each channel's verdict, and what came of it",
)
async def get_why(call: Call) -> why.Why:
    told = await why.why(call.runtime, call.id, int(call.request.match_info["campaign"]), now=call.now)
    await note_view(call.runtime, Look.WHY, call.id, by=call.by, now=call.now)
    return told
