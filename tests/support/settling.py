"""Let a worker run and time pass until a campaign is at rest; rules of the house with other numbers."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from router.core.data import data_folder
from router.store.tables import from_ms, to_ms
from router.worker import run_worker
from tests.support.movement import Movement


def policy_with(folder: Path, **changes: Any) -> str:
    """A folder for ``OUTREACH_CONFIG`` with the shipped policy, some of its numbers changed."""
    text = (data_folder("config") / "policy.toml").read_text("utf-8")
    for key, value in changes.items():
        text, found = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
        assert found, f"policy.toml has no {key}"
    (folder / "policy.toml").write_text(text, "utf-8")
    return str(folder)


@contextlib.asynccontextmanager
async def working(movement: Movement) -> AsyncIterator[None]:
    """A worker runs meanwhile."""
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(movement.runtime, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await worker


async def settle(
    movement: Movement, campaign: int, *, until: timedelta = timedelta(days=30), seconds: float = 45
) -> None:
    """While a worker runs: let time pass until the campaign is at rest and nothing waits for a later moment.

    No further than `until` from now. What waits for that long still waits when this returns.
    """
    latest = movement.clock() + until
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        later = await _waits_until(movement, campaign)
        if later is not None:
            await movement.sandbox.idle()  # receipts may bring more to do
            later = await _waits_until(movement, campaign)
        if later == 0 or (later is not None and from_ms(later) > latest):
            return
        if later is not None:
            jump(movement, from_ms(later) - movement.clock() + timedelta(milliseconds=20))
        await asyncio.sleep(0.05)
    raise AssertionError(f"campaign {campaign} does not come to rest: {await movement.statuses(campaign)}")


def jump(movement: Movement, by: timedelta) -> None:
    """Let so much time pass at once; a worker notices."""
    movement.clock.jump(by)
    movement.runtime.signals.wake()


_BUSY = """
SELECT (SELECT count(*) FROM delivery WHERE campaign_id = :id AND status = 'sending')
     + (SELECT count(*) FROM route_range WHERE campaign_id = :id AND routed_at IS NULL)
     + (SELECT count(*) FROM campaign WHERE id = :id AND status = 'scheduled')
"""
_BATCHES = (
    "SELECT b.channel, b.account, b.not_before FROM batch b JOIN campaign c ON c.id = b.campaign_id"
    " WHERE b.campaign_id = :id AND b.open AND c.status = 'running'"
)


async def _waits_until(movement: Movement, campaign: int) -> int | None:
    """The moment (ms) of the next thing to do, 0 where there is nothing, None while something is being done."""
    [[busy]] = await movement.execute(_BUSY, id=campaign)
    if busy:
        return None
    now = to_ms(movement.clock())
    resting = await _resting(movement, now)
    moments = []
    for row in await movement.execute(_BATCHES, id=campaign):
        at = max(row.not_before, resting.get((row.channel, row.account), 0))
        if at <= now:
            return None
        moments.append(at)
    return min(moments, default=0)


async def _resting(movement: Movement, now: int) -> dict[tuple[str, str], int]:
    """(channel, account of its batches) → until when all of its senders rest."""
    all_of: Counter[tuple[str, str]] = Counter()
    open_: dict[tuple[str, str], list[int]] = {}
    for channel, accounts in movement.runtime.channels.items():
        for account, adapter in accounts.items():
            all_of[channel, account if adapter.spec.bound else ""] += len(adapter.senders)
    for row in await movement.execute("SELECT channel, account, until FROM sender WHERE state = 'open'"):
        bound = movement.runtime.specs[row.channel].bound
        if row.until > now:
            open_.setdefault((row.channel, row.account if bound else ""), []).append(row.until)
    return {key: min(untils) for key, untils in open_.items() if len(untils) == all_of[key]}
