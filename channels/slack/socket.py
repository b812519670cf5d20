"""Socket Mode: one websocket that brings what webhooks would, for where there is no public address.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

import aiohttp
from yarl import URL

from channels.http import json_object
from channels.slack.codes import failure
from router.core.channel import Wire
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused

CONNECT_SECONDS = 8.0
HEARTBEAT_SECONDS = 15.0
"""How often we ping Slack; a line that does not answer within half of it is given up. Slack's own pings are answered
by aiohttp."""


class SocketMode:
    """The connections of one app, one after the other."""

    def __init__(self, wire: Wire, api_url: str, app_token: str) -> None:
        self._wire = wire
        self._url = f"{api_url}/apps.connections.open"
        self._headers = {"Authorization": f"Bearer {app_token}", "Content-Type": "application/x-www-form-urlencoded"}
        self._secure = api_url.startswith("https:")
        self._session: aiohttp.ClientSession | None = None

    async def address(self, now: datetime) -> str:
        """A fresh address to connect to; it holds a ticket, so nobody else may see it. Raises a `SendError`.

        https://docs.slack.dev/reference/methods/apps.connections.open
        """
        reply = await self._wire.request("POST", self._url, headers=self._headers)
        answer = json_object(reply.body)
        if reply.status != 200 or answer.get("ok") is not True:
            raise failure(reply, now)
        url = answer.get("url")
        if not isinstance(url, str) or not url.startswith("wss://" if self._secure else ("wss://", "ws://")):
            raise OutcomeUnknown("200", "an answer without an address")
        return url

    @contextlib.asynccontextmanager
    async def connect(self, now: datetime) -> AsyncIterator[Line]:
        """Connect, and hang up at the end. Raises a `SendError`."""
        websocket = await self._dial(await self.address(now))
        try:
            yield Line(websocket)
        finally:
            await websocket.close()

    async def aclose(self) -> None:
        """Hang up and let go of connections."""
        if self._session is not None:
            await self._session.close()

    async def _dial(self, url: str) -> aiohttp.ClientWebSocketResponse:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._session.ws_connect(
                    URL(url, encoded=True),
                    heartbeat=HEARTBEAT_SECONDS,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                )
        except (aiohttp.ClientError, OSError, ValueError):  # OSError: a time-out too
            raise NotSent(FailureClass.TRANSPORT, "connect") from None


class Line:
    """One open connection."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self._greeted = False

    async def next(self) -> Mapping[str, Any] | None:
        """The next envelope; None where Slack wants us to connect anew. Raises a `SendError` where the line is dead."""
        while True:
            message = await self._websocket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise NotSent(FailureClass.TRANSPORT, "socket")
            frame = json_object(message.data.encode("utf-8", "replace"))
            if frame.get("type") == "hello":
                self._greeted = True
            elif frame.get("type") == "disconnect":
                if frame.get("reason") == "link_disabled":
                    raise Refused(FailureClass.SENDER_CONFIG, "link_disabled", "Socket Mode is switched off")
                if not self._greeted:
                    raise NotSent(FailureClass.TRANSPORT, "socket")
                return None
            elif isinstance(frame.get("envelope_id"), str):
                return frame

    async def acknowledge(self, envelope: Mapping[str, Any]) -> None:
        """Tell Slack that it may forget this envelope. Raises a `SendError` where the line is dead."""
        try:
            await self._websocket.send_json({"envelope_id": envelope["envelope_id"]})
        except (aiohttp.ClientError, ConnectionError):
            raise NotSent(FailureClass.TRANSPORT, "socket") from None
