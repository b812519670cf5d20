"""A real Firefox without a screen, driven by Marionette, which every Firefox has built in.

Messages are JSON behind their length; a command is ``[0, number, name, parameters]``, its answer
``[1, number, error, result]``: https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox") or ""

_STARTS_WITHIN = 60.0
_PREFS: Mapping[str, str | bool | int] = {
    "marionette.port": 0,  # any; it stands in the profile then
    "remote.prefs.recommended": False,  # they switch push off
    "permissions.default.desktop-notification": 1,  # allowed, as if somebody had pressed that button
    "alerts.useSystemBackend": False,
    # Nothing goes out to Mozilla.
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}


class FirefoxError(Exception):
    """What Firefox answers when it cannot do something."""


class Firefox:
    """One window. See `running`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = count(1)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, profile: Path, prefs: Mapping[str, str | bool | int]) -> AsyncIterator[Firefox]:
        """Start it with a profile of its own in this folder, and end it afterwards."""
        _make(profile, {**_PREFS, **prefs})
        process = await asyncio.create_subprocess_exec(
            FIREFOX, "--headless", "--no-remote", "--marionette", "--profile", str(profile),
            stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        try:
            port = await _port_of(profile)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                firefox = cls(reader, writer)
                await firefox._read()  # who it is
                await firefox.do("WebDriver:NewSession", {"strictFileInteractability": True})
                yield firefox
            finally:
                writer.close()
        finally:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 10)
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def do(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """One command. Raises `FirefoxError`."""
        number = next(self._numbers)
        body = json.dumps([0, number, name, parameters])
        self._writer.write(f"{len(body.encode())}:{body}".encode())
        async with asyncio.timeout(60):
            _, answered, error, result = await self._read()
        assert answered == number
        if error is not None:
            raise FirefoxError(f"{name}: {error['error']}: {error['message']}")
        return result

    async def goto(self, url: str) -> None:
        """Open a page; it is loaded when this returns."""
        await self.do("WebDriver:Navigate", {"url": url})

    async def click(self, selector: str) -> None:
        """Click on the first element of a CSS selector, as somebody with a mouse does."""
        found = await self.do("WebDriver:FindElement", {"using": "css selector", "value": selector})
        [element] = found["value"].values()
        await self.do("WebDriver:ElementClick", {"id": element})

    async def evaluate(self, body: str, *arguments: Any) -> Any:
        """What the body of a function on the page returns; a promise is waited for."""
        answer = await self.do("WebDriver:ExecuteScript", {"script": body, "args": list(arguments)})
        return answer["value"]

    async def _read(self) -> Any:
        length = (await self._reader.readuntil(b":"))[:-1]
        return json.loads(await self._reader.readexactly(int(length)))


def _make(profile: Path, prefs: Mapping[str, str | bool | int]) -> None:
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in prefs.items()]
    (profile / "user.js").write_text("\n".join(lines), "utf-8")


async def _port_of(profile: Path) -> int:
    """Where it listens, once it says so."""
    async with asyncio.timeout(_STARTS_WITHIN):
        while True:
            said = _said(profile / "MarionetteActivePort")
            if said:
                return int(said)
            await asyncio.sleep(0.05)


def _said(file: Path) -> str:
    return file.read_text("ascii").strip() if file.exists() else ""
