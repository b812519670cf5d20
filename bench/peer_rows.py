"""The rows of the peers: messages a second, CPU seconds with those of the servers, and memory, ours beside each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from bench import harness, ledgers
from bench.harness import announced, median
from bench.peers import NOBODY, PEERS, Peer
from bench.provider import Provider, provider
from bench.report import Row
from bench.rows import Bench, checked_blast, environment
from bench.servers import Servers, own_redis, postmaster_of

LATENCIES = (0.0, 0.05)
"""Seconds that the provider takes to answer."""
AT_ONCE = {0.0: 0, 0.05: 300}
"""Our requests under way at once; 0: as many as are shipped. At the shipped 10 a far provider bounds anything."""

Found = dict[str, list[dict[str, Any]]]


def peer_rows(bench: Bench) -> list[Row]:
    """Ours on both databases beside every peer, with a provider that answers at once and with one that is far away."""
    rows: list[Row] = []
    members = 1_000 if bench.quick else 10_000
    with contextlib.ExitStack() as stack:
        servers, ours = Servers(), list[ledgers.Ledger]()
        try:
            servers.redis_url = stack.enter_context(own_redis())
        except LookupError as error:
            bench.console.print(f"left out: {error}")
        for kind in ("sqlite", "postgresql"):
            try:
                ours.append(stack.enter_context(ledgers.filled(kind, members, bench.folder, bench.cores)))
            except LookupError as error:
                bench.console.print(f"left out: {error}")
        if isinstance(ours[-1], ledgers.PostgresLedger):
            servers.postmaster = postmaster_of(ours[-1].url)
        for latency in LATENCIES:
            with provider(bench.cores, latency=latency) as sandbox:
                found = _all(bench, sandbox, servers, ours, latency, members)
            rows += _rows(bench, found, latency, members, servers)
    return rows


def _all(
    bench: Bench, sandbox: Provider, servers: Servers, ours: list[ledgers.Ledger], latency: float, members: int
) -> Found:
    """Everybody in turn, so that a slow minute of the machine falls on all of them alike."""
    postgres = next((ledger for ledger in ours if isinstance(ledger, ledgers.PostgresLedger)), None)
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        ledger.name: partial(_ours, bench, sandbox, servers, ledger, latency, members) for ledger in ours
    }
    for peer in PEERS:
        lacks = "Redis" if peer.needs_redis and not servers.redis_url else ""
        lacks = "PostgreSQL" if peer.needs_postgresql and postgres is None else lacks
        if lacks:
            bench.console.print(f"left out: {peer.label}, which needs {lacks}")
        else:
            sent = partial(_peer, bench, sandbox, servers, postgres, peer)
            with announced(bench.console, f"best concurrency of {peer.label}"):
                best = _fastest(bench, peer, latency, sent)
            runs[peer.name] = partial(sent, best, peer.messages // (4 if bench.quick else 1))
    found: Found = {name: [] for name in runs}
    for _ in range(bench.times):
        for name, measure in runs.items():
            with announced(bench.console, f"{name}, the provider answers after {latency * 1000:.0f} ms"):
                found[name].append(measure())
    return found


def _ours(
    bench: Bench, sandbox: Provider, servers: Servers, ledger: ledgers.Ledger, latency: float, members: int
) -> dict[str, Any]:
    shared = isinstance(ledger, ledgers.PostgresLedger)
    with ledger.copy() as url:
        env = environment(bench, url, sandbox, concurrency=AT_ONCE[latency])
        if shared:
            env["OUTREACH_REDIS_URL"] = servers.redis_url
        before = servers.cpu_seconds(postgresql=shared)
        found = checked_blast(bench, sandbox, ledger, url, members, env=env)
        found["servers_cpu"] = servers.cpu_seconds(postgresql=shared) - before
    return {**found, "messages": members}


def _fastest(bench: Bench, peer: Peer, latency: float, measure: Callable[[int, int], dict[str, Any]]) -> int:
    """With how many requests at once a peer is fastest, by a few of its messages."""
    few = peer.messages // (10 if bench.quick else 4)
    sweep = {at: few / measure(at, few)["seconds"] for at in peer.concurrencies(latency)}
    bench.sweeps[f"{peer.name}, {latency * 1000:.0f} ms"] = sweep
    return max(sweep, key=lambda at: sweep[at])


def _peer(
    bench: Bench,
    sandbox: Provider,
    servers: Servers,
    ledger: ledgers.Ledger | None,
    peer: Peer,
    at_once: int,
    messages: int,
) -> dict[str, Any]:
    sandbox.forget()
    arguments = ["-m", peer.module, *([peer.name] if peer.module == "bench.yardsticks" else [])]
    arguments += ["--url", sandbox.url, "--messages", str(messages), "--concurrency", str(at_once)]
    env = {**sandbox.environment, "BENCH_REDIS_URL": servers.redis_url}
    with contextlib.ExitStack() as stack:
        if peer.needs_postgresql:
            assert ledger is not None
            arguments += ["--database", stack.enter_context(ledger.copy())]
        elif peer.needs_redis:
            arguments += ["--folder", str(bench.folder)]
        before = servers.cpu_seconds(postgresql=peer.needs_postgresql)
        found = harness.run(arguments, core=bench.cores.sender, env=env)
        found["servers_cpu"] = servers.cpu_seconds(postgresql=peer.needs_postgresql) - before
    sandbox.check(messages)
    return {**found, "messages": messages, "at_once": at_once}


def _rows(bench: Bench, found: Found, latency: float, members: int, servers: Servers) -> list[Row]:
    rate = {name: [run["messages"] / run["seconds"] for run in runs] for name, runs in found.items()}
    cpu = {
        name: [(run["cpu"] + run["servers_cpu"]) / run["messages"] * 1000 for run in runs]
        for name, runs in found.items()
    }
    peers = {peer.name: peer for peer in PEERS if peer.name in found}
    at = f"{AT_ONCE[latency]} requests at once" if AT_ONCE[latency] else "as many requests at once as are shipped"
    columns = {
        "ours": f"a whole durable blast to {members:,}, every rule on, every outcome committed; {at}",
        "CPU": "of worker, database and Redis"
        + ("" if servers.postmaster else "; without PostgreSQL's, whose processes cannot be seen from here"),
        "peak memory": ", ".join(
            f"{name} {max(run['peak_mib'] for run in runs):.0f} MiB" for name, runs in found.items()
        ),
        "none of the peers does": NOBODY,
        **{peer.label: f"{peer.how}; {peer.lacks}" for peer in peers.values()},
        "noise": "ratios between 0.67 and 1.5 are noise on a machine that is not quiet",
        "others": bench.others,
    }
    rows = []
    for ours in (name for name in found if name not in peers):
        redis = " and Redis" if ours == "PostgreSQL" and servers.redis_url else ""
        name = f"blast {ours}{redis}, {latency * 1000:.0f} ms"
        for unit, runs, better in (("messages/s", rate, "more"), ("CPU s per 1,000", cpu, "less")):
            rows += [
                Row(
                    name=name,
                    value=median(runs[ours]),
                    unit=unit,
                    better=better,
                    yardstick=f"{peer.label}, {found[peer.name][0]['at_once']} at once",
                    yardstick_value=median(runs[peer.name]),
                    columns=columns,
                    runs={"ours": runs[ours], "yardstick": runs[peer.name]},
                )
                for peer in peers.values()
            ]
    return rows
