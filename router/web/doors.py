"""The door of organizers' pages: the cookie, who it lets in, and the proof that a form is from a page of theirs."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qs, quote

from aiohttp import web

from router.office.sessions import LASTS, Session, check_form, read_session
from router.web.auth import Caller, Scope
from router.web.bodies import read_body
from router.web.keys import RUNTIME
from router.web.multipart import MULTIPART, open_form
from router.web.problems import ProblemError

SIGN_IN = "/office/sign-in"
CSRF = "csrf"
"""The field of each form that brings back `Session.csrf`."""
CSRF_HEADER = "X-CSRF"
"""The same, for what is no form (an upload)."""

_FORM = "application/x-www-form-urlencoded"


async def signed_in(request: web.Request, *, now: datetime) -> Session | None:
    """Who is signed in by this browser."""
    token = request.cookies.get(_cookie(request), "")
    return await read_session(request.app[RUNTIME], token, now=now) if token else None


async def may_enter(request: web.Request, session: Session, scope: Scope) -> Caller:
    """The organizer as a caller; 403 where their role lacks `scope`, 409 where a form is not from a page of theirs."""
    who = session.organizer
    caller = Caller(token_id=0, name=who.name, scopes=who.role.scopes)
    if not caller.may(scope):
        raise ProblemError(
            403, f"you are signed in as {who.role.value}, which does not go so far; an admin can change it"
        )
    if request.method != "GET":
        given = request.headers.get(CSRF_HEADER, "")
        if not given and request.content_type == _FORM:
            given = first(await form_of(request), CSRF)
        elif not given and request.content_type == MULTIPART:
            given = (await open_form(request)).fields.get(CSRF, "")
        check_form(session, given)
    return caller


def to_sign_in(request: web.Request) -> web.Response:
    """Where whoever is not signed in goes; after that they come back here."""
    back = quote(request.path_qs if request.method == "GET" else "/office", safe="/")
    where = f"{SIGN_IN}?next={back}" if back != "/office" else SIGN_IN
    if request.headers.get("HX-Request"):  # a part of a page: the whole page has to go there
        return web.Response(status=200, headers={"HX-Redirect": where})
    return web.Response(status=303, headers={"Location": where})


def own_path(path: str) -> str:
    """A path below ours to come back to; the first page in place of anything else: no link of ours leads elsewhere."""
    ours = path.startswith("/office") and "//" not in path and "\\" not in path and path.isprintable()
    return path if ours and len(path) <= 1_000 else "/office"


async def form_of(request: web.Request) -> dict[str, list[str]]:
    """The fields of a form, each with all that was given. 400 where it is none."""
    raw = await read_body(request)
    try:
        return parse_qs(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=1_000)
    except ValueError:
        raise ProblemError(400, "this form could not be read; reload the page and try again") from None


def first(form: dict[str, list[str]], name: str) -> str:
    """The first value of a field, without the spaces around it; "" where it is missing."""
    return form.get(name, [""])[0].replace("\0", "").strip()


def let_in(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Give the browser its token: for our host only, not for scripts, and not with requests from other sites."""
    response.set_cookie(
        _cookie(request),
        token,
        max_age=int(LASTS.total_seconds()),
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="Lax",
    )


def let_out(request: web.Request, response: web.StreamResponse) -> None:
    """Take the token away."""
    response.del_cookie(_cookie(request), path="/", secure=_is_https(request), httponly=True, samesite="Lax")


def _cookie(request: web.Request) -> str:
    # A __Host- cookie cannot be set by a neighbouring subdomain (RFC 6265bis 4.1.3.2); browsers want https for it.
    return "__Host-outreach" if _is_https(request) else "outreach"


def _is_https(request: web.Request) -> bool:
    return request.app[RUNTIME].settings.public_url.startswith("https://")
