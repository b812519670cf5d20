"""``/api/v1/join-codes`` and what comes next for those who acted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from router.community import join_codes, rungs
from router.community.join_codes import JoinCodeIn, JoinCodeView
from router.community.rungs import NextSteps
from router.web.auth import Scope
from router.web.endpoints import Call, Nothing, Registry, registrar

JOIN: Registry = []
endpoint = registrar(JOIN)


class JoinCodeList(BaseModel):
    """Codes, open ones first, the newest first."""

    model_config = ConfigDict(frozen=True)

    codes: list[JoinCodeView]


@endpoint(
    "POST",
    "/api/v1/join-codes",
    access=Scope.MEMBERS_WRITE,
    body=JoinCodeIn,
    reply=JoinCodeView,
    status=201,
    summary="Open a way to join: by text message, by link, by QR code",
)
async def create_code(call: Call, body: JoinCodeIn) -> JoinCodeView:
    return await join_codes.create_code(call.runtime, body, by=call.by, now=call.now)


@endpoint(
    "GET",
    "/api/v1/join-codes",
    access=Scope.CAMPAIGNS_READ,
    reply=JoinCodeList,
    summary="List the ways to join, and how many came by each",
)
async def list_codes(call: Call) -> JoinCodeList:
    return JoinCodeList(codes=await join_codes.list_codes(call.runtime))


@endpoint(
    "POST",
    "/api/v1/join-codes/{code:[^/]{1,40}}/close",
    access=Scope.MEMBERS_WRITE,
    body=Nothing,
    reply=JoinCodeView,
    summary="Let nobody join by this code any more, for good",
)
async def close_code(call: Call, body: Nothing) -> JoinCodeView:
    return await join_codes.close_code(call.runtime, call.request.match_info["code"], by=call.by, now=call.now)


@endpoint(
    "GET",
    "/api/v1/campaigns/{id:[0-9]{1,18}}/next",
    access=Scope.CAMPAIGNS_READ,
    reply=NextSteps,
    summary="How many of those who acted to invite to what next, with the audience of each such ask",
)
async def next_steps(call: Call) -> NextSteps:
    return await rungs.next_steps(call.runtime, call.id, now=call.now)
