"""``/api/v1/senders`` and ``/api/v1/notices``: how sending does, and what the operator should look at."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from router import watch
from router.watch import NoticeView, SenderView
from router.web.auth import Scope
from router.web.endpoints import Call, Registry, registrar

WATCH: Registry = []
endpoint = registrar(WATCH)


class SenderList(BaseModel):
    """Senders by channel; one that was never out of the ordinary is not in it."""

    model_config = ConfigDict(frozen=True)

    senders: list[SenderView]


class NoticeList(BaseModel):
    """Notices that nobody has cleared, the latest first."""

    model_config = ConfigDict(frozen=True)

    notices: list[NoticeView]


class NoticeName(BaseModel):
    """Which notice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, Field(min_length=1, max_length=40)]
    subject: Annotated[str, Field(min_length=1, max_length=200)]


@endpoint(
    "GET",
    "/api/v1/senders",
    access=Scope.CAMPAIGNS_READ,
    reply=SenderList,
    summary="Senders that rest or rested, why, and until when",
)
async def list_senders(call: Call) -> SenderList:
    return SenderList(senders=await watch.list_senders(call.runtime))


@endpoint(
    "GET",
    "/api/v1/notices",
    access=Scope.CAMPAIGNS_READ,
    reply=NoticeList,
    summary="What the operator should look at, the latest first",
)
async def list_notices(call: Call) -> NoticeList:
    return NoticeList(notices=await watch.list_notices(call.runtime))


@endpoint(
    "POST",
    "/api/v1/notices/clear",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=NoticeName,
    reply=NoticeList,
    summary="Take a notice off the list; it comes back if it happens again. Answers with what is left",
)
async def clear_notice(call: Call, body: NoticeName) -> NoticeList:
    await watch.clear_notice(call.runtime, body.kind, body.subject, by=call.by, now=call.now)
    return NoticeList(notices=await watch.list_notices(call.runtime))
