"""Members: find somebody, see all that is between them and us, tag them, join two records of one person."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from router.core.address import mask
from router.core.attention import Dial
from router.core.errors import BadInput, NotFound
from router.core.explaining import OBJECTIONS
from router.looks import Look, note_view
from router.office.member_deeds import merge_two, note_look, set_tags, what_moves
from router.office.member_file import MOST, read_member_file
from router.office.member_search import Wanted, search_members
from router.web.auth import Page, Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.editor import organizer_of
from router.web.office.form_values import as_sentence, read_words, say_words
from router.web.office.show import see, show

MEMBERS: Registry = []
endpoint = registrar(MEMBERS)

READS = Page(Scope.INBOX_READ)
WRITES = Page(Scope.MEMBERS_WRITE)

ROOM = "/office/members"
ONE = ROOM + "/{id:[0-9]{1,18}}"

DIALS = {
    Dial.EVERYTHING: "everything",
    Dial.WEEKLY: "one ask a week",
    Dial.URGENT_ONLY: "only what is urgent",
    Dial.PAUSED: "nothing, until they say otherwise",
}
_LONGEST = 400


@endpoint("GET", ROOM, access=READS, reply="text/html", summary="Members, and a search")
async def members(call: Call) -> web.StreamResponse:
    return await _list(call, Wanted())


@endpoint("POST", ROOM, access=READS, reply="text/html", summary="Find members; by POST, so that no address has a name")
async def find(call: Call) -> web.StreamResponse:
    form = await form_of(call.request)
    who, tag, place = (first(form, name)[:_LONGEST] for name in ("who", "tag", "place"))
    return await _list(call, Wanted(who, tag, place), after=_number(first(form, "after")) or 0)


@endpoint("GET", ONE, access=READS, reply="text/html", summary="All that is between a member and us")
async def member(call: Call) -> web.StreamResponse:
    return await _member(call)


@endpoint("POST", ONE + "/addresses", access=WRITES, reply="text/html", summary="Their addresses in full; it is noted")
async def show_addresses(call: Call) -> web.StreamResponse:
    await note_look(call.runtime, organizer_of(call), call.id, now=call.now)
    return await _member(call, is_shown=True)


@endpoint("POST", ONE + "/tags", access=WRITES, reply="text/html", summary="Other tags")
async def tag_member(call: Call) -> web.StreamResponse:
    typed = first(await form_of(call.request), "tags")
    try:
        await set_tags(call.runtime, organizer_of(call), call.id, read_words(typed), now=call.now)
    except BadInput as error:
        return await _member(call, status=422, tags=typed, wrong={error.place: as_sentence(error.sentence)})
    return see(f"{ROOM}/{call.id}")


@endpoint("GET", ONE + "/merge", access=WRITES, reply="text/html", summary="What moves when two records become one")
async def look_at_merge(call: Call) -> web.StreamResponse:
    return await _merge(call, call.request.query.get("with", "").strip())


@endpoint("POST", ONE + "/merge", access=WRITES, reply="text/html", summary="Two records become one")
async def merge(call: Call) -> web.StreamResponse:
    typed = first(await form_of(call.request), "with")
    lose = _number(typed)
    if lose is None or lose == call.id:
        return await _merge(call, typed)
    try:
        await merge_two(call.runtime, organizer_of(call), keep=call.id, lose=lose, now=call.now)
    except NotFound:
        return await _merge(call, typed)
    return see(f"{ROOM}/{call.id}")


async def _list(call: Call, wanted: Wanted, *, after: int = 0) -> web.Response:
    page = await search_members(call.runtime, organizer_of(call), wanted, after=after)
    return show(call, "members.html", page=page, wanted=wanted, is_asked=any(wanted), is_first=not after)


async def _member(
    call: Call,
    *,
    status: int = 200,
    is_shown: bool = False,
    tags: str | None = None,
    wrong: dict[str, str] | None = None,
) -> web.Response:
    who = organizer_of(call)
    file = await read_member_file(call.runtime, who, call.id)
    await note_view(call.runtime, Look.FILE, call.id, by=who.name, now=call.now)
    return show(
        call, "member.html", status=status, file=file, is_shown=is_shown, mask=str if is_shown else mask,
        tags=say_words(file.tags) if tags is None else tags, wrong=wrong or {}, most=MOST,
        dial=DIALS[Dial(file.about.dial)], objections=OBJECTIONS,
    )  # fmt: skip


async def _merge(call: Call, typed: str) -> web.Response:
    """What would move; without a number to type one."""
    who, other = organizer_of(call), _number(typed)
    words: dict[str, Any] = {"file": await read_member_file(call.runtime, who, call.id), "typed": typed, "wrong": {}}
    words |= {"other": None, "moves": []}
    if not typed:
        return show(call, "member_merge.html", **words)
    try:
        if other is None or other == call.id:
            raise NotFound("no other record")
        words |= {"other": await read_member_file(call.runtime, who, other)}
    except NotFound:
        words["wrong"] = {"with": "There is no other record with this number among those whom you see."}
        return show(call, "member_merge.html", status=422, **words)
    return show(call, "member_merge.html", **words | {"moves": await what_moves(call.runtime, other)})


def _number(typed: str) -> int | None:
    """A number as people type it; None for anything else."""
    is_number = typed.isascii() and typed.isdecimal() and len(typed) <= 18
    return int(typed) if is_number and int(typed) <= LARGEST_INTEGER else None
