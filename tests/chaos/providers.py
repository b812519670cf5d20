"""Providers at their worst, and a clock that somebody sets while messages leave."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import aiohttp

from channels.sandbox import Sandbox
from router.settings import Settings
from tests.chaos.house import open_breakable
from tests.chaos.places import database, redis
from tests.chaos.report import Row, Size
from tests.support.movement import Movement, free_port
from tests.support.settling import jump, settle, working

WORST = {
    "latency": 0.1,
    "timeout_after_accept": 0.01,
    "drop_after_accept": 0.05,
    "error_rate": 0.03,
    "throttle_rate": 0.03,
    "duplicate_receipts": 0.5,
    "out_of_order": 0.5,
    "receipt_delay": 0.0,
}
"""Shares of messages, and seconds. A receipt after no time at all overtakes the answer to its message."""

HOUR = timedelta(hours=1)


async def providers(size: Size) -> Row:
    """Silence after acceptance, cut lines, 500, 429; receipts early, late, twice, out of order and for strangers."""
    began, members = time.monotonic(), size.of(3_000)
    with database() as url, redis() as memory, tempfile.TemporaryDirectory() as folder:
        async with open_breakable(url, memory, Path(folder)) as house:
            await house.web()
            await asyncio.gather(house.worker(), house.worker())
            await house.turn(**WORST)
            campaign = await house.blast(members)
            await house.until_accepted(members // 4)
            async with aiohttp.ClientSession() as session:
                for number in range(size.of(200)):
                    form = {"MessageSid": f"SM{number:032x}", "MessageStatus": "delivered", "To": "+33199009999"}
                    await house.hook(session, form, f"?d=202611-{10**12 + number}" if number % 2 else "")
            await house.tell_all(status="sent")  # for some before their outcome is recorded, for others after the end
            await house.until_finished(campaign, 600)
            calm = dict.fromkeys(WORST, 0.0)
            await house.turn(**calm)
            await house.settle()
            told = f"{size.of(200)} receipts for strangers"
            return await house.row("providers at their worst", members, began, told)


async def clock(size: Size) -> Row:
    """The clock is set an hour forwards or back, forty times, while a worker routes and sends."""
    began, draw, jumps, members = time.monotonic(), random.Random(size.seed), size.of(40), size.of(2_000)
    with database() as url:
        settings = Settings(
            database_url=url,
            secret_key="a secret for the tests, forty characters long",
            public_url=f"http://127.0.0.1:{(port := free_port())}",
        )
        hooks = {"sms": f"{settings.public_url}/hooks/sms/main"}
        async with Sandbox(webhooks=hooks) as sandbox, Movement.open(settings, sandbox, port=port) as movement:
            sandbox.turn(latency=0.3)
            ids = await movement.add_members(members)
            campaign = await movement.launch()
            away = 0
            async with working(movement):
                await movement.until(lambda: sandbox.memory.accepted, 120)
                for _ in range(jumps):
                    await asyncio.sleep(draw.uniform(0.0, 0.6))
                    way = draw.choice((-1, 1)) if abs(away) < 3 else (-1 if away > 0 else 1)
                    away += way
                    jump(movement, way * HOUR)
                met = len(sandbox.memory.accepted)
                jump(movement, -away * HOUR)
                sandbox.turn(latency=0.0)
                await settle(movement, campaign, seconds=300)
            await sandbox.idle()
            rows = await movement.execute(
                "SELECT id, member_id, status FROM delivery WHERE campaign_id = :id", id=campaign
            )
            left = Counter(int(one.delivery.partition("-")[2]) for one in sandbox.memory.accepted)
            ended = Counter(row.status for row in rows)
            lost = len(set(ids) - {row.member_id for row in rows})
            lost += sum(row.status != "unknown" and row.id not in left for row in rows)
            return Row(
                fault="clock set by an hour",
                runs=jumps,
                losses=lost,
                duplicates=sum(count - 1 for count in left.values()) + len(rows) - len({row.member_id for row in rows}),
                unknown=ended["unknown"],
                seconds=time.monotonic() - began,
                remark=f"{members:,} members, {met:,} reached before the last; {dict(ended)}",
            )
