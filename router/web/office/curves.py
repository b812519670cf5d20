"""An ask's curves so far: as data for what draws them, and as a table for those without scripts."""

from __future__ import annotations

import json
from bisect import bisect_right

from aiohttp import web

from router.curves import Point, curve_of
from router.web.auth import Page, Scope
from router.web.endpoints import Call, Registry, registrar
from router.web.office.editor import seen_ask
from router.web.office.feeds import FEEDS
from router.web.office.feeds import Point as SeenPoint

CURVES: Registry = []
endpoint = registrar(CURVES)

_ROWS = 60
"""Rows of the table at most."""
_MINUTE = 60_000


@endpoint(
    "GET",
    "/office/asks/{id:[0-9]{1,18}}/curves.json",
    access=Page(Scope.CAMPAIGNS_READ),
    reply="application/json",
    summary="The curves of an ask: by seconds where somebody looked, else by minutes",
)
async def curves(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    points = await curve_of(call.runtime, view.id, view.starts_at, now=call.now)
    text = json.dumps(drawn(points, call.request.app[FEEDS].points_of(view.id)), separators=(",", ":"))
    return web.Response(text=text, content_type="application/json", headers={"Cache-Control": "no-store"})


def drawn(kept: list[Point], seen: list[SeenPoint]) -> list[dict[str, object]]:
    """Both as one curve: a minute in which somebody looked is told by what was seen then."""
    at = [point.at for point in seen]

    def was_seen(moment: int) -> bool:
        return bisect_right(at, moment) > bisect_right(at, moment - _MINUTE)

    points = [point.model_dump(exclude={"failed"}) for point in kept if not was_seen(point.at)]
    points += [point._asdict() for point in seen]
    return sorted(points, key=lambda point: point["at"])


def rows_of(points: list[Point]) -> list[Point]:
    """As many of them as a table can bear: every so many, the first and the last among them."""
    step = max(1, -(-len(points) // _ROWS))
    return points[:-1:step] + points[-1:]
