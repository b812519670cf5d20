"""Sign in and out, become an organizer by a link, one's own account."""

from __future__ import annotations

from aiohttp import web

from router.core.errors import BadInput
from router.office.invitations import Invitation, accept, read_invitation
from router.office.organizers import TooManyTries, check_password, set_password
from router.office.sessions import sign_in, sign_out
from router.web.auth import Open, Page, Scope
from router.web.doors import SIGN_IN, first, form_of, let_in, let_out, own_path, signed_in
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import BRAKE
from router.web.office.show import see, show
from router.web.problems import ProblemError, retry_after

DOOR: Registry = []
endpoint = registrar(DOOR)

_LINK = "/office/welcome/{token:[A-Za-z0-9_-]{40,60}}"


@endpoint("GET", SIGN_IN, access=Open.PUBLIC, reply="text/html", summary="The form by which organizers sign in")
async def sign_in_form(call: Call) -> web.StreamResponse:
    back = own_path(call.request.query.get("next", ""))
    if await signed_in(call.request, now=call.now) is not None:
        return see(back)
    return show(call, "sign_in.html", back=back, name="", wrong="")


@endpoint("POST", SIGN_IN, access=Open.PUBLIC, reply="text/html", summary="Sign in")
async def sign_in_here(call: Call) -> web.StreamResponse:
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    form = await form_of(call.request)
    name, back = first(form, "name")[:200], own_path(first(form, "next"))
    try:
        who = await check_password(call.runtime, name, form.get("password", [""])[0], now=call.now)
    except TooManyTries as error:
        wrong = f"Too many wrong tries. Wait {max(1, round(error.seconds))} seconds, then try again."
        headers = retry_after(error.seconds)
        return show(call, "sign_in.html", status=429, headers=headers, back=back, name=name, wrong=wrong)
    if who is None:
        await brake.wrong(call.request)
        wrong = "This name and this password do not belong together."
        return show(call, "sign_in.html", status=422, back=back, name=name, wrong=wrong)
    before = await signed_in(call.request, now=call.now)
    if before is not None:
        await sign_out(call.runtime, before)
    return await _enter(call, await sign_in(call.runtime, who, agent=_agent(call), now=call.now), back)


@endpoint("POST", "/office/sign-out", access=Page(Scope.CAMPAIGNS_READ), reply="text/html", summary="Sign out")
async def sign_out_here(call: Call) -> web.StreamResponse:
    assert call.session is not None
    form = await form_of(call.request)
    await sign_out(call.runtime, call.session, everywhere=bool(first(form, "everywhere")))
    response = see(SIGN_IN)
    let_out(call.request, response)
    return response


@endpoint("GET", _LINK, access=Open.PUBLIC, reply="text/html", summary="The form of somebody who was invited")
async def welcome_form(call: Call) -> web.StreamResponse:
    found = await _invitation(call)
    return show(call, "welcome.html", invitation=found, name=found.name, wrong={})


@endpoint("POST", _LINK, access=Open.PUBLIC, reply="text/html", summary="Become an organizer")
async def welcome(call: Call) -> web.StreamResponse:
    found = await _invitation(call)
    form = await form_of(call.request)
    name, password = first(form, "name")[:200], form.get("password", [""])[0]
    wrong = {}
    if password != form.get("again", [""])[0]:
        wrong["again"] = "Both must be the same."
    else:
        try:
            who = await accept(call.runtime, _token(call), name=name, password=password, now=call.now)
        except BadInput as error:
            wrong[error.place] = f"It {error.sentence}."
        else:
            if who is None:
                raise _used()
            return await _enter(call, await sign_in(call.runtime, who, agent=_agent(call), now=call.now), "/office")
    return show(call, "welcome.html", status=422, invitation=found, name=name, wrong=wrong)


@endpoint("GET", "/office/account", access=Page(Scope.CAMPAIGNS_READ), reply="text/html", summary="One's own account")
async def account(call: Call) -> web.StreamResponse:
    return show(call, "account.html", wrong={})


@endpoint("POST", "/office/account", access=Page(Scope.CAMPAIGNS_READ), reply="text/html", summary="Another password")
async def change_password(call: Call) -> web.StreamResponse:
    assert call.session is not None
    form = await form_of(call.request)
    me, new = call.session.organizer, form.get("password", [""])[0]
    wrong = {}
    try:
        if await check_password(call.runtime, me.name, form.get("old", [""])[0], now=call.now) is None:
            wrong["old"] = "This is not your present password."
        elif new != form.get("again", [""])[0]:
            wrong["again"] = "Both must be the same."
        else:
            await set_password(call.runtime, me.id, new, by=me.name, now=call.now)
    except BadInput as error:
        wrong[error.place] = f"It {error.sentence}."
    except TooManyTries as error:
        wrong["old"] = f"Too many wrong tries. Wait {max(1, round(error.seconds))} seconds."
    if wrong:
        return show(call, "account.html", status=422, wrong=wrong)
    return await _enter(call, await sign_in(call.runtime, me, agent=_agent(call), now=call.now), "/office/account")


async def _enter(call: Call, token: str, path: str) -> web.Response:
    response = see(path)
    let_in(call.request, response, token)
    return response


async def _invitation(call: Call) -> Invitation:
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    found = await read_invitation(call.runtime, _token(call), now=call.now)
    if found is None:
        await brake.wrong(call.request)
        raise _used()
    return found


def _used() -> ProblemError:
    return ProblemError(404, "This link was used, or is too old. Ask whoever invited you for another.")


def _token(call: Call) -> str:
    return call.request.match_info["token"]


def _agent(call: Call) -> str:
    return "".join(c for c in call.request.headers.get("User-Agent", "") if c.isprintable())
