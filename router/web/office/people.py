"""Organizers: who may come in and as what, links for new ones, another role or password, an end to it."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.roles import Role
from router.office import passwords
from router.office.invitations import LASTS, invite, link_of
from router.office.once import MadeAlready, new_key, remember
from router.office.open_invitations import list_open, take_back
from router.office.organizers import Organizer, change_organizer, list_organizers, set_password
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.form_values import as_sentence
from router.web.office.limit_form import read_limit, say_limit
from router.web.office.show import see, show

ORGANIZERS: Registry = []
endpoint = registrar(ORGANIZERS)

ADMINS = Page(Scope.ADMIN)

_ROOM = "/office/organizers"
_ONE = _ROOM + "/{id:[0-9]{1,18}}"
_FIELDS = ("name", "role", "tag", "filter")


@endpoint("GET", _ROOM, access=ADMINS, reply="text/html", summary="Who may come in")
async def organizers(call: Call) -> web.StreamResponse:
    return await _list(call)


@endpoint("POST", _ROOM, access=ADMINS, reply="text/html", summary="A link that makes an organizer")
async def invite_somebody(call: Call) -> web.StreamResponse:
    assert call.session is not None
    form = await form_of(call.request)
    typed = {name: first(form, name) for name in _FIELDS}
    along = remember(call.session.organizer, first(form, "once") or new_key(), now=call.now)
    try:
        token = await invite(
            call.runtime, role=_role(typed["role"]), name=typed["name"],
            audience=read_limit(typed["tag"], typed["filter"]), by=call.by, now=call.now, along=along,
        )  # fmt: skip
    except BadInput as error:
        return await _list(call, status=422, typed=typed, wrong=_wrong(error))
    except MadeAlready:
        return see(_ROOM)
    return await _list(call, link=link_of(call.runtime, token), invited=typed["name"])


@endpoint("POST", f"{_ROOM}/take-back", access=ADMINS, reply="text/html", summary="End a link before it is used")
async def take_link_back(call: Call) -> web.StreamResponse:
    await take_back(call.runtime, first(await form_of(call.request), "invitation"), by=call.by, now=call.now)
    return see(_ROOM)


@endpoint("GET", _ONE, access=ADMINS, reply="text/html", summary="One organizer")
async def organizer(call: Call) -> web.StreamResponse:
    who = await _who(call)
    return _one(call, who, typed=_typed(who))


@endpoint("POST", _ONE, access=ADMINS, reply="text/html", summary="Another role, another part, or an end to it")
async def change(call: Call) -> web.StreamResponse:
    who, form = await _who(call), await form_of(call.request)
    typed = {name: first(form, name) for name in _FIELDS}
    try:
        match first(form, "do"):
            case "password":
                password = passwords.fresh()
                await set_password(call.runtime, who.id, password, by=call.by, now=call.now)
                return _one(call, who, typed=_typed(who), password=password)
            case "disable" | "enable" as do:
                changes: dict[str, Any] = {"disabled": do == "disable"}
            case _:
                changes = _changes(who, typed)
        await change_organizer(call.runtime, who.id, **changes, by=call.by, now=call.now)
    except BadInput as error:
        return _one(call, who, status=422, typed=typed, wrong=_wrong(error))
    except NotAllowed as error:
        return _one(call, who, status=422, typed=typed, wrong={"": as_sentence(str(error))})
    return see(_ROOM)


def _changes(who: Organizer, typed: dict[str, str]) -> dict[str, Any]:
    """What is other than it was: whoever is changed is signed out."""
    role, audience = _role(typed["role"]), read_limit(typed["tag"], typed["filter"])
    changes: dict[str, Any] = {} if role is who.role else {"role": role}
    if audience != who.audience:
        changes |= {"audience": audience, "everybody": audience is None}
    return changes


def _typed(who: Organizer) -> dict[str, str]:
    """What stands in the fields before anybody types."""
    tag, written = say_limit(who.audience)
    return {"role": who.role.value, "tag": tag, "filter": written}


async def _who(call: Call) -> Organizer:
    for one in await list_organizers(call.runtime):
        if one.id == call.id:
            return one
    raise NotFound(f"there is no organizer {call.id}")


def _role(value: str) -> Role:
    try:
        return Role(value)
    except ValueError:
        raise BadInput("choose one of these", place="role") from None


def _wrong(error: BadInput) -> dict[str, str]:
    return {error.place: as_sentence(f"It {error.sentence}" if error.place == "name" else error.sentence)}


def _one(
    call: Call,
    who: Organizer,
    *,
    status: int = 200,
    typed: dict[str, str],
    wrong: dict[str, str] | None = None,
    password: str = "",
) -> web.Response:
    return show(
        call,
        "organizer.html",
        status=status,
        who=who,
        roles=_roles(),
        typed=typed,
        wrong=wrong or {},
        password=password,
    )


async def _list(
    call: Call,
    *,
    status: int = 200,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
    link: str = "",
    invited: str = "",
) -> web.Response:
    empty = dict.fromkeys(_FIELDS, "") | {"role": Role.AUTHOR.value}
    return show(
        call, "organizers.html", status=status, organizers=await list_organizers(call.runtime),
        invitations=await list_open(call.runtime, now=call.now), roles=_roles(), typed=typed or empty,
        wrong=wrong or {}, link=link, invited=invited, once=new_key(), days=LASTS.days,
    )  # fmt: skip


def _roles() -> list[tuple[str, str]]:
    return [(role.value, f"{role.value}: {role.sentence}") for role in Role]
