"""``/total/…``: how far an ask's goal is, for everybody: as data, in words, and as a picture for emails and pages."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.community.giving import Total, read_total
from router.core.giving import draw_total
from router.core.phrases import say
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import BRAKE
from router.web.problems import ProblemError

TOTALS: Registry = []
endpoint = registrar(TOTALS)

_ONE = "/total/{id:[0-9]{1,18}}"
_HEADERS = {
    "Cache-Control": "public, max-age=2",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
}
"""Other pages and mail programs may show it, and may keep it for as long as we do."""


class TotalQuery(BaseModel):
    """In which language; the ask's own where it is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lang: Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$", max_length=35)] = ""


class TotalView(BaseModel):
    """How far a goal is, in whole units of its currency, or in people."""

    model_config = ConfigDict(frozen=True)

    reached: int
    target: int
    currency: str
    """"" where people are counted."""
    met: bool
    sentence: str
    """The same in words."""


@endpoint(
    "GET",
    _ONE + ".json",
    access=Open.PUBLIC,
    query=TotalQuery,
    reply=TotalView,
    summary="How far a launched ask's goal is, at most two seconds ago, or ten where it is more than 1,000",
)
async def total_as_data(call: Call, query: TotalQuery) -> web.Response:
    total = await _total(call, query)
    view = TotalView(
        reached=total.progress.reached,
        target=total.progress.target,
        currency=total.currency,
        met=total.progress.is_met,
        sentence=total.sentence,
    )
    return web.Response(body=view.model_dump_json().encode(), content_type="application/json", headers=_HEADERS)


@endpoint(
    "GET",
    _ONE + ".txt",
    access=Open.PUBLIC,
    query=TotalQuery,
    reply="text/plain",
    summary="The same as one sentence",
)
async def total_in_words(call: Call, query: TotalQuery) -> web.Response:
    return web.Response(text=(await _total(call, query)).sentence + "\n", headers=_HEADERS)


@endpoint(
    "GET",
    _ONE + ".svg",
    access=Open.PUBLIC,
    query=TotalQuery,
    reply="image/svg+xml",
    summary="The same as a bar, for an email's picture or a page",
)
async def total_as_picture(call: Call, query: TotalQuery) -> web.Response:
    total = await _total(call, query)
    title = say("giving.bar", total.locale, organization=call.runtime.settings.organization)
    drawn = draw_total(title, total.sentence, total.progress, locale=total.locale)
    return web.Response(text=drawn, content_type="image/svg+xml", headers=_HEADERS)


async def _total(call: Call, query: TotalQuery) -> Total:
    """404 where there is none to show, 429 for whoever tries one number after the other."""
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    total = await read_total(call.runtime, call.id, query.lang, now=call.now)
    if total is None:
        await brake.wrong(call.request)
        raise ProblemError(404, "there is no total at this address")
    return total
