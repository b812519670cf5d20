"""The web application, put together from the registries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from router.core.catalogue import load_catalogues
from router.gauges import Gauges
from router.limits import LocalLimits
from router.logs import known_of
from router.receive import Receiver
from router.runtime import Runtime
from router.web import idempotency, keys
from router.web.auth import Guard, GuessBrake
from router.web.bodies import MAX_BODY
from router.web.calls import CALLS
from router.web.campaigns import CAMPAIGNS
from router.web.comparison import COMPARISON
from router.web.crm import CRM
from router.web.door_requests import DOOR_REQUESTS
from router.web.endpoints import Registry
from router.web.event_pages import EVENT_PAGES
from router.web.events import EVENTS
from router.web.forward_pages import FORWARD_PAGES
from router.web.groups import GROUPS
from router.web.host_pages import HOST_PAGES
from router.web.idea_pages import IDEA_PAGES
from router.web.imports import IMPORTS
from router.web.inbox import INBOX
from router.web.join import JOIN
from router.web.join_pages import JOIN_PAGES
from router.web.member_door import MEMBER_DOOR
from router.web.office.asks import ASKS
from router.web.office.audience import AUDIENCE
from router.web.office.audit import AUDIT
from router.web.office.calls import CALL_PAGES
from router.web.office.channels import CHANNELS
from router.web.office.check_in import CHECK_IN
from router.web.office.curves import CURVES
from router.web.office.door import DOOR
from router.web.office.editor import EDITOR
from router.web.office.events import EVENTS_OFFICE
from router.web.office.feeds import FEEDS, Feeds
from router.web.office.first_run import FIRST_RUN
from router.web.office.groups import GROUP_PAGES
from router.web.office.home import HOME
from router.web.office.ideas import IDEA_ROOM
from router.web.office.imports import IMPORT_PAGES
from router.web.office.inbox import INBOX_PAGES
from router.web.office.launching import LAUNCHING
from router.web.office.live import LIVE
from router.web.office.members import MEMBERS
from router.web.office.people import ORGANIZERS
from router.web.office.policy import POLICY
from router.web.office.preview import PREVIEW
from router.web.office.reference import REFERENCE
from router.web.office.report_backs import REPORT_BACK_PAGES
from router.web.office.results import RESULTS
from router.web.office.show import problem_page as office_problem_page
from router.web.office.static import STATIC
from router.web.office.tokens import TOKENS
from router.web.open_pages import OPEN_PAGES
from router.web.openapi import openapi_document
from router.web.pages import PAGE_PATHS, PAGES, problem_page
from router.web.people import PEOPLE
from router.web.policy_pages import POLICY_PAGES
from router.web.preferences import PREFERENCES
from router.web.problems import ProblemError, answering_problems
from router.web.proposals import PROPOSALS
from router.web.push import PUSH
from router.web.report_backs import REPORT_BACKS
from router.web.requests import HEADER, observing
from router.web.serving import handler_of
from router.web.system import SYSTEM
from router.web.totals import TOTALS
from router.web.watch import WATCH
from router.web.webhooks import WEBHOOKS
from router.web.why import WHY

ENDPOINTS: Registry = [
    *CAMPAIGNS,
    *COMPARISON,
    *REPORT_BACKS,
    *OPEN_PAGES,
    *POLICY_PAGES,
    *PEOPLE,
    *JOIN,
    *PREFERENCES,
    *WHY,
    *GROUPS,
    *EVENTS,
    *CALLS,
    *CRM,
    *WATCH,
    *INBOX,
    *PROPOSALS,
    *IMPORTS,
    *WEBHOOKS,
    *PAGES,
    *EVENT_PAGES,
    *JOIN_PAGES,
    *FORWARD_PAGES,
    *HOST_PAGES,
    *IDEA_PAGES,
    *MEMBER_DOOR,
    *DOOR_REQUESTS,
    *PUSH,
    *TOTALS,
    *STATIC,
    *DOOR,
    *EDITOR,
    *AUDIENCE,
    *HOME,
    *FIRST_RUN,
    *CHANNELS,
    *POLICY,
    *ORGANIZERS,
    *TOKENS,
    *AUDIT,
    *REFERENCE,
    *ASKS,
    *RESULTS,
    *PREVIEW,
    *LAUNCHING,
    *LIVE,
    *CURVES,
    *INBOX_PAGES,
    *CHECK_IN,
    *REPORT_BACK_PAGES,
    *CALL_PAGES,
    *EVENTS_OFFICE,
    *MEMBERS,
    *GROUP_PAGES,
    *IDEA_ROOM,
    *IMPORT_PAGES,
    *SYSTEM,
]
"""Every address of this program."""

OFFICE_PATH = "/office"
MAX_UPLOAD = 2 * 1024**3
"""Bytes of an imported file."""
FORM_RATE, FORM_BURST = 0.2, 40.0
"""Forms a second from one network, and at once: a hall full of people on one wireless network may join together, but
each form can send a message to somebody who did not ask for it."""
SHUTDOWN_SECONDS = 10.0
"""How long requests under way may take once the server is asked to stop."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def make_app(
    runtime: Runtime, receiver: Receiver, *, max_upload: int = MAX_UPLOAD, feeds: Feeds | None = None
) -> web.Application:
    """The application: API, webhooks, members' pages, health. It opens nothing that `runtime` has not opened."""
    app = web.Application(
        middlewares=[observing, answering_problems(_problem_page, (*PAGE_PATHS, OFFICE_PATH))], client_max_size=MAX_BODY
    )
    app[keys.RUNTIME] = runtime
    app[keys.RECEIVER] = receiver
    app[keys.GUARD] = Guard(runtime.store)
    app[keys.BRAKE] = GuessBrake(LocalLimits(), trusted_proxy=runtime.settings.trusted_proxy)
    app[keys.FORM_BRAKE] = GuessBrake(
        LocalLimits(), trusted_proxy=runtime.settings.trusted_proxy, name="forms", rate=FORM_RATE, burst=FORM_BURST
    )
    pages = (*PAGE_PATHS, OFFICE_PATH)
    app[keys.OPENAPI] = openapi_document(ENDPOINTS, server=runtime.settings.public_url.rstrip("/"), pages=pages)
    app[keys.GAUGES] = Gauges(runtime)
    app[keys.IMPORTS_UNDER_WAY] = set()
    app[keys.MAX_UPLOAD] = max_upload
    app[FEEDS] = feeds or Feeds(runtime)
    app.on_shutdown.append(app[FEEDS].close)
    load_catalogues()
    for endpoint in ENDPOINTS:
        handler = handler_of(endpoint)
        app.router.add_route(endpoint.method, endpoint.path, handler)
        if endpoint.method == "GET":
            app.router.add_route("HEAD", endpoint.path, handler)
    app.on_response_prepare.append(_add_headers)
    app.cleanup_ctx.append(_background)
    return app


def _problem_page(problem: ProblemError, request: web.Request) -> web.Response:
    """An error as organizers see it, or as members do."""
    return (office_problem_page if request.path.startswith(OFFICE_PATH) else problem_page)(problem, request)


async def serve_web(
    runtime: Runtime, receiver: Receiver, host: str, port: int, *, max_upload: int = MAX_UPLOAD
) -> web.AppRunner:
    """Start serving in this process; port 0 takes a free one.

    ``runner.addresses[0]`` says where it listens, ``await runner.cleanup()`` stops it. The access log is our own
    (`observing`): an address of ours can be a member's secret.
    """
    app = make_app(runtime, receiver, max_upload=max_upload)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.app[keys.RUNTIME].settings.public_url.startswith("https://"):
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    response.headers.popall("Server", None)
    response.headers.setdefault(HEADER, str(known_of("request") or ""))


async def _background(app: web.Application) -> AsyncIterator[None]:
    """The sweep of old keys, and the end of imports under way: they go on when the file is sent again."""
    runtime = app[keys.RUNTIME]
    async with idempotency.sweeping(runtime.store, runtime.clock):
        yield
        tasks = app[keys.IMPORTS_UNDER_WAY].copy()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
