"""The first page: what runs, what waits for whoever looks, how much attention is left."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from aiohttp import web

from router.attention_left import AttentionLeft, attention_left
from router.community.debts import list_owed
from router.office.asks import anything_launched, asks_seen, asks_to_approve, running_asks, unfinished_asks
from router.office.desk import MOST_COUNTED, events_to_approve, ideas_to_look_at, who_waits
from router.office.limits import members_seen
from router.office.organizers import Organizer
from router.ready import State, look_around
from router.runtime import Runtime
from router.store.recent import Recent
from router.views import CampaignView, view_campaign
from router.watch import list_notices
from router.web.auth import Page, Scope
from router.web.endpoints import Call, Registry, registrar
from router.web.office.asks import STATES, Progress, progress_of
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
    runtime, me = call.runtime, organizer_of(call)
    # Four strands beside each other: one after another these are more than twenty looks into the ledger.
    running, asks, desk, state = await asyncio.gather(
        _running(runtime, me), _asks(call, me), _desk(call, me), _state(call, me)
    )
    return show(call, "home.html", running=running, states=STATES, most_counted=MOST_COUNTED, **asks, **desk, **state)


async def _running(runtime: Runtime, me: Organizer) -> list[tuple[CampaignView, Progress]]:
    views = [await view_campaign(runtime, number) for number in await running_asks(runtime, me)]
    return [(view, progress_of(view)) for view in views]


async def _asks(call: Call, me: Organizer) -> dict[str, Any]:
    assert call.caller is not None, "a page is for those who are signed in"
    return {
        "is_fresh": not await anything_launched(call.runtime),
        "to_approve": await asks_to_approve(call.runtime, me) if call.caller.may(Scope.CAMPAIGNS_LAUNCH) else [],
        "unfinished": await unfinished_asks(call.runtime, me),
    }


async def _desk(call: Call, me: Organizer) -> dict[str, Any]:
    owed = await list_owed(call.runtime, now=call.now)
    seen = await asks_seen(call.runtime, me, [one.campaign_id for one in owed])
    return {
        "waiting": await who_waits(call.runtime, me),
        "owed": [one for one in owed if one.campaign_id in seen][:_MOST_SHOWN],
        "events": await events_to_approve(call.runtime, me, now=call.now),
        "ideas": await ideas_to_look_at(call.runtime, me, now=call.now),
    }


async def _state(call: Call, me: Organizer) -> dict[str, Any]:
    runtime, now = call.runtime, call.now

    async def look() -> AttentionLeft:
        return await attention_left(runtime, seen=members_seen(me, dialect=runtime.store.dialect), now=now)

    return {
        "notices": await list_notices(runtime, limit=_MOST_SHOWN) if me.audience is None else [],
        "lacks": [part for part in await look_around(runtime) if part.state is not State.OK],
        "attention": await _left.get(runtime.store, me.id, look, now=now),
    }
