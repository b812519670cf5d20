"""A running installation for tests: members put in, asks sent out, the ledger and the sandbox compared."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from channels.sandbox import Sandbox
from router.app import open_runtime, serving
from router.core.address import address_hash
from router.core.ask import Ask
from router.core.rates import ChannelRules
from router.launch import approve_campaign, launch_campaign, save_campaign
from router.runtime import Runtime
from router.settings import Settings
from router.store.bulk import insert_rows
from router.store.tables import address, member, to_ms
from router.views import CampaignView, view_campaign
from router.worker import run_worker

NOON = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
"""A Thursday on which it is day in the Americas and in Europe."""

FAST = {
    "sms": ChannelRules(rate=0, concurrency=10, price=0.0083),
    "email": ChannelRules(rate=0, concurrency=5),
}


class Clock:
    """Real time, moved to `NOON` and wherever a test jumps."""

    def __init__(self, start: datetime = NOON) -> None:
        self._start = start
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def jump(self, by: timedelta) -> None:
        """Let time pass."""
        self._start += by


class Movement:
    """See `open`."""

    def __init__(self, runtime: Runtime, sandbox: Sandbox, clock: Clock) -> None:
        self.runtime = runtime
        self.sandbox = sandbox
        self.clock = clock

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, settings: Settings, sandbox: Sandbox, *, port: int, rules: dict[str, ChannelRules] | None = None
    ) -> AsyncIterator[Movement]:
        """Everything but the worker, which a test starts itself."""
        clock = Clock()
        async with (
            open_runtime(
                settings, environment=sandbox.channel_environment(), rules=rules or FAST, clock=clock
            ) as runtime,
            serving(runtime, host="127.0.0.1", port=port),
        ):
            yield cls(runtime, sandbox, clock)

    async def add_members(self, count: int, *, channel: str = "sms", **columns: Any) -> list[int]:
        """Put in consented members with one address each; returns their numbers."""
        ids = await self.runtime.store.take_ids(2 * count)
        people, addresses = [], []
        now = to_ms(self.clock())
        for place in range(count):
            number, address_id = ids[place], ids[count + place]
            value = f"+3363998{place:04d}" if channel == "sms" else f"member{number}@example.org"
            kind = "phone" if channel == "sms" else "email"
            people.append((number, f"Ana{place}", "en", columns.get("zone", "Europe/Paris"), "FR", "{}", now, now, now))
            hash_ = address_hash(self.runtime.key, kind, value)
            addresses.append((address_id, number, channel, value, hash_, "active", "granted", 0, now))
        async with self.runtime.store.write() as connection:
            await insert_rows(
                connection,
                member,
                (
                    "id",
                    "first_name",
                    "locale",
                    "zone",
                    "country",
                    "attributes",
                    "joined_at",
                    "created_at",
                    "updated_at",
                ),
                people,
            )
            await insert_rows(
                connection,
                address,
                ("id", "member_id", "channel", "value", "hash", "state", "consent", "rank", "created_at"),
                addresses,
            )
        return list(ids[:count])

    async def launch(self, **ask: Any) -> int:
        """Save, approve and launch an ask without undo time."""
        values: dict[str, Any] = {
            "title": "Dinner",
            "texts": {"en": {"default": {"text": "Hi {{ first_name }}, dinner on Thursday? Reply YES or STOP"}}},
        }
        made = await save_campaign(self.runtime, Ask.model_validate({**values, **ask}), by="ana", now=self.clock())
        await approve_campaign(self.runtime, made.id, by="bo", now=self.clock())
        await launch_campaign(self.runtime, made.id, by="ana", now=self.clock(), undo_seconds=0)
        return made.id

    async def work(self) -> None:
        """Run a worker until nothing is left to do."""
        await asyncio.wait_for(run_worker(self.runtime, until_idle=True), 60)

    async def view(self, campaign: int) -> CampaignView:
        """The campaign as it stands."""
        return await view_campaign(self.runtime, campaign)

    async def statuses(self, campaign: int) -> dict[str, int]:
        """Delivery status → how many, counted in the rows themselves."""
        async with self.runtime.store.read() as connection:
            rows = await connection.execute(
                text("SELECT status, count(*) FROM delivery WHERE campaign_id = :id GROUP BY status"), {"id": campaign}
            )
            return {row[0]: row[1] for row in rows}

    async def until(self, condition: Callable[[], Any], seconds: float = 15) -> None:
        """Wait for an (async) condition."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it did not come about in time")

    def received(self) -> Counter[str]:
        """Address → how many messages the sandbox accepted for it."""
        return Counter(message.to for message in self.sandbox.memory.accepted)
