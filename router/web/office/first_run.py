"""The first steps of a new installation: from an empty one to a message that ten people have got."""

from __future__ import annotations

from aiohttp import web

from router.core.errors import BadInput, NotAllowed, SendError
from router.office.first_steps import TEN, first_steps, send_first
from router.office.once import MadeAlready, new_key
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import FORM_BRAKE
from router.web.office.channels import HEADINGS, WAITS
from router.web.office.editor import organizer_of
from router.web.office.form_values import as_sentence
from router.web.office.show import see, show

FIRST_RUN: Registry = []
endpoint = registrar(FIRST_RUN)

_ROOM = "/office/start"


@endpoint("GET", _ROOM, access=Page(Scope.CAMPAIGNS_WRITE), reply="text/html", summary="The first steps")
async def start(call: Call) -> web.StreamResponse:
    return await _page(call)


@endpoint("POST", _ROOM, access=Page(Scope.CAMPAIGNS_WRITE), reply="text/html", summary="A message to oneself")
async def write_to_myself(call: Call) -> web.StreamResponse:
    form = await form_of(call.request)
    to = first(form, "to")[:500]
    if not to:
        return await _page(call, status=422, wrong={"to": "Write where to: your mailbox, or as in telegram:42."})
    await call.request.app[FORM_BRAKE].wrong(call.request)
    try:
        key = first(form, "once") or new_key()
        told = await send_first(call.runtime, organizer_of(call), to=to, key=key, now=call.now)
    except MadeAlready:
        return see(_ROOM)
    except (BadInput, NotAllowed) as error:
        return await _page(call, status=422, to=to, wrong={"to": as_sentence(str(error))})
    except SendError as error:
        wrong = as_sentence(f"the provider did not take it: {error}")
        return await _page(call, status=422, to=to, wrong={"to": wrong})
    return await _page(call, told=told)


async def _page(
    call: Call, *, status: int = 200, to: str = "", wrong: dict[str, str] | None = None, told: str = ""
) -> web.Response:
    steps = await first_steps(call.runtime, organizer_of(call))
    return show(
        call, "start.html", status=status, steps=steps, ten=TEN, headings=HEADINGS, waits=WAITS, to=to,
        wrong=wrong or {}, told=told, once=new_key(),
    )  # fmt: skip
