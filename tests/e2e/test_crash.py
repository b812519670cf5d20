"""``kill -9`` of the worker at fifty moments of a blast: nobody gets the ask twice, nobody is lost.

Counted at the sandbox, which never deduplicates, in a process of its own that outlives every worker.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text
from twilio.request_validator import RequestValidator

from router.app import open_runtime
from router.serving import serving
from router.settings import Settings
from tests.e2e.conftest import free_port
from tests.e2e.crash import (
    AWAITING,
    BEFORE_COMMIT,
    BEFORE_FIRST_BYTE,
    DISPATCHERS,
    MOST,
    PHASES,
    ROUTING,
    RULES,
    Life,
    live,
)
from tests.support.movement import Clock, Movement

pytestmark = pytest.mark.crash

SECRET = "a secret for the tests, forty characters long"

_LIVES = multiprocessing.get_context("forkserver")


@dataclass
class Toll:
    """What fifty crashes did."""

    kills: Counter[str] = field(default_factory=Counter)
    granted: int = 0
    losses: int = 0
    duplicates: int = 0
    unknown: int = 0
    unsettled: int = 0

    def __str__(self) -> str:
        fell = ", ".join(f"{count} {phase}" for phase, count in sorted(self.kills.items()))
        return (
            f"{sum(self.kills.values())} × kill -9 ({fell}): losses {self.losses}, duplicates {self.duplicates},"
            f" unknown {self.unknown} of at most {self.granted}, {self.unsettled} of those that were sent unsettled"
            " after the receipts"
        )


class Blast:
    """A blast, its sandbox, and workers that die."""

    def __init__(self, movement: Movement, settings: dict[str, Any], environment: dict[str, str], url: str) -> None:
        self.movement = movement
        self.settings = settings
        self.environment = environment
        self.url = url

    async def run(self, kills: list[tuple[str, int]], *, members: int, mutant: str = "") -> Toll:
        """Let a blast to `members` suffer these kills, then finish it, then let the receipts come."""
        toll = Toll()
        ids = await self.movement.add_members(members)
        campaign = await self.movement.launch()
        for phase, nth in kills:
            code = await self._live(Life(**self._about(), phase=phase, nth=nth, mutant=mutant))
            toll.kills[phase if code == -9 else f"survived, {phase}"] += 1
            toll.granted += MOST * DISPATCHERS
            # The process is proven dead, so its leases need not be waited for.
            await self._execute("UPDATE batch SET leased_until = 1 WHERE leased_until > 1")
        await turn(self.url, latency=0.0)  # what is left takes its time only where a worker is to die meanwhile
        assert await self._live(Life(**self._about(), phase="none", nth=-1, mutant=mutant)) == 0
        accepted = await self._accepted()
        toll.duplicates = sum(count - 1 for count in Counter(one["to"] for one in accepted).values())
        rows = await self._execute("SELECT id, member_id, status FROM delivery WHERE campaign_id = :id", id=campaign)
        sent = {int(one["delivery"].partition("-")[2]) for one in accepted}
        toll.unknown = sum(row.status == "unknown" for row in rows)
        toll.losses = len(set(ids) - {row.member_id for row in rows}) + sum(
            row.status not in ("sent", "unknown") or (row.status == "sent" and row.id not in sent) for row in rows
        )
        assert len(rows) == len({row.member_id for row in rows})
        await self._receipts(accepted)
        left = await self._execute(
            "SELECT id FROM delivery WHERE campaign_id = :id AND status = 'unknown'", id=campaign
        )
        toll.unsettled = len({row.id for row in left} & sent)
        return toll

    def _about(self) -> dict[str, Any]:
        return {"settings": self.settings, "environment": self.environment, "began": self.movement.clock()}

    async def _live(self, life: Life) -> int:
        process = _LIVES.Process(target=live, args=(life,))
        process.start()
        await asyncio.wait_for(asyncio.to_thread(process.join), 120)
        assert process.exitcode is not None
        return process.exitcode

    async def _execute(self, statement: str, **parameters: Any) -> Any:
        async with self.movement.runtime.store.write() as connection:
            result = await connection.execute(text(statement), parameters)
            return result.all() if result.returns_rows else None

    async def _accepted(self) -> list[dict[str, Any]]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/sandbox/accepted") as reply:
            found: list[dict[str, Any]] = json.loads(await reply.text())
            return found

    async def _receipts(self, accepted: list[dict[str, Any]]) -> None:
        """Each accepted message's receipt, signed as Twilio signs it, to the address it was sent with."""
        signer = RequestValidator(self.environment["OUTREACH_SMS_AUTH_TOKEN"])
        account = self.environment["OUTREACH_SMS_ACCOUNT_SID"]
        at_once = asyncio.Semaphore(40)

        async def post(session: aiohttp.ClientSession, one: dict[str, Any]) -> None:
            url = f"{self.settings['public_url']}/hooks/sms/main?d={one['delivery']}"
            form = {"MessageSid": one["sid"], "MessageStatus": "delivered", "AccountSid": account, "To": one["to"]}
            signature = {"X-Twilio-Signature": signer.compute_signature(url, form)}
            async with at_once, session.post(url, data=form, headers=signature) as reply:
                assert reply.status == 200

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(post(session, one) for one in accepted))


async def turn(url: str, **knobs: float) -> None:
    """Turn knobs of the sandbox that is a process of its own."""
    async with aiohttp.ClientSession() as session, session.post(f"{url}/sandbox/knobs", json=knobs) as reply:
        assert reply.status == 200, await reply.text()


@pytest.fixture
async def blast(database_url: str, tmp_path: Path) -> AsyncIterator[Blast]:
    """A sandbox process with a provider that takes a moment to answer, and a web server for its receipts."""
    _LIVES.set_forkserver_preload(["tests.e2e.crash", "asyncpg", "sqlalchemy.dialects.postgresql.asyncpg"])
    port = free_port()
    public = f"http://127.0.0.1:{port}"
    sandbox = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "channels.sandbox", "--port", "0", "--smtp-port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert sandbox.stdout is not None
    about = json.loads(await asyncio.wait_for(sandbox.stdout.readline(), 30))
    url = about["http_url"]
    # Texts only: a worker that opened all channels would spend most of its life loading them.
    environment = {name: value for name, value in about["environment"].items() if name.startswith("OUTREACH_SMS_")}
    await turn(url, latency=0.012, no_receipts=1.0)
    settings = {"database_url": database_url, "secret_key": SECRET, "public_url": public, "organization": "Tenants"}
    opened = Settings(**settings)
    async with (
        open_runtime(opened, environment=environment, rules=RULES, clock=Clock()) as runtime,
        serving(runtime, host="127.0.0.1", port=port),
    ):
        yield Blast(Movement(runtime, None, Clock()), settings, environment, url)  # type: ignore[arg-type]
    sandbox.terminate()
    await sandbox.wait()


async def test_fifty_crashes_lose_nobody_and_double_nobody(blast: Blast, capsys: pytest.CaptureFixture[str]) -> None:
    draw = random.Random(20261121)
    kills = [(ROUTING, draw.randint(1, 4)) for _ in range(11)]
    others = [(phase, draw.randint(2, 60)) for phase in (BEFORE_FIRST_BYTE, AWAITING, BEFORE_COMMIT) for _ in range(13)]
    draw.shuffle(others)
    toll = await blast.run(kills + others, members=5_000)
    with capsys.disabled():
        sys.stdout.write(f"\n{blast.movement.runtime.store.dialect}: {toll}\n")
    assert all(toll.kills[phase] >= 5 for phase in PHASES), toll
    assert sum(toll.kills.values()) == 50
    assert toll.losses == 0, toll
    assert toll.duplicates == 0, toll
    assert 0 < toll.unknown <= toll.granted, toll
    assert toll.unsettled == 0, toll


@pytest.mark.parametrize("mutant", ["intent after the send", "blind re-send"])
async def test_a_broken_protocol_would_be_noticed(blast: Blast, mutant: str) -> None:
    kills = [(phase, nth) for phase in (AWAITING, BEFORE_COMMIT) for nth in (5, 30)]
    toll = await blast.run(kills, members=400, mutant=mutant)
    assert toll.duplicates > 0, f"the mutant {mutant!r} went unnoticed: {toll}"
