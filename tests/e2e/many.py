"""An installation of several processes on PostgreSQL and Redis: real commands, real signals, providers of their own.

``python -m tests.e2e.many --workers 4 --kills 20`` lets workers die and be replaced at random in the middle of a
blast, and prints what came of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import aiohttp

from router.app import open_runtime, utc_now
from router.redis_client import open_redis
from router.settings import Settings
from tests.support.balancer import Balancer
from tests.support.databases import Databases
from tests.support.movement import Movement, free_port
from tests.support.redis import redis_url, remove_keys

ROOT = Path(__file__).parents[2]

PATIENCE = 120.0
"""Seconds in which a process must have started, or have ended after SIGTERM: many times the aim (10 s), because tests
share their machine."""

CHANNELS = """
[sms]
rate = 0
concurrency = 9
"""

ANY_HOUR = """
[channels.default]
daily = "00:00-24:00"
[unknown.default]
zone = "UTC"
window = "00:00-24:00"
"""


@dataclass(slots=True)
class Process:
    """One command that runs, and where it writes what it says."""

    name: str
    child: asyncio.subprocess.Process
    log: Path
    port: int = 0

    def said(self) -> str:
        return self.log.read_text("utf-8")

    async def until_it_says(self, words: str) -> None:
        """Wait until it is as far as that."""
        end = time.monotonic() + PATIENCE
        while words not in self.said():
            assert self.child.returncode is None, f"{self.name} ended: {self.said()}"
            assert time.monotonic() < end, f"{self.name} does not start: {self.said()}"
            await asyncio.sleep(0.05)

    async def ends(self) -> int:
        return await asyncio.wait_for(self.child.wait(), PATIENCE)

    async def stop(self) -> float:
        """SIGTERM; returns the seconds that it took. It must end well and without a traceback."""
        began = time.monotonic()
        self.child.terminate()
        code = await self.ends()
        assert code == 0, f"{self.name} ended with {code}: {self.said()}"
        assert "Traceback" not in self.said(), self.said()
        return time.monotonic() - began

    async def kill(self) -> None:
        self.child.kill()
        assert await self.ends() == -signal.SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Toll:
    """A blast, counted at the provider, who never merges two messages, and in the ledger."""

    lost: int
    """Members without a delivery, or whose delivery has no outcome, or says that it left and did not."""
    twice: int
    unknown: int
    statuses: Mapping[str, int]

    def __str__(self) -> str:
        return f"losses {self.lost}, duplicates {self.twice}, unknown {self.unknown}; {dict(self.statuses)}"


class House:
    """See `open_house`."""

    def __init__(
        self, folder: Path, environment: dict[str, str], movement: Movement, sandbox: str, balancer: Balancer
    ) -> None:
        self.folder = folder
        self.environment = environment
        self.movement = movement
        self.sandbox = sandbox
        self.balancer = balancer
        self._running: list[Process] = []
        self._numbers = itertools.count(1)

    async def start(self, *command: str, **variables: str) -> Process:
        """``outreach COMMAND`` as a process of its own."""
        name = f"{command[0]}-{next(self._numbers)}"
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "router", *command,
                cwd=ROOT, env=self.environment | variables, stdout=output, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
        process = Process(name, child, log)
        self._running.append(process)
        return process

    async def worker(self) -> Process:
        """A worker that is at work."""
        process = await self.start("worker")
        await process.until_it_says("Channels:")
        return process

    async def web(self) -> Process:
        """A web server that answers, and to which new connections go from now on."""
        port = free_port()
        process = await self.start("web", OUTREACH_PORT=str(port))
        await process.until_it_says("Channels:")
        self.balancer.target = process.port = port
        return process

    def workers(self) -> list[Process]:
        """Those that run."""
        return [one for one in self._running if one.name.startswith("worker") and one.child.returncode is None]

    async def turn(self, **knobs: float) -> None:
        """Turn knobs of the sandbox."""
        await self.ask("POST", "knobs", knobs)

    async def ask(self, method: str, what: str, body: Any = None) -> Any:
        """Use a control of the sandbox."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.sandbox}/sandbox/{what}", json=body) as reply,
        ):
            assert reply.status == 200, await reply.text()
            return json.loads(await reply.text())

    async def accepted(self) -> int:
        """How many messages the provider has taken."""
        return int((await self.ask("GET", "stats"))["accepted"])

    async def until_accepted(self, count: int, seconds: float = PATIENCE) -> None:
        """Wait until the provider has taken so many."""
        await self.movement.until(lambda: self._has(count), seconds)

    async def until_finished(self, campaign: int, seconds: float = 2 * PATIENCE) -> None:
        """Wait until nothing of a campaign is left to send and the provider has told all that it had to tell."""
        await self.movement.until(lambda: self._finished(campaign), seconds)

    async def count(self, campaign: int, members: list[int]) -> Toll:
        """What came of a campaign that was to reach `members`."""
        wanted = set(members)
        found = await self.movement.execute(
            "SELECT id, member_id, status FROM delivery WHERE campaign_id = :id", id=campaign
        )
        rows = [row for row in found if row.member_id in wanted]
        left = Counter(int(one["delivery"].partition("-")[2]) for one in await self.ask("GET", "accepted"))
        statuses = Counter(row.status for row in rows)
        gone = sum(row.status in ("sent", "delivered") and row.id not in left for row in rows)
        undone = sum(row.status not in ("sent", "delivered", "unknown") for row in rows)
        twice = sum(max(0, left[row.id] - 1) for row in rows) + len(rows) - len({row.member_id for row in rows})
        missing = len(wanted - {row.member_id for row in rows})
        return Toll(lost=missing + gone + undone, twice=twice, unknown=statuses["unknown"], statuses=statuses)

    async def close(self) -> None:
        """End what still runs."""
        for process in self._running:
            if process.child.returncode is None:
                process.child.kill()
                await process.child.wait()

    async def _has(self, count: int) -> bool:
        return await self.accepted() >= count

    async def _finished(self, campaign: int) -> bool:
        [(status,)] = await self.movement.execute("SELECT status FROM campaign WHERE id = :id", id=campaign)
        left = (await self.movement.statuses(campaign)).keys() & {"queued", "sending"}
        return status == "finished" and not left and not (await self.ask("GET", "stats"))["callbacks_pending"]


@contextlib.asynccontextmanager
async def open_house(database_url: str, redis: str, folder: Path, **variables: str) -> AsyncIterator[House]:
    """An installation on that ledger and Redis, with no process yet but its providers; `variables` are settings."""
    secret = secrets.token_urlsafe(32)
    async with contextlib.AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(Balancer())
        sandbox = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "channels.sandbox", "--knobs", '{"callback_tries": 20, "callback_pause": 0.5}',
            "--webhooks", json.dumps({"sms": f"{balancer.url}/hooks/sms/main"}),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        stack.push_async_callback(sandbox.wait)
        stack.callback(sandbox.terminate)
        assert sandbox.stdout is not None
        about = json.loads(await asyncio.wait_for(sandbox.stdout.readline(), PATIENCE))
        channel = {name: value for name, value in about["environment"].items() if name.startswith("OUTREACH_SMS_")}
        given = channel | {
            "OUTREACH_DATABASE_URL": database_url,
            "OUTREACH_REDIS_URL": redis,
            "OUTREACH_SECRET_KEY": secret,
            "OUTREACH_PUBLIC_URL": balancer.url,
            "OUTREACH_CONFIG": str(configured(folder)),
            "OUTREACH_DEFAULT_REGION": "FR",
            "OUTREACH_LEASE": "15",
            **variables,
        }
        # Without bytecode every process would compile the program anew.
        left_out = ("OUTREACH_", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        settings = Settings(**{name.removeprefix("OUTREACH_").lower(): value for name, value in given.items()})
        runtime = await stack.enter_async_context(open_runtime(settings, environment=channel))
        movement = Movement(runtime, None, utc_now)  # type: ignore[arg-type]
        house = House(folder, kept | given | {"COLUMNS": "200"}, movement, about["http_url"], balancer)
        stack.push_async_callback(house.close)
        yield house
    async with open_redis(redis) as client:
        await remove_keys(client, f"outreach:{blake2b(secret.encode(), digest_size=6).hexdigest()}")


def configured(folder: Path) -> Path:
    """A folder of configuration without rates and quiet hours, in which a blast leaves in one stage."""
    config = folder / "config"
    config.mkdir()
    (config / "channels.toml").write_text(CHANNELS, "utf-8")
    (config / "quiet_hours.toml").write_text(ANY_HOUR, "utf-8")
    shipped = (ROOT / "config" / "policy.toml").read_text("utf-8")
    at_once, changed = re.subn(r"(?m)^(above|approval_above) = .*$", r"\1 = 1000000000", shipped)
    assert changed == 3, "policy.toml has a canary, a ramp and an approval"
    (config / "policy.toml").write_text(at_once, "utf-8")
    return config


async def mayhem(house: House, *, workers: int, kills: int, deploys: int, members: int, seed: int) -> Toll:
    """A blast in whose middle workers are killed, and stopped for newer ones, at random."""
    draw = random.Random(seed)
    await house.web()
    running = [await house.worker() for _ in range(workers)]
    ids = await house.movement.add_members(members)
    await house.turn(latency=0.1)
    campaign = await house.movement.launch()
    deeds = ["kill"] * kills + ["deploy"] * deploys
    draw.shuffle(deeds)
    stops = []
    for deed in deeds:
        await asyncio.sleep(draw.uniform(0.0, 2.0))
        old = running.pop(draw.randrange(len(running)))
        if deed == "kill":
            await old.kill()
            running.append(await house.worker())
        else:
            running.append(await house.worker())
            stops.append(await old.stop())
    left = members - await house.accepted()
    await house.turn(latency=0.0)
    await house.until_finished(campaign, 600)
    toll = await house.count(campaign, ids)
    sys.stdout.write(
        f"{workers} workers, {kills} x kill -9, {deploys} x SIGTERM (longest {max(stops, default=0.0):.2f} s),"
        f" {left:,} of {members:,} still to send after the last: {toll}\n"
    )
    return toll


async def _main(options: argparse.Namespace) -> int:
    redis = redis_url()
    assert redis is not None, "no Redis"
    with Databases() as databases, databases.fresh() as url, tempfile.TemporaryDirectory() as folder:
        async with open_house(url, redis, Path(folder)) as house:
            toll = await mayhem(house, **vars(options))
    return 1 if toll.lost or toll.twice else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.many", description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--deploys", type=int, default=5)
    parser.add_argument("--members", type=int, default=10_000, help="at most 10,000")
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(asyncio.run(_main(parser.parse_args())))
