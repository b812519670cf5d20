"""The first page: what runs, what waits for whoever looks, how much attention is left."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from router.attention_left import AttentionLeft, attention_left
from router.community.debts import list_owed
from router.office.asks import anything_launched, asks_seen, asks_to_approve, running_asks, unfinished_asks
from router.office.desk import MOST_COUNTED, events_to_approve, ideas_to_look_at, who_waits
from router.office.limits import members_seen
from router.ready import State, look_around
from router.store.recent import Recent
from router.views import view_campaign
from router.watch import list_notices
from router.web.auth import Page, Scope
from router.web.endpoints import Call, Registry, registrar
from router.web.office.asks import STATES, progress_of
from router.web.office.editor import organizer_of
from router.web.office.show import show

HOME: Registry = []
endpoint = registrar(HOME)

_left: Recent[AttentionLeft] = Recent(timedelta(minutes=1), keeps=lambda left: not left.is_all, read_ahead=True)
"""By organizer: an estimate for a week is as good a minute later. Of few members it is no estimate and read anew."""

_MOST_SHOWN = 10
"""Lines of a list here."""


@endpoint("GET", "/office", access=Page(Scope.CAMPAIGNS_READ), reply="text/html", summary="What runs, what waits")
async def home(call: Call) -> web.StreamResponse:
    runtime, now, me = call.runtime, call.now, organizer_of(call)
    assert call.caller is not None, "a page is for those who are signed in"

    async def look() -> AttentionLeft:
        return await attention_left(runtime, seen=members_seen(me, dialect=runtime.store.dialect), now=now)

    running = [await view_campaign(runtime, number) for number in await running_asks(runtime, me)]
    owed = await list_owed(runtime, now=now)
    seen = await asks_seen(runtime, me, [one.campaign_id for one in owed])
    return show(
        call,
        "home.html",
        running=[(view, progress_of(view)) for view in running],
        states=STATES,
        is_fresh=not await anything_launched(runtime),
        to_approve=await asks_to_approve(runtime, me) if call.caller.may(Scope.CAMPAIGNS_LAUNCH) else [],
        unfinished=await unfinished_asks(runtime, me),
        waiting=await who_waits(runtime, me),
        most_counted=MOST_COUNTED,
        owed=[one for one in owed if one.campaign_id in seen][:_MOST_SHOWN],
        events=await events_to_approve(runtime, me, now=now),
        ideas=await ideas_to_look_at(runtime, me, now=now),
        notices=await list_notices(runtime, limit=_MOST_SHOWN) if me.audience is None else [],
        lacks=[part for part in await look_around(runtime) if part.state is not State.OK],
        attention=await _left.get(runtime.store, me.id, look, now=now),
    )
