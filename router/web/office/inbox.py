"""The inbox: who waits for a person, and one conversation over all channels with what can be done about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.community import inbox as threads
from router.community.inbox import ThreadTaken
from router.community.inbox_answers import LONGEST, answer, close
from router.community.inbox_threads import read_thread
from router.core.errors import BadInput, NotAllowed
from router.looks import Look, note_view
from router.office.conversations import SHELVES, check_sees_member, list_conversations, who_may_answer
from router.office.once import MadeAlready, new_key, remember
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.editor import organizer_of
from router.web.office.form_values import as_sentence
from router.web.office.show import see, show

INBOX_PAGES: Registry = []
endpoint = registrar(INBOX_PAGES)

READS, WRITES = Page(Scope.INBOX_READ), Page(Scope.INBOX_WRITE)
ONE = "/office/inbox/{id:[0-9]{1,18}}"

SHELF_NAMES: Final[Mapping[str, str]] = {
    "": "To do",
    "open": "Nobody has them",
    "mine": "Yours",
    "claimed": "Somebody has them",
    "done": "Done",
}
assert tuple(SHELF_NAMES) == SHELVES


class InboxQuery(BaseModel):
    """Which conversations to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    show: Literal["", "open", "mine", "claimed", "done"] = ""
    after: Annotated[str, Field(max_length=40)] = ""


@endpoint("GET", "/office/inbox", access=READS, query=InboxQuery, reply="text/html", summary="Who waits for a person")
async def inbox(call: Call, query: InboxQuery) -> web.StreamResponse:
    page = await list_conversations(call.runtime, organizer_of(call), shelf=query.show, after=query.after)
    return show(call, "inbox.html", page=page, shelf=query.show, shelves=SHELF_NAMES, is_first=not query.after)


@endpoint("GET", ONE, access=READS, reply="text/html", summary="A conversation, over all channels")
async def conversation(call: Call) -> web.StreamResponse:
    return await _show(call)


@endpoint("POST", ONE + "/claim", access=WRITES, reply="text/html", summary="Take a conversation")
async def claim(call: Call) -> web.StreamResponse:
    return await _do(call, partial(threads.claim, call.runtime, call.id, by=call.by, now=call.now))


@endpoint("POST", ONE + "/release", access=WRITES, reply="text/html", summary="Give a conversation back to all")
async def release(call: Call) -> web.StreamResponse:
    return await _do(call, partial(threads.release, call.runtime, call.id, by=call.by, now=call.now))


@endpoint("POST", ONE + "/assign", access=WRITES, reply="text/html", summary="Give a conversation to an organizer")
async def assign(call: Call) -> web.StreamResponse:
    to = first(await form_of(call.request), "to")
    return await _do(call, partial(threads.assign, call.runtime, call.id, to=to, by=call.by, now=call.now))


@endpoint("POST", ONE + "/answer", access=WRITES, reply="text/html", summary="Answer a member where they wrote last")
async def answer_it(call: Call) -> web.StreamResponse:
    form = await form_of(call.request)
    words, read, key = first(form, "text"), first(form, "read"), first(form, "once") or new_key()
    count = int(read) if read.isascii() and read.isdigit() and len(read) <= 9 else None
    along = remember(organizer_of(call), key, now=call.now)
    step = partial(answer, call.runtime, call.id, words, by=call.by, now=call.now, read=count, along=along)
    return await _do(call, step, words=words, key=key)


@endpoint("POST", ONE + "/done", access=WRITES, reply="text/html", summary="Close a conversation, or do as suggested")
async def done(call: Call) -> web.StreamResponse:
    form = await form_of(call.request)
    key, as_suggested = first(form, "once") or new_key(), first(form, "as_suggested") == "yes"
    along = remember(organizer_of(call), key, now=call.now)
    step = partial(close, call.runtime, call.id, by=call.by, now=call.now, as_suggested=as_suggested, along=along)
    return await _do(call, step, then="/office/inbox")


async def _do(
    call: Call, step: Callable[[], Awaitable[None]], *, words: str | None = None, key: str = "", then: str = ""
) -> web.StreamResponse:
    """Do it once, for a member whom the organizer may see; what is refused is said beside what was typed."""
    await check_sees_member(call.runtime, organizer_of(call), call.id)
    try:
        await step()
    except MadeAlready:
        return see(then or f"/office/inbox/{call.id}")
    except BadInput as error:
        wrong = {error.place: as_sentence(error.sentence)}
        return await _show(call, status=422, wrong=wrong, words=words, key=key)
    except NotAllowed as error:
        sentence = error.on_a_page if isinstance(error, ThreadTaken) else str(error)
        return await _show(call, status=409, wrong={"": as_sentence(sentence)}, words=words, key=key)
    return see(then or f"/office/inbox/{call.id}")


async def _show(
    call: Call,
    *,
    status: int = 200,
    wrong: Mapping[str, str] = {},
    words: str | None = None,
    key: str = "",
) -> web.Response:
    runtime, me = call.runtime, organizer_of(call)
    await check_sees_member(runtime, me, call.id)
    one = await read_thread(runtime, call.id)
    await note_view(runtime, Look.THREAD, call.id, by=me.name, now=call.now)
    return show(
        call,
        "thread.html",
        status=status,
        one=one,
        is_mine=one.thread.status == "claimed" and (one.thread.claimed_by or "").lower() == me.name.lower(),
        names=[(name, name) for name in await who_may_answer(runtime)],
        words=one.thread.suggestion.answer if words is None else words,
        key=key or new_key(),
        wrong=wrong,
        longest=LONGEST,
    )
