"""``/open``: the ledger of asks that anybody may read; as pages, as data, and as a card for other people's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.community.giving import say_total
from router.community.open_ledger import Entry, list_entries, read_entry
from router.core.catalogue import gettext_noop
from router.core.goals import Progress
from router.core.model import CampaignStatus
from router.policy_changes.sights import list_changes
from router.web.auth import Open
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import BRAKE
from router.web.member_pages import page, speaks
from router.web.page_words import channel_name, deed_name
from router.web.problems import ProblemError
from router.web.rule_words import say_change

OPEN_PAGES: Registry = []
endpoint = registrar(OPEN_PAGES)

_ONE = "/open/{id:[0-9]{1,18}}"
SHARED = {"Cache-Control": "public, max-age=300", "Cross-Origin-Resource-Policy": "cross-origin"}
DATA = {**SHARED, "Access-Control-Allow-Origin": "*"}
CARD = {
    **SHARED,
    # Browsers that know frame-ancestors let it decide and pass over X-Frame-Options (CSP3, 7.7.1). The card has no
    # form and knows nobody, so there is nothing that a frame could make somebody press.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
    ),
}

STATES: Mapping[CampaignStatus, str] = {
    CampaignStatus.SCHEDULED: gettext_noop("is about to go out"),
    CampaignStatus.RUNNING: gettext_noop("is going out"),
    CampaignStatus.PAUSED: gettext_noop("was stopped for now"),
    CampaignStatus.FINISHED: gettext_noop("has gone out"),
    CampaignStatus.CANCELLED: gettext_noop("was cancelled"),
    CampaignStatus.REPORTED: gettext_noop("has gone out"),
}
ROLES: Mapping[str, str] = {
    "viewer": gettext_noop("an organizer"),
    "author": gettext_noop("an organizer"),
    "organizer": gettext_noop("an organizer"),
    "approver": gettext_noop("an organizer who approves asks"),
    "admin": gettext_noop("an organizer in charge of everything"),
}
"""Who approved an ask, by role."""


class LedgerQuery(BaseModel):
    """Where in the ledger to go on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Annotated[int | None, Field(ge=1, le=LARGEST_INTEGER)] = None
    lang: Annotated[str, Field(max_length=20)] = ""
    """The language of the page; the browser's where we do not speak it."""


@endpoint("GET", "/", access=Open.PUBLIC, status=303, reply="", summary="To what everybody may read")
async def front(call: Call) -> web.StreamResponse:
    return web.Response(status=303, headers={"Location": "/open"})


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
    changes = await list_changes(call.runtime, now=call.now) if query.before is None else []
    return _page(
        call, "open.html", SHARED, entries=entries, older=older, few=few, changes=changes, newest=query.before is None,
        rules=call.runtime.policy.changes,
    )  # fmt: skip


@endpoint("GET", _ONE, access=Open.PUBLIC, reply="text/html", summary="One ask of the open ledger")
async def open_entry(call: Call) -> web.StreamResponse:
    return _page(call, "open_entry.html", SHARED, entry=await _entry(call))


@endpoint("GET", _ONE + ".json", access=Open.PUBLIC, reply=Entry, summary="The same as data")
async def open_entry_as_data(call: Call) -> web.StreamResponse:
    body = (await _entry(call)).model_dump_json().encode()
    return web.Response(body=body, content_type="application/json", headers=DATA)


@endpoint("GET", _ONE + "/card", access=Open.PUBLIC, reply="text/html", summary="The same for a frame on any page")
async def open_card(call: Call) -> web.StreamResponse:
    where = f"{call.runtime.settings.public_url.rstrip('/')}/open/{call.id}"
    return _page(call, "open_card.html", CARD, entry=await _entry(call), where=where)


def _page(call: Call, template: str, headers: Mapping[str, str], **words: Any) -> web.Response:
    speak = speaks(call.request)
    return page(
        call.request, template, headers=headers, states=STATES, roles=ROLES,
        channel_name=lambda channel: channel_name(speak, channel), deed=lambda kind: deed_name(speak, kind),
        goal_of=lambda entry: _goal(entry, speak.language),
        say_change=lambda change: say_change(speak, change), **words,
    )  # fmt: skip


def _goal(entry: Entry, language: str) -> str:
    """How far its goal is, in words; "" without one."""
    if entry.so_far is None:
        return ""
    return say_total(Progress(entry.so_far.reached, entry.so_far.target, {}), entry.so_far.currency, language)


async def _entry(call: Call) -> Entry:
    """404 where there is none to show, 429 for whoever tries one number after the other."""
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    entry = await read_entry(call.runtime, call.id, now=call.now)
    if entry is None:
        await brake.wrong(call.request)
        raise ProblemError(404, gettext_noop("There is no such ask, or it went to few people."))
    return entry
