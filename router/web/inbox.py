"""``/api/v1/inbox``: what no rule understood, worked through by people. A thread is known by its member's number."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from router.community import inbox as threads
from router.community.inbox_answers import LONGEST, answer, close
from router.community.inbox_threads import OneThread, ThreadPage, list_threads, read_thread
from router.looks import Look, note_view
from router.web.auth import Scope
from router.web.endpoints import Call, Nothing, Registry, registrar

INBOX: Registry = []
endpoint = registrar(INBOX)


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InboxPage(_In):
    """Which threads to list: those who wait longest come first."""

    status: Literal["", "open", "claimed", "done"] = ""
    """All that are not done where it is left out."""
    mine: bool = False
    """Only those that you have claimed."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[str, Field(max_length=40)] = ""
    """What the page before gave as ``next``."""


class Assignment(_In):
    """Who is to have a thread."""

    to: Annotated[str, Field(min_length=1, max_length=200)]
    """An organizer's name: that of their token."""


class AnswerIn(_In):
    """What an organizer writes to a member."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    read: Annotated[int | None, Field(ge=0, le=2**31 - 1, strict=True)] = None
    """How many messages of theirs you have read (``messages`` of the thread), so that what came since stays waiting."""


class Resolution(_In):
    """How a thread is closed."""

    as_suggested: Annotated[bool, Field(strict=True)] = False
    """Also do what its suggestion says, as if the member had written just that."""


@endpoint(
    "GET",
    "/api/v1/inbox",
    access=Scope.INBOX_READ,
    query=InboxPage,
    reply=ThreadPage,
    summary="List the threads of those who wait for a person, longest first",
)
async def list_inbox(call: Call, query: InboxPage) -> ThreadPage:
    mine = call.by if query.mine else ""
    return await list_threads(call.runtime, status=query.status, mine=mine, limit=query.limit, after=query.after)


@endpoint(
    "GET",
    "/api/v1/inbox/{id:[0-9]{1,18}}",
    access=Scope.INBOX_READ,
    reply=OneThread,
    summary="Read a member's thread, across all channels",
)
async def read_one(call: Call) -> OneThread:
    one = await read_thread(call.runtime, call.id)
    await note_view(call.runtime, Look.THREAD, call.id, by=call.by, now=call.now)
    return one


@endpoint(
    "POST",
    "/api/v1/inbox/{id:[0-9]{1,18}}/claim",
    access=Scope.INBOX_WRITE,
    body=Nothing,
    reply=OneThread,
    summary="Take a thread; whoever comes second is told who has it",
)
async def claim_thread(call: Call, body: Nothing) -> OneThread:
    await threads.claim(call.runtime, call.id, by=call.by, now=call.now)
    return await read_thread(call.runtime, call.id)


@endpoint(
    "POST",
    "/api/v1/inbox/{id:[0-9]{1,18}}/release",
    access=Scope.INBOX_WRITE,
    body=Nothing,
    reply=OneThread,
    summary="Give a thread of yours back to all",
)
async def release_thread(call: Call, body: Nothing) -> OneThread:
    await threads.release(call.runtime, call.id, by=call.by, now=call.now)
    return await read_thread(call.runtime, call.id)


@endpoint(
    "POST",
    "/api/v1/inbox/{id:[0-9]{1,18}}/assign",
    access=Scope.INBOX_WRITE,
    body=Assignment,
    reply=OneThread,
    summary="Give a thread to an organizer, whoever has it now",
)
async def assign_thread(call: Call, body: Assignment) -> OneThread:
    await threads.assign(call.runtime, call.id, to=body.to, by=call.by, now=call.now)
    return await read_thread(call.runtime, call.id)


@endpoint(
    "POST",
    "/api/v1/inbox/{id:[0-9]{1,18}}/answer",
    access=Scope.INBOX_WRITE,
    body=AnswerIn,
    reply=OneThread,
    summary="Answer a member where they wrote last; the thread is yours from now on",
)
async def answer_thread(call: Call, body: AnswerIn) -> OneThread:
    await answer(call.runtime, call.id, body.text, by=call.by, now=call.now, read=body.read)
    return await read_thread(call.runtime, call.id)


@endpoint(
    "POST",
    "/api/v1/inbox/{id:[0-9]{1,18}}/resolve",
    access=Scope.INBOX_WRITE,
    body=Resolution,
    body_optional=True,
    reply=OneThread,
    summary="Close a thread, or do what its suggestion says and close it",
)
async def resolve_thread(call: Call, body: Resolution) -> OneThread:
    await close(call.runtime, call.id, by=call.by, now=call.now, as_suggested=body.as_suggested)
    return await read_thread(call.runtime, call.id)
