"""One complete blast by the shipped worker, in a process of its own: from the launch to the last committed outcome.

The ledger has its members already. Everything is as shipped (``config/``), but for the rate of the channel and the
stages, which the parent lifts, and the undo time. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from bench.harness import Stopwatch, peak_mib
from bench.members import BODY
from router import drafting, launch, views
from router.app import open_runtime
from router.core.ask import Ask
from router.core.model import CampaignStatus
from router.dispatch import MOST
from router.loop import run
from router.runtime import Runtime
from router.settings import load_settings
from router.worker import BESIDE, run_worker

_WORDS = {"text": "{{ first_name }}, " + BODY}


def ask_on(*channels: str) -> dict[str, Any]:
    """The ask of a bench, with the same words on each of these channels."""
    words = {one: {**_WORDS, **({"subject": "Are you in?"} if one == "email" else {})} for one in channels}
    return {"title": "Bench", "channels": list(channels), "texts": {"en": words}}


ASK = ask_on("sms")


async def blast(ask: Mapping[str, Any], watch_unknown: bool) -> dict[str, object]:
    """Run it; returns what the parent prints and checks."""
    async with open_runtime(load_settings()) as runtime:
        now = datetime.now(UTC)
        campaign = await drafting.save_campaign(runtime, Ask.model_validate(ask), by="bench", now=now)
        await launch.approve_campaign(runtime, campaign.id, by="a second organizer", now=now)
        async with _watched(runtime, watch_unknown) as most_unknown:
            with Stopwatch() as watch:
                await launch.launch_campaign(runtime, campaign.id, by="bench", now=now, undo_seconds=0)
                await run_worker(runtime, until_idle=True)
        view = await views.view_campaign(runtime, campaign.id)
        assert view.status is CampaignStatus.FINISHED, f"the campaign is {view.status}"
        return {
            **watch.as_dict(),
            "peak_mib": peak_mib(),
            "counts": view.counts,
            "held": view.held,
            "most_unknown": max(most_unknown, default=0),
            "possible_unknown": MOST * BESIDE,
        }


@asynccontextmanager
async def _watched(runtime: Runtime, watch: bool) -> AsyncIterator[list[int]]:
    """Look every 20 ms how many deliveries a crash would leave unknown just now. Only in runs that are not timed."""
    seen: list[int] = []

    async def look() -> None:
        while True:
            async with runtime.store.read() as connection:
                count = await connection.scalar(text("SELECT count(*) FROM delivery WHERE status = 'sending'"))
            seen.append(int(count or 0))
            await asyncio.sleep(0.02)

    task = asyncio.create_task(look()) if watch else None
    try:
        yield seen
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.blast")
    parser.add_argument("--watch-unknown", action="store_true", help="also count what a crash could leave unknown")
    parser.add_argument("--channel", action="append", help="one of the ask's; sms by default")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    print(json.dumps(run(blast(ask_on(*options.channel or ("sms",)), options.watch_unknown))))


if __name__ == "__main__":
    main()
