"""``/ideas``: what members propose, for all to read; ``/propose/…``: where a member proposes, seconds and reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiohttp import web
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.proposals.model import Said, Who
from router.community.proposals.seconding import report, second, withdraw
from router.community.proposals.sights import list_ideas, one_idea
from router.community.proposals.sights import own_ideas as ideas_of
from router.community.proposals.submitting import propose
from router.core.catalogue import gettext_noop
from router.core.join_links import read_ideas_token
from router.core.phrases import say
from router.web.auth import Open
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import FORM_BRAKE
from router.web.member_pages import TOKEN, form_fields, page, speaks, too_old, whose
from router.web.problems import ProblemError

IDEA_PAGES: Registry = []
endpoint = registrar(IDEA_PAGES)

_OWN = "/propose/" + TOKEN
_MOST = 2**31 - 1
_IDS = 4
"""Numbers that a proposal may use."""
_LONGEST = {"text": 20_000, "reason": 400}
"""More of an idea is read than it may have, so that whoever wrote too much is told."""


@endpoint("GET", "/ideas", access=Open.PUBLIC, reply="text/html", summary="What members propose, and what it must earn")
async def ideas_page(call: Call) -> web.StreamResponse:
    before, language = _number(call.request.query.get("before", "")), speaks(call.request).language
    ideas, older = await list_ideas(call.runtime, before=before, language=language)
    return page(call.request, "ideas.html", ideas=ideas, older=older, policy=call.runtime.policy.proposals)


@endpoint("GET", "/ideas/{id:[0-9]{1,9}}", access=Open.PUBLIC, reply="text/html", summary="One idea, and what was said")
async def idea_page(call: Call) -> web.StreamResponse:
    idea = await one_idea(call.runtime, call.id, language=speaks(call.request).language)
    if idea is None:
        raise ProblemError(404, gettext_noop("There is no such idea, or organizers are looking at it."))
    return page(call.request, "idea.html", idea=idea)


@endpoint(
    "GET", _OWN, access=Open.PUBLIC, reply="text/html",
    summary="A member's own page of ideas. Looking at it changes nothing: scanners look at everything",
)  # fmt: skip
async def own_ideas(call: Call) -> web.StreamResponse:
    return await _own_page(call, await _owner(call))


@endpoint(
    "POST",
    _OWN,
    access=Open.PUBLIC,
    reply="text/html",
    summary="A member proposes, seconds, reports or withdraws an idea",
)
async def take_part(call: Call) -> web.StreamResponse:
    owner = await _owner(call)
    await call.request.app[FORM_BRAKE].wrong(call.request)
    given = await form_fields(call.request, _LONGEST)
    ids = await call.runtime.store.take_ids(_IDS)
    said = await call.runtime.store.transact(lambda connection: _do(call, connection, owner, given, iter(ids)))
    words = ""
    if said.phrase:
        values = {"organization": call.runtime.settings.organization, **said.values}
        words = say(said.phrase, speaks(call.request, owner.locale).language, **values)
    is_refused = given.get("do") == "propose" and not said.phrase.startswith("proposals.taken")
    return await _own_page(call, owner, said=words, text=given.get("text", "") if is_refused else "")


async def _do(
    call: Call, connection: AsyncConnection, owner: Row[Any], given: dict[str, str], ids: Iterator[int]
) -> Said:
    who = Who(owner.member_id, owner.hash, owner.channel, owner.id, 0, owner.locale)
    number = _number(given.get("number", ""))
    match given.get("do", ""):
        case "propose":
            return await propose(call.runtime, connection, who, given.get("text", ""), ids, now=call.now)
        case "second":
            return await second(call.runtime, connection, who, number, now=call.now)
        case "report":
            return await report(call.runtime, connection, who, number, given.get("reason", ""), now=call.now)
        case "withdraw":
            return await withdraw(call.runtime, connection, who, number, now=call.now)
        case _:
            return Said("")


async def _owner(call: Call) -> Row[Any]:
    """The address that the path's token names, and whose it is."""
    address_id = await whose(call, lambda token: read_ideas_token(call.runtime.key, token, call.now))
    async with call.runtime.store.read() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT a.id, a.member_id, a.hash, a.channel, m.locale FROM address a"
                    " JOIN member m ON m.id = a.member_id"
                    " WHERE a.id = :id AND m.kind = 'person' AND m.erased_at IS NULL"
                ),
                {"id": address_id},
            )
        ).one_or_none()
    if row is None:
        raise too_old()
    return row


async def _own_page(call: Call, owner: Row[Any], *, said: str = "", text: str = "") -> web.Response:
    before, language = _number(call.request.query.get("before", "")), speaks(call.request, owner.locale).language
    ideas, older = await list_ideas(call.runtime, before=before, language=language)
    policy = call.runtime.policy.proposals
    return page(
        call.request, "propose.html", locale=owner.locale, ideas=ideas, older=older, policy=policy, said=said,
        text=text, action=call.request.path, own=await ideas_of(call.runtime, owner.member_id),
    )  # fmt: skip


def _number(written: str) -> int:
    """The number of an idea; 0 for anything else."""
    return min(int(written), _MOST) if written.isascii() and written.isdecimal() and len(written) < 20 else 0
