"""The rows of receipts: how many a second are durable before they are answered, beside a handler that does nothing."""

from __future__ import annotations

from typing import Any

from bench import harness, ledgers
from bench.harness import Background, announced, interleaved, median
from bench.provider import Provider, provider
from bench.report import Row
from bench.rows import Bench, checked_blast, environment
from bench.storms import PUBLIC

CONNECTIONS = 100


def receipt_rows(bench: Bench) -> list[Row]:
    """A receipt for each message of a blast, on both databases."""
    rows: list[Row] = []
    with provider(bench.cores) as sandbox:
        for kind in ("sqlite", "postgresql"):
            try:
                with ledgers.filled(kind, _members(bench), bench.folder, bench.cores) as ledger:
                    found = interleaved(
                        bench.times,
                        ours=lambda ledger=ledger: _ours(bench, sandbox, ledger),
                        nothing=lambda: _nothing(bench, sandbox),
                    )
            except LookupError as error:
                bench.console.print(f"left out: {error}")
                continue
            rows += _rows(bench, ledger.name, found)
    return rows


def _ours(bench: Bench, sandbox: Provider, ledger: ledgers.Ledger) -> dict[str, Any]:
    with announced(bench.console, f"{_members(bench):,} receipts on {ledger.name}"), ledger.copy() as url:
        env = environment(bench, url, sandbox) | {"OUTREACH_PUBLIC_URL": PUBLIC}
        checked_blast(bench, sandbox, ledger, url, _members(bench), env=env)
        sent = ledger.query(url, "SELECT month, delivery_id, provider_id FROM attempt WHERE outcome = 'sent'")
        lines = (f"{month}-{number}\t{sid}\n" for month, number, sid in sent)
        (bench.folder / "deliveries").write_text("".join(lines))
        found = _storm(bench, sandbox, ["-m", "bench.storms", "serve"], env)
        statuses = dict(ledger.query(url, "SELECT status, count(*) FROM delivery GROUP BY status"))
        assert statuses == {"delivered": _members(bench)}, f"in the ledger: {statuses}, all were to be delivered"
    return found


def _nothing(bench: Bench, sandbox: Provider) -> dict[str, Any]:
    return _storm(bench, sandbox, ["-m", "bench.storms", "nothing"], sandbox.environment)


def _storm(bench: Bench, sandbox: Provider, server: list[str], env: dict[str, str]) -> dict[str, Any]:
    with Background(server, core=bench.cores.sender, env=env) as web:
        before = web.cpu_seconds()
        arguments = ["-m", "bench.storms", "call", "--url", str(web.ready["url"])]
        arguments += ["--deliveries", str(bench.folder / "deliveries"), "--connections", str(CONNECTIONS)]
        found = harness.run(arguments, core=bench.cores.provider, env=sandbox.environment)
        found["server_cpu"] = web.cpu_seconds() - before
    assert found["calls"] == _members(bench), found
    return found


def _rows(bench: Bench, name: str, found: dict[str, list[dict[str, Any]]]) -> list[Row]:
    rate = {who: [run["calls"] / run["seconds"] for run in runs] for who, runs in found.items()}
    cpu = {who: [run["server_cpu"] / run["calls"] * 1000 for run in runs] for who, runs in found.items()}
    p99 = {who: median([run["p99"] for run in runs]) * 1000 for who, runs in found.items()}
    return [
        Row(
            name=f"receipts by webhook, {name}",
            value=median(runs["ours"]),
            unit=unit,
            better=better,
            yardstick="aiohttp handler that does nothing",
            yardstick_value=median(runs["nothing"]),
            columns={
                "ours": f"signature proven, matched, committed together, then 200; over {CONNECTIONS} connections",
                "99 of 100 within": f"{p99['ours']:.0f} ms, and {p99['nothing']:.0f} ms where nothing is done",
                "CPU": "of the web server's process",
                "others": bench.others,
            },
            runs={"ours": runs["ours"], "yardstick": runs["nothing"]},
        )
        for unit, better, runs in (("receipts/s", "more", rate), ("CPU s per 1,000", "less", cpu))
    ]


def _members(bench: Bench) -> int:
    return bench.members // 2
