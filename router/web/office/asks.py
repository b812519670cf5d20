"""The list of asks, and the page of one: its words, whom it is for, where it stands and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.core.audience_words import say_audience
from router.core.model import CampaignStatus, DeliveryStatus
from router.office.asks import SHELVES, deeds_of, list_asks
from router.office.limits import without
from router.views import CampaignView
from router.web.auth import Page, Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Registry, registrar
from router.web.office.ask_words import KINDS, PURPOSES, WANTS
from router.web.office.editor import organizer_of, seen_ask
from router.web.office.show import show

ASKS: Registry = []
endpoint = registrar(ASKS)

READS = Page(Scope.CAMPAIGNS_READ)
ONE = "/office/asks/{id:[0-9]{1,18}}"

_S = CampaignStatus
STATES: Final[Mapping[CampaignStatus, str]] = {
    _S.DRAFT: "draft",
    _S.APPROVED: "approved",
    _S.SCHEDULED: "launched, has not begun",
    _S.RUNNING: "going out",
    _S.PAUSED: "paused",
    _S.FINISHED: "finished",
    _S.CANCELLED: "cancelled",
    _S.REPORTED: "finished and reported back",
}

SHELF_NAMES: Final[Mapping[str, str]] = {
    "": "All",
    "drafts": "Drafts",
    "ready": "Approved or launched",
    "running": "Going out",
    "over": "Over",
}
assert SHELF_NAMES.keys() == SHELVES.keys()


class Next(NamedTuple):
    """What to do next with an ask."""

    sentence: str
    label: str
    page: str
    """After the address of the ask."""


NEXT: Final[Mapping[CampaignStatus, Next]] = {
    _S.DRAFT: Next("See whom it reaches, and have it approved.", "Preview it", "/preview"),
    _S.APPROVED: Next("It may go out: look at the preview once more and launch it.", "Preview and launch", "/preview"),
    _S.SCHEDULED: Next("It begins by itself; until then it can be called back.", "See it live", "/live"),
    _S.RUNNING: Next("It is on its way.", "See it live", "/live"),
    _S.PAUSED: Next("Nothing leaves until somebody lets it go on.", "See it live", "/live"),
    _S.FINISHED: Next(
        "All of it has left. See what came of it, and tell those who acted.", "See the results", "/results"
    ),
    _S.CANCELLED: Next("Nothing more leaves. What had left is counted.", "See the results", "/results"),
    _S.REPORTED: Next("Those who acted were told what came of it.", "See the results", "/results"),
}

DEEDS: Final[Mapping[str, str]] = {
    "save": "wrote it",
    "edit": "changed it",
    "approve": "approved it",
    "launch": "launched it",
    "pause": "paused it",
    "resume": "let it go on",
    "cancel": "cancelled it",
    "link": "changed where its links lead",
    "raise": "raised the contact budget for it",
    "goal_met": "left the rest in peace, because its goal was met",
    "report_back": "wrote what came of it",
    "call_list": "took the list of people to ring up",
    "debt_override": "answered for it going out before a report-back",
}


class Progress(NamedTuple):
    """How far an ask that goes out has come, in messages."""

    done: int
    """Sent, held or failed: nothing more is to be done about them."""
    all: int
    reached: int


class ListQuery(BaseModel):
    """Which asks to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    show: Literal["", "drafts", "ready", "running", "over"] = ""
    before: Annotated[int | None, Field(ge=0, le=LARGEST_INTEGER)] = None


@endpoint("GET", "/office/asks", access=READS, query=ListQuery, reply="text/html", summary="Asks, the newest first")
async def asks(call: Call, query: ListQuery) -> web.StreamResponse:
    page = await list_asks(call.runtime, organizer_of(call), shelf=query.show, before=query.before)
    return show(
        call,
        "asks.html",
        page=page,
        shelf=query.show,
        shelves=SHELF_NAMES,
        states=STATES,
        is_first=query.before is None,
    )


@endpoint("GET", ONE, access=READS, reply="text/html", summary="One ask, as it stands")
async def one_ask(call: Call) -> web.StreamResponse:
    view, me = await seen_ask(call), organizer_of(call)
    ask = view.ask
    return show(
        call,
        "ask.html",
        view=view,
        tab="",
        state=STATES[view.status],
        next=NEXT[view.status],
        progress=progress_of(view),
        kind=KINDS.get(ask.kind, ask.kind.value.replace("_", " ")),
        wants=WANTS[ask.wants],
        purpose=PURPOSES[ask.purpose],
        audience=say_audience(without(me, ask.audience)),
        is_limited=me.audience is not None,
        texts=list(ask.every_text()),
        deeds=await deeds_of(call.runtime, view.id),
        deed_words=DEEDS,
    )


def progress_of(view: CampaignView) -> Progress:
    """How far it has come."""
    by: dict[str, int] = {}
    for counts in view.counts.values():
        for status, count in counts.items():
            by[status] = by.get(status, 0) + count
    everything = sum(by.values())
    open_ = by.get(DeliveryStatus.QUEUED, 0) + by.get(DeliveryStatus.SENDING, 0)
    reached = sum(by.get(status, 0) for status in ("sent", "delivered", "read", "unknown"))
    # What is not routed yet is in no count: until then the audience says how much there is to do.
    return Progress(everything - open_, max(everything, view.recipients), reached)
