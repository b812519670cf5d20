"""Channels: what is set up, what each still lacks, how it does, how fast it goes; and a check on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from router.checks import Report, check_installation
from router.checks.known import LATEST, known_channels
from router.core.errors import BadInput
from router.core.toml_notes import Section, read_notes, sources
from router.runtime import Runtime
from router.settings import toml_text, variable
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.show import show

CHANNELS: Registry = []
endpoint = registrar(CHANNELS)

HEADINGS: Mapping[str, str] = {
    "sms": "Text messages (Twilio)",
    "whatsapp": "WhatsApp (Twilio)",
    "telegram": "Telegram",
    "slack": "Slack",
    "webpush": "Notifications in browsers (Web Push)",
    "fcm": "Notifications in apps (FCM)",
    "email": "Email",
    "apprise": "Other group chats (apprise)",
}
"""channel → what people call it: its section of docs/connect.md."""

WAITS: Mapping[str, str] = {
    "sms": "In the US a number must be registered before anything is delivered: a toll-free number is verified, a local"
    " number needs an A2P 10DLC brand and campaign. That takes days to some weeks. Ask for it first, and start with"
    " Telegram or email meanwhile.",
    "whatsapp": "Meta reviews your business and each text that you write first with; and it delivers no asks to US"
    " numbers.",
}
"""What must be waited for, whatever one does."""


@endpoint(
    "GET", "/office/channels", access=Page(Scope.CAMPAIGNS_READ), reply="text/html", summary="Channels and their health"
)
async def channels(call: Call) -> web.StreamResponse:
    return await _page(call)


@endpoint(
    "POST", "/office/channels/check", access=Page(Scope.ADMIN), reply="text/html", summary="Check a channel's set-up"
)
async def check(call: Call) -> web.StreamResponse:
    name = first(await form_of(call.request), "channel")
    try:
        if not name:
            raise BadInput("choose which one to check", place="channel")
        report = await check_installation(call.runtime, call.runtime.kinds, now=call.now, only=[name])
    except BadInput as error:
        return await _page(call, status=422, wrong=str(error))
    return await _page(call, checked=name, report=report)


async def _page(
    call: Call, *, status: int = 200, checked: str = "", report: Report | None = None, wrong: str = ""
) -> web.Response:
    known = await known_channels(call.runtime)
    return show(
        call, "channels.html", status=status, channels=known, rates=await _rates(call.runtime), headings=HEADINGS,
        waits=WAITS, variable=variable, sources=sources, latest=LATEST, checked=checked, report=report, wrong=wrong,
    )  # fmt: skip


async def _rates(runtime: Runtime) -> dict[str, list[Section]]:
    """Channel → the tables of ``channels.toml`` that are about it, and what stands beside each number."""
    text = await asyncio.to_thread(toml_text, "channels", runtime.settings)
    found: dict[str, list[Section]] = {}
    for section in read_notes(text, file="channels.toml"):
        if section.path:
            found.setdefault(section.path[0], []).append(section)
    return found
