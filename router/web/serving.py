"""The way of one request: who calls, what they sent, whether they sent it before, what it is answered."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from router.office.sessions import Session
from router.web import idempotency
from router.web.auth import Caller, Page, Scope
from router.web.bodies import read_body, read_json, read_query, receive_upload
from router.web.doors import may_enter, signed_in, to_sign_in
from router.web.endpoints import Call, Endpoint
from router.web.keys import BRAKE, GUARD, MAX_UPLOAD, RECEIVER, RUNTIME
from router.web.problems import Handler, ProblemError


def handler_of(endpoint: Endpoint) -> Handler:
    """The aiohttp handler of an endpoint."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _serve(endpoint, request)

    return handle


async def _serve(endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
    runtime = request.app[RUNTIME]
    now = runtime.clock()
    session: Session | None = None
    if isinstance(endpoint.access, Page):
        session = await signed_in(request, now=now)
        if session is None:
            return to_sign_in(request)
    caller = await _admit(endpoint, request, session)
    call = Call(
        request=request, runtime=runtime, receiver=request.app[RECEIVER], now=now, caller=caller, session=session
    )
    key = idempotency.key_of(request) if caller and not session and endpoint.method == "POST" else None
    given: dict[str, Any] = {}
    body_sha256 = ""
    if endpoint.query is not None:
        given["query"] = read_query(request, endpoint.query)
    async with contextlib.AsyncExitStack() as stack:
        if endpoint.upload:
            upload = await stack.enter_async_context(receive_upload(request, request.app[MAX_UPLOAD]))
            given["body"], body_sha256 = upload, upload.sha256
        elif endpoint.body is not None:
            raw = await read_body(request)
            given["body"] = read_json(request, raw, endpoint.body, optional=endpoint.body_optional)
            body_sha256 = hashlib.sha256(raw).hexdigest()

        async def work() -> web.StreamResponse:
            return _response(endpoint, await endpoint.handler(call, **given))

        async def document() -> web.Response:
            response = await work()
            assert isinstance(response, web.Response), "a POST of the API answers with a whole document"
            return response

        if caller is None or key is None:
            return await work()
        return await idempotency.once(
            runtime.store,
            runtime.ring,
            token_id=caller.token_id,
            key=key,
            request_sha256=idempotency.fingerprint(request, body_sha256),
            now=call.now,
            work=document,
        )


async def _admit(endpoint: Endpoint, request: web.Request, session: Session | None) -> Caller | None:
    if session is not None and isinstance(endpoint.access, Page):
        return await may_enter(request, session, endpoint.access.scope)
    if not isinstance(endpoint.access, Scope):
        return None
    try:
        return await request.app[GUARD].admit(request.headers.get("Authorization", ""), endpoint.access)
    except ProblemError as problem:
        if problem.status == 401:
            await request.app[BRAKE].wrong(request)
        raise


def _response(endpoint: Endpoint, answer: Any) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    status, model = answer if isinstance(answer, tuple) else (next(iter(endpoint.replies)), answer)
    assert isinstance(model, BaseModel)
    assert status in endpoint.replies, "the registry says what may be answered"
    return web.Response(status=status, body=model.model_dump_json().encode(), content_type="application/json")
