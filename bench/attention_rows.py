"""How soon an organizer sees what an ask would do, and how soon a pause is heard."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from bench import harness, ledgers
from bench.harness import announced, median
from bench.provider import Provider, provider
from bench.report import Row
from bench.routing_rows import crowded, previewed
from bench.rows import Bench, environment

WORKERS = 2


def preview_rows(bench: Bench) -> list[Row]:
    """The preview of an ask to everybody, on both databases: of 200,000 members, or as many as ``--members`` says."""
    members = bench.crowd or (20_000 if bench.quick else 200_000)
    rows: list[Row] = []
    with provider(bench.cores) as sandbox:
        for kind in ("sqlite", "postgresql"):
            try:
                with crowded(bench, kind, members) as ledger:
                    rows.append(previewed(bench, sandbox, ledger, members))
            except LookupError as error:
                bench.console.print(f"left out: {error}")
    return rows


def pause_rows(bench: Bench) -> list[Row]:
    """From a pause to the last message at the provider: two workers at full speed, with signals and without."""
    rows: list[Row] = []
    redis = _redis_url()
    with provider(bench.cores) as sandbox:
        try:
            with ledgers.filled("postgresql", bench.members, bench.folder, bench.cores) as ledger:
                rows += [_paused(bench, sandbox, ledger, url) for url in ([redis, ""] if redis else [""])]
        except LookupError as error:
            bench.console.print(f"left out: {error}")
    return rows


def _paused(bench: Bench, sandbox: Provider, ledger: ledgers.Ledger, redis: str) -> Row:
    heard = "Redis" if redis else "no signals"
    runs = []
    for _ in range(bench.times):
        sandbox.forget()
        with announced(bench.console, f"pause with {heard}"), ledger.copy() as url:
            env = {**environment(bench, url, sandbox), "OUTREACH_REDIS_URL": redis}
            with workers(bench, env):
                arguments = ["-m", "bench.pausing", "pause", "--sandbox", sandbox.url]
                arguments += ["--after", str(bench.members // 4)]
                run = harness.run(arguments, core=bench.cores.provider, env=env)
        assert run["accepted"] < bench.members, "it was over before it was paused: more members are needed"
        runs.append(run)
    seconds = [run["seconds"] for run in runs]
    return Row(
        name=f"pause to last send, {heard}",
        value=median(seconds),
        unit="s",
        better="less",
        columns={
            "what": f"{WORKERS} workers at full speed on {ledger.name}, the pause called by a third process",
            "the pause returned after": f"{median([run['returned'] for run in runs]):.2f} s",
            "others": bench.others,
        },
        runs={"ours": seconds},
    )


@contextlib.contextmanager
def workers(bench: Bench, env: Mapping[str, str], *, count: int = WORKERS) -> Iterator[None]:
    """So many worker processes that are ready to work, on the sender's core, the provider's, and so on."""
    command, cores = ["-m", "bench.pausing", "work"], (bench.cores.sender, bench.cores.provider)
    with contextlib.ExitStack() as stack:
        for place in range(count):
            stack.enter_context(harness.Background(command, core=cores[place % 2], env=env))
        yield


def _redis_url() -> str | None:
    from tests.support.redis import redis_url

    return redis_url()
