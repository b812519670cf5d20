"""Two hundred people watch an ask go out: what that costs the ask, in one run with them and without them in turn."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bench.harness import Background, announced, median
from bench.ledgers import Ledger
from bench.pages import past_ledger, served
from bench.provider import provider
from bench.report import Row
from bench.rows import Bench
from router.loop import run

VIEWERS = 200
AIM = 0.95
"""The share of its rate that an ask keeps while they look (issue 7)."""
MEMBERS, QUICK = 1_000_000, 300_000
"""So many that the ask is not over before the last turn."""
SECONDS, QUICK_SECONDS = 8.0, 1.5
"""How long the messages are counted each time."""
_ROUTED_WITHIN = 120.0
"""Seconds that it may take until it is decided for everybody; only then there is nothing but sending to be slowed."""
TURNS, QUICK_TURNS = 10, 4
"""How often the viewers come and go: a rate moves by a fifth from one turn to the next, so that few tell little."""
_SETTLE = 4.0
"""Seconds after the viewers came or went before counting begins: their first page is not what is measured."""


def viewer_rows(bench: Bench) -> list[Row]:
    """Messages a second with `VIEWERS` live pages open and with none; SQLite in one process, PostgreSQL in two."""
    members = bench.crowd or (QUICK if bench.quick else MEMBERS)
    rows: list[Row] = []
    with provider(bench.cores) as sandbox:
        for kind in ("sqlite", "postgresql"):
            try:
                with past_ledger(bench, kind, members) as ledger:
                    sandbox.forget()
                    with (
                        served(bench, sandbox, ledger, members) as server,
                        announced(bench.console, f"{VIEWERS} viewers come and go on {ledger.name}"),
                    ):
                        turns, seconds = (QUICK_TURNS, QUICK_SECONDS) if bench.quick else (TURNS, SECONDS)
                        _wait_until_routed(ledger)
                        found = run(_turns(server, sandbox.url, turns, seconds))
            except LookupError as error:
                bench.console.print(f"left out: {error}")
                continue
            rows += _rows(bench, ledger.name, members, found)
    return rows


def _rows(bench: Bench, name: str, members: int, found: Mapping[str, Any]) -> list[Row]:
    """The ask's rate; and the CPU of the process that serves the pages, which moves less from turn to turn."""
    with_, without = median(found["with"]), median(found["without"])
    held = "holds" if with_ >= AIM * without else "MISSES"
    if not found["events"] or not min(found["with"] + found["without"]):
        held = "NOT SHOWN: the ask was over too soon, or nothing reached the viewers"
    columns = {
        "each viewer": f"{found['events']:.1f} messages and {found['kib']:.0f} KiB a second",
        "what": f"{len(found['with'])} turns of each, {members:,} members",
        "others": bench.others,
    }
    rate = Row(
        name=f"{VIEWERS} live viewers, {name}",
        value=with_,
        unit="messages/s",
        better="more",
        yardstick="the same ask in the same run, nobody looks",
        yardstick_value=without,
        columns={"aim": f"at least {AIM:.0%} of its rate: {held}", **columns},
        runs={"ours": found["with"], "yardstick": found["without"]},
    )
    together = name == "SQLite"
    cpu = {when: found[f"{when} cpu"] for when in ("with", "without")}
    if together:  # it sends as well, and the more of it the less it does for viewers
        cpu = {
            when: [share / many * 1000 if many else 0.0 for share, many in zip(cpu[when], found[when], strict=True)]
            for when in cpu
        }
    spent = Row(
        name=f"{VIEWERS} live viewers, {name}",
        value=median(cpu["with"]),
        unit="CPU s per 1,000 messages" if together else "CPU s a second, web",
        better="less",
        yardstick="the same, nobody looks",
        yardstick_value=median(cpu["without"]),
        columns=columns,
        runs={"ours": cpu["with"], "yardstick": cpu["without"]},
    )
    return [rate, spent]


async def _turns(server: Background, sandbox: str, turns: int, seconds: float) -> dict[str, Any]:
    found: dict[str, list[float]] = {"with": [], "without": [], "with cpu": [], "without cpu": []}
    seen = Seen()

    async def count(when: str) -> None:
        began, spent = time.perf_counter(), server.cpu_seconds()
        found[when].append(await _rate(sandbox, seconds))
        found[f"{when} cpu"].append((server.cpu_seconds() - spent) / (time.perf_counter() - began))

    for _ in range(turns):
        await asyncio.sleep(_SETTLE)
        await count("without")
        async with _watching(server.ready, seen):
            await asyncio.sleep(_SETTLE)
            seen.count = True
            await count("with")
            seen.count = False
    looked = turns * seconds * VIEWERS
    return {**found, "events": seen.events / looked, "kib": seen.size / looked / 1024}


class Seen:
    """What reached all viewers while it was counted."""

    def __init__(self) -> None:
        self.count = False
        self.events = self.size = 0

    def add(self, piece: bytes) -> None:
        if self.count:
            self.events += piece.count(b"\n\n")
            self.size += len(piece)


@contextlib.asynccontextmanager
async def _watching(ready: Mapping[str, Any], seen: Seen) -> AsyncIterator[None]:
    """So many connections, read as cheaply as can be: viewers have machines of their own."""
    tasks = [asyncio.create_task(_watch(ready, seen)) for _ in range(VIEWERS)]
    try:
        yield
        broken = [task for task in tasks if task.done()]
        assert not broken, f"{len(broken)} viewers were sent away"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(ready: Mapping[str, Any], seen: Seen) -> None:
    address = urlsplit(ready["url"])
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        head = "".join(f"{name}: {value}\r\n" for name, value in ready["headers"].items())
        path = f"/office/asks/{ready['ask']}/live/events"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n{head}\r\n".encode())
        status = await reader.readline()
        assert b" 200 " in status, status
        while piece := await reader.read(1 << 16):
            seen.add(piece)
    finally:
        writer.close()


async def _rate(sandbox: str, seconds: float) -> float:
    """Messages a second at the provider."""
    before, began = await asyncio.to_thread(_accepted, sandbox), time.perf_counter()
    await asyncio.sleep(seconds)
    after = await asyncio.to_thread(_accepted, sandbox)
    return (after - before) / (time.perf_counter() - began)


def _wait_until_routed(ledger: Ledger) -> None:
    ends = time.monotonic() + _ROUTED_WITHIN
    query = "SELECT count(*), count(routed_at) FROM route_range"
    while time.monotonic() < ends:
        [(ranges, routed)] = ledger.query(ledger.url, query)
        if ranges and ranges == routed:
            return
        time.sleep(0.5)
    raise RuntimeError(f"the ask was not routed within {_ROUTED_WITHIN:.0f} s")


def _accepted(sandbox: str) -> int:
    with urllib.request.urlopen(f"{sandbox}/sandbox/stats", timeout=30) as answer:
        return int(json.load(answer)["accepted"])
