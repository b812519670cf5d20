"""Groups: the chats that asks can be posted in; enter one, tag it, say whose it is, leave it in peace."""

from __future__ import annotations

import re

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from router.core.audience import Number
from router.core.errors import BadInput, NotFound
from router.group_list import GroupView, list_groups
from router.groups import add_group, change_group, change_steward
from router.office.quieting import quiet_for
from router.settings import MAIN
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.editor import organizer_of
from router.web.office.form_values import as_sentence, read_whole, read_words, say_words
from router.web.office.show import see, show
from router.web.problems import ProblemError

GROUP_PAGES: Registry = []
endpoint = registrar(GROUP_PAGES)

READS = Page(Scope.CAMPAIGNS_READ)
WRITES = Page(Scope.MEMBERS_WRITE)

ROOM = "/office/groups"
ONE = ROOM + "/{id:[0-9]{1,18}}"
PAGE = 50

_NEW = ("channel", "account", "address", "title", "tags")
_ABOUT = ("title", "tags", "locale", "country", "place", "steward")
_COUNTRY = re.compile(r"([A-Z]{2})?")
_LONGEST = {"title": 200, "place": 200, "locale": 35, "account": 64, "address": 2_000}


class GroupQuery(BaseModel):
    """Where the page begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Number = 0


@endpoint("GET", ROOM, access=READS, query=GroupQuery, reply="text/html", summary="Group chats that asks can go to")
async def groups(call: Call, query: GroupQuery) -> web.StreamResponse:
    return await _list(call, after=query.after)


@endpoint("POST", ROOM, access=WRITES, reply="text/html", summary="Enter a group")
async def enter_group(call: Call) -> web.StreamResponse:
    _everybody(call)
    form = await form_of(call.request)
    typed = {name: first(form, name) for name in _NEW}
    try:
        _check(typed)
        if not (typed["address"] and typed["title"]):
            raise BadInput("is needed", place="title" if typed["address"] else "address")
        number = await add_group(
            call.runtime, channel=typed["channel"], account=typed["account"] or MAIN, value=typed["address"],
            title=typed["title"], tags=_tags(typed["tags"]), by=call.by, now=call.now,
        )  # fmt: skip
    except BadInput as error:
        return await _list(call, status=422, typed=typed, wrong=_wrong(error))
    return see(f"{ROOM}/{number}")


@endpoint("GET", ONE, access=READS, reply="text/html", summary="One group")
async def group(call: Call) -> web.StreamResponse:
    return _one(call, await _found(call))


@endpoint("POST", ONE, access=WRITES, reply="text/html", summary="What a group is called, its tags, place and steward")
async def change(call: Call) -> web.StreamResponse:
    view, form = await _found(call), await form_of(call.request)
    typed = {name: first(form, name) for name in _ABOUT}
    try:
        _check(typed)
        if not typed["title"]:
            raise BadInput("is needed", place="title")
        steward = _steward(typed["steward"])
        await change_group(
            call.runtime, view.id, title=typed["title"], tags=_tags(typed["tags"]), locale=typed["locale"],
            country=typed["country"].upper(), place=typed["place"], by=call.by, now=call.now,
        )  # fmt: skip
        if steward != view.steward:
            await change_steward(call.runtime, view.id, steward, by=call.by, now=call.now)
    except BadInput as error:
        return _one(call, view, status=422, typed=typed, wrong=_wrong(error))
    except NotFound as error:
        return _one(call, view, status=422, typed=typed, wrong={"steward": as_sentence(str(error))})
    return see(f"{ROOM}/{view.id}")


@endpoint("POST", ONE + "/quiet", access=WRITES, reply="text/html", summary="No asks there for some days")
async def quiet(call: Call) -> web.StreamResponse:
    view, form = await _found(call), await form_of(call.request)
    try:
        days = read_whole(first(form, "days"))
        await quiet_for(call.runtime, view.id, -1 if days is None else days, by=call.by, now=call.now)
    except BadInput as error:
        return _one(call, view, status=422, wrong={"days": as_sentence(error.sentence)}, days=first(form, "days"))
    return see(f"{ROOM}/{view.id}")


async def _found(call: Call) -> GroupView:
    _everybody(call)
    for view in await list_groups(call.runtime, limit=1, after=call.id - 1):
        if view.id == call.id:
            return view
    raise NotFound(f"there is no group {call.id}")


def _everybody(call: Call) -> None:
    """In a group's chat others read as well, and who is in it is nobody's part."""
    if organizer_of(call).audience is not None:
        raise ProblemError(403, "groups are for organizers who write to all members; an admin can widen your part")


async def _list(
    call: Call,
    *,
    after: int = 0,
    status: int = 200,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
) -> web.Response:
    _everybody(call)
    found = await list_groups(call.runtime, limit=PAGE + 1, after=after)
    channels = sorted(name for name, spec in call.runtime.specs.items() if spec.groups)
    return show(
        call, "groups_office.html", status=status, groups=found[:PAGE],
        next=found[PAGE - 1].id if len(found) > PAGE else 0, is_first=not after,
        channels=[(name, name) for name in channels], typed=typed or dict.fromkeys(_NEW, ""), wrong=wrong or {},
    )  # fmt: skip


def _one(
    call: Call,
    view: GroupView,
    *,
    status: int = 200,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
    days: str = "",
) -> web.Response:
    now = {name: getattr(view, name) for name in ("title", "locale", "country", "place")}
    now |= {"tags": say_words(view.tags), "steward": str(view.steward or "")}
    return show(call, "group_office.html", status=status, group=view, typed=typed or now, wrong=wrong or {}, days=days)


def _check(typed: dict[str, str]) -> None:
    """What the API's models ask of the same fields."""
    for name, longest in _LONGEST.items():
        if len(typed.get(name, "")) > longest:
            raise BadInput(f"write at most {longest} characters", place=name)
    if not _COUNTRY.fullmatch(typed.get("country", "").upper()):
        raise BadInput("write the two letters of the country, such as DE", place="country")


def _tags(typed: str) -> list[str]:
    tags = read_words(typed)
    if len(tags) > 100 or any(len(tag) > 200 for tag in tags):
        raise BadInput("write at most 100 tags of 200 characters", place="tags")
    return tags


def _steward(typed: str) -> int | None:
    try:
        number = read_whole(typed)
    except BadInput as error:
        raise BadInput(error.sentence, place="steward") from None
    if number is not None and number < 0:
        raise BadInput("write the member's number, or nothing", place="steward")
    return number or None


def _wrong(error: BadInput) -> dict[str, str]:
    is_part = error.sentence.startswith(("is ", "posts "))
    return {error.place or "address": as_sentence(f"It {error.sentence}" if is_part else error.sentence)}
