"""Events: the list, one of them with its guests, and what organizers decide about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.community import event_desk
from router.community.event_model import EventMove, EventView
from router.core.errors import BadInput, NotAllowed
from router.office.gatherings import (
    MOST_GUESTS,
    NEAR_KM,
    SHELVES,
    list_gatherings,
    parties,
    seen_event,
    whom_it_tells,
)
from router.web.auth import Page, Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.editor import organizer_of
from router.web.office.form_values import as_sentence, read_whole, say_moment
from router.web.office.show import see, show

EVENTS_OFFICE: Registry = []
endpoint = registrar(EVENTS_OFFICE)

READS, DECIDES = Page(Scope.MEMBERS_WRITE), Page(Scope.CAMPAIGNS_LAUNCH)
ONE = "/office/events/{id:[0-9]{1,18}}"

SHELF_NAMES: Final[Mapping[str, str]] = {
    "": "Ahead",
    "proposed": "To approve",
    "past": "Over",
    "off": "Refused or called off",
}
assert tuple(SHELF_NAMES) == SHELVES

STATES: Final[Mapping[str, str]] = {
    "proposed": "waits for an approval",
    "open": "open",
    "refused": "refused",
    "cancelled": "called off",
}

GUEST_STATES: Final[Mapping[str, str]] = {
    "confirmed": "comes",
    "waiting": "waits for a seat",
    "cancelled": "does not come",
    "came": "came",
    "missed": "did not come",
}

_WORDS = ("area", "address", "notes", "postcode")
_NUMBERS = ("minutes", "seats")

Step = Callable[[], Awaitable[EventView]]


class EventsQuery(BaseModel):
    """Which events to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    show: Literal["", "proposed", "past", "off"] = ""
    ask: Annotated[str, Field(max_length=18, pattern=r"^[0-9]*$")] = ""
    near: Annotated[str, Field(max_length=20)] = ""
    country: Annotated[str, Field(max_length=2, pattern=r"^([A-Za-z]{2})?$")] = ""
    after: Annotated[str, Field(max_length=40)] = ""


@endpoint("GET", "/office/events", access=READS, query=EventsQuery, reply="text/html", summary="Events, the next first")
async def events(call: Call, query: EventsQuery) -> web.StreamResponse:
    page = await list_gatherings(
        call.runtime,
        organizer_of(call),
        shelf=query.show,
        ask=min(int(query.ask), LARGEST_INTEGER) if query.ask else None,
        near=query.near.strip(),
        country=query.country,
        after=query.after,
        now=call.now,
    )
    return show(call, "events_list.html", page=page, query=query, shelves=SHELF_NAMES, states=STATES, near_km=NEAR_KM)


@endpoint("GET", ONE, access=READS, reply="text/html", summary="One event and its guests")
async def one_event(call: Call) -> web.StreamResponse:
    return await _show(call, await seen_event(call.runtime, organizer_of(call), call.id))


@endpoint("POST", ONE + "/approve", access=DECIDES, reply="text/html", summary="Open a proposed event")
async def approve(call: Call) -> web.StreamResponse:
    return await _take(call, partial(event_desk.approve_event, call.runtime, call.id, by=call.by, now=call.now), "open")


@endpoint("POST", ONE + "/refuse", access=DECIDES, reply="text/html", summary="Refuse a proposed event")
async def refuse(call: Call) -> web.StreamResponse:
    reason = first(await form_of(call.request), "reason")
    step = partial(event_desk.refuse_event, call.runtime, call.id, reason=reason, by=call.by, now=call.now)
    return await _take(call, step, "refused")


@endpoint("GET", ONE + "/cancel", access=DECIDES, reply="text/html", summary="Whom calling an event off tells")
async def ask_cancel(call: Call) -> web.StreamResponse:
    one = await seen_event(call.runtime, organizer_of(call), call.id)
    return await _change(call, one, "cancel") if _is_ahead(call, one) else see(f"/office/events/{one.id}")


@endpoint("POST", ONE + "/cancel", access=DECIDES, reply="text/html", summary="Call an event off")
async def cancel(call: Call) -> web.StreamResponse:
    reason = first(await form_of(call.request), "reason")
    step = partial(event_desk.cancel_event, call.runtime, call.id, reason=reason, by=call.by, now=call.now)
    return await _take(call, step, "cancelled")


@endpoint("GET", ONE + "/move", access=DECIDES, reply="text/html", summary="The form to move an event")
async def ask_move(call: Call) -> web.StreamResponse:
    one = await seen_event(call.runtime, organizer_of(call), call.id)
    return await _change(call, one, "move") if _is_ahead(call, one) else see(f"/office/events/{one.id}")


@endpoint("POST", ONE + "/move", access=DECIDES, reply="text/html", summary="Another time, place or number of seats")
async def move(call: Call) -> web.StreamResponse:
    one = await seen_event(call.runtime, organizer_of(call), call.id)
    form = await form_of(call.request)
    old = _fields(one)
    fields = {name: first(form, name) if name in form else value for name, value in old.items()}
    try:
        if changes := _changes(old, fields):
            body = EventMove.model_validate(changes)
            await event_desk.move_event(call.runtime, one.id, body, by=call.by, now=call.now)
    except ValidationError as error:
        wrong = {str((*found["loc"], "")[0]): as_sentence(found["msg"]) for found in error.errors()}
        return await _change(call, one, "move", status=422, fields=fields, wrong=wrong)
    except BadInput as error:
        place = "starts_at_local" if error.place == "starts_at" else error.place
        wrong = {place if place in fields else "": as_sentence(error.sentence)}
        return await _change(call, one, "move", status=422, fields=fields, wrong=wrong)
    except NotAllowed as error:
        return await _show(call, one, status=409, refused=as_sentence(str(error)))
    return see(f"/office/events/{one.id}")


async def _take(call: Call, step: Step, taken: str) -> web.StreamResponse:
    """Take a step; where it is refused and has been taken already, all is well."""
    await seen_event(call.runtime, organizer_of(call), call.id)
    try:
        await step()
    except NotAllowed as error:
        one = await seen_event(call.runtime, organizer_of(call), call.id)
        if one.status != taken:
            return await _show(call, one, status=409, refused=as_sentence(str(error)))
    return see(f"/office/events/{call.id}")


async def _show(call: Call, one: EventView, *, status: int = 200, refused: str = "") -> web.Response:
    return show(
        call,
        "event_office.html",
        status=status,
        one=one,
        state=STATES[one.status],
        is_ahead=_is_ahead(call, one),
        local=one.starts_at.astimezone(ZoneInfo(one.zone or "UTC")),
        guests=await parties(call.runtime, organizer_of(call), one.id),
        most=MOST_GUESTS,
        guest_states=GUEST_STATES,
        refused=refused,
    )


async def _change(
    call: Call,
    one: EventView,
    what: str,
    *,
    status: int = 200,
    fields: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] = {},
) -> web.Response:
    return show(
        call,
        "event_change.html",
        status=status,
        one=one,
        what=what,
        told=await whom_it_tells(call.runtime, one),
        fields=fields or _fields(one),
        wrong=wrong,
    )


def _is_ahead(call: Call, one: EventView) -> bool:
    return one.status in ("open", "proposed") and one.starts_at > call.now


def _fields(one: EventView) -> dict[str, str]:
    """What the form to move an event says as long as nobody changed it; the time is by the clock of its place."""
    local = one.starts_at.astimezone(ZoneInfo(one.zone or "UTC")).replace(tzinfo=None)
    lasts = int((one.ends_at - one.starts_at).total_seconds() // 60)
    words = {name: str(getattr(one, name)) for name in _WORDS}
    return {"starts_at_local": say_moment(local), "minutes": str(lasts), "seats": str(one.capacity), **words}


def _changes(old: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, Any]:
    """What is to be different, as `EventMove` takes it. Raises `BadInput`."""
    changes: dict[str, Any] = {name: value for name, value in fields.items() if value != old[name]}
    for name in _NUMBERS:
        if name in changes:
            try:
                changes[name] = read_whole(changes[name])
            except BadInput as error:
                raise BadInput(error.sentence, place=name) from None
    return changes
