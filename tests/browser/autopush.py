"""What Firefox needs of Mozilla to get push messages, on loopback: the line to the browser, and the endpoints.

https://mozilla-push-service.readthedocs.io/en/latest/design/ (the websocket's protocol)
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from typing import Any

from aiohttp import WSMsgType, web

ENCODING = "aes128gcm"


class Autopush:
    """One push service for one browser. `prefs` are what Firefox must be started with to use it."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        """What the browser said of each message: 100 it decrypted it, 101 it could not, 102 its page failed."""
        self._channels: dict[str, str] = {}
        """End of an endpoint → the channel behind it."""
        self._line: web.WebSocketResponse | None = None
        self._connected = asyncio.Event()

    async def __aenter__(self) -> Autopush:
        app = web.Application()
        app.router.add_get("/", self._serve)
        app.router.add_post("/wpush/{token}", self._push)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._at = f"127.0.0.1:{self._runner.addresses[0][1]}"
        self.prefs: dict[str, str | bool] = {
            "dom.push.serverURL": f"ws://{self._at}/",
            "dom.push.testing.allowInsecureServerURL": True,
        }
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse(protocols=["push-notification"])
        await line.prepare(request)
        async for message in line:
            if message.type is not WSMsgType.TEXT:
                break
            said = json.loads(message.data)
            answer = self._answer(said)
            if answer is not None:
                await line.send_json(answer)
            if said.get("messageType") == "hello":
                self._line = line
                self._connected.set()
        return line

    def _answer(self, said: dict[str, Any]) -> dict[str, Any] | None:
        match said.get("messageType"):
            case "hello":
                uaid = said.get("uaid") or secrets.token_hex(16)
                return {"messageType": "hello", "status": 200, "uaid": uaid, "use_webpush": True, "broadcasts": {}}
            case "register":
                token = secrets.token_urlsafe(24)
                self._channels[token] = channel = said["channelID"]
                endpoint = f"http://{self._at}/wpush/{token}"
                return {"messageType": "register", "status": 200, "channelID": channel, "pushEndpoint": endpoint}
            case "unregister":
                return {"messageType": "unregister", "status": 200, "channelID": said["channelID"]}
            case "ack":
                self.acknowledged += [update["code"] for update in said["updates"]]
                return None
            case None:
                return {}  # an empty object is a ping
        return None

    async def _push(self, request: web.Request) -> web.Response:
        """Hand an encrypted message to the browser that was given this endpoint."""
        body, headers = await request.read(), request.headers
        channel = self._channels.get(request.match_info["token"])
        if channel is None:
            return web.Response(status=410)
        if headers.get("Content-Encoding") != ENCODING or not headers.get("Authorization", "").startswith("vapid "):
            return web.Response(status=401)
        async with asyncio.timeout(15):
            await self._connected.wait()
        assert self._line is not None
        await self._line.send_json(
            {
                "messageType": "notification",
                "channelID": channel,
                "version": secrets.token_urlsafe(16),
                "data": base64.urlsafe_b64encode(body).decode().rstrip("="),
                "headers": {"encoding": ENCODING},
            }
        )
        return web.Response(status=201, headers={"Location": f"http://{self._at}/m/{secrets.token_hex(8)}"})
