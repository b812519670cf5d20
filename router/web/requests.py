"""Every request as log, numbers and traces see it: its id, the shape of its address, its answer, its time.

Never its address itself: that can be a member's secret (``/m/{token}``), and a query can hold anything.
"""

from __future__ import annotations

import logging
import secrets
import time

from aiohttp import web

from router.logs import bind, request_id_of
from router.metrics import ROOMS
from router.web.keys import RUNTIME
from router.web.problems import Handler

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
NOWHERE = "(none)"
"""Stands for addresses that do not exist."""

_MACHINES = {"hooks", "static", "system"}
"""Rooms whose successes are logged at DEBUG: there are many, and the numbers count them."""
_SYSTEM = {"/healthz", "/readyz", "/metrics", "/openapi.json"}


@web.middleware
async def observing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost middleware: what is logged and traced within says which request it is about."""
    runtime = request.app[RUNTIME]
    route = _route(request)
    request_id = request_id_of(request.headers.get(HEADER, "")) or secrets.token_hex(8)
    bind(request=request_id)  # until the next request: the answer's headers are made after this returns
    room, method = _room(route), request.method if request.method in _METHODS else "OTHER"
    began, status = time.monotonic(), 500
    with runtime.traces.span(f"{method} {route}", {"request": request_id}, kind="server"):
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            took = time.monotonic() - began
            runtime.traces.answered(status)
            runtime.metrics.requests.labels(room, f"{status // 100}xx").inc()
            if room == "hooks":
                channel = request.match_info.get("channel", "")
                runtime.metrics.webhooks.labels(channel if channel in runtime.specs else "").observe(took)
            log.log(
                logging.DEBUG if room in _MACHINES and status < 400 else logging.INFO,
                "request",
                extra={"method": method, "route": route, "status": status, "ms": round(took * 1000, 1)},
            )


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _route(request: web.Request) -> str:
    """``/m/{token}``: as the table of addresses has it."""
    resource = request.match_info.route.resource
    return NOWHERE if resource is None else resource.canonical


def _room(route: str) -> str:
    """Which part of the program a request is for: api, hooks, office, static, system, pages."""
    if route in _SYSTEM:
        return "system"
    first = route.split("/", 2)[1] if route.startswith("/") else ""
    return first if first in ROOMS else "pages"
