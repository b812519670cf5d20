"""The demo's scenario ``backlash``: an ask that annoys people, and how it stops itself."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text
from sqlalchemy import text

from channels.sandbox import Knobs, Sandbox
from router.core.ask import Ask
from router.core.model import CampaignStatus
from router.demo.crowd import import_members
from router.demo.house import EVENING, Clock, installation, working
from router.demo.watching import launch, stay
from router.preview import preview_ask
from router.runtime import Runtime
from router.screens import campaign_table, preview_table, tone_table
from router.views import CampaignView, view_campaign

ANNOYED = Knobs(p_stop=0.04, reply_delay=0.4, receipt_delay=0.2, undelivered_rate=0.015, seed=7)
"""One in twenty-five writes STOP: twice what texts to strangers bring (M+R Benchmarks 2020)."""

_LOOKS = 2.5
"""Seconds in which the guard has looked at the last answers, too."""

_ASK: dict[str, Any] = {
    "title": "FINAL NOTICE",
    "channels": ["sms"],
    "audience": {"op": "has_channel", "channel": "sms"},
    "texts": {
        "en": {
            "default": {
                "text": (
                    "FINAL NOTICE {{ first_name | default('friend') }}!!! WE ARE SO DISAPPOINTED that you have not"
                    " given yet. ACT NOW before midnight or ALL IS LOST!!! Reply STOP to end"
                )
            }
        }
    },
}


async def run_backlash(out: Console, *, members: int, seed: int, once: bool) -> None:
    """Run it and print what happens; without `once`, keep it running to look around in."""
    clock = Clock(EVENING)
    with tempfile.TemporaryDirectory(prefix="outreach-demo-") as folder:
        async with installation(Path(folder), clock, guarded=True) as (runtime, sandbox, url):
            out.rule("1. Members come in from a CSV file")
            await import_members(runtime, out, Path(folder) / "members.csv", members, seed)
            ask = Ask.model_validate(_ASK)
            out.rule("2. An ask that shouts, looked at before it leaves")
            preview = await preview_ask(runtime, ask, now=clock())
            out.print(preview_table(preview))
            out.print(tone_table(preview.tone))
            out.print("Its author sends it all the same. One in twenty-five of those who get it will write STOP.")
            sandbox.knobs = ANNOYED
            async with working(runtime):
                out.rule("3. Launched: some get it first")
                campaign = await launch(runtime, ask)
                view = await _until_over(runtime, sandbox, clock, campaign, out)
                out.rule("4. What came of it")
                await _tell(runtime, view, out)
                if not once:
                    await stay(out, runtime, sandbox, url)


async def _until_over(runtime: Runtime, sandbox: Sandbox, clock: Clock, campaign: int, out: Console) -> CampaignView:
    """Show the counts move until the ask is stopped or finished. The clock jumps over what its stages wait for."""
    running = (CampaignStatus.SCHEDULED, CampaignStatus.RUNNING)
    told = ""
    with Live(console=out, refresh_per_second=8, transient=True) as live:
        while (view := await view_campaign(runtime, campaign)).status in running:
            live.update(campaign_table(view))
            if view.stages and view.stages != told:
                told = view.stages
                out.print(told[0].upper() + told[1:] + ".")
            await asyncio.sleep(0.15)
            if view.next_stage_at is None:
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(sandbox.idle(), 10)
            await asyncio.sleep(_LOOKS)
            view = await view_campaign(runtime, campaign)
            if view.status is CampaignStatus.RUNNING and view.next_stage_at is not None:
                out.print(
                    f"Nothing is beyond chance yet. In this demo the clock jumps to {view.next_stage_at:%H:%M} UTC."
                )
                clock.move_to(view.next_stage_at)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(sandbox.idle(), 10)
    while _in_the_air(view := await view_campaign(runtime, campaign)):  # noqa: ASYNC110 - it is the ledger that we watch
        await asyncio.sleep(0.1)
    return view


def _in_the_air(view: CampaignView) -> bool:
    return any(by.get("sending") for by in view.counts.values())


async def _tell(runtime: Runtime, view: CampaignView, out: Console) -> None:
    out.print(campaign_table(view))
    counts = view.counts.get("sms", {})
    got = sum(counts.get(name, 0) for name in ("sent", "delivered", "read", "unknown"))
    async with runtime.store.read() as connection:
        silent = await connection.scalar(
            text("SELECT coalesce(sum(count), 0) FROM reaction WHERE campaign_id = :id AND kind = 'opt_out'"),
            {"id": view.id},
        )
    if view.status is not CampaignStatus.PAUSED:
        out.print(
            f"It went through: {got:,} people got it and {silent:,} asked for silence, which is not beyond chance."
        )
        return
    out.print(Text(f"It stopped itself: {view.pause_reason}.", style="bold"))
    spared = max(0, view.recipients - got)
    out.print(f"{got:,} people got it and {silent:,} of them want no more of us. The other {spared:,} were spared.")
