"""Launch one ask and wait until workers in other processes have finished it. Prints one JSON line.

``python -m bench.scale``: the environment says which ledger. The clock runs from the launch to the campaign's end.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

from bench.blast import ASK
from router import drafting, launch, views
from router.app import open_runtime
from router.core.ask import Ask
from router.core.model import CampaignStatus
from router.loop import run
from router.settings import load_settings

LONGEST = 600.0
"""Seconds after which a campaign that is not finished has failed."""


async def launched() -> dict[str, Any]:
    """Seconds from the launch to the end, and how many were sent; raises TimeoutError."""
    async with open_runtime(load_settings()) as runtime, asyncio.timeout(LONGEST):
        now = datetime.now(UTC)
        campaign = await drafting.save_campaign(runtime, Ask.model_validate(ASK), by="bench", now=now)
        await launch.approve_campaign(runtime, campaign.id, by="a second organizer", now=now)
        began = time.perf_counter()
        await launch.launch_campaign(runtime, campaign.id, by="bench", now=now, undo_seconds=0)
        while True:
            view = await views.view_campaign(runtime, campaign.id)
            if view.status is CampaignStatus.FINISHED:
                return {"seconds": time.perf_counter() - began, "counts": view.counts}
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    print(json.dumps(run(launched())))
