"""Every page at a million members while an ask goes out: how soon the server has it, beside an empty page."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
from rich.table import Table

from bench import harness, ledgers
from bench.harness import Background, announced
from bench.members import KEY
from bench.provider import Provider, provider
from bench.report import Row
from bench.rows import Bench, environment
from router.loop import run
from tests.support.pages import ELSEWHERE, Sight

AIM = 150.0
"""Milliseconds within which the server has 95 of 100 pages (issue 7)."""
MEMBERS, QUICK = 1_000_000, 20_000
TIMES, QUICK_TIMES = 20, 5
"""How often each page is looked at, after a first look that fills the caches of templates and statements."""
_MOST_SHOWN = 30
_PATIENCE = aiohttp.ClientTimeout(total=30)

Looks = dict[str, list[float]]
"""Page → milliseconds of each look."""


def page_rows(bench: Bench) -> list[Row]:
    """Every GET page of the registry on both databases: SQLite as `outreach serve`, PostgreSQL as web and worker."""
    members = bench.crowd or (QUICK if bench.quick else MEMBERS)
    rows: list[Row] = []
    with provider(bench.cores) as sandbox:
        for kind in ("sqlite", "postgresql"):
            try:
                with past_ledger(bench, kind, members) as ledger, served(bench, sandbox, ledger, members) as server:
                    times = QUICK_TIMES if bench.quick else TIMES
                    with announced(bench.console, f"each page {times} times on {ledger.name}"):
                        looks, wrong = run(_walk(server.ready, times))
                    rows.append(_judge(bench, ledger, members, looks, wrong, _is_going(ledger)))
            except LookupError as error:
                bench.console.print(f"left out: {error}")
    return rows


# ── the installation ──────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def past_ledger(bench: Bench, kind: str, members: int) -> Iterator[ledgers.Ledger]:
    """A ledger of this kind with a movement and its past in it; gone afterwards."""
    place = bench.folder / f"past-{kind}-{members}"
    place.mkdir()
    ledger = ledgers.SqliteLedger(place) if kind == "sqlite" else ledgers.PostgresLedger()
    try:
        with announced(bench.console, f"{members:,} members with a past into {ledger.name}"):
            command = ["-m", "bench.page_server", "fill", "--members", str(members)]
            harness.run(
                command, core=bench.cores.sender, env={"OUTREACH_DATABASE_URL": ledger.url, "OUTREACH_SECRET_KEY": KEY}
            )
        yield ledger
    finally:
        if isinstance(ledger, ledgers.PostgresLedger):
            ledger.drop()
        shutil.rmtree(place)


@contextlib.contextmanager
def served(bench: Bench, sandbox: Provider, ledger: ledgers.Ledger, members: int) -> Iterator[Background]:
    """The ledger's pages, and an ask on its way to everybody: on SQLite in one process, else in two."""
    together = ledger.name == "SQLite"
    env = {**sandbox.all_channels, **environment(bench, ledger.url, sandbox)}
    command = ["-m", "bench.page_server", "serve", "--members", str(members), *(["--work"] if together else [])]
    with contextlib.ExitStack() as stack:
        with announced(bench.console, f"an ask to {members:,} members on {ledger.name}"):
            server = stack.enter_context(Background(command, core=bench.cores.sender, env=env))
        if not together:
            stack.enter_context(working(bench, env))
        yield server


@contextlib.contextmanager
def working(bench: Bench, env: Mapping[str, str]) -> Iterator[None]:
    """The shipped worker in a process of its own."""
    process = harness.start(["-m", "bench.pausing", "work"], core=bench.cores.provider, env=env)
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(Exception):
            process.wait(timeout=15)
        process.kill()
        process.wait()


def _is_going(ledger: ledgers.Ledger) -> bool:
    """Whether the ask still goes out, so that no page was looked at in peace."""
    query = "SELECT count(*) FROM campaign WHERE status = 'running' AND kind = 'ask'"
    return bool(ledger.query(ledger.url, query)[0][0])


# ── the looks ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _walk(ready: Mapping[str, Any], times: int) -> tuple[Looks, dict[str, int]]:
    """Look at each page in turn, `times` over; and which of them did not come, with their status."""
    from bench.page_server import NOTHING

    found = [Sight(**one) for one in ready["sights"]]
    seen = [Sight(NOTHING, NOTHING), *(one for one in found if one.path not in ELSEWHERE)]
    looks: Looks = {one.told: [] for one in seen}
    wrong: dict[str, int] = {}
    async with aiohttp.ClientSession(ready["url"], headers=ready["headers"], timeout=_PATIENCE) as client:
        for round_ in range(times + 1):
            for one in seen:
                began = time.perf_counter()
                status = await _look(client, one, ready["csrf"])
                if round_:
                    looks[one.told].append((time.perf_counter() - began) * 1000)
                if status >= 400:
                    wrong[one.told] = status
    return looks, wrong


async def _look(client: aiohttp.ClientSession, one: Sight, csrf: str) -> int:
    """The status of the answer, once all of it is there; 504 where that takes longer than anybody waits."""
    form = None if one.form is None else {**one.form, "csrf": csrf}
    method = "GET" if form is None else "POST"
    try:
        async with client.request(method, one.url, data=form, allow_redirects=False) as answer:
            await answer.read()
            return answer.status
    except TimeoutError:
        return 504


# ── the verdict ───────────────────────────────────────────────────────────────────────────────────────────────────


def p95(values: list[float]) -> float:
    """The value below which 95 of 100 lie."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def _judge(
    bench: Bench, ledger: ledgers.Ledger, members: int, looks: Looks, wrong: Mapping[str, int], is_going: bool
) -> Row:
    from bench.page_server import NOTHING

    empty = p95(looks[NOTHING])
    held = {page: p95(found) for page, found in looks.items() if page != NOTHING}
    slow = sorted(held, key=lambda page: -held[page])
    _print(bench, ledger.name, looks, slow)
    missed = [f"{page} {held[page]:.0f} ms" for page in slow if held[page] > AIM]
    return Row(
        name=f"pages, {members:,} members {ledger.name}: the slowest, {slow[0]}",
        value=held[slow[0]],
        unit="ms p95",
        better="less",
        yardstick="the frame of a page, nothing looked up",
        yardstick_value=empty,
        columns={
            "pages": f"{len(held)}, of which {len(missed)} miss the aim of {AIM:.0f} ms at the 95th percentile",
            "missed": "; ".join(missed) or "none",
            "not looked at": "; ".join(f"{page}: {why}" for page, why in ELSEWHERE.items()),
            "did not come": "; ".join(f"{page}: {status}" for page, status in wrong.items()) or "none",
            "meanwhile": "an ask to everybody was going out" if is_going else "the ask was OVER before the last look",
            "others": bench.others,
        },
        runs=looks,
    )


def _print(bench: Bench, name: str, looks: Looks, slow: list[str]) -> None:
    from bench.page_server import NOTHING

    table = Table(title=f"Pages on {name}: milliseconds from the request to the last byte")
    table.add_column("page")
    for column in ("median", "95 of 100"):
        table.add_column(column, justify="right")
    for page in [NOTHING, *slow[:_MOST_SHOWN]]:
        table.add_row(page, f"{statistics.median(looks[page]):.1f}", f"{p95(looks[page]):.1f}")
    rest = slow[_MOST_SHOWN:]
    if rest:
        table.add_row(f"{len(rest)} further pages, at most", "", f"{p95(looks[rest[0]]):.1f}")
    bench.console.print(table)
