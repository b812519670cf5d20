"""The calls of an ask that wants them: whom to ring up and when, how it stands, what callers told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.community import calls
from router.community.call_counts import count_calls, list_results
from router.community.calls import CallLine
from router.core.errors import BadInput, NotFound
from router.core.ladder import Rung
from router.office.once import MadeAlready, new_key, remember
from router.views import CampaignView
from router.web.auth import Page, Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.calls import CallLineIn
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.asks import STATES
from router.web.office.editor import organizer_of, seen_ask
from router.web.office.form_values import as_sentence, read_moment_at, read_whole, say_moment
from router.web.office.show import see, show

CALL_PAGES: Registry = []
endpoint = registrar(CALL_PAGES)

READS, WRITES = Page(Scope.CAMPAIGNS_READ), Page(Scope.CAMPAIGNS_WRITE)
PATH = "/office/asks/{id:[0-9]{1,18}}/calls"

RESULTS = 50

_BLANK: Mapping[str, str] = {
    "line": "", "place": "", "name": "", "phone": "", "script": "", "opens_at": "", "closes_at": "", "zone": "UTC",
    "slot_minutes": "5", "per_slot": "3",
}  # fmt: skip


class CallsQuery(BaseModel):
    """Which line the form is about, and which results to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] = 0
    after: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] = 0


@endpoint("GET", PATH, access=READS, query=CallsQuery, reply="text/html", summary="Calls: lines, slots, results")
async def calls_page(call: Call, query: CallsQuery) -> web.StreamResponse:
    view = await seen_ask(call)
    fields = _fields(await _line_of(call, view, query.line)) if query.line else None
    return await _show(call, view, fields=fields, after=query.after)


@endpoint("POST", PATH, access=WRITES, reply="text/html", summary="Add a line to call, or change one")
async def keep_line(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    form = await form_of(call.request)
    fields = {name: first(form, name) for name in _BLANK}
    key = first(form, "once") or new_key()
    try:
        about = CallLineIn.model_validate(_document(fields)).model_dump()
        if fields["line"]:
            line = await _line_of(call, view, read_whole(fields["line"]) or 0)
            await calls.change_line(call.runtime, line.id, about, by=call.by, now=call.now)
        else:
            along = remember(organizer_of(call), key, now=call.now)
            await calls.add_line(call.runtime, view.id, about, by=call.by, now=call.now, along=along)
    except MadeAlready:
        pass
    except ValidationError as error:
        wrong = {str((*found["loc"], "")[0]): as_sentence(found["msg"]) for found in error.errors()}
        return await _show(call, view, status=422, fields=fields, wrong=wrong, key=key)
    except BadInput as error:
        wrong = {error.place if error.place in fields else "": as_sentence(error.sentence)}
        return await _show(call, view, status=422, fields=fields, wrong=wrong, key=key)
    return see(f"/office/asks/{view.id}/calls")


@endpoint("POST", PATH + "/close", access=WRITES, reply="text/html", summary="Close a line now")
async def close_line(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    line = await _line_of(call, view, read_whole(first(await form_of(call.request), "line")) or 0)
    await calls.close_line(call.runtime, line.id, by=call.by, now=call.now)
    return see(f"/office/asks/{view.id}/calls")


async def _line_of(call: Call, view: CampaignView, number: int) -> CallLine:
    """A line of this ask. Raises `NotFound`."""
    async with call.runtime.store.read() as connection:
        line = await calls.read_line(connection, number)
    if line.campaign_id != view.id:
        raise NotFound("this ask has no such line")
    return line


async def _show(
    call: Call,
    view: CampaignView,
    *,
    status: int = 200,
    fields: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] = {},
    key: str = "",
    after: int = 0,
) -> web.Response:
    results = await list_results(call.runtime, view.id, limit=RESULTS + 1, after=after)
    return show(
        call,
        "calls.html",
        status=status,
        view=view,
        tab="/calls",
        state=STATES[view.status],
        counted=await count_calls(call.runtime, view.id, now=call.now),
        results=results[:RESULTS],
        next=results[RESULTS - 1].member_id if len(results) > RESULTS else 0,
        wants_calls=view.ask.wants is Rung.CALL,
        fields=fields or _BLANK,
        wrong=wrong,
        key=key or new_key(),
    )


def _fields(line: CallLine) -> dict[str, str]:
    """The form to change a line; its times are UTC."""
    return {
        "line": str(line.id), "place": line.place, "name": line.name, "phone": line.phone, "script": line.script,
        "opens_at": say_moment(line.opens_at), "closes_at": say_moment(line.closes_at), "zone": "UTC",
        "slot_minutes": str(line.slot_minutes), "per_slot": str(line.per_slot),
    }  # fmt: skip


def _document(fields: Mapping[str, str]) -> dict[str, Any]:
    """A line as the API takes it. Raises `BadInput`."""
    document: dict[str, Any] = {name: fields[name] for name in ("place", "name", "phone", "script")}
    for name in ("opens_at", "closes_at", "slot_minutes", "per_slot"):
        try:
            is_moment = name.endswith("_at")
            document[name] = read_moment_at(fields[name], fields["zone"]) if is_moment else read_whole(fields[name])
        except BadInput as error:
            raise BadInput(error.sentence, place=error.place or name) from None
    return document
