"""Whom an ask goes to: rows of conditions, how many that are, and a few of them with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from router.core.audience import Everyone
from router.core.audience_words import say_audience
from router.core.errors import BadInput, NotAllowed, NotFound
from router.drafting import edit_campaign
from router.office.limits import limited, members_seen, without
from router.views import CampaignView
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.audience_form import (
    CONDITIONS,
    AudienceFields,
    Row,
    WrongAudience,
    audience_of,
    fields_in,
    fields_of,
)
from router.web.office.editor import WRITES, organizer_of, seen_ask
from router.web.office.form_values import as_sentence, read_whole
from router.web.office.show import see, show
from router.whom import known_tags, look_at

AUDIENCE: Registry = []
endpoint = registrar(AUDIENCE)

ONE = "/office/asks/{id:[0-9]{1,18}}/audience"


@endpoint("GET", ONE, access=WRITES, reply="text/html", summary="Whom an ask goes to")
async def audience(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    return await _builder(call, view, fields_of(without(organizer_of(call), view.ask.audience)))


@endpoint("POST", ONE, access=WRITES, reply="text/html", summary="Save whom an ask goes to, or look at it")
async def keep_audience(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    form = await form_of(call.request)
    fields = fields_in(form)
    what, _, about = first(form, "do").partition(":")
    match what:
        case "add" if first(form, "op") in CONDITIONS:
            op = first(form, "op")
            fields.rows.append(Row(op, False, {box.name: "" for box in CONDITIONS[op][1]}))
            return await _builder(call, view, fields)
        case "drop" if about.isdecimal() and int(about) < len(fields.rows):
            del fields.rows[int(about)]
            return await _builder(call, view, fields)
        case "count":
            found = await _count(call, view, fields, first(form, "member"))
            return await _builder(call, view, fields, member=first(form, "member"), **found)
        case "" | "save":
            return await _save(call, view, fields, first(form, "version"))
        case _:
            return await _builder(call, view, fields)


@endpoint("POST", ONE + "/count", access=WRITES, reply="text/html", summary="How many an audience has, and examples")
async def count_audience(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    form = await form_of(call.request)
    return show(call, "_whom.html", **await _count(call, view, fields_in(form), first(form, "member")))


async def _save(call: Call, view: CampaignView, fields: AudienceFields, version: str) -> web.StreamResponse:
    try:
        ask = limited(organizer_of(call), view.ask.model_copy(update={"audience": audience_of(fields)}))
        if ask != view.ask:
            if version != str(view.text_version):
                raise NotAllowed("somebody changed this ask meanwhile; your choice stands here, save again to keep it")
            await edit_campaign(call.runtime, view.id, ask, by=call.by, now=call.now)
    except WrongAudience as error:
        return await _builder(call, view, fields, status=422, wrong=error.wrong)
    except (BadInput, NotAllowed) as error:
        return await _builder(call, view, fields, status=422, wrong={"": as_sentence(str(error))})
    return see(f"/office/asks/{view.id}/preview")


async def _count(call: Call, view: CampaignView, fields: AudienceFields, member: str) -> dict[str, Any]:
    """What `_whom.html` shows."""
    me, runtime = organizer_of(call), call.runtime
    try:
        ask = limited(me, view.ask.model_copy(update={"audience": audience_of(fields)}))
        whom = await look_at(
            runtime, ask, campaign_id=view.id, seen=members_seen(me, dialect=runtime.store.dialect),
            asked=read_whole(member), now=call.now,
        )  # fmt: skip
    except WrongAudience as error:
        return {"whom": None, "problems": list(error.wrong.values())}
    except (BadInput, NotFound) as error:
        return {"whom": None, "problems": [as_sentence(str(error))]}
    return {"whom": whom, "problems": []}


async def _builder(
    call: Call,
    view: CampaignView,
    fields: AudienceFields,
    *,
    status: int = 200,
    wrong: Mapping[str, str] = {},
    member: str = "",
    **found: Any,
) -> web.Response:
    me = organizer_of(call)
    limit = me.audience if me.audience is not None and not isinstance(me.audience, Everyone) else None
    shown: dict[str, Any] = {"whom": None, "problems": []} | found
    return show(
        call,
        "audience.html",
        status=status,
        view=view,
        fields=fields,
        conditions=CONDITIONS,
        tags=await known_tags(call.runtime) if limit is None else [],
        channels=sorted(call.runtime.channels),
        limit=say_audience(limit) if limit is not None else "",
        member=member,
        wrong=wrong,
        **shown,
    )
