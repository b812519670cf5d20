"""Secrets are planted in a whole installation, which works, errs and is killed; then all that it left is searched.

What it said and logged, every page and answer, the command line of its process, what its provider got, and every byte
of its ledger: none may hold one. That no address at a provider holds one is the channels' own contract
(``tests/channels/test_contract.py``).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
from sqlalchemy.engine import make_url
from twilio.request_validator import RequestValidator

from channels.sandbox import Sandbox
from router.app import open_runtime, utc_now
from router.core.door_links import Door, door_token
from router.settings import Settings
from router.web.auth import Scope, create_token
from tests.e2e.many import configured
from tests.support.movement import Movement, free_port

PATIENCE = 60.0
PHONES = [f"+3363998{number:04d}" for number in range(6)]
"""Kept free for fiction by ARCEP (decision 2018-0881, 2.5.12)."""
SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PRIVATE|CREDENTIALS")
WARNINGS = "error,ignore:'imghdr' is deprecated:DeprecationWarning"


class House:
    """An installation in one process, and everything that could be overheard of it."""

    def __init__(self, folder: Path, environment: Mapping[str, str], url: str) -> None:
        self.url = url
        self.log = folder / "said.log"
        self.heard: list[str] = []
        """Answers with their headers, command lines, addresses."""
        self._folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
        self._environment = inherited | environment | {"PYTHONWARNINGS": WARNINGS, "COLUMNS": "200"}
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "router", "serve", cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
            while True:
                try:
                    async with session.get(f"{self.url}/healthz") as response:
                        assert response.status == 200
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.2)
        self.heard.append(command_line(self.process.pid))

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def ask(self, session: aiohttp.ClientSession, method: str, path: str, **given: object) -> tuple[int, str]:
        """One request; its answer is kept, but for the cookie that it sets."""
        async with session.request(method, self.url + path, allow_redirects=False, **given) as response:  # type: ignore[arg-type]
            text = await response.text()
            headers = {name: value for name, value in response.headers.items() if name != "Set-Cookie"}
            self.heard.append(f"{response.status} {headers} {text}")
            return response.status, text


@asynccontextmanager
async def a_house(folder: Path, sqlite_url: str, planted: dict[str, str]) -> AsyncIterator[tuple[House, Movement]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with Sandbox(webhooks={"sms": f"{url}/hooks/sms/main"}) as sandbox:
        channels = sandbox.channel_environment()
        planted |= {name: value for name, value in channels.items() if SECRET.search(name) and len(value) >= 12}
        planted["OUTREACH_SECRET_KEY"] = secrets.token_urlsafe(32)
        given = {
            "OUTREACH_DATABASE_URL": sqlite_url,
            "OUTREACH_SECRET_KEY": planted["OUTREACH_SECRET_KEY"],
            "OUTREACH_PUBLIC_URL": url,
            "OUTREACH_PORT": str(port),
            "OUTREACH_LOG_LEVEL": "DEBUG",
            "OUTREACH_CONFIG": str(configured(folder)),
            "OUTREACH_DEFAULT_REGION": "FR",
            "OUTREACH_POSTAL_ADDRESS": "1 Example Street",
        }
        settings = Settings(**{name.removeprefix("OUTREACH_").lower(): value for name, value in given.items()})
        async with open_runtime(settings, environment=channels) as runtime:
            house = House(folder, given | channels, url)
            try:
                yield house, Movement(runtime, sandbox, utc_now)  # type: ignore[arg-type]
            finally:
                if house.process is not None and house.process.returncode is None:
                    await house.kill()


async def test_nothing_that_was_planted_is_found_anywhere(tmp_path: Path, sqlite_url: str) -> None:
    planted: dict[str, str] = {}
    async with a_house(tmp_path, sqlite_url, planted) as (house, movement):
        runtime = movement.runtime
        members = await movement.add_members(len(PHONES), channel="sms", values=PHONES)
        planted["bearer"] = await create_token(runtime.store, "tests", [Scope.ADMIN], utc_now())
        planted["door"] = door_token(runtime.key, Door(members[0], 0), utc_now() + timedelta(days=1))
        planted["password"] = "planted words in a row"
        await house.start()
        await signs_in(house, planted)
        await works_and_errs(house, movement, members, planted)
        await house.kill()  # in the middle of whatever it did
        await house.start()
        async with aiohttp.ClientSession() as session:
            await house.ask(session, "GET", f"/m/{planted['door']}/nothing")
        await house.kill()
        house.heard += [str(one) for one in movement.sandbox.memory.accepted]
        assert len(movement.sandbox.memory.accepted) > 0, "a blast has left"
    ledger = b"".join(path.read_bytes() for path in ledger_files(sqlite_url))
    assert b"campaign" in ledger
    said = house.log.read_text("utf-8")
    assert '"route"' in said or "route=" in said, "requests are logged"
    for name, value in planted.items():
        assert value not in said, f"{name} is in what was logged"
        assert value.encode() not in ledger, f"{name} is in the ledger"
        found = [heard for heard in house.heard if value in heard]
        assert not found, f"{name}: {found[0][:300]}"


async def signs_in(house: House, planted: dict[str, str]) -> None:
    """By the first admin's link, which is on the console until it is used; wrong passwords are tried, too."""
    [welcome] = re.findall(r"/office/welcome/[\w-]{40,60}", house.log.read_text("utf-8"))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        form = {"name": "Ada", "password": planted["password"], "again": planted["password"]}
        async with session.post(house.url + welcome, data=form, allow_redirects=False) as response:
            assert response.status == 303
            planted["session"] = response.cookies["outreach"].value
        for path in ("/office", "/office/account", "/office/tokens", "/office/audit", "/office/channels", "/office/x"):
            status, _ = await house.ask(session, "GET", path)
            assert status in (200, 404), path
        wrong = {"name": "Ada", "password": planted["password"] + "!"}
        assert (await house.ask(session, "POST", "/office/sign-in", data=wrong))[0] == 422


async def works_and_errs(house: House, movement: Movement, members: list[int], planted: dict[str, str]) -> None:
    """A blast, webhooks that are good and bad, a provider that errs, requests that fail in every way."""
    movement.sandbox.turn(error_rate=0.4)
    bearer = {"Authorization": f"Bearer {planted['bearer']}"}
    async with aiohttp.ClientSession() as session:
        ask = {
            "title": "Dinner",
            "texts": {"en": {"default": {"text": "Dinner on Thursday? Reply YES or STOP"}}},
        }
        status, text = await house.ask(session, "POST", "/api/v1/campaigns", json=ask, headers=bearer)
        assert status == 201, text
        number = json.loads(text)["id"]
        for step in ("preview", "approve", "launch"):
            await house.ask(session, "POST", f"/api/v1/campaigns/{number}/{step}", headers=bearer)
        await movement.launch(title="Another dinner")
        form = {"From": PHONES[1], "To": "+33639980099", "Body": "STOP", "MessageSid": "SM" + "1" * 32}
        form["AccountSid"] = movement.sandbox.channel_environment()["OUTREACH_SMS_ACCOUNT_SID"]
        url = f"{house.url}/hooks/sms/main"
        signed = RequestValidator(planted["OUTREACH_SMS_AUTH_TOKEN"]).compute_signature(url, form)
        status, _ = await house.ask(
            session, "POST", "/hooks/sms/main", data=form, headers={"X-Twilio-Signature": signed}
        )
        assert status == 200
        wrong = {"X-Twilio-Signature": planted["OUTREACH_SMS_AUTH_TOKEN"]}
        status, _ = await house.ask(session, "POST", "/hooks/sms/main", data=form, headers=wrong)
        assert status == 403
        for method, path, given in (
            ("GET", f"/api/v1/campaigns/{number}", {"headers": {"Authorization": planted["bearer"]}}),
            ("POST", "/api/v1/campaigns", {"data": f'{{"title": "{planted["bearer"]}"', "headers": bearer}),
            ("POST", "/api/v1/members", {"json": {"phone": planted["bearer"]}, "headers": bearer}),
            ("GET", "/nowhere", {"headers": bearer, "params": {"key": planted["door"]}}),
            ("GET", f"/m/{planted['door']}x", {}),
            ("GET", f"/api/v1/campaigns?before={planted['bearer']}", {"headers": bearer}),
            ("GET", "/metrics", {"headers": bearer}),
        ):
            await house.ask(session, method, path, **given)
        await movement.until(lambda: len(movement.sandbox.memory.accepted) > 0, PATIENCE)
        async with session.get(f"{house.url}/m/{planted['door']}") as response:
            assert response.status == 200, "the member's own link works"


def command_line(pid: int) -> str:
    """As ``ps`` shows it to everybody on the machine."""
    here = Path(f"/proc/{pid}/cmdline")
    if here.exists():
        return here.read_text("utf-8").replace("\0", " ")
    asked = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


def ledger_files(url: str) -> list[Path]:
    path = Path(make_url(url).database or "")
    return [one for one in path.parent.iterdir() if one.name.startswith(path.name)]
