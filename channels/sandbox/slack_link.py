"""How the sandbox's Slack reaches an app: signed webhooks, or a websocket where Socket Mode is on.

https://docs.slack.dev/apis/events-api/using-socket-mode and
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from aiohttp import WSMsgType, web
from slack_sdk.signature import SignatureVerifier

from channels.sandbox.callbacks import Build, Post
from channels.sandbox.world import World

EVENTS, BUTTONS, COMMANDS = "events_api", "interactive", "slash_commands"
"""Kinds of payloads, as Socket Mode calls them."""

Payload = Mapping[str, Any]
Make = Callable[[], Payload]


class Link:
    """The one way out. A websocket that is open is used; else the webhook; with neither nobody hears anything."""

    def __init__(self, world: World, signing_secret: str) -> None:
        self.webhook = ""
        """Where events, pressed buttons and commands are posted; "" posts them nowhere."""
        self._world = world
        self._signer = SignatureVerifier(signing_secret)
        self._tickets: set[str] = set()
        self._lines: list[web.WebSocketResponse] = []
        self._unacknowledged: dict[str, dict[str, Any]] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self._base = ""
        self._changed = asyncio.Event()

    async def start(self, host: str = "127.0.0.1") -> None:
        """Take websockets, on a port of their own: the sandbox's HTTP server knows none."""
        app = web.Application()
        app.router.add_get("/link", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, 0).start()
        port = self._runner.addresses[0][1]
        self._base = f"ws://{f'[{host}]' if ':' in host else host}:{port}/link"

    async def aclose(self) -> None:
        """Hang up."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        for line in list(self._lines):
            await line.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def address(self) -> str:
        """A fresh address for one websocket, "" where none are taken."""
        ticket = secrets.token_urlsafe(12)
        self._tickets.add(ticket)
        return self._base and f"{self._base}?ticket={ticket}&app_id=A0SANDBOX1"

    @property
    def connected(self) -> int:
        """Websockets that are open."""
        return len(self._lines)

    @property
    def unacknowledged(self) -> int:
        """Envelopes that the app has not yet said it has."""
        return len(self._unacknowledged)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once `condition`, about the two properties above, holds."""
        while not condition():
            await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def refresh(self) -> None:
        """Ask every websocket to connect anew, as Slack does every few hours."""
        for line in self._lines:
            self._send(line, {"type": "disconnect", "reason": "refresh_requested"})

    def deliver(self, kind: str, make: Make, delay: float = 0.0) -> None:
        """Hand over what `make` gives when its time has come."""
        self._world.callbacks.schedule(delay, partial(self._due, kind, make))

    def _due(self, kind: str, make: Make) -> Post | None:
        payload = make()
        if kind == EVENTS and self._world.chance(self._world.knobs.duplicate_receipts):
            again: Build = partial(self._hand_over, kind, payload, 1)
            self._world.callbacks.schedule(self._world.knobs.receipt_delay, again)
        return self._hand_over(kind, payload, 0)

    def _hand_over(self, kind: str, payload: Payload, retry: int) -> Post | None:
        if self._lines:
            name = secrets.token_hex(8)
            envelope = {"envelope_id": name, "type": kind, "payload": payload, "retry_attempt": retry}
            self._unacknowledged[name] = envelope
            self._send(self._lines[-1], envelope)
            return None
        return self._post(kind, payload, retry) if self.webhook else None

    def _post(self, kind: str, payload: Payload, retry: int) -> Post:
        content_type = "application/json" if kind == EVENTS else "application/x-www-form-urlencoded"
        if kind == EVENTS:
            body = json.dumps(payload).encode()
        else:
            body = urlencode({"payload": json.dumps(payload)} if kind == BUTTONS else payload).encode()
        stamp = str(int(self._world.clock()))
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": self._signer.generate_signature(timestamp=stamp, body=body) or "",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
        return Post(url=self.webhook, body=body, headers=headers, until_taken=kind == EVENTS)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=404)
        self._tickets.discard(ticket)
        line = web.WebSocketResponse(timeout=0.5)
        await line.prepare(request)
        await line.send_json({"type": "hello", "num_connections": len(self._lines) + 1, "connection_info": {}})
        for envelope in self._unacknowledged.values():
            await line.send_json(envelope | {"retry_attempt": 1, "retry_reason": "timeout"})
        self._lines.append(line)
        self._change()
        try:
            async for message in line:
                if message.type is WSMsgType.TEXT:
                    self._unacknowledged.pop(json.loads(message.data).get("envelope_id", ""), None)
                    self._change()
        finally:
            self._lines.remove(line)
            self._change()
        return line

    def _send(self, line: web.WebSocketResponse, frame: Payload) -> None:
        async def send() -> None:
            try:
                await line.send_json(frame)
            except ConnectionError:
                self._world.memory.counters["slack_frames_lost"] += 1  # it stays unacknowledged and comes again

        task = asyncio.create_task(send())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
