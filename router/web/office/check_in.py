"""At the door of an event: a list for a phone, one tap for each guest. Several people can do it at once."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.community import attendance
from router.core.errors import BadInput, NotAllowed
from router.office.gatherings import MOST_GUESTS, check_guest, parties, seen_event
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.editor import organizer_of
from router.web.office.events import GUEST_STATES
from router.web.office.form_values import as_sentence
from router.web.office.show import see, show

CHECK_IN: Registry = []
endpoint = registrar(CHECK_IN)

DOOR = Page(Scope.ACTIONS_WRITE)
PATH = "/office/events/{id:[0-9]{1,18}}/check-in"

_DEEDS = {"came": attendance.check_in, "missed": attendance.miss, "undo": attendance.undo}


class DoorQuery(BaseModel):
    """Whom to look for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=100)] = ""


@endpoint("GET", PATH, access=DOOR, query=DoorQuery, reply="text/html", summary="Who comes, for the door")
async def door(call: Call, query: DoorQuery) -> web.StreamResponse:
    return await _show(call, query.name)


@endpoint("POST", PATH, access=DOOR, reply="text/html", summary="A guest came, did not come, or neither after all")
async def tell(call: Call) -> web.StreamResponse:
    form = await form_of(call.request)
    guest, do, name = first(form, "guest"), first(form, "do"), first(form, "name")[:100]
    if do not in _DEEDS or not (guest.isascii() and guest.isdigit() and len(guest) <= 18):
        raise BadInput("choose somebody of the list", place="guest")
    me = organizer_of(call)
    await seen_event(call.runtime, me, call.id)
    await check_guest(call.runtime, me, call.id, int(guest))
    try:
        await _DEEDS[do](call.runtime, call.id, int(guest), by=call.by, now=call.now)
    except NotAllowed as error:
        return await _show(call, name, status=409, refused=as_sentence(str(error)))
    looked_for = "?" + urlencode({"name": name}) if name else ""
    return see(f"/office/events/{call.id}/check-in{looked_for}#guest-{guest}")


async def _show(call: Call, name: str, *, status: int = 200, refused: str = "") -> web.Response:
    me = organizer_of(call)
    one = await seen_event(call.runtime, me, call.id)
    guests = [guest for guest in await parties(call.runtime, me, call.id, name=name) if guest.status != "cancelled"]
    return show(
        call,
        "check_in.html",
        status=status,
        one=one,
        name=name,
        guests=guests,
        most=MOST_GUESTS,
        came=sum(guest.seats for guest in guests if guest.status == "came"),
        has_begun=call.now >= one.starts_at,
        opens_at=one.starts_at - attendance.DOORS_OPEN,
        states=GUEST_STATES,
        refused=refused,
    )
