"""The demo's scenario ``vote-tonight``: a vote in three hours, and texts are too slow for everybody who wants them.

Nobody waits three hours for a demo: each text moves the clock on by as long as its number would have taken, while
nothing else is waiting to leave. So what fits before the deadline is what would fit in three real hours.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from channels.sandbox import Knobs, Sandbox
from router.core.ask import Ask
from router.core.rates import ChannelRules
from router.core.standing import State
from router.demo.crowd import import_members, spread
from router.demo.house import EVENING, Clock, installation, working
from router.demo.watching import launch, stay, watch
from router.limits import Bucket, Grant, LocalLimits
from router.preview import preview_ask
from router.runtime import Runtime
from router.screens import held_table, preview_table, surge_table
from router.store.standings import StandingRow, write_standings
from router.store.tables import from_ms, to_ms
from router.views import view_campaign

HOURS = 3
_PAUSE = 0.2
"""Real seconds between two texts from one number."""

_NUMBERS = ("+12025550142", "+12025550143")
"""The two numbers that texts leave from (555-01XX is never given out)."""

_RULES = {"sms": ChannelRules(rate=0.006, burst=2, spare=1, concurrency=10, price=0.0083)}
"""What two weak numbers can send: 21 texts an hour each."""

_BLOCKED_AFTER = 50
"""Texts after which a carrier blocks one of the numbers."""

CALLING = Knobs(p_yes=0.12, p_stop=0.002, reply_delay=0.3, receipt_delay=0.1, seed=7)
"""One in eight calls and says so."""

_ASK: dict[str, Any] = {
    "title": "The council votes on the rent cap tonight",
    "tonight": True,
    "alert": True,
    "goal": {"measure": "yes", "target": 50},
    "texts": {
        "en": {"default": {"text": (
            "The council votes on the rent cap in three hours. Call the housing minister now: 202 555 0100. Reply YES"
            " when you have. STOP ends"
        )}},
        "es": {"default": {"text": (
            "El concejo vota el tope de renta en tres horas. Llama ya: 202 555 0100. Responde YES al hacerlo. STOP"
            " para salir"
        )}},
    },
}  # fmt: skip


class _TextClock(Clock):
    """A clock that texts move on."""

    def advance(self, seconds: float) -> None:
        self._start += timedelta(seconds=seconds)


class _TextLimits(LocalLimits):
    """As usual, but texts take no time, they move the clock; and they wait while anything else may leave."""

    def __init__(self, clock: _TextClock) -> None:
        super().__init__()
        self._moved = clock
        self._next: dict[str, float] = {}
        self.numbers = len(_NUMBERS)
        """How many of our numbers send."""
        self.others_wait = True

    async def take(self, bucket: Bucket, wanted: int, *, spare: int = 0) -> Grant:
        if not bucket.name.startswith("sms/") or not spare:
            return await super().take(bucket, wanted, spare=spare)
        now = time.monotonic()
        next_ = self._next.get(bucket.name, 0.0)
        if self.others_wait or now < next_:
            return Grant(0, max(0.05, next_ - now))
        if not wanted:
            return Grant(0, 0.0)
        self._next[bucket.name] = now + _PAUSE
        self._moved.advance(1 / (bucket.rate * self.numbers))
        return Grant(1, _PAUSE)

    async def give_back(self, bucket: Bucket, tokens: int) -> None:
        if not bucket.name.startswith("sms/"):
            await super().give_back(bucket, tokens)
        elif tokens > 0:
            self._moved.advance(-tokens / (bucket.rate * self.numbers))


async def run_vote_tonight(out: Console, *, members: int, seed: int, once: bool) -> None:
    """Run it and print what happens; without `once`, keep it running to look around in."""
    clock = _TextClock(EVENING)
    limits = _TextLimits(clock)
    numbers = {"OUTREACH_SMS_FROM_NUMBER": ",".join(_NUMBERS)}
    with tempfile.TemporaryDirectory(prefix="outreach-demo-") as folder:
        async with installation(Path(folder), clock, rules=_RULES, environment=numbers) as (shipped, sandbox, url):
            runtime = replace(shipped, limits=limits)
            out.rule("1. Members come in from a CSV file")
            await import_members(runtime, out, Path(folder) / "members.csv", members, seed)
            await spread(runtime, sandbox, seed)
            out.print(f"{await _agree_to_alerts(runtime):,} agreed to alerts: on all their channels at any hour.")
            out.rule("2. A vote in three hours: can it be done?")
            deadline = EVENING + timedelta(hours=HOURS)
            ask = Ask.model_validate({**_ASK, "deadline": deadline})
            preview = await preview_ask(runtime, ask, now=clock())
            out.print(preview_table(preview))
            if preview.surge is not None:
                out.print(surge_table(preview.surge))
                out.print(preview.surge.sentence)
            async with working(runtime):
                sandbox.knobs = CALLING
                out.rule("3. Launched")
                out.print("The clock of this demo moves on with the texts.")
                campaign = await launch(runtime, ask)
                beside = asyncio.create_task(_hold_texts_back(runtime, limits))
                blocking = asyncio.create_task(_block_a_number(runtime, limits, campaign, deadline, out))
                await watch(runtime, sandbox, campaign, out)
                while (later := await _opens_next(runtime, campaign, deadline)) is not None:
                    clock.move_to(later)
                    runtime.signals.wake()
                    await watch(runtime, sandbox, campaign, out)
                for task in (beside, blocking):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                out.rule("4. What came of it")
                await _tell(runtime, sandbox, campaign, deadline, out)
                if not once:
                    await stay(out, runtime, sandbox, url)


async def _agree_to_alerts(runtime: Runtime) -> int:
    """Some agreed to alerts, everywhere they can be reached; returns how many."""
    async with runtime.store.write() as connection:
        await connection.execute(
            text("UPDATE address SET alerts = true WHERE consent = 'granted' AND member_id % 12 = 0")
        )
        found = await connection.scalar(text("SELECT count(DISTINCT member_id) FROM address WHERE alerts"))
    return int(found or 0)


async def _hold_texts_back(runtime: Runtime, limits: _TextLimits) -> None:
    """Texts move the clock, so they wait for whatever may leave by other channels."""
    while True:
        async with runtime.store.read() as connection:
            limits.others_wait = bool(
                await connection.scalar(
                    text(
                        "SELECT EXISTS (SELECT 1 FROM batch b JOIN campaign c ON c.id = b.campaign_id"
                        " WHERE b.open AND b.channel <> 'sms' AND b.not_before <= :now AND c.status = 'running')"
                        " OR EXISTS (SELECT 1 FROM route_range WHERE routed_at IS NULL)"
                    ),
                    {"now": to_ms(runtime.clock())},
                )
            )
        await asyncio.sleep(0.05)


async def _opens_next(runtime: Runtime, campaign: int, deadline: datetime) -> datetime | None:
    """When somebody's quiet hours end who is still to get it before the deadline."""
    async with runtime.store.read() as connection:
        at = await connection.scalar(
            text("SELECT min(not_before) FROM batch WHERE campaign_id = :id AND open AND not_before < :deadline"),
            {"id": campaign, "deadline": to_ms(deadline)},
        )
    return None if at is None else from_ms(at)


async def _block_a_number(
    runtime: Runtime, limits: _TextLimits, campaign: int, deadline: datetime, out: Console
) -> None:
    """Once some texts have left, a carrier blocks one of the two numbers until after the vote."""
    sent = 0
    while sent < _BLOCKED_AFTER:
        await asyncio.sleep(0.1)
        view = await view_campaign(runtime, campaign)
        sent = sum(view.counts.get("sms", {}).get(status, 0) for status in ("sent", "delivered", "read"))
    now = runtime.clock()
    until = deadline + timedelta(hours=1)
    row = StandingRow("sms", "main", _NUMBERS[1], State.OPEN.value, "blocked by a carrier", until, 0.5, now)
    await runtime.store.transact(lambda connection: write_standings(connection, [row]))
    limits.numbers -= 1
    out.print(f"{now:%H:%M} UTC: a carrier blocks one of our two numbers. Who waits for it too long goes another way.")


async def _tell(runtime: Runtime, sandbox: Sandbox, campaign: int, deadline: datetime, out: Console) -> None:
    view = await view_campaign(runtime, campaign)
    async with runtime.store.read() as connection:
        rows = (
            await connection.execute(
                text(
                    "SELECT channel, sum(CASE WHEN sent_at <= :deadline THEN 1 ELSE 0 END) AS in_time,"
                    " sum(CASE WHEN hop > 0 AND costs AND sent_at <= :deadline THEN 1 ELSE 0 END) AS moved_here,"
                    " sum(CASE WHEN reason = 'superseded' THEN 1 ELSE 0 END) AS moved_away,"
                    " sum(CASE WHEN status IN ('queued', 'expired') THEN 1 ELSE 0 END) AS late,"
                    " max(sent_at) AS last_at FROM delivery WHERE campaign_id = :id AND channel <> ''"
                    " AND status <> 'held' GROUP BY channel ORDER BY channel"
                ),
                {"id": campaign, "deadline": to_ms(deadline)},
            )
        ).all()
        calls = list(
            (
                await connection.execute(
                    text("SELECT at FROM action WHERE campaign_id = :id AND kind = 'yes' ORDER BY at"), {"id": campaign}
                )
            ).scalars()
        )
    table = Table(title="Before the vote", title_justify="left", show_footer=True)
    totals = [sum(row[place] or 0 for row in rows) for place in (1, 2, 3, 4)]
    table.add_column("Channel", footer="all")
    for name, total in zip(("in time", "moved to it", "moved from it", "too late"), totals, strict=True):
        table.add_column(name, justify="right", footer=f"{total:,}")
    table.add_column("last left")
    for row in rows:
        last = f"{from_ms(row.last_at):%H:%M} UTC" if row.last_at else ""
        table.add_row(row.channel, *(f"{row[place] or 0:,}" for place in (1, 2, 3, 4)), last)
    out.print(table)
    if totals[3]:
        out.print(f"{totals[3]:,} have no other channel that they agreed to and that is faster.")
    out.print(held_table(view.held))
    out.print(f"{len(calls):,} people called and said so. The minister's phone, by half hours:")
    began = deadline - timedelta(hours=HOURS)
    for half in range(HOURS * 2):
        since = began + timedelta(minutes=30 * half)
        rang = sum(since <= from_ms(at) < since + timedelta(minutes=30) for at in calls)
        out.print(f"  {since:%H:%M} {'█' * rang} {rang}", highlight=False)
    written = len(sandbox.memory.accepted)
    out.print(f"The simulated providers accepted {written:,} messages in all; nobody was asked twice.")
