"""An installation of real processes on real databases, each of whose parts may be killed: its providers, too."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from twilio.request_validator import RequestValidator

from channels import REGISTRY
from router.app import open_runtime, utc_now
from router.core.errors import Unavailable
from router.settings import Settings
from tests.chaos.provider import read_book
from tests.chaos.report import Row, tell
from tests.e2e.many import PATIENCE, ROOT, House, configured
from tests.support.balancer import Balancer
from tests.support.movement import Movement, free_port

RANGES = ("+3363998", "+3346571", "+3353649", "+3335301", "+3326191", "+3319900")
"""Telephones that ARCEP keeps free for fiction, ten thousand each (decision 2018-0881, 2.5.12)."""

AT_ONCE = 40
"""Webhooks of ours under way at once."""

_TWILIO_WAITS = aiohttp.ClientTimeout(total=15)

TELL_EVERY = 15.0
"""Seconds between two lines that say how far it is."""


def phones(first: int, count: int) -> list[str]:
    """So many telephones, from the `first` one on."""
    return [f"{RANGES[number // 10_000]}{number % 10_000:04d}" for number in range(first, first + count)]


class Breakable(House):
    """See `open_breakable`."""

    provider: asyncio.subprocess.Process
    command: tuple[str, ...]
    book: Path
    people: dict[int, list[int]]
    """Campaign → the members that it was to reach."""

    async def people_by(self, count: int, channel: str) -> dict[int, str]:
        """Put in so many members with an address on that channel: member → address."""
        known = sum(len(ids) for ids in self.people.values())
        values = phones(known, count) if channel == "sms" else [f"person{n}@example.org" for n in range(count)]
        ids = await self.movement.add_members(count, channel=channel, values=values)
        return dict(zip(ids, values, strict=True))

    async def ask_all(self, people: Iterable[int], *, title: str = "Dinner") -> int:
        """Launch an ask to these members; returns its campaign."""
        ids = list(people)
        parts = [{"op": "members", "ids": ids[begin : begin + 1_000]} for begin in range(0, len(ids), 1_000)]
        campaign = await self.movement.launch(title=title, audience={"op": "or", "of": parts})
        self.people[campaign] = ids
        return campaign

    async def blast(self, members: int, *, title: str = "Dinner") -> int:
        """Ask so many new members by text message."""
        return await self.ask_all(await self.people_by(members, "sms"), title=title)

    async def start_provider(self) -> None:
        """Start the providers where they always are, and wait until they listen."""
        self.provider = await asyncio.create_subprocess_exec(
            *self.command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert self.provider.stdout is not None
        line = await asyncio.wait_for(self.provider.stdout.readline(), PATIENCE)
        assert line, "the sandbox does not start"

    async def kill_provider(self) -> None:
        """``kill -9``."""
        self.provider.kill()
        assert await self.provider.wait() == -signal.SIGKILL

    def accepted_so_far(self) -> list[dict[str, Any]]:
        """What the provider has taken, in all its lives."""
        return read_book(self.book)

    async def ask(self, method: str, what: str, body: Any = None) -> Any:
        """Use a control of the sandbox; what was accepted is read in its book."""
        if (method, what) == ("GET", "accepted"):
            return self.accepted_so_far()
        return await super().ask(method, what, body)

    async def accepted(self) -> int:
        """How many messages the provider has taken, in all its lives."""
        return len(self.accepted_so_far())

    def sign(self, url: str, form: dict[str, str]) -> dict[str, str]:
        """The header by which Twilio proves that it is Twilio."""
        signer = RequestValidator(self.environment["OUTREACH_SMS_AUTH_TOKEN"])
        return {"X-Twilio-Signature": signer.compute_signature(url, form)}

    async def press(self, session: aiohttp.ClientSession, url: str, form: Mapping[str, str]) -> float:
        """Send a form of a member's page until it is taken; when that was, Unix time."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(url, data=form) as reply:
                    if reply.status == 200:
                        return time.time()
                    assert reply.status in (429, 503), f"{reply.status}: {await reply.text()}"
            await asyncio.sleep(0.3)
        raise AssertionError("a page is not answered")

    async def hook(
        self,
        session: aiohttp.ClientSession,
        form: dict[str, str],
        query: str = "",
        *,
        statuses: Counter[int] | None = None,
    ) -> float:
        """Call our webhook as Twilio does, again and again until it is taken; when that was, Unix time.

        What it was answered is counted in `statuses`; 0 is no answer in the 15 s that Twilio waits.
        """
        url = f"{self.balancer.url}/hooks/sms/main{query}"
        form = {"AccountSid": self.environment["OUTREACH_SMS_ACCOUNT_SID"], **form}
        statuses = Counter() if statuses is None else statuses
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status = 0
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(url, data=form, headers=self.sign(url, form), timeout=_TWILIO_WAITS) as reply:
                    status = reply.status
            statuses[status] += 1
            if status == 200:
                return time.time()
            await asyncio.sleep(0.3)
        raise AssertionError("a webhook is not taken")

    @contextlib.asynccontextmanager
    async def moved_to(self, database_url: str) -> AsyncIterator[None]:
        """From now on this installation's ledger is that one. Nothing of it may be running."""
        assert all(one.child.returncode is not None for one in self._running), "it runs"
        self.environment["OUTREACH_DATABASE_URL"] = database_url
        settings = _settings(self.environment)
        async with open_runtime(settings, environment=_channels(self.environment)) as runtime:
            self.movement = Movement(runtime, None, utc_now)  # type: ignore[arg-type]
            yield

    async def stop_all(self) -> None:
        """SIGTERM for every process but the providers, until all have ended, and well."""
        await asyncio.gather(*(one.stop() for one in self._running if one.child.returncode is None))

    async def stands(self) -> str:
        """How far it is, in a line."""
        asked = sum(len(ids) for ids in self.people.values())
        said = f"{await self.accepted():,} messages taken, {asked:,} people asked"
        try:
            rows = await self.movement.execute(
                "SELECT id, status, pause_reason FROM campaign WHERE status NOT IN ('finished', 'running')"
            )
        except Unavailable:
            return f"{said}; the database does not answer"
        return "; ".join((said, *(f"campaign {row.id} is {row.status}: {row.pause_reason}" for row in rows)))

    async def _finished(self, campaign: int) -> bool:
        """As for every house; one that something has paused does not finish, however long one waits."""
        [(status, reason)] = await self.movement.execute(
            "SELECT status, pause_reason FROM campaign WHERE id = :id", id=campaign
        )
        assert status != "paused", f"campaign {campaign} is paused: {reason}"
        return await super()._finished(campaign)

    async def tell_all(self, *, status: str = "delivered") -> None:
        """A receipt for every message that was ever accepted: for many it is the second, and it is late."""
        at_once = asyncio.Semaphore(AT_ONCE)

        async def tell(session: aiohttp.ClientSession, one: dict[str, Any]) -> None:
            async with at_once:
                form = {"MessageSid": one["sid"], "MessageStatus": status, "To": one["to"]}
                await self.hook(session, form, f"?d={one['delivery']}")

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(tell(session, one) for one in self.accepted_so_far()))

    async def settle(self, *, seconds: float = 600) -> None:
        """Let everything come to its end, and every receipt come."""
        await self.turn(latency=0.0)
        for campaign in self.people:
            await self.until_finished(campaign, seconds)
        await self.tell_all()

    async def row(self, fault: str, runs: int, began: float, remark: str = "", *, broken: int = 0) -> Row:
        """The provider's book held against the ledger."""
        tolls = [await self.count(campaign, ids) for campaign, ids in self.people.items()]
        [(settled,)] = await self.movement.execute(
            "SELECT count(DISTINCT d.id) FROM attempt a JOIN delivery d ON d.month = a.month AND d.id = a.delivery_id"
            " WHERE a.outcome = 'unknown' AND d.status IN ('sent', 'delivered')"
        )
        members = sum(len(ids) for ids in self.people.values())
        said = [name for name in ("Traceback",) for log in self.folder.glob("*.log") if name in log.read_text("utf-8")]
        remarks = [remark, f"{members:,} members", f"{len(said)} logs with a traceback" if said else ""]
        return Row(
            fault=fault,
            runs=runs,
            losses=sum(toll.lost for toll in tolls),
            duplicates=sum(toll.twice for toll in tolls),
            settled=settled,
            unknown=sum(toll.unknown for toll in tolls),
            broken=broken,
            seconds=time.monotonic() - began,
            remark="; ".join(part for part in remarks if part),
        )


def _settings(environment: Mapping[str, str]) -> Settings:
    """What a process with these variables would read."""
    ours: dict[str, Any] = {name: value for name, value in environment.items() if name.startswith("OUTREACH_")}
    return Settings(**{name.removeprefix("OUTREACH_").lower(): value for name, value in ours.items()})


def _channels(environment: Mapping[str, str]) -> dict[str, str]:
    prefixes = tuple(f"OUTREACH_{name.upper()}_" for name in REGISTRY)
    return {name: value for name, value in environment.items() if name.startswith(prefixes)}


async def _tell(house: Breakable) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(TELL_EVERY)
        tell(f"{time.monotonic() - began:.0f} s: {await house.stands()}")


def _kept() -> dict[str, str]:
    """Our own variables without settings of an installation. Without bytecode each process would compile it anew."""
    left_out = ("OUTREACH_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def _impatient(config: Path) -> Path:
    """A sender that failed rests for seconds, not for a quarter of an hour, and connecting is tried again and again."""
    text = (config / "policy.toml").read_text("utf-8")
    text, rests = re.subn(r"(?m)^rest_seconds = .*$", "rest_seconds = 2", text)
    text, tries = re.subn(r"(?m)^transport_seconds = .*$", f"transport_seconds = {[2] * 10}", text)
    assert rests == tries == 1, "policy.toml has a breaker and retries"
    (config / "policy.toml").write_text(text, "utf-8")
    return config


@contextlib.asynccontextmanager
async def open_breakable(
    database_url: str, redis: str, folder: Path, *, channels: tuple[str, ...] = ("sms",), **variables: str
) -> AsyncIterator[Breakable]:
    """An installation on that ledger and Redis, with no process yet but its providers.

    How far it is it says every `TELL_EVERY` seconds.
    """
    book, port, mail = folder / "accepted.jsonl", free_port(), free_port()
    async with contextlib.AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(Balancer())
        hooks = json.dumps({name: f"{balancer.url}/hooks/{name}/main" for name in channels})
        knobs = json.dumps({"callback_tries": 20, "callback_pause": 0.5})
        command = (
            sys.executable, "-m", "tests.chaos.provider", str(book), "--port", str(port), "--smtp-port", str(mail),
            "--webhooks", hooks, "--knobs", knobs,
        )  # fmt: skip
        provider = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert provider.stdout is not None
        about = json.loads(await asyncio.wait_for(provider.stdout.readline(), PATIENCE))
        prefixes = tuple(f"OUTREACH_{name.upper()}_" for name in channels)
        channel = {name: value for name, value in about["environment"].items() if name.startswith(prefixes)}
        given = channel | {
            "OUTREACH_DATABASE_URL": database_url,
            "OUTREACH_REDIS_URL": redis,
            "OUTREACH_SECRET_KEY": secrets.token_urlsafe(32),
            "OUTREACH_PUBLIC_URL": balancer.url,
            "OUTREACH_CONFIG": str(_impatient(configured(folder))),
            "OUTREACH_POSTAL_ADDRESS": "1 Example Street",
            "OUTREACH_DEFAULT_REGION": "FR",
            "OUTREACH_LEASE": "15",
            **variables,
        }
        runtime = await stack.enter_async_context(open_runtime(_settings(given), environment=channel))
        movement = Movement(runtime, None, utc_now)  # type: ignore[arg-type]
        environment = _kept() | given | {"COLUMNS": "200"}
        house = Breakable(folder, environment, movement, about["http_url"], balancer)
        house.provider, house.command, house.book, house.people = provider, command, book, {}
        telling = asyncio.create_task(_tell(house))
        try:
            yield house
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            await house.close()
            with contextlib.suppress(ProcessLookupError):
                house.provider.kill()
            await house.provider.wait()
