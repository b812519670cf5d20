"""Slack's Socket Mode: what is heard without a public address, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from router.core.channel import Inbound, Received
from router.core.errors import NotSent, Refused, SendError
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.slack import APP_TOKEN, SECRET, TABLE, TOKEN
from tests.channels.contract.table import fixture

HELLO = {"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}}
REFRESH = {"type": "disconnect", "reason": "refresh_requested", "debug_info": {"host": "wss-1.example.org"}}


def envelope(number: int, payload: dict[str, Any] | None = None, kind: str = "events_api") -> dict[str, Any]:
    """https://docs.slack.dev/apis/events-api/using-socket-mode#events"""
    content = payload or fixture("slack_events", "message_im") | {"event_id": f"Ev{number}"}
    return {"envelope_id": f"e{number}", "type": kind, "payload": content, "accepts_response_payload": False}


class Lines:
    """An API that gives out addresses, and what each connection in turn is told. ``None`` closes the line."""

    def __init__(self, *scripts: Sequence[dict[str, Any] | None]) -> None:
        self.scripts = list(scripts)
        self.acknowledged: asyncio.Queue[str] = asyncio.Queue()
        self.opened = 0

    async def __aenter__(self) -> Lines:
        app = web.Application()
        app.router.add_post("/api/apps.connections.open", self._open)
        app.router.add_get("/link", self._link)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _open(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {APP_TOKEN}"
        return web.json_response({"ok": True, "url": f"ws://127.0.0.1:{self.port}/link?ticket=hush-ticket%2F1"})

    async def _link(self, request: web.Request) -> web.StreamResponse:
        assert request.raw_path == "/link?ticket=hush-ticket%2F1"
        if self.opened == len(self.scripts):
            return web.Response(status=503)
        script = self.scripts[self.opened]
        self.opened += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in script:
            if frame is None:
                return socket
            await socket.send_json(frame)
        async for message in socket:
            self.acknowledged.put_nowait(json.loads(message.data)["envelope_id"])
        return socket

    def channel(self, wire: HttpWire, **changes: str) -> Any:
        return TABLE.open(wire, listen="yes", api_url=f"http://127.0.0.1:{self.port}/api", **changes)


async def heard(channel: Any, count: int) -> list[Received]:
    """The first so many; the last of them was not committed."""
    found = []
    async with asyncio.timeout(5), contextlib.aclosing(channel.listen()) as listening:
        async for received in listening:
            found.append(received)
            if len(found) == count:
                break
    await channel.aclose()
    return found


async def test_an_envelope_is_acknowledged_once_it_was_committed(wire: HttpWire) -> None:
    async with Lines([HELLO, envelope(1), envelope(2)]) as lines:
        channel = lines.channel(wire)
        listening = channel.listen()
        async with asyncio.timeout(5):
            first = await anext(listening)
            await asyncio.sleep(0.05)
            assert lines.acknowledged.empty()
            second = await anext(listening)
            assert await lines.acknowledged.get() == "e1"
        await listening.aclose()
        await channel.aclose()
        assert [received.events[0].event_id for received in (first, second)] == ["Ev1", "Ev2"]
        assert lines.acknowledged.empty()


async def test_buttons_and_commands_come_over_the_socket_too(wire: HttpWire) -> None:
    button = fixture("slack_interactions", "in_private")
    command = fixture("slack_commands", "own_command")
    frames = [HELLO, envelope(1, button, "interactive"), envelope(2, command, "slash_commands")]
    async with Lines(frames) as lines:
        found = [event for received in await heard(lines.channel(wire), 2) for event in received.events]
    assert [(event.text, event.button) for event in found if isinstance(event, Inbound)] == [
        ("STOP", True),
        ("/stop", False),
    ]
    assert found[1].at.tzinfo is not None


async def test_what_is_no_event_is_acknowledged_at_once(wire: HttpWire) -> None:
    said = fixture("slack_events", "message_in_a_channel")
    other = fixture("slack_events", "message_im") | {"authorizations": [], "team_id": "T999"}
    frames = [HELLO, envelope(1, said), envelope(2, other), {"type": "new"}, envelope(3)]
    async with Lines(frames) as lines:
        found = await heard(lines.channel(wire, team_id="T123ABC456"), 1)
        async with asyncio.timeout(5):
            assert [await lines.acknowledged.get() for _ in range(2)] == ["e1", "e2"]
    assert [event.event_id for event in found[0].events] == ["Ev3"]


async def test_slack_may_ask_for_a_new_connection(wire: HttpWire) -> None:
    async with Lines([HELLO, envelope(1), REFRESH], [HELLO, envelope(2)]) as lines:
        found = await heard(lines.channel(wire), 2)
        assert lines.opened == 2
    assert [received.events[0].event_id for received in found] == ["Ev1", "Ev2"]


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        ([HELLO, None], NotSent, "socket"),
        ([None], NotSent, "socket"),
        ([REFRESH], NotSent, "socket"),
        ([HELLO, {"type": "disconnect", "reason": "link_disabled"}], Refused, "link_disabled"),
    ],
    ids=["closed", "closed at once", "sent away at once", "switched off"],
)
async def test_a_dead_line_is_an_error(
    script: list[dict[str, Any] | None], kind: type[SendError], code: str, wire: HttpWire
) -> None:
    async with Lines(script) as lines:
        with pytest.raises(kind) as caught:
            await heard(channel := lines.channel(wire), 1)
        await channel.aclose()
    assert caught.value.code == code


async def test_an_address_that_refuses_tells_no_ticket(wire: HttpWire) -> None:
    async with Lines() as lines:
        channel = lines.channel(wire)
        with pytest.raises(NotSent) as caught:
            await heard(channel, 1)
        await channel.aclose()
    assert caught.value.code == "connect"
    assert caught.value.__suppress_context__
    for secret in ("hush-ticket", TOKEN, SECRET, APP_TOKEN):
        assert secret not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "ws://[::", 7, None])
async def test_an_address_that_is_none_is_an_error(url: object, wire: HttpWire, provider: HttpProvider) -> None:
    provider.script(Reply(200, {"ok": True, "url": url}))
    channel = TABLE.open(wire, listen="yes", **provider.settings())
    with pytest.raises(SendError):
        await heard(channel, 1)
    await channel.aclose()
