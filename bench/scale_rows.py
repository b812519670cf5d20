"""The row of many workers: what one more process is worth while the provider, not this machine, is what takes time."""

from __future__ import annotations

from typing import Any

from bench import harness, ledgers
from bench.attention_rows import workers
from bench.harness import announced, interleaved, median
from bench.provider import Provider, provider
from bench.report import Row
from bench.rows import Bench, environment
from bench.servers import own_redis

LATENCY = 0.1
"""Seconds that the provider takes to answer."""
AT_ONCE = 60
"""Requests under way at once in a worker: so many that two of them, provider, PostgreSQL and Redis fit on two cores."""


def scale_rows(bench: Bench) -> list[Row]:
    """Two workers beside one, on PostgreSQL and Redis, without a rate of ours."""
    members = 3_000 if bench.quick else 12_000  # of 500 to a batch, so that no dispatcher is without one
    try:
        with (
            own_redis() as redis,
            provider(bench.cores, latency=LATENCY) as sandbox,
            ledgers.filled("postgresql", members, bench.folder, bench.cores) as ledger,
        ):
            found = interleaved(
                bench.times,
                one=lambda: _finished(bench, sandbox, ledger, redis, members, 1),
                two=lambda: _finished(bench, sandbox, ledger, redis, members, 2),
            )
    except LookupError as error:
        bench.console.print(f"left out: {error}")
        return []
    rate = {what: [members / run["seconds"] for run in runs] for what, runs in found.items()}
    return [
        Row(
            name="two workers, the provider answers after 100 ms",
            value=median(rate["two"]),
            unit="messages/s",
            yardstick="one worker",
            yardstick_value=median(rate["one"]),
            columns={
                "what": f"{members:,} members on PostgreSQL and Redis, {AT_ONCE} requests at once in each worker,"
                " from the launch until the campaign is finished",
                "bound": f"{AT_ONCE / LATENCY:,.0f} messages/s and worker, as long as each answer takes",
                "others": bench.others,
            },
            runs={"ours": rate["two"], "yardstick": rate["one"]},
        )
    ]


def _finished(
    bench: Bench, sandbox: Provider, ledger: ledgers.Ledger, redis: str, members: int, count: int
) -> dict[str, Any]:
    sandbox.forget()
    with announced(bench.console, f"{members:,} members, workers: {count}"), ledger.copy() as url:
        env = {**environment(bench, url, sandbox, concurrency=AT_ONCE), "OUTREACH_REDIS_URL": redis}
        with workers(bench, env, count=count):
            found = harness.run(["-m", "bench.scale"], core=bench.cores.provider, env=env)
    sandbox.check(members)
    return found
