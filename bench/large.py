"""``python -m bench.large [--members N] [--routed N]``: a million members reached, five million routed.

The million is reached over five channels, on SQLite and on PostgreSQL; the five million are routed on PostgreSQL. Each
stands beside the same with 10,000 members, which shows what a member more costs. Then a million members with a past are
routed on both, beside an INSERT … SELECT.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import harness, ledgers, report
from bench.harness import announced
from bench.multitude import CHANNELS
from bench.provider import Provider, provider
from bench.report import Row
from bench.routing_rows import routing_rows
from bench.rows import Bench, environment
from bench.servers import Servers, postmaster_of
from bench.smtp_sink import SmtpSink, smtp_sink

SMALL = 10_000
"""What the large run is compared with."""
BYTES = 5_000
"""Of disk for a member who is written to, with what PostgreSQL's log takes meanwhile: twice what 20,000 took."""

Ledger = ledgers.SqliteLedger | ledgers.PostgresLedger


@contextlib.contextmanager
def filled(bench: Bench, kind: str, members: int) -> Iterator[tuple[Ledger, int]]:
    """A ledger of so many members, gone afterwards, and the bytes that it took when it was empty.

    Raises LookupError with no PostgreSQL, or with too little room.
    """
    with contextlib.ExitStack() as stack:
        ledger: Ledger
        if kind == "sqlite":
            place = bench.folder / f"large-{members}"
            place.mkdir()
            stack.callback(shutil.rmtree, place)
            ledger = ledgers.SqliteLedger(place)
        else:
            ledger = ledgers.PostgresLedger()
            stack.callback(ledger.drop)
        _check_room(bench, ledger, members)
        fill = ["-m", "bench.multitude", "--url", ledger.url, "--members"]
        with announced(bench.console, f"{members:,} members into {ledger.name}"):
            harness.run([*fill, "0"], core=bench.cores.sender)
            empty = size(ledger)
            harness.run([*fill, str(members)], core=bench.cores.sender)
        yield ledger, empty


def _check_room(bench: Bench, ledger: Ledger, members: int) -> None:
    place = bench.folder
    if isinstance(ledger, ledgers.PostgresLedger):
        place = Path(ledger.query(ledger.url, "SELECT current_setting('data_directory', true)")[0][0] or "/nowhere")
    if not place.exists():
        bench.console.print(f"{ledger.name} keeps its files where they cannot be seen from here; room is not checked")
        return
    free, wanted = shutil.disk_usage(place).free, members * BYTES
    if free < wanted:
        raise LookupError(
            f"{members:,} members on {ledger.name} want {wanted / 1e9:.0f} GB of disk at {place}, and {free / 1e9:.0f}"
            " are free: make room, or ask for fewer with --members and --routed"
        )


def size(ledger: Ledger) -> int:
    """Bytes of the whole database."""
    if isinstance(ledger, ledgers.PostgresLedger):
        return int(ledger.query(ledger.url, "SELECT pg_database_size(current_database())")[0][0])
    ledger.query(ledger.url, "PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(file.stat().st_size for file in ledger.path.parent.glob(f"{ledger.path.name}*"))


def reached(bench: Bench, sandbox: Provider, sink: SmtpSink, kind: str, members: int) -> dict[str, Any]:
    """One blast to all of them; counted at the providers and in the ledger."""
    with filled(bench, kind, members) as (ledger, empty):
        sandbox.forget()
        sink.forget()
        before, servers = size(ledger), _servers(ledger)
        spent = servers.cpu_seconds(postgresql=True)
        channels = [word for channel in CHANNELS for word in ("--channel", channel)]
        with announced(bench.console, f"blast to {members:,} on {ledger.name}, over {', '.join(CHANNELS)}"):
            env = {**environment(bench, ledger.url, sandbox), **_channels(sandbox, sink)}
            found = harness.run(["-m", "bench.blast", *channels], core=bench.cores.sender, env=env)
        found["cpu"] += servers.cpu_seconds(postgresql=True) - spent
        statuses = dict(ledger.query(ledger.url, "SELECT status, count(*) FROM delivery GROUP BY status"))
        assert statuses == {"sent": members}, f"in the ledger: {statuses}, wanted {members} sent"
        mails = sum(CHANNELS[number % len(CHANNELS)] == "email" for number in range(1, members + 1))
        sink.check(mails)
        sandbox.check(members - mails)
        return {**found, "empty": empty, "before": before, "after": size(ledger), "name": ledger.name}


def routed(bench: Bench, sandbox: Provider, sink: SmtpSink, kind: str, members: int) -> dict[str, Any]:
    """Everybody decided and written down, nobody written to."""
    with filled(bench, kind, members) as (ledger, empty):
        before, servers = size(ledger), _servers(ledger)
        spent = servers.cpu_seconds(postgresql=True)
        channels = [word for channel in CHANNELS for word in ("--channel", channel)]
        with announced(bench.console, f"routing of {members:,} on {ledger.name}"):
            env = {**environment(bench, ledger.url, sandbox), **_channels(sandbox, sink)}
            found = harness.run(["-m", "bench.routing", "ours", *channels], core=bench.cores.sender, env=env)
        found["cpu"] += servers.cpu_seconds(postgresql=True) - spent
        [(count,)] = ledger.query(ledger.url, "SELECT count(*) FROM delivery")
        assert count == members == found["members"], f"{count} routed, wanted {members}"
        return {**found, "empty": empty, "before": before, "after": size(ledger), "name": ledger.name}


def _servers(ledger: Ledger) -> Servers:
    return Servers(postmaster=postmaster_of(ledger.url) if isinstance(ledger, ledgers.PostgresLedger) else None)


def _channels(sandbox: Provider, sink: SmtpSink) -> Mapping[str, str]:
    wanted = tuple(f"OUTREACH_{channel}_".upper() for channel in CHANNELS)
    others = {name: value for name, value in sandbox.all_channels.items() if name.startswith(wanted)}
    mail = {name: value for name, value in others.items() if not name.startswith("OUTREACH_EMAIL_")}
    return {**mail, **sink.environment, "OUTREACH_POSTAL_ADDRESS": "1 Example Street, Anytown"}


def rows_of(what: str, found: Mapping[int, Mapping[str, Any]], bench: Bench) -> list[Row]:
    """Rate, CPU, memory and bytes of the large run beside the small one."""
    small, members = min(found), max(found)
    name = f"{what} {members:,} {found[members]['name']}"

    def row(unit: str, better: str, value: Any, **columns: str) -> Row:
        return Row(
            name=name,
            value=value(members, found[members]),
            unit=unit,
            better=better,
            yardstick=f"the same with {small:,}",
            yardstick_value=value(small, found[small]) if small != members else None,
            columns={**columns, "others": bench.others},
        )

    took = f"{found[members]['seconds'] / 60:.1f} minutes; the database grew to {found[members]['after'] / 1e9:.2f} GB"
    return [
        row("members/s", "more", lambda n, run: n / run["seconds"], took=took),
        row("CPU s per 1,000", "less", lambda n, run: run["cpu"] / n * 1000, CPU="of worker and database"),
        row("MiB, peak", "less", lambda _, run: run["peak_mib"]),
        row("bytes of member", "less", lambda n, run: (run["before"] - run["empty"]) / n),
        row("bytes of message", "less", lambda n, run: (run["after"] - run["before"]) / n),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.large", description=__doc__)
    parser.add_argument("--members", type=int, default=1_000_000, help="how many are written to; at most 1,100,000")
    parser.add_argument("--routed", type=int, default=5_000_000, help="as many are routed on PostgreSQL; 0: nobody")
    options = parser.parse_args()
    harness.end_on_sigterm()
    console = Console()
    if not console.is_terminal:
        console.width = 130
    cores, others = harness.Cores.choose(), report.others_at_work()
    console.print(f"{report.machine()}; {cores}; {others}", highlight=False)
    harness.OUT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=harness.OUT))
    bench = Bench(console=console, cores=cores, folder=folder, quick=False, others=others)
    rows: list[Row] = []
    try:
        with provider(cores) as sandbox, smtp_sink(cores) as sink:
            work = [("reach", reached, kind, options.members) for kind in ("sqlite", "postgresql")]
            work += [("route only", routed, "postgresql", options.routed)] if options.routed else []
            for what, measure, kind, members in work:
                sizes = sorted({min(SMALL, members), members})
                try:
                    found = {size: measure(bench, sandbox, sink, kind, size) for size in sizes}
                except LookupError as error:
                    console.print(f"left out: {error}")
                    continue
                rows += rows_of(what, found, bench)
        rows += routing_rows(bench, (options.members,))
    finally:
        shutil.rmtree(folder)
        if rows:
            report.show(rows, console)
            report.save(rows, {}, cores)


if __name__ == "__main__":
    main()
