"""What came of an ask, and the same as files."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import NamedTuple

from aiohttp import web

from router.comparison import Comparison, compare
from router.core.errors import NotAllowed
from router.core.model import Reason
from router.curves import curve_of
from router.office.limits import members_seen
from router.results import acted_csv, results_of, tally_csv
from router.store.acts import LASTS, MANY
from router.store.recent import Recent
from router.web.auth import Page, Scope
from router.web.endpoints import Call, Registry, registrar
from router.web.office.asks import ONE, READS, STATES
from router.web.office.curves import rows_of
from router.web.office.editor import organizer_of, seen_ask
from router.web.office.show import show
from router.web.problems import without_values

log = logging.getLogger(__name__)


class Compared(NamedTuple):
    """A comparison, and when it was made."""

    recipients: int
    at: datetime
    found: Comparison


_compared: Recent[Compared] = Recent(LASTS, keeps=lambda compared: compared.recipients > MANY)

RESULTS: Registry = []
endpoint = registrar(RESULTS)


@endpoint("GET", f"{ONE}/results", access=READS, reply="text/html", summary="What came of an ask")
async def results(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    return show(
        call,
        "results.html",
        view=view,
        tab="/results",
        state=STATES[view.status],
        results=await results_of(call.runtime, view.id, now=call.now),
        held=sorted(((Reason(name), count) for name, count in view.held.items()), key=lambda one: -one[1]),
        confidence=call.runtime.policy.comparison.confidence,
        can_compare=bool(view.ask.second or view.ask.hold_out),
        curve=rows_of(await curve_of(call.runtime, view.id, view.starts_at, now=call.now)),
    )


@endpoint("GET", f"{ONE}/results/compared", access=READS, reply="text/html", summary="Its texts, and those held out")
async def compared(call: Call) -> web.StreamResponse:
    """Of its own, because it is read from the messages one by one; of many of them not by everybody who looks."""
    view, runtime = await seen_ask(call), call.runtime

    async def read() -> Compared:
        return Compared(view.recipients, call.now, await compare(runtime, view.id, now=call.now))

    try:
        at, found = (await _compared.get(runtime.store, view.id, read, now=call.now))[1:]
    except NotAllowed:
        at, found = call.now, None
    is_part = "HX-Request" in call.request.headers
    template = "_compared.html" if is_part else "compared.html"
    return show(call, template, view=view, tab="/results", state=STATES[view.status], found=found, at=at)


@endpoint("GET", f"{ONE}/results.csv", access=READS, reply="text/csv", summary="How many messages stand where, as CSV")
async def counts(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    return web.Response(body=await tally_csv(call.runtime, view.id), headers=_file(f"ask-{view.id}-counts.csv"))


@endpoint(
    "GET",
    f"{ONE}/acted.csv",
    access=Page(Scope.CAMPAIGNS_WRITE),
    reply="text/csv",
    summary="Who did what, by member number, as CSV",
)
async def who_acted(call: Call) -> web.StreamResponse:
    view, me = await seen_ask(call), organizer_of(call)
    seen = members_seen(me, dialect=call.runtime.store.dialect)
    response = web.StreamResponse(headers=_file(f"ask-{view.id}-acted.csv"))
    await response.prepare(call.request)
    try:
        async for piece in acted_csv(call.runtime, view.id, seen):
            await response.write(piece)
        await response.write_eof()
    except Exception as error:
        # Too late for another answer: a connection that breaks off says that the file is not whole.
        log.warning("who acted on ask %s broke off: %s", view.id, without_values(error))
        if call.request.transport is not None:
            call.request.transport.abort()
    return response


def _file(name: str) -> dict[str, str]:
    return {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'}
