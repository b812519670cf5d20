"""``/e/…``: an event for everybody, and with a token for its guests and its host; as a page and as a calendar file."""

from __future__ import annotations

from datetime import UTC
from urllib.parse import urlsplit

from aiohttp import web

from router.community.event_sights import Sight, own_sight, public_sight
from router.core.calendar_file import Entry, calendar_file
from router.core.catalogue import gettext_noop
from router.core.event_links import TOKEN, read_guest_token
from router.core.zones import known_zone
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.member_pages import locale_of, page, whose
from router.web.problems import ProblemError

EVENT_PAGES: Registry = []
endpoint = registrar(EVENT_PAGES)

_EVENT = "/e/{id:[0-9]{1,18}}"
_NONE = gettext_noop("There is no such event, or it is not open yet.")
_OWN = _EVENT + "/{token:" + TOKEN + "}"


@endpoint("GET", _EVENT, access=Open.PUBLIC, reply="text/html", summary="An event: where about, when, seats left")
async def event_page(call: Call) -> web.StreamResponse:
    return _page(call, await _for_everybody(call))


@endpoint("GET", _EVENT + ".ics", access=Open.PUBLIC, reply="text/calendar", summary="The same as a calendar file")
async def event_calendar(call: Call) -> web.StreamResponse:
    return _calendar(call, await _for_everybody(call))


@endpoint(
    "GET", _OWN, access=Open.PUBLIC, reply="text/html",
    summary="An event as its guest sees it, with the exact address, or its host, with the guests",
)  # fmt: skip
async def own_event_page(call: Call) -> web.StreamResponse:
    member_id, sight = await _for_one(call)
    return _page(call, sight, await locale_of(call, member_id))


@endpoint("GET", _OWN + ".ics", access=Open.PUBLIC, reply="text/calendar", summary="The same as a calendar file")
async def own_event_calendar(call: Call) -> web.StreamResponse:
    _, sight = await _for_one(call)
    return _calendar(call, sight)


async def _for_everybody(call: Call) -> Sight:
    sight = await public_sight(call.runtime, call.id)
    if sight is None:
        raise ProblemError(404, _NONE)
    return sight


async def _for_one(call: Call) -> tuple[int, Sight]:
    """Whom the path's token names, and what they may see."""
    member_id = await whose(call, lambda token: read_guest_token(call.runtime.key, call.id, token))
    sight = await own_sight(call.runtime, call.id, member_id)
    if sight is None:
        raise ProblemError(404, _NONE)
    return member_id, sight


def _page(call: Call, sight: Sight, locale: str = "") -> web.Response:
    row = sight.row
    begins = row.starts_at.astimezone(known_zone(row.zone) or UTC)
    return page(
        call.request,
        "event.html",
        locale=locale,
        sight=sight,
        event=row,
        begins=begins,
        is_over=row.ends_at <= call.now,
        has_begun=row.starts_at <= call.now,
        calendar=f"{call.request.path}.ics",
    )


def _calendar(call: Call, sight: Sight) -> web.Response:
    row, settings = sight.row, call.runtime.settings
    public_url = settings.public_url.rstrip("/")
    entry = Entry(
        uid=f"event-{row.id}@{urlsplit(public_url).hostname or 'outreach'}",
        sequence=row.version,
        title=row.title,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        location=sight.address or sight.area,
        description=sight.notes,
        url=f"{public_url}/e/{row.id}",
        organizer=settings.organization,
        organizer_uri=public_url,
        cancelled=row.status == "cancelled",
    )
    return web.Response(
        body=calendar_file(entry, now=call.now).encode(),
        headers={
            "Content-Type": "text/calendar; charset=utf-8",
            "Content-Disposition": f'inline; filename="event-{row.id}.ics"',
            "Cache-Control": "no-store",
        },
    )
