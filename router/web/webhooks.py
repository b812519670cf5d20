"""``/hooks``: what providers tell us. Proven first, then committed, and only then answered."""

from __future__ import annotations

from aiohttp import web

from router.core.channel import Channel, HttpReply, HttpRequest
from router.core.errors import NotFound
from router.runtime import Runtime
from router.web.auth import Open
from router.web.bodies import read_body
from router.web.endpoints import Call, Registry, registrar

WEBHOOKS: Registry = []
endpoint = registrar(WEBHOOKS)

_CHANNEL = "/hooks/{channel:[a-z][a-z0-9_]{0,19}}"


@endpoint(
    "POST",
    _CHANNEL,
    access=Open.WEBHOOK,
    reply="*/*",
    summary="A webhook of a channel's only account; signed by its provider",
)
async def webhook(call: Call) -> web.StreamResponse:
    return await _take(call, account=None)


@endpoint(
    "POST",
    _CHANNEL + "/{account:[A-Za-z0-9_.-]{1,64}}",
    access=Open.WEBHOOK,
    reply="*/*",
    summary="A webhook of one account; signed by its provider",
)
async def account_webhook(call: Call) -> web.StreamResponse:
    return await _take(call, account=call.request.match_info["account"])


async def _take(call: Call, *, account: str | None) -> web.StreamResponse:
    name = call.request.match_info["channel"]
    account, channel = _adapter(call.runtime, name, account)
    request = HttpRequest(
        method=call.request.method,
        # Signatures cover the address that the provider was given; the Host header is the sender's to choose.
        url=call.runtime.settings.public_url.rstrip("/") + call.request.raw_path,
        headers=_headers(call.request),
        body=await read_body(call.request),
        received_at=call.now,
    )
    channel.verify(request)
    received = channel.receive(request)
    await call.receiver.submit(name, account, received, call.now)
    return _reply(received.reply)


def _adapter(runtime: Runtime, name: str, account: str | None) -> tuple[str, Channel]:
    accounts = runtime.channels.get(name, {})
    if account is None and len(accounts) == 1:
        return next(iter(accounts.items()))
    if account is None or account not in accounts:
        raise NotFound("no such channel or account is set up here; the address is /hooks/CHANNEL/ACCOUNT")
    return account, accounts[account]


def _headers(request: web.Request) -> dict[str, str]:
    """Lower-case names; where one stands twice its values are joined, as proxies do."""
    joined: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


def _reply(reply: HttpReply) -> web.Response:
    headers = dict(reply.headers)
    if reply.body:
        headers.setdefault("content-type", reply.content_type)
    return web.Response(status=reply.status, body=reply.body, headers=headers)
