"""An ask while it goes out: figures that move, and curves."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from router.core.explaining import OBJECTIONS
from router.curves import curve_of
from router.live import OVER, read_live
from router.web.auth import Page, Scope
from router.web.endpoints import Call, Registry, registrar
from router.web.office.curves import rows_of
from router.web.office.editor import seen_ask
from router.web.office.feeds import FEEDS, Feed, Viewer, event
from router.web.office.show import show

LIVE: Registry = []
endpoint = registrar(LIVE)

ONE = "/office/asks/{id:[0-9]{1,18}}/live"
READS = Page(Scope.CAMPAIGNS_READ)

_BEAT = 5.0
"""Seconds without news after which a viewer gets a line that says nothing: whoever is gone is noticed by it."""
_PATIENCE = 20.0
"""Seconds that a viewer's connection may take nothing in."""


@endpoint("GET", ONE, access=READS, reply="text/html", summary="An ask while it goes out")
async def live_page(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    live = await read_live(call.runtime, call.id)
    points = await curve_of(call.runtime, call.id, view.starts_at, now=call.now)
    return show(
        call,
        "live.html",
        view=view,
        live=live,
        rates={},
        objections=OBJECTIONS,
        is_over=view.status in OVER,
        curve=rows_of(points),
    )


@endpoint("GET", ONE + "/events", access=READS, reply="text/event-stream", summary="The same as it moves")
async def live_events(call: Call) -> web.StreamResponse:
    """Server-sent events: a message is the figures' HTML, `points` is for the curves.

    `over` is the end: look at the page anew. ``?seen=`` is the state that the page shows; a stream of another ends.
    """
    await seen_ask(call)
    assert call.session is not None, "a page is for those who are signed in"
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    if call.request.method == "HEAD":
        return response
    async with call.request.app[FEEDS].watching(call.id, call.session) as (feed, viewer):
        await response.prepare(call.request)
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            await _stream(response, call, feed, viewer)
    return response


async def _stream(response: web.StreamResponse, call: Call, feed: Feed, viewer: Viewer) -> None:
    seen, version, at = call.request.query.get("seen", ""), 0, 0
    while True:
        await feed.after(version, viewer, _BEAT)
        transport, live = call.request.transport, feed.live
        if transport is None or transport.is_closing():
            return
        news, is_over = b"", viewer.is_out
        if live is not None and not viewer.is_out:
            is_over = live.is_over or (seen != "" and seen != live.status.value)
            if feed.version > version:
                version = feed.version
                news, at = feed.news(at)
        news += event("over", "") if is_over else b""
        async with asyncio.timeout(_PATIENCE):
            await response.write(news or b":\n\n")
        if is_over or feed.is_over:
            return
