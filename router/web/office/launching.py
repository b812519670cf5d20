"""The steps of an ask that is written: approve, launch, pause, go on, cancel, raise.

Whoever asks twice for a step (a double click, a second tab) finds it taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial

from aiohttp import web

from router import launch, raising
from router.approval import ApprovalMissing
from router.core.errors import BadInput, NotAllowed
from router.core.model import CampaignStatus
from router.live import OVER, read_live
from router.views import CampaignView
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.editor import seen_ask
from router.web.office.form_values import as_sentence
from router.web.office.preview import show_preview
from router.web.office.show import see, show

LAUNCHING: Registry = []
endpoint = registrar(LAUNCHING)

ONE = "/office/asks/{id:[0-9]{1,18}}"
LAUNCHES = Page(Scope.CAMPAIGNS_LAUNCH)
USUAL_HOURS = 6
"""What the form offers for a raise."""

_S = CampaignStatus
_UNDER_WAY = (_S.SCHEDULED, _S.RUNNING)

Step = Callable[[], Awaitable[CampaignView]]


@endpoint("POST", ONE + "/approve", access=LAUNCHES, reply="text/html", summary="Approve an ask")
async def approve(call: Call) -> web.StreamResponse:
    step = partial(launch.approve_campaign, call.runtime, call.id, by=call.by, now=call.now)
    return await _take(call, step, (_S.APPROVED, *_UNDER_WAY), then="preview")


@endpoint("POST", ONE + "/launch", access=LAUNCHES, reply="text/html", summary="Launch an ask")
async def launch_it(call: Call) -> web.StreamResponse:
    step = partial(launch.launch_campaign, call.runtime, call.id, by=call.by, now=call.now)
    return await _take(call, step, _UNDER_WAY, then="live")


@endpoint("POST", ONE + "/resume", access=LAUNCHES, reply="text/html", summary="Let a paused ask go on")
async def resume(call: Call) -> web.StreamResponse:
    step = partial(launch.resume_campaign, call.runtime, call.id, by=call.by, now=call.now)
    return await _take(call, step, _UNDER_WAY, then="live")


@endpoint("GET", ONE + "/pause", access=LAUNCHES, reply="text/html", summary="What a pause stops, before it is done")
async def ask_pause(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    return await _confirm(call, view, "pause") if view.status in _UNDER_WAY else see(_path(call, "live"))


@endpoint("POST", ONE + "/pause", access=LAUNCHES, reply="text/html", summary="Stop sending, for now")
async def pause(call: Call) -> web.StreamResponse:
    reason = first(await form_of(call.request), "reason")
    step = partial(launch.pause_campaign, call.runtime, call.id, by=call.by, reason=reason, now=call.now)
    return await _take(call, step, (_S.PAUSED,), then="live")


@endpoint("GET", ONE + "/cancel", access=LAUNCHES, reply="text/html", summary="What a cancellation withdraws")
async def ask_cancel(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    return see(_path(call, "live")) if view.status in OVER else await _confirm(call, view, "cancel")


@endpoint("POST", ONE + "/cancel", access=LAUNCHES, reply="text/html", summary="Withdraw what has not left, for good")
async def cancel(call: Call) -> web.StreamResponse:
    step = partial(launch.cancel_campaign, call.runtime, call.id, by=call.by, now=call.now)
    return await _take(call, step, (_S.CANCELLED,), then="live")


@endpoint("GET", ONE + "/raise", access=LAUNCHES, reply="text/html", summary="What raising the contact budget means")
async def ask_raise(call: Call) -> web.StreamResponse:
    return await _confirm(call, await seen_ask(call), "raise")


@endpoint("POST", ONE + "/raise", access=LAUNCHES, reply="text/html", summary="Raise the contact budget for an ask")
async def raise_it(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    form = await form_of(call.request)
    reason, hours = first(form, "reason"), first(form, "hours")
    try:
        if not (hours.isascii() and hours.isdigit() and len(hours) <= 3):
            raise BadInput(f"give it 1 to {raising.LONGEST_HOURS} hours, in figures", place="hours")
        await raising.raise_budget(call.runtime, call.id, by=call.by, reason=reason, hours=int(hours), now=call.now)
    except BadInput as error:
        wrong = {error.place: as_sentence(error.sentence)}
        return await _confirm(call, view, "raise", status=422, wrong=wrong, reason=reason, hours=hours)
    except NotAllowed as error:
        wrong = {"": as_sentence(str(error))}
        return await _confirm(call, view, "raise", status=409, wrong=wrong, reason=reason, hours=hours)
    return see(_path(call, "preview"))


async def _take(call: Call, step: Step, taken: Collection[CampaignStatus], *, then: str) -> web.StreamResponse:
    """Take a step; where it is refused and has been taken already, all is well."""
    await seen_ask(call)
    try:
        await step()
    except NotAllowed as error:
        view = await seen_ask(call)
        if view.status not in taken:
            sentence = error.on_a_page if isinstance(error, ApprovalMissing) else str(error)
            return await show_preview(call, view, status=409, refused=as_sentence(sentence))
    return see(_path(call, then))


async def _confirm(
    call: Call,
    view: CampaignView,
    what: str,
    *,
    status: int = 200,
    wrong: Mapping[str, str] = {},
    reason: str = "",
    hours: str = str(USUAL_HOURS),
) -> web.Response:
    return show(
        call,
        "confirm.html",
        status=status,
        view=view,
        what=what,
        live=await read_live(call.runtime, call.id),
        wrong=wrong,
        reason=reason,
        hours=hours,
        longest=raising.LONGEST_HOURS,
    )


def _path(call: Call, page: str) -> str:
    return f"/office/asks/{call.id}/{page}"
