"""Changes of the rules that let us message more: as data, in a frame on any page, and members' words on them."""

from __future__ import annotations

import contextlib

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from router.community.open_ledger import list_entries
from router.core.catalogue import gettext_noop
from router.core.errors import NotAllowed
from router.door import Resident, who_enters
from router.policy_changes.sights import Change, list_changes
from router.policy_changes.voices import Stance, speak
from router.web.auth import Open
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import FORM_BRAKE
from router.web.member_pages import TOKEN, page, speaks, whose
from router.web.open_pages import CARD, DATA
from router.web.problems import ProblemError
from router.web.rule_words import say_change

POLICY_PAGES: Registry = []
endpoint = registrar(POLICY_PAGES)

_LONGEST_NUMBER = 18
"""Digits of a change's number."""
_NEWEST = 5
"""Asks that stand in a frame, below the changes."""


class Changes(BaseModel):
    """The changes as data."""

    model_config = ConfigDict(frozen=True)

    changes: list[Change]


@endpoint(
    "GET", "/open/rules.json", access=Open.PUBLIC, reply=Changes,
    summary="Announced changes of the rules that let us message more, refused ones, and what took effect lately",
)  # fmt: skip
async def changes_as_data(call: Call) -> web.StreamResponse:
    body = Changes(changes=await list_changes(call.runtime, now=call.now)).model_dump_json().encode()
    return web.Response(body=body, content_type="application/json", headers=DATA)


@endpoint(
    "GET", "/open/embed", access=Open.PUBLIC, reply="text/html",
    summary="The open ledger in short, for a frame on any page: announced changes and the newest asks",
)  # fmt: skip
async def embed(call: Call) -> web.StreamResponse:
    entries, _ = await list_entries(call.runtime, now=call.now)
    return page(
        call.request,
        "open_embed.html",
        headers=CARD,
        entries=entries[:_NEWEST],
        where=f"{call.runtime.settings.public_url.rstrip('/')}/open",
        changes=await list_changes(call.runtime, now=call.now),
        say_change=lambda change: say_change(speaks(call.request), change),
        rules=call.runtime.policy.changes,
    )


@endpoint(
    "POST", f"/m/{TOKEN}/rules", access=Open.PUBLIC, status=303, reply="",
    summary="A member seconds an announced change of the rules, or objects to it",
)  # fmt: skip
async def take_word(call: Call) -> web.StreamResponse:
    who = await _resident(call)
    await call.request.app[FORM_BRAKE].wrong(call.request)
    form = await form_of(call.request)
    number, stance = first(form, "change"), first(form, "do")
    if stance not in tuple(Stance) or not number.isdecimal() or len(number) > _LONGEST_NUMBER:
        raise ProblemError(400, gettext_noop("This form could not be read."))
    # Where it was withdrawn or took effect meanwhile, their page shows just that.
    with contextlib.suppress(NotAllowed):
        await speak(call.runtime, who.id, int(number), Stance(stance), now=call.now)
    where = f"/m/{call.request.match_info['token']}#rules"
    return web.Response(status=303, headers={"Location": where, "Cache-Control": "no-store"})


async def _resident(call: Call) -> Resident:
    return await whose(call, lambda token: who_enters(call.runtime, token, now=call.now))
