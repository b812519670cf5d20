"""``/open``: the ledger of asks that anybody may read; as pages, as data, and as a card for other people's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.community.open_ledger import Entry, list_entries, read_entry
from router.core.model import CampaignStatus
from router.web.auth import Open
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import BRAKE
from router.web.member_pages import page
from router.web.problems import ProblemError

OPEN_PAGES: Registry = []
endpoint = registrar(OPEN_PAGES)

_ONE = "/open/{id:[0-9]{1,18}}"
_SHARED = {"Cache-Control": "public, max-age=300", "Cross-Origin-Resource-Policy": "cross-origin"}
_DATA = {**_SHARED, "Access-Control-Allow-Origin": "*"}
_CARD = {
    **_SHARED,
    # Browsers that know frame-ancestors let it decide and pass over X-Frame-Options (CSP3, 7.7.1). The card has no
    # form and knows nobody, so there is nothing that a frame could make somebody press.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
    ),
}

STATES: Mapping[CampaignStatus, str] = {
    CampaignStatus.SCHEDULED: "is about to go out",
    CampaignStatus.RUNNING: "is going out",
    CampaignStatus.PAUSED: "was stopped for now",
    CampaignStatus.FINISHED: "has gone out",
    CampaignStatus.CANCELLED: "was cancelled",
    CampaignStatus.REPORTED: "has gone out",
}
CHANNELS: Mapping[str, str] = {
    "sms": "text message", "email": "email", "whatsapp": "WhatsApp", "telegram": "Telegram", "slack": "Slack",
    "webpush": "notification in the browser", "fcm": "notification of our app",
}  # fmt: skip


class LedgerQuery(BaseModel):
    """Where in the ledger to go on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Annotated[int | None, Field(ge=1, le=LARGEST_INTEGER)] = None


@endpoint(
    "GET",
    "/open",
    access=Open.PUBLIC,
    query=LedgerQuery,
    reply="text/html",
    summary="What was asked, and what came of it",
)
async def open_ledger(call: Call, query: LedgerQuery) -> web.StreamResponse:
    entries, older = await list_entries(call.runtime, before=query.before, now=call.now)
    few = call.runtime.policy.open.above_people
    return _page(call, "open.html", _SHARED, entries=entries, older=older, few=few)


@endpoint("GET", _ONE, access=Open.PUBLIC, reply="text/html", summary="One ask of the open ledger")
async def open_entry(call: Call) -> web.StreamResponse:
    return _page(call, "open_entry.html", _SHARED, entry=await _entry(call))


@endpoint("GET", _ONE + ".json", access=Open.PUBLIC, reply=Entry, summary="The same as data")
async def open_entry_as_data(call: Call) -> web.StreamResponse:
    body = (await _entry(call)).model_dump_json().encode()
    return web.Response(body=body, content_type="application/json", headers=_DATA)


@endpoint("GET", _ONE + "/card", access=Open.PUBLIC, reply="text/html", summary="The same for a frame on any page")
async def open_card(call: Call) -> web.StreamResponse:
    where = f"{call.runtime.settings.public_url.rstrip('/')}/open/{call.id}"
    return _page(call, "open_card.html", _CARD, entry=await _entry(call), where=where)


def _page(call: Call, template: str, headers: Mapping[str, str], **words: Any) -> web.Response:
    return page(call.request, template, headers=headers, states=STATES, names=CHANNELS, **words)


async def _entry(call: Call) -> Entry:
    """404 where there is none to show, 429 for whoever tries one number after the other."""
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    entry = await read_entry(call.runtime, call.id, now=call.now)
    if entry is None:
        await brake.wrong(call.request)
        raise ProblemError(404, "There is no such ask, or it went to few people.")
    return entry
