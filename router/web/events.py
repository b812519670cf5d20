"""``/api/v1/events``: events and their guests. The functions of `router.community`, over HTTP; no rules here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from router.community import attendance, event_desk, events
from router.community.event_desk import GuestView
from router.community.event_model import EventIn, EventMove, EventView
from router.web.auth import Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Nothing, Registry, registrar

EVENTS: Registry = []
endpoint = registrar(EVENTS)

ONE = "/api/v1/events/{id:[0-9]{1,18}}"
HOST = "/api/v1/hosts/{id:[0-9]{1,18}}/trust"

Number = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewEvent(EventIn):
    """An event to come, open at once."""

    host_id: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] = 0
    """The member who hosts it; 0 for the organizers."""


class EventPage(_In):
    """Which events to list."""

    campaign_id: Number | None = None
    status: Literal["", "proposed", "open", "refused", "cancelled"] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Number = 0
    """The id of the last event of the page before."""


class GuestPage(_In):
    """Which guests to list."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    after: Number = 0
    """The number of the last guest of the page before."""


class EventList(_In):
    """Events in the order in which they were made."""

    events: list[EventView]


class GuestList(_In):
    """Guests by their number."""

    guests: list[GuestView]


class Reason(_In):
    """Why; those whom it concerns are told."""

    reason: Annotated[str, Field(max_length=400)] = ""


class AtTheDoor(_In):
    """Which guest came, or did not."""

    member_id: Annotated[int, Field(ge=0, le=LARGEST_INTEGER, strict=True)]
    came: Annotated[bool, Field(strict=True)] = True


class Changed(_In):
    """Whether that was news."""

    new: bool


@endpoint(
    "POST",
    "/api/v1/events",
    access=Scope.CAMPAIGNS_WRITE,
    body=NewEvent,
    reply=EventView,
    status=201,
    summary="Make an event; what is left out comes from its ask, its host or its postcode",
)
async def create_event(call: Call, body: NewEvent) -> EventView:
    return await event_desk.create_event(call.runtime, body, by=call.by, host_id=body.host_id, now=call.now)


@endpoint(
    "GET",
    "/api/v1/events",
    access=Scope.CAMPAIGNS_READ,
    query=EventPage,
    reply=EventList,
    summary="List events as everybody may see them: open or cancelled ones, without exact addresses",
)
async def list_public_events(call: Call, query: EventPage) -> EventList:
    return EventList(events=await events.list_events(call.runtime, public=True, **query.model_dump()))


@endpoint(
    "GET",
    "/api/v1/events/details",
    access=Scope.MEMBERS_WRITE,
    query=EventPage,
    reply=EventList,
    summary="List events as organizers see them: also proposed ones, with exact addresses and hosts",
)
async def list_event_details(call: Call, query: EventPage) -> EventList:
    return EventList(events=await events.list_events(call.runtime, public=False, **query.model_dump()))


@endpoint(
    "GET",
    ONE,
    access=Scope.CAMPAIGNS_READ,
    reply=EventView,
    summary="One event as everybody may see it, without its exact address",
)
async def get_event(call: Call) -> EventView:
    return await events.get_event(call.runtime, call.id, public=True)


@endpoint(
    "GET",
    ONE + "/details",
    access=Scope.MEMBERS_WRITE,
    reply=EventView,
    summary="One event as organizers see it, with its exact address and host",
)
async def get_event_details(call: Call) -> EventView:
    return await events.get_event(call.runtime, call.id, public=False)


@endpoint(
    "GET",
    ONE + "/guests",
    access=Scope.MEMBERS_WRITE,
    query=GuestPage,
    reply=GuestList,
    summary="Who comes to an event, waits for a seat, or came",
)
async def list_event_guests(call: Call, query: GuestPage) -> GuestList:
    guests = await event_desk.list_guests(call.runtime, call.id, limit=query.limit, after=query.after)
    return GuestList(guests=guests)


@endpoint(
    "POST",
    ONE + "/approve",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=Nothing,
    reply=EventView,
    summary="Open a proposed event; its host is told",
)
async def approve_event(call: Call, body: Nothing) -> EventView:
    return await event_desk.approve_event(call.runtime, call.id, by=call.by, now=call.now)


@endpoint(
    "POST",
    ONE + "/refuse",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=Reason,
    body_optional=True,
    reply=EventView,
    summary="Refuse a proposed event; its host is told why",
)
async def refuse_event(call: Call, body: Reason) -> EventView:
    return await event_desk.refuse_event(call.runtime, call.id, reason=body.reason, by=call.by, now=call.now)


@endpoint(
    "POST",
    ONE + "/cancel",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=Reason,
    body_optional=True,
    reply=EventView,
    summary="Call an event off; its host and guests are told why",
)
async def cancel_event(call: Call, body: Reason) -> EventView:
    return await event_desk.cancel_event(call.runtime, call.id, reason=body.reason, by=call.by, now=call.now)


@endpoint(
    "POST",
    ONE + "/move",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=EventMove,
    reply=EventView,
    summary="Another time, place or number of seats for an event; its host and guests are told",
)
async def move_event(call: Call, body: EventMove) -> EventView:
    return await event_desk.move_event(call.runtime, call.id, body, by=call.by, now=call.now)


@endpoint(
    "POST",
    ONE + "/check-in",
    access=Scope.ACTIONS_WRITE,
    body=AtTheDoor,
    reply=Changed,
    summary="A guest came, which is an action of theirs, or did not",
)
async def check_in(call: Call, body: AtTheDoor) -> Changed:
    told = attendance.check_in if body.came else attendance.miss
    return Changed(new=await told(call.runtime, call.id, body.member_id, by=call.by, now=call.now))


@endpoint(
    "PUT",
    HOST,
    access=Scope.CAMPAIGNS_LAUNCH,
    body=Nothing,
    body_optional=True,
    reply=Changed,
    summary="Let a host's events open without an approval",
)
async def trust_host(call: Call, body: Nothing) -> Changed:
    return Changed(new=await event_desk.trust_host(call.runtime, call.id, by=call.by, now=call.now))


@endpoint(
    "DELETE",
    HOST,
    access=Scope.CAMPAIGNS_LAUNCH,
    reply=Changed,
    summary="Let a host's events wait for an approval again",
)
async def distrust_host(call: Call) -> Changed:
    return Changed(new=await event_desk.trust_host(call.runtime, call.id, by=call.by, now=call.now, trusted=False))
