"""What a launch would do now, and why any one member would get it or not."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from router.core.errors import NotFound
from router.core.explaining import OBJECTIONS
from router.core.model import Reason
from router.looks import Look, note_view
from router.office.limits import sees_member
from router.preview import preview_campaign
from router.readiness import forecast_silence, tell_approval
from router.views import CampaignView
from router.web.auth import Page, Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Registry, registrar
from router.web.office.editor import organizer_of, seen_ask
from router.web.office.show import show
from router.why import why

PREVIEW: Registry = []
endpoint = registrar(PREVIEW)

ONE = "/office/asks/{id:[0-9]{1,18}}"
READS = Page(Scope.CAMPAIGNS_READ)


@endpoint("GET", ONE + "/preview", access=READS, reply="text/html", summary="What a launch would do now")
async def preview_page(call: Call) -> web.StreamResponse:
    """At once; who gets it is counted after it, or within it (``?counted=``) where the browser runs no scripts."""
    view = await seen_ask(call)
    counted = await _count(call) if call.request.query.get("counted") else None
    return await show_preview(call, view, counted=counted)


@endpoint("GET", ONE + "/preview/counted", access=READS, reply="text/html", summary="The counts of a preview alone")
async def counted_part(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    return show(call, "_counted.html", view=view, **await _count(call))


@endpoint("GET", ONE + "/why", access=READS, reply="text/html", summary="Why a member gets an ask, or does not")
async def why_page(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    member = call.request.query.get("member", "").strip()
    words: dict[str, Any] = {"view": view, "member": member, "why": None, "wrong": {}}
    if not member:
        return show(call, "why.html", **words)
    if not (member.isascii() and member.isdigit() and int(member) <= LARGEST_INTEGER):
        words["wrong"] = {"member": "Write the member's number, as their page shows it."}
        return show(call, "why.html", status=422, **words)
    runtime = call.runtime
    async with runtime.store.read() as connection:
        seen = await sees_member(connection, organizer_of(call), int(member), dialect=runtime.store.dialect)
    try:
        words["why"] = await why(runtime, int(member), call.id, now=call.now) if seen else None
    except NotFound:
        seen = False
    if not seen:
        words["wrong"] = {"member": "There is no such member among those whom you see."}
    else:
        await note_view(runtime, Look.WHY, int(member), by=organizer_of(call).name, now=call.now)
    return show(call, "why.html", status=200 if seen else 404, **words)


async def show_preview(
    call: Call, view: CampaignView, *, status: int = 200, refused: str = "", counted: dict[str, Any] | None = None
) -> web.Response:
    """The page; `refused` is why the step that was wished for cannot be taken."""
    undo = call.runtime.policy.launch.undo_seconds
    return show(
        call, "preview.html", status=status, view=view, refused=refused, undo_seconds=undo, counted=counted is not None,
        **(counted or {}),
    )  # fmt: skip


async def _count(call: Call) -> dict[str, Any]:
    found = await preview_campaign(call.runtime, call.id, now=call.now)
    reasons = sorted(found.by_reason.items(), key=lambda item: -item[1])
    return {
        "preview": found,
        "people": found.members - sum(found.by_reason.values()),
        "reasons": [(name, OBJECTIONS.get(Reason(name)) or Reason(name).sentence, n) for name, n in reasons if n],
        "silence": forecast_silence(call.runtime, found),
        "approval": await tell_approval(call.runtime, call.id, recipients=found.members, by=call.by),
    }
