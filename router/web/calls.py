"""``/api/v1/…/calls``: a calling campaign's lines, how it stands, and what callers told."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from router.community import call_counts, calls
from router.community.call_counts import CallCount, CallResult
from router.community.calls import CallLine
from router.core.moments import Moment
from router.web.auth import Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Nothing, Registry, registrar

CALLS: Registry = []
endpoint = registrar(CALLS)

_CAMPAIGN = "/api/v1/campaigns/{id:[0-9]{1,18}}/calls"
_LINE = "/api/v1/call-lines/{id:[0-9]{1,18}}"

Place = Annotated[str, Field(max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Phone = Annotated[str, Field(min_length=1, max_length=100)]
Script = Annotated[str, Field(max_length=300)]
SlotMinutes = Annotated[int, Field(ge=1, le=24 * 60, strict=True)]
PerSlot = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CallLineIn(_In):
    """Whom people of one place call, and when."""

    place: Place = ""
    """As members' places have it, or the beginning of postcodes (``75``); left out: for all who have no other line."""
    name: Name
    """Who is called, as callers read it: ``Minister Weber's office``."""
    phone: Phone
    script: Script = ""
    """What to say, in a sentence or two: it goes out by text message."""
    opens_at: Moment
    closes_at: Moment
    slot_minutes: SlotMinutes = 5
    per_slot: PerSlot
    """Callers at once that keep the line busy but reachable."""


class CallLineChange(_In):
    """What is to be different about a line; what is left out stays as it is."""

    place: Place | None = None
    name: Name | None = None
    phone: Phone | None = None
    script: Script | None = None
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    slot_minutes: SlotMinutes | None = None
    per_slot: PerSlot | None = None


class ResultPage(_In):
    """Which results to list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] = 0
    """The member of the last result of the page before."""


class ResultList(_In):
    """What callers told, in the order of their members' numbers."""

    results: list[CallResult]


@endpoint(
    "POST",
    _CAMPAIGN + "/lines",
    access=Scope.CAMPAIGNS_WRITE,
    body=CallLineIn,
    reply=CallLine,
    status=201,
    summary="Give a campaign that asks for calls a line: whom to call, when, with how many at once",
)
async def add_call_line(call: Call, body: CallLineIn) -> CallLine:
    return await calls.add_line(call.runtime, call.id, body.model_dump(), by=call.by, now=call.now)


@endpoint(
    "PATCH",
    _LINE,
    access=Scope.CAMPAIGNS_WRITE,
    body=CallLineChange,
    reply=CallLine,
    summary="Change a line; who was given a slot keeps it while the line is open then",
)
async def change_call_line(call: Call, body: CallLineChange) -> CallLine:
    changes: dict[str, Any] = body.model_dump(exclude_none=True)
    return await calls.change_line(call.runtime, call.id, changes, by=call.by, now=call.now)


@endpoint(
    "POST",
    _LINE + "/close",
    access=Scope.CAMPAIGNS_WRITE,
    body=Nothing,
    reply=CallLine,
    summary="Close a line now; who has a slot to come is told when it begins",
)
async def close_call_line(call: Call, body: Nothing) -> CallLine:
    return await calls.close_line(call.runtime, call.id, by=call.by, now=call.now)


@endpoint(
    "GET",
    _CAMPAIGN,
    access=Scope.CAMPAIGNS_READ,
    reply=CallCount,
    summary="How many are to call, have called, found it busy: in all, by place and by slot",
)
async def count_calls(call: Call) -> CallCount:
    return await call_counts.count_calls(call.runtime, call.id, now=call.now)


@endpoint(
    "GET",
    _CAMPAIGN + "/results",
    access=Scope.CAMPAIGNS_READ,
    query=ResultPage,
    reply=ResultList,
    summary="What callers told of their calls, in their own words",
)
async def list_call_results(call: Call, query: ResultPage) -> ResultList:
    found = await call_counts.list_results(call.runtime, call.id, limit=query.limit, after=query.after)
    return ResultList(results=found)
