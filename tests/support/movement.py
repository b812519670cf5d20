"""A running installation for tests: members put in, asks sent out, the ledger and the sandbox compared."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count as counting
from typing import Any

from sqlalchemy import text

from channels.sandbox import CALLING, Sandbox
from channels.sandbox.twilio_content import ASK
from router.app import open_runtime
from router.core.address import address_hash
from router.core.ask import Ask
from router.core.budget_policy import BudgetSection
from router.core.rates import ChannelRules
from router.drafting import save_campaign
from router.groups import add_group
from router.launch import approve_campaign, launch_campaign
from router.runtime import Runtime
from router.serving import serving
from router.settings import Settings
from router.store.bulk import insert_rows
from router.store.tables import address, member, to_ms
from router.views import CampaignView, view_campaign
from router.worker import run_worker
from tests.support.runtime import PLAIN_BUDGET, plain_guard

NOON = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
"""A Thursday on which it is day in the Americas and in Europe."""

FAST = {
    "sms": ChannelRules(rate=0, concurrency=10, price=0.0083),
    "email": ChannelRules(rate=0, concurrency=5),
}

UNPACED = FAST | {
    name: ChannelRules(rate=0, concurrency=10)
    for name in ("whatsapp", "telegram", "slack", "webpush", "fcm", "apprise")
}
"""All eight channels, as fast as they go."""

WORDS = "Hi {{ first_name | default('you') }}, dinner on Thursday? Reply YES or STOP"
_VARIABLES = {"1": "{{ first_name | default('you') }}", "2": "dinner on Thursday?", "3": "button:YES", "4": "button:NO"}
_BUTTONS = [{"label": "I will come", "reply": "YES"}]
DINNER: dict[str, Any] = {
    "title": "Dinner",
    "texts": {
        "en": {
            "default": {"text": WORDS, "buttons": _BUTTONS},
            "whatsapp": {"text": WORDS, "template": ASK.sid, "variables": _VARIABLES},
        }
    },
    "groups": ["rent"],
}
"""An ask that every channel can carry, to people and to groups."""


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
        self._phones = counting(9999, -1)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        sandbox: Sandbox,
        *,
        port: int,
        rules: Mapping[str, ChannelRules] | None = None,
        environment: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> AsyncIterator[Movement]:
        """Everything but the worker, which a test starts itself. `environment` goes over the sandbox's own."""
        clock = clock or Clock()
        given = {**sandbox.channel_environment(), **(environment or {})}
        async with open_runtime(settings, environment=given, rules=dict(rules or FAST), clock=clock) as shipped:
            budget = BudgetSection.model_validate(PLAIN_BUDGET)
            plain = {"budget": budget, "guard": plain_guard(shipped.policy.guard)}
            runtime = replace(shipped, policy=shipped.policy.model_copy(update=plain))
            async with serving(runtime, host="127.0.0.1", port=port):
                yield cls(runtime, sandbox, clock)

    async def add_members(
        self,
        count: int,
        *,
        channel: str = "sms",
        then: str = "",
        account: str = "main",
        values: Sequence[str] = (),
        **columns: Any,
    ) -> list[int]:
        """Put in consented members with one address each, or a second one on `then`; returns their numbers.

        `values` are their addresses on `channel`, where a test wants certain ones.
        """
        ids = await self.runtime.store.take_ids((3 if then else 2) * count)
        people, addresses = [], []
        now = to_ms(self.clock())
        zone, country = columns.get("zone", "Europe/Paris"), columns.get("country", "FR")
        for place in range(count):
            number = ids[place]
            people.append((number, f"Ana{place}", "en", zone, country, "{}", now, now, now))
            for rank, name in enumerate((channel, then) if then else (channel,)):
                given = values[place] if values and not rank else ""
                value = given or self._new_address(name, number, place, second=rank > 0)
                spec = self.runtime.specs[name]
                hash_ = address_hash(self.runtime.key, spec.address_kind, value)
                bound = account if spec.bound else ""
                address_id = ids[count * (1 + rank) + place]
                addresses.append((address_id, number, name, value, hash_, "active", "granted", rank, bound, now))
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
                ("id", "member_id", "channel", "value", "hash", "state", "consent", "rank", "account", "created_at"),
                addresses,
            )
        return list(ids[:count])

    def _new_address(self, channel: str, number: int, place: int, *, second: bool) -> str:
        match channel:
            case "sms" if not second:
                return f"+3363998{place:04d}"
            case "sms" | "whatsapp":  # never the number of another member
                return f"+3363998{next(self._phones):04d}"
            case "email":
                return f"member{number}@example.org"
        return self.sandbox.new_address(channel, f"member{number}")

    async def add_groups(self, values: Sequence[str], *, channel: str, tag: str = "rent") -> list[int]:
        """Enter the chats of groups, as an organizer does; returns their numbers."""
        about: dict[str, Any] = {"channel": channel, "account": "main", "tags": [tag], "by": "ana", "now": self.clock()}
        return [await add_group(self.runtime, value=value, title=f"Group {value}", **about) for value in values]

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

    async def execute(self, statement: str, **parameters: Any) -> Any:
        """Look at the ledger, or change it behind the program's back: rows, or how many were changed."""
        async with self.runtime.store.write() as connection:
            result = await connection.execute(text(statement), parameters)
            return result.all() if result.returns_rows else result.rowcount

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


def free_port() -> int:
    """A port nobody listens on just now, and that no socket is given by chance (Linux gives those from 32768 on)."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.asynccontextmanager
async def everywhere(
    database_url: str,
    *,
    sandbox: Callable[..., Sandbox] = Sandbox,
    rules: Mapping[str, ChannelRules] | None = None,
    environment: Mapping[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Movement]:
    """An installation on all eight channels: providers that call it and live by its clock.

    `sandbox` makes the providers, `settings` are fields of `Settings`.
    """
    port, clock = free_port(), Clock()
    public = f"http://127.0.0.1:{port}"
    given: dict[str, Any] = {
        "database_url": database_url,
        "secret_key": "a secret for the tests, forty characters long",
        "public_url": public,
        "organization": "Tenants Together",
        "postal_address": "1 Example Street",
        "help_contact": "https://example.org/help",
        "private_networks": "127.0.0.0/8",
    }
    webhooks = {name: f"{public}/hooks/{name}/main" for name in CALLING}
    async with (
        sandbox(webhooks=webhooks, clock=lambda: clock().timestamp()) as providers,
        Movement.open(
            Settings(**{**given, **settings}),
            providers,
            port=port,
            rules=rules or UNPACED,
            environment=environment,
            clock=clock,
        ) as movement,
    ):
        yield movement
