"""Pause a blast at full speed and wait until its provider hears no more. Each is a process of its own.

``work``   the shipped worker, until it is told to stop
``pause``  launch to everybody, pause once so many have left, wait for the last; prints one JSON line
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
import urllib.request
from datetime import UTC, datetime
from typing import Any

from bench.blast import ASK
from router import drafting, launch
from router.app import open_runtime
from router.core.ask import Ask
from router.loop import run
from router.settings import load_settings
from router.worker import run_worker

QUIET = 5.0
"""Seconds without a message after which the last one has come: longer than any send may start after its claim."""


async def work() -> None:
    async with open_runtime(load_settings()) as runtime:
        print(json.dumps({"pid": os.getpid()}), flush=True)
        await run_worker(runtime)


async def pause(sandbox: str, after: int) -> dict[str, Any]:
    """Pause when `after` messages are at the provider; seconds from the call to its return and to the last message."""
    async with open_runtime(load_settings()) as runtime:
        now = datetime.now(UTC)
        campaign = await drafting.save_campaign(runtime, Ask.model_validate(ASK), by="bench", now=now)
        await launch.approve_campaign(runtime, campaign.id, by="a second organizer", now=now)
        await launch.launch_campaign(runtime, campaign.id, by="bench", now=now, undo_seconds=0)
        await asyncio.to_thread(_wait_for, sandbox, after)
        called = time.time()
        await launch.pause_campaign(runtime, campaign.id, by="bench", reason="enough", now=datetime.now(UTC))
        returned = time.time()
        before = await asyncio.to_thread(_accepted, sandbox)
        await asyncio.to_thread(_wait_until_quiet, sandbox)
        rows = await asyncio.to_thread(_get, f"{sandbox}/sandbox/accepted?after={max(0, before - 2_000)}")
    return {
        "seconds": max(0.0, max(row["at"] for row in rows) - called),
        "returned": returned - called,
        "accepted": await asyncio.to_thread(_accepted, sandbox),
    }


def _wait_for(sandbox: str, count: int) -> None:
    while _accepted(sandbox) < count:
        time.sleep(0.05)


def _wait_until_quiet(sandbox: str) -> None:
    count, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET:
        found = _accepted(sandbox)
        if found != count:
            count, since = found, time.monotonic()
        time.sleep(0.2)


def _accepted(sandbox: str) -> int:
    return int(_get(f"{sandbox}/sandbox/stats")["accepted"])


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pausing")
    parser.add_argument("what", choices=("work", "pause"))
    parser.add_argument("--sandbox", default="")
    parser.add_argument("--after", type=int, default=1_000)
    options = parser.parse_args()
    if options.what == "work":
        run(work())
    else:
        print(json.dumps(run(pause(options.sandbox, options.after))))


if __name__ == "__main__":
    main()
