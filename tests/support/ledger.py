"""A ledger with a worker's parts in a test's hands: real tables, real rules, a channel that does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from channels.email.adapter import EmailChannel
from channels.sms import SmsChannel
from router.competing import next_route
from router.core.address import address_hash
from router.core.ask import Ask
from router.core.channel import ChannelSpec, Health, HttpRequest, OutboundMessage, Receipt, Received, Sent, Wire
from router.core.model import DeliveryRef, DeliveryStatus
from router.core.purse import NOTHING, decode
from router.core.rates import ChannelRules
from router.dispatch import Dispatcher
from router.drafting import save_campaign
from router.fanout import route_range_of
from router.guard import Guard
from router.launch import approve_campaign, finish_done_campaigns, launch_campaign, start_due_campaigns
from router.letters import Writers
from router.receive import Receiver
from router.runtime import Runtime
from router.senders import pools_of
from router.store.bulk import insert_rows
from router.store.engine import Store
from router.store.tables import address, member, to_ms
from tests.support.runtime import Clock, build_runtime

Script = Callable[[OutboundMessage], Awaitable[Sent]]

UNLIMITED = {"sms": ChannelRules(rate=0, concurrency=4), "email": ChannelRules(rate=0, concurrency=2)}


class ScriptedChannel:
    """A channel that does with each message what its `script` says, and remembers all it was handed."""

    def __init__(self, settings: Mapping[str, str] | None = None, wire: Wire | None = None) -> None:
        self.spec: ChannelSpec = SmsChannel.spec
        self.senders = ("",)
        self.handed: list[OutboundMessage] = []
        self.script: Script | None = None

    async def send(self, message: OutboundMessage) -> Sent:
        self.handed.append(message)
        if self.script is not None:
            return await self.script(message)
        return Sent(f"SM{message.delivery.id}")

    def verify(self, request: HttpRequest) -> None:
        """Every webhook of a test is genuine."""

    def receive(self, request: HttpRequest) -> Received:
        """Tests hand their events to the receiver themselves."""
        return Received()

    async def check(self, now: datetime) -> Health:
        """Always well."""
        return Health(who="a test")

    async def aclose(self) -> None:
        """Nothing to let go of."""


class Ledger:
    """One installation on `store`, with scripted channels for SMS and email."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock | None = None,
        rules: dict[str, ChannelRules] | None = None,
        **overrides: Any,
    ) -> None:
        self.clock = clock or Clock()
        self.sms, self.email = ScriptedChannel(), ScriptedChannel()
        self.email.spec = EmailChannel.spec
        self.runtime: Runtime = build_runtime(
            store,
            clock=self.clock,
            rules=dict(rules or UNLIMITED),
            channels={"sms": {"main": self.sms}, "email": {"main": self.email}},
            **overrides,
        )
        self.receiver = Receiver(self.runtime)

    @property
    def store(self) -> Store:
        return self.runtime.store

    async def add_members(
        self, count: int, *, channels: tuple[str, ...] = ("sms",), phone: str = "", **columns: Any
    ) -> list[int]:
        """Consented members with one address on each of `channels`; all with the same `phone` where it is given."""
        ids = await self.store.take_ids(count * (1 + len(channels)))
        now, long_ago = to_ms(self.clock()), to_ms(self.clock() - timedelta(days=365))
        people = [
            (n, f"Ana{n}", "en", "Europe/Paris", "FR", "{}", columns.get("household_id"), long_ago, now, now)
            for n in ids[:count]
        ]
        rows = []
        for place, number in enumerate(ids[:count]):
            for rank, channel in enumerate(channels):
                kind, value = ("phone", phone or f"+3363998{number % 10_000:04d}")
                if channel == "email":
                    kind, value = "email", f"member{number}@example.org"
                hash_ = address_hash(self.runtime.key, kind, value)
                address_id = ids[count + place * len(channels) + rank]
                rows.append((address_id, number, channel, value, hash_, "active", "granted", rank, now))
        async with self.store.write() as connection:
            await insert_rows(connection, member, _MEMBER, people)
            await insert_rows(connection, address, _ADDRESS, rows)
        return list(ids[:count])

    async def launch(self, *, start: bool = True, by: str = "ana", **ask: Any) -> int:
        """Save, approve, launch and (unless told otherwise) start an ask of organizer `by`; returns its campaign."""
        values: dict[str, Any] = {
            "title": "Dinner",
            "texts": {"en": {"default": {"text": "Dinner, {{ first_name }}?"}}},
        }
        saved = await save_campaign(self.runtime, Ask.model_validate({**values, **ask}), by=by, now=self.clock())
        await approve_campaign(self.runtime, saved.id, by="bo", now=self.clock())
        await launch_campaign(self.runtime, saved.id, by=by, now=self.clock(), undo_seconds=0)
        if start:
            await start_due_campaigns(self.runtime, now=self.clock())
        return saved.id

    async def route(self) -> int:
        """Route all there is; returns how many members were looked at."""
        total = 0
        while (prepared := await next_route(self.runtime)) is not None:
            total += await route_range_of(self.runtime, prepared, now=self.clock()) or 0
        return total

    def dispatcher(self, channel: str = "sms", owner: str = "worker-1", *, requests: int = 4) -> Dispatcher:
        """A dispatcher of this installation."""
        [pool] = [pool for pool in pools_of(self.runtime) if pool.spec.name == channel]
        guard = Guard(self.runtime)
        return Dispatcher(self.runtime, Writers(self.runtime), guard, pool, owner=owner, requests=requests)

    async def send(self, channel: str = "sms", owner: str = "worker-1", *, requests: int = 4) -> None:
        """Send every batch that may be sent now."""
        dispatcher = self.dispatcher(channel, owner, requests=requests)
        while await dispatcher.send_one_batch():
            pass

    async def launch_and_route(self, **ask: Any) -> int:
        campaign = await self.launch(**ask)
        await self.route()
        return campaign

    async def finish(self) -> None:
        await finish_done_campaigns(self.runtime, now=self.clock())

    async def receipt(self, ref: DeliveryRef, status: DeliveryStatus, **more: Any) -> None:
        """Let a receipt come in."""
        event_id = more.pop("event_id", f"{ref}:{status.value}")
        one = Receipt(event_id=event_id, status=status, at=self.clock(), delivery=ref, **more)
        await self.submit(Received(events=(one,)))

    async def submit(self, received: Received, *, channel: str = "sms") -> None:
        """Hand events to the receiver, as a webhook would."""
        async with self.receiver.running():
            await self.receiver.submit(channel, "main", received, self.clock())

    async def rows(self, campaign: int) -> list[Any]:
        """The campaign's deliveries, in number order."""
        async with self.store.read() as connection:
            result = await connection.execute(
                text("SELECT * FROM delivery WHERE campaign_id = :id ORDER BY id"), {"id": campaign}
            )
            return list(result.all())

    async def statuses(self, campaign: int) -> list[str]:
        return [row.status for row in await self.rows(campaign)]

    async def slots(self, member_id: int) -> list[Any]:
        """What counts against a member's contact budget."""
        async with self.store.read() as connection:
            slots = await connection.scalar(
                text("SELECT slots FROM contact_budget WHERE holder = :id"), {"id": member_id}
            )
        return list(decode(slots or NOTHING).slots)

    async def execute(self, statement: str, **parameters: Any) -> Any:
        """Change the ledger behind the program's back, or look at it."""
        async with self.store.write() as connection:
            result = await connection.execute(text(statement), parameters)
            return result.all() if result.returns_rows else result.rowcount

    async def tallied(self, campaign: int) -> dict[str, int]:
        """Delivery status → how many, by the tally."""
        rows = await self.execute(
            "SELECT status, CAST(sum(count) AS int) FROM tally WHERE campaign_id = :id GROUP BY status", id=campaign
        )
        return {status: count for status, count in rows if count}

    async def assert_tally_is_right(self, campaign: int) -> None:
        """The tally says what the rows say."""
        rows = await self.statuses(campaign)
        assert await self.tallied(campaign) == {status: rows.count(status) for status in set(rows)}


_MEMBER = (
    "id", "first_name", "locale", "zone", "country", "attributes", "household_id", "joined_at", "created_at",
    "updated_at",
)  # fmt: skip
_ADDRESS = ("id", "member_id", "channel", "value", "hash", "state", "consent", "rank", "created_at")

HOUR = timedelta(hours=1)


async def soon(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something that another task does has happened."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about in time")
