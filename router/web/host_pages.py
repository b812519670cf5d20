"""``/host/…``: opening one's own event on a form. No scripts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from router.community.event_model import EventView
from router.community.event_places import EventRefused
from router.community.event_talk import page_of
from router.community.host_page import Invitation, host_by_form, read_invitation
from router.core.catalogue import Translator, gettext_noop
from router.core.errors import BadInput, NotAllowed
from router.core.event_links import guest_token
from router.core.event_replies import MOST_SEATS
from router.core.links import read_action_token
from router.core.model import DeliveryRef
from router.core.phrases import say
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.member_pages import TOKEN, form_fields, locale_of, page, speaks, whose

HOST_PAGES: Registry = []
endpoint = registrar(HOST_PAGES)

_HOST = "/host/" + TOKEN
_OVER = gettext_noop("This is over now. We write when there is something new.")
_LONGEST = {"address": 400, "postcode": 20, "seats": 5, "starts": 20}


@endpoint("GET", _HOST, access=Open.PUBLIC, reply="text/html", summary="A member's own form for opening an event")
async def ask_host(call: Call) -> web.StreamResponse:
    _, invited = await _invited(call)
    return _form(call, invited, await locale_of(call, invited.member_id), {})


@endpoint(
    "POST",
    _HOST,
    access=Open.PUBLIC,
    reply="text/html",
    also={422: "text/html"},
    summary="Open an event as its host; sent twice it is the same one",
)
async def host(call: Call) -> web.StreamResponse:
    ref, invited = await _invited(call)
    locale = await locale_of(call, invited.member_id)
    speak = speaks(call.request, locale)
    given = await form_fields(call.request, _LONGEST)
    try:
        seats, starts = _seats(given, speak), _starts(given, invited, speak)
        if not given.get("address") or not given.get("postcode"):
            missing = speak.gettext("Please give street, number and postcode; only confirmed guests see them.")
            raise BadInput(missing, place="address")
        made = await host_by_form(
            call.runtime, ref, seats=seats, address=given["address"], postcode=given["postcode"], starts=starts,
            now=call.now,
        )  # fmt: skip
    except EventRefused as error:
        problem = say(error.phrase, speak.language, **error.values)
        return _form(call, invited, locale, given, problem=problem, place=error.place, status=422)
    except BadInput as error:
        return _form(call, invited, locale, given, problem=error.sentence, place=error.place, status=422)
    except NotAllowed:
        return _form(call, invited, locale, given, problem=speak.gettext(_OVER), status=422)
    return _page(call, invited, locale, made=made, given={}, problem="", place="", status=200)


async def _invited(call: Call) -> tuple[DeliveryRef, Invitation]:
    """Whose form the path's token names."""

    async def read(token: str) -> tuple[DeliveryRef, Invitation] | None:
        ref = read_action_token(call.runtime.key, token)
        invited = None if ref is None else await read_invitation(call.runtime, ref, now=call.now)
        return None if ref is None or invited is None else (ref, invited)

    return await whose(call, read)


def _seats(given: Mapping[str, str], speak: Translator) -> int:
    said = given.get("seats", "")
    if not (said.isascii() and said.isdigit() and 1 <= int(said) <= MOST_SEATS):
        wrong = speak.gettext("Please say for how many guests you have seats: 1 to %(most)s.", most=MOST_SEATS)
        raise BadInput(wrong, place="seats")
    return int(said)


def _starts(given: Mapping[str, str], invited: Invitation, speak: Translator) -> datetime | None:
    """When it begins, by the clock of its place; None where the ask says so."""
    if invited.ask.gathering is not None:
        return None
    try:
        starts = datetime.fromisoformat(given.get("starts", ""))
    except ValueError:
        raise BadInput(speak.gettext("Please say when it begins: day and time."), place="starts") from None
    return starts.replace(tzinfo=None)


def _form(
    call: Call,
    invited: Invitation,
    locale: str,
    given: Mapping[str, str],
    *,
    problem: str = "",
    place: str = "",
    status: int = 200,
) -> web.Response:
    over = speaks(call.request, locale).gettext(_OVER) if invited.is_over and not problem else problem
    return _page(call, invited, locale, made=invited.has, given=given, problem=over, place=place, status=status)


def _page(
    call: Call, invited: Invitation, locale: str, *, made: EventView | None, status: int, **words: Any
) -> web.Response:
    runtime, gathering = call.runtime, invited.ask.gathering
    link = ""
    if made is not None:
        link = f"{page_of(runtime, made.id)}/{guest_token(runtime.key, made.id, invited.member_id)}"
    return page(
        call.request,
        "host.html",
        locale=locale,
        status=status,
        title=gathering.title if gathering else invited.ask.title,
        day=speaks(call.request, locale).clock_time(gathering.starts_at_local) if gathering else "",
        seats=gathering.seats if gathering else 8,
        most=MOST_SEATS,
        is_over=invited.is_over,
        made=made,
        link=link,
        **words,
    )
