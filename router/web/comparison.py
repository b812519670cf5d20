"""``/api/v1/campaigns/{id}/comparison``: two texts beside each other, and those asked beside those held out."""

from __future__ import annotations

from router.comparison import Comparison, compare
from router.web.auth import Scope
from router.web.endpoints import Call, Registry, registrar

COMPARISON: Registry = []
endpoint = registrar(COMPARISON)


@endpoint(
    "GET",
    "/api/v1/campaigns/{id:[0-9]{1,18}}/comparison",
    access=Scope.CAMPAIGNS_READ,
    reply=Comparison,
    summary="What two texts of one ask, or a hold-out, have shown: actions and opt-outs with intervals, no winner",
)
async def get_comparison(call: Call) -> Comparison:
    return await compare(call.runtime, call.id, now=call.now)
