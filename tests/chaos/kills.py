"""``kill -9`` of workers, of the web server and of the providers, at any moment of a blast."""

from __future__ import annotations

import random
import tempfile
import time
from asyncio import sleep
from collections import Counter
from pathlib import Path

from tests.chaos.house import Breakable, open_breakable
from tests.chaos.places import database, redis
from tests.chaos.report import Row, Size
from tests.e2e.many import Process

VICTIMS = ("worker", "worker", "web", "provider")
"""Who dies, in equal parts and a random order; workers twice as often, there are two of them."""

WAVE = 2_000
"""Members of one blast."""

FEW = 400
"""So many or fewer left to send: then the next blast begins, so that there is always one to break."""

LATENCY = 0.7
"""Seconds that the provider takes for an answer, so that there is always something in the air."""


async def kills(size: Size) -> Row:
    """Two hundred kills, one after the other; whoever died is started again at once."""
    began, draw, runs = time.monotonic(), random.Random(size.seed), size.of(200)
    with database() as url, redis() as memory, tempfile.TemporaryDirectory() as folder:
        async with open_breakable(url, memory, Path(folder)) as house:
            fallen = await _mayhem(house, draw, runs)
            await house.settle()
            said = ", ".join(f"{count} {name}" for name, count in sorted(fallen.items()))
            return await house.row("kill -9", runs, began, said)


async def _mayhem(house: Breakable, draw: random.Random, runs: int) -> Counter[str]:
    web = await house.web()
    workers = [await house.worker(), await house.worker()]
    await house.turn(latency=LATENCY)
    fallen: Counter[str] = Counter()
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(runs)]
    draw.shuffle(victims)
    for victim in victims:
        if await _left(house) < FEW:
            await house.blast(WAVE, title=f"Dinner {len(house.people)}")
        await sleep(draw.uniform(0.0, 1.0))
        fallen[victim] += 1
        match victim:
            case "worker":
                old = workers.pop(draw.randrange(2))
                await old.kill()
                # One in four is not waited for, so that the next may die while this one starts.
                workers.append(await house.start("worker") if draw.random() < 0.25 else await house.worker())
            case "web":
                await web.kill()
                web = await house.web()
            case _:
                await house.kill_provider()
                await sleep(draw.uniform(0.0, 0.5))
                await house.start_provider()
                await house.turn(latency=LATENCY)
    await _all_up(workers)
    return fallen


async def _all_up(workers: list[Process]) -> None:
    for worker in workers:
        await worker.until_it_says("Channels:")


async def _left(house: Breakable) -> int:
    """Members of all blasts whose message the provider has not yet."""
    return sum(len(ids) for ids in house.people.values()) - await house.accepted()
