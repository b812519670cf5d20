"""API tokens: for programs that act in the movement's name, each with only the scopes it needs."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from router.core.errors import BadInput
from router.office.once import MadeAlready, new_key, remember
from router.web.auth import Page, Scope, create_token, list_tokens, revoke_token
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.form_values import as_sentence
from router.web.office.show import see, show

TOKENS: Registry = []
endpoint = registrar(TOKENS)

SCOPES: Mapping[Scope, str] = {
    Scope.CAMPAIGNS_READ: "see asks and results",
    Scope.CAMPAIGNS_WRITE: "write asks",
    Scope.CAMPAIGNS_LAUNCH: "approve, launch, pause and cancel asks",
    Scope.MEMBERS_WRITE: "enter and change members",
    Scope.IMPORTS_WRITE: "bring in members from files",
    Scope.ACTIONS_WRITE: "report what members did",
    Scope.INBOX_READ: "read conversations",
    Scope.INBOX_WRITE: "answer members",
    Scope.ADMIN: "everything",
}
"""What each lets a program do."""

_ROOM = "/office/tokens"


@endpoint("GET", _ROOM, access=Page(Scope.ADMIN), reply="text/html", summary="API tokens")
async def tokens(call: Call) -> web.StreamResponse:
    return await _page(call)


@endpoint("POST", _ROOM, access=Page(Scope.ADMIN), reply="text/html", summary="Make an API token, shown once")
async def make(call: Call) -> web.StreamResponse:
    assert call.session is not None
    form = await form_of(call.request)
    name, scopes = first(form, "name"), form.get("scope", [])
    along = remember(call.session.organizer, first(form, "once") or new_key(), now=call.now)
    try:
        made = await create_token(call.runtime.store, name, scopes, call.now, by=call.by, along=along)
    except BadInput as error:
        return await _page(call, status=422, name=name, scopes=scopes, wrong={error.place: as_sentence(error.sentence)})
    except MadeAlready:
        return see(_ROOM)
    return await _page(call, made=made)


@endpoint(
    "POST", _ROOM + "/{id:[0-9]{1,18}}/revoke", access=Page(Scope.ADMIN), reply="text/html", summary="End an API token"
)
async def revoke(call: Call) -> web.StreamResponse:
    await revoke_token(call.runtime.store, call.id, call.now, by=call.by)
    return see(_ROOM)


async def _page(
    call: Call,
    *,
    status: int = 200,
    name: str = "",
    scopes: list[str] | None = None,
    wrong: Mapping[str, str] | None = None,
    made: str = "",
) -> web.Response:
    return show(
        call, "tokens.html", status=status, tokens=await list_tokens(call.runtime.store), known=SCOPES, name=name,
        scopes=scopes or [], wrong=wrong or {}, made=made, once=new_key(),
    )  # fmt: skip
