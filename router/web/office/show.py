"""How an organizer's page is made: its template, what all pages show, what it may load."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from router.core.data import data_folder
from router.web.auth import Scope
from router.web.doors import CSRF
from router.web.endpoints import Call
from router.web.keys import RUNTIME
from router.web.office.static import static
from router.web.problems import ProblemError

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: https:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Scripts and styles are ours alone, and none stands in a page. An ask's picture may be anybody's."""

ROOMS: tuple[tuple[str, str, Scope], ...] = (
    ("/office", "Home", Scope.CAMPAIGNS_READ),
    ("/office/asks", "Asks", Scope.CAMPAIGNS_READ),
    ("/office/inbox", "Inbox", Scope.INBOX_READ),
    ("/office/events", "Events", Scope.MEMBERS_WRITE),
    ("/office/members", "Members", Scope.INBOX_READ),
    ("/office/groups", "Groups", Scope.CAMPAIGNS_READ),
    ("/office/ideas", "Ideas", Scope.CAMPAIGNS_READ),
    ("/office/channels", "Channels", Scope.CAMPAIGNS_READ),
    ("/office/policy", "Rules", Scope.CAMPAIGNS_READ),
    ("/office/organizers", "Organizers", Scope.ADMIN),
    ("/office/tokens", "Tokens", Scope.ADMIN),
    ("/office/audit", "Audit", Scope.ADMIN),
)
"""The main navigation: address, name, and the scope without which it is not shown."""


def show(
    call: Call, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **words: Any
) -> web.Response:
    """A page of ``templates/office`` for whoever is signed in, or for nobody in particular."""
    caller = call.caller
    shown = [(path, name) for path, name, scope in ROOMS if caller is not None and caller.may(scope)]
    return respond(
        call.request,
        template,
        status=status,
        headers=headers,
        me=call.session.organizer if call.session is not None else None,
        may=(lambda scope: caller is not None and caller.may(Scope(scope))),
        csrf=call.session.csrf if call.session is not None else "",
        rooms=shown,
        room=_room(call.request.path, [path for path, _ in shown]),
        now=call.now,
        **words,
    )


def respond(
    request: web.Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **words: Any
) -> web.Response:
    """The bare page."""
    organization = request.app[RUNTIME].settings.organization
    return web.Response(
        status=status,
        text=render(template, organization=organization, csrf_field=CSRF, **words),
        content_type="text/html",
        headers={"Cache-Control": "no-store", "Content-Security-Policy": CSP, **(headers or {})},
    )


def render(template: str, **words: Any) -> str:
    """A template of ours, filled in."""
    return _pages.get_template(template).render(**words)


def problem_page(problem: ProblemError, request: web.Request) -> web.Response:
    """An error, as a person can bear it."""
    words: dict[str, Any] = {"me": None, "csrf": "", "rooms": [], "room": "", "problem": problem}
    return respond(request, "problem.html", status=problem.status, headers=problem.headers, **words)


def see(path: str) -> web.Response:
    """After a form: the page to look at next, so that reloading sends nothing twice."""
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})


def _room(path: str, rooms: list[str]) -> str:
    """The room that a page belongs to: the longest whose address its own begins with."""
    return max((room for room in rooms if path == room or path.startswith(room + "/")), key=len, default="")


def _count(number: int) -> str:
    """12,345"""
    return f"{number:,}"


def _moment(at: datetime | None) -> str:
    """For people; UTC, because an organizer's pages are looked at from many places."""
    return "" if at is None else f"{at.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def _share(part: float, whole: float) -> str:
    """A part as a percentage; "" of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else ""


_pages = Environment(
    loader=FileSystemLoader(data_folder("templates") / "office"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters |= {"count": _count, "moment": _moment, "share": _share}
_pages.globals["static"] = static
