"""The rows of the bench. Each measures ours and its yardsticks in turn and then counts that nothing is missing."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import harness, ledgers
from bench.channels import CHANNELS
from bench.harness import Cores, announced, interleaved, median
from bench.members import KEY, write_bench_csv
from bench.provider import Provider, provider
from bench.report import Row
from bench.smtp_sink import SmtpSink, smtp_sink

SWEEP = (1, 5, 10, 20, 50, 100)


@dataclass(slots=True)
class Bench:
    """What all rows share."""

    console: Console
    cores: Cores
    folder: Path
    """Scratch, on a disk."""
    quick: bool
    others: str
    """What else the machine had to do just before."""
    sweeps: dict[str, dict[int, float]] = field(default_factory=dict)
    best: dict[str, int] = field(default_factory=dict)
    crowd: int = 0
    """Members that a preview counts; 0: as many as the row itself says."""

    @property
    def times(self) -> int:
        return 1 if self.quick else 3

    @property
    def members(self) -> int:
        return 2_000 if self.quick else 20_000


# ── the blast ─────────────────────────────────────────────────────────────────────────────────────────────────────


def blast_rows(bench: Bench) -> list[Row]:
    """A complete durable blast beside bare loops that keep nothing."""
    rows: list[Row] = []
    with provider(bench.cores) as sandbox:
        for name in ("twilio", "aiohttp"):
            _sweep(bench, sandbox, name)
        for kind in ("sqlite", "postgresql"):
            rows += _blast_on(bench, sandbox, kind)
    return rows


def _blast_on(bench: Bench, sandbox: Provider, kind: str) -> list[Row]:
    members = bench.members
    try:
        with ledgers.filled(kind, members, bench.folder, bench.cores) as ledger:
            with announced(bench.console, f"watched blast on {ledger.name}: what a crash could leave unknown"):
                watched = _blast(bench, sandbox, ledger, members, watch=True)
            with announced(bench.console, f"blast to {members:,} members on {ledger.name}, and its yardsticks"):
                found = interleaved(
                    bench.times,
                    ours=lambda: _blast(bench, sandbox, ledger, members),
                    twilio=lambda: _loop(bench, sandbox, "twilio", members),
                    aiohttp=lambda: _loop(bench, sandbox, "aiohttp", members),
                )
            columns = {
                **ledger.durability(),
                "unknown window": f"a crash leaves at most {watched['most_unknown']} deliveries unknown as seen every"
                f" 20 ms of a run, and at most {watched['possible_unknown']} by construction",
                "ours": "route, dispatch and commit every outcome; shipped settings, the rate lifted",
                "others": bench.others,
                "provider": f"{median([run['provider_cpu'] for run in found['ours']]) / members * 1000:.2f} "
                "CPU seconds per 1,000 messages on the other core",
            }
    except LookupError as error:
        bench.console.print(f"left out: {error}")
        return []
    rate = {name: [members / run["seconds"] for run in runs] for name, runs in found.items()}
    cpu = {name: [run["cpu"] / members * 1000 for run in runs] for name, runs in found.items()}
    rows = []
    for yardstick, label in (("twilio", "bare loop over twilio's SDK"), ("aiohttp", "bare aiohttp, bodies prepared")):
        at = f"{label}, {bench.best[yardstick]} at once"
        for unit, runs, better in (
            ("messages/s", rate, "more"),
            ("CPU s per 1,000", cpu, "less"),
        ):
            rows.append(
                Row(
                    name=f"blast {members:,} {ledger.name}",
                    value=median(runs["ours"]),
                    unit=unit,
                    better=better,
                    yardstick=at,
                    yardstick_value=median(runs[yardstick]),
                    columns=columns,
                    runs={"ours": runs["ours"], "yardstick": runs[yardstick]},
                )
            )
    return rows


def _blast(
    bench: Bench, sandbox: Provider, ledger: ledgers.Ledger, members: int, *, watch: bool = False
) -> dict[str, Any]:
    """One run on a fresh copy; ledger and provider are counted afterwards."""
    with ledger.copy() as url:
        env = environment(bench, url, sandbox)
        return checked_blast(bench, sandbox, ledger, url, members, env=env, watch=watch)


def checked_blast(
    bench: Bench,
    sandbox: Provider | SmtpSink,
    ledger: ledgers.Ledger,
    url: str,
    members: int,
    *,
    env: Mapping[str, str],
    watch: bool = False,
    channel: str = "sms",
) -> dict[str, Any]:
    """One run on the ledger at `url`; then it is counted, there and at the provider: none missing, none double."""
    sandbox.forget()
    before = sandbox.cpu_seconds()
    command = ["-m", "bench.blast", "--channel", channel, *(["--watch-unknown"] if watch else [])]
    found = harness.run(command, core=bench.cores.sender, env=env)
    found["provider_cpu"] = sandbox.cpu_seconds() - before
    by_status = dict(ledger.query(url, "SELECT status, count(*) FROM delivery GROUP BY status"))
    assert by_status == {"sent": members}, f"in the ledger: {by_status}, wanted {members} sent"
    [(attempts,)] = ledger.query(url, "SELECT count(*) FROM attempt WHERE outcome = 'sent'")
    assert attempts == members, f"{attempts} attempts in the ledger"
    sandbox.check(members)
    return found


def _loop(bench: Bench, sandbox: Provider, name: str, messages: int) -> dict[str, Any]:
    sandbox.forget()
    found = _yardstick(bench, sandbox, name, messages, bench.best[name])
    sandbox.check(messages)
    return found


def _yardstick(bench: Bench, sandbox: Provider, name: str, messages: int, concurrency: int) -> dict[str, Any]:
    arguments = ["--url", sandbox.url, "--messages", str(messages), "--concurrency", str(concurrency)]
    return harness.run(["-m", "bench.yardsticks", name, *arguments], core=bench.cores.sender, env=sandbox.environment)


def _sweep(bench: Bench, sandbox: Provider, name: str) -> None:
    """Find the concurrency at which a yardstick is fastest, and print what was tried."""
    messages = 1_000 if bench.quick else 5_000
    with announced(bench.console, f"best concurrency of the bare {name} loop"):
        sweep = {at: messages / _yardstick(bench, sandbox, name, messages, at)["seconds"] for at in SWEEP}
    bench.sweeps[name] = sweep
    bench.best[name] = max(sweep, key=lambda at: sweep[at])
    bench.console.print("  " + "  ".join(f"{at}: {rate:,.0f}/s" for at, rate in sweep.items()), highlight=False)


def environment(bench: Bench, url: str, sandbox: Provider | SmtpSink, *, concurrency: int = 0) -> dict[str, str]:
    """The worker's environment: shipped settings, but for the account; without its channels' rates, and in one stage.

    With `concurrency` that many requests are under way at once on each channel, instead of as many as are shipped.
    """
    folder = bench.folder / f"config-{concurrency}"
    folder.mkdir(exist_ok=True)
    shipped = (harness.ROOT / "config" / "channels.toml").read_text("utf-8")
    lifted, changed = re.subn(r"(?m)^rate = .*$", "rate = 0", shipped)
    assert changed, "channels.toml has channels with a rate"
    lifted, changed = re.subn(r"(?m)^(daily|each\.\w+|no_asks_to) = .*\n", "", lifted)
    assert changed, "and with allowances"
    if concurrency:
        lifted = re.sub(r"(?m)^concurrency = .*$", f"concurrency = {concurrency}", lifted)
    (folder / "channels.toml").write_text(lifted, "utf-8")
    shipped = (harness.ROOT / "config" / "policy.toml").read_text("utf-8")
    at_once, changed = re.subn(r"(?m)^(above|approval_above) = .*$", r"\1 = 1000000000", shipped)
    assert changed == 3, "policy.toml has a canary, a ramp and an approval"
    (folder / "policy.toml").write_text(at_once, "utf-8")
    return {
        "OUTREACH_DATABASE_URL": url,
        "OUTREACH_SECRET_KEY": KEY,
        "OUTREACH_CONFIG": str(folder),
        "OUTREACH_LOG_LEVEL": "WARNING",
        **sandbox.environment,
    }


# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────


def channel_rows(bench: Bench) -> list[Row]:
    """Each channel's adapter alone, beside its vendor's SDK and beside prepared bodies."""
    rows: list[Row] = []
    with provider(bench.cores) as sandbox, smtp_sink(bench.cores) as sink:
        for channel in CHANNELS:
            with announced(bench.console, f"{channel}: adapter, SDK, prepared bodies"):
                rows += _channel(bench, sink if channel == "email" else sandbox, channel)
    return rows


_PICKED = {
    "telegram": "python-telegram-bot's Bot",
    "slack": "slack_sdk's AsyncWebClient",
    "webpush": "pywebpush's webpush_async",
    "email": "aiosmtplib, EmailMessage",
}


def _channel(bench: Bench, sandbox: Provider | SmtpSink, channel: str) -> list[Row]:
    messages = 500 if bench.quick else 4_000

    def send(what: str, at: int, n: int = messages) -> dict[str, Any]:
        sandbox.forget()
        arguments = [what, channel, "--url", sandbox.url, "--messages", str(n), "--concurrency", str(at)]
        return harness.run(["-m", "bench.channels", *arguments], core=bench.cores.sender, env=sandbox.all_channels)

    best = {}
    for what in ("ours", "sdk", "lean"):
        sweep = {at: messages / 4 / send(what, at, messages // 4)["seconds"] for at in (5, 20, 50)}
        bench.sweeps[f"{channel} {what}"] = sweep
        best[what] = max(sweep, key=lambda at: sweep[at])
    found = interleaved(bench.times, **{what: lambda what=what: send(what, best[what]) for what in best})
    rate = {what: [messages / run["seconds"] for run in runs] for what, runs in found.items()}
    lean = "aiosmtplib, mails prepared" if channel == "email" else "bare aiohttp, bodies prepared"
    return [
        Row(
            name=f"channel {channel}",
            value=median(rate["ours"]),
            unit="messages/s",
            better="more",
            yardstick=f"{label}, {best[what]} at once",
            yardstick_value=median(rate[what]),
            columns={"ours": f"the adapter over the wire, {best['ours']} at once", "others": bench.others},
            runs={"ours": rate["ours"], "yardstick": rate[what]},
        )
        for what, label in (("sdk", _PICKED[channel]), ("lean", lean))
    ]


# ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────────


def memory_rows(bench: Bench) -> list[Row]:
    """The most memory a blast holds, for an audience and for one ten times as large."""
    small, large = bench.members, bench.members * 10
    peaks: dict[int, float] = {}
    with provider(bench.cores) as sandbox:
        for members in (small, large):
            with (
                announced(bench.console, f"peak memory of a blast to {members:,} members"),
                ledgers.filled("sqlite", members, bench.folder, bench.cores) as ledger,
            ):
                peaks[members] = float(_blast(bench, sandbox, ledger, members)["peak_mib"])
    return [
        Row(name=f"peak memory, {small:,} members", value=peaks[small], unit="MiB", better="less"),
        Row(
            name=f"peak memory, {large:,} members",
            value=peaks[large],
            unit="MiB",
            better="less",
            yardstick=f"the same at {small:,}",
            yardstick_value=peaks[small],
            columns={"what": "the whole worker process (ru_maxrss), SQLite ledger; the audience was imported before"},
        ),
    ]


# ── import ────────────────────────────────────────────────────────────────────────────────────────────────────────


def import_rows(bench: Bench) -> list[Row]:
    """Import of a clean file, beside the same rows put into a table as they stand."""
    members = bench.members
    file = bench.folder / f"{members}.csv"
    if not file.exists():
        write_bench_csv(file, members)
    rows: list[Row] = []
    for kind in ("sqlite", "postgresql"):
        try:
            rows += _import_on(bench, kind, file, members)
        except LookupError as error:
            bench.console.print(f"left out: {error}")
    return rows


def _import_on(bench: Bench, kind: str, file: Path, members: int) -> list[Row]:
    def ours() -> dict[str, Any]:
        ledger = ledgers.SqliteLedger(place) if kind == "sqlite" else ledgers.PostgresLedger()
        about.update(ledger.durability(), name=ledger.name)
        try:
            found = harness.run(["-m", "bench.importing", "--file", str(file), "--url", ledger.url], core=core)
            [(stored,)] = ledger.query(ledger.url, "SELECT count(*) FROM member")
            assert stored == members, f"{stored} members in the ledger, {members} in the file"
        finally:
            if isinstance(ledger, ledgers.PostgresLedger):
                ledger.drop()
            _clear(place)
        return found

    def raw() -> dict[str, Any]:
        database = place / "raw.sqlite3"
        arguments = ["--file", str(file), "--database", str(database)]
        found = harness.run(["-m", "bench.yardsticks", "csv", *arguments], core=core)
        with contextlib.closing(sqlite3.connect(database)) as connection:
            [(stored,)] = connection.execute("SELECT count(*) FROM raw").fetchall()
        assert stored == members, f"{stored} rows in the table, {members} in the file"
        _clear(place)
        return found

    core, about = bench.cores.sender, dict[str, str]()
    place = bench.folder / "import"
    place.mkdir(exist_ok=True)
    with announced(bench.console, f"import of {members:,} rows into {kind}, and its yardstick"):
        found = interleaved(bench.times, ours=ours, raw=raw)
    name = f"import {members:,} {about.pop('name')}"
    columns = {
        **about,
        "others": bench.others,
        "ours": "telephones parsed, mailboxes checked, zones found, people merged, consents recorded",
        "peak memory": f"{max(run['peak_mib'] for run in found['ours']):.0f} MiB",
    }
    rate = {what: [members / run["seconds"] for run in runs] for what, runs in found.items()}
    cpu = {what: [run["cpu"] / members * 1000 for run in runs] for what, runs in found.items()}
    return [
        Row(
            name=name,
            value=median(runs["ours"]),
            unit=unit,
            better=better,
            yardstick="csv.DictReader, executemany",
            yardstick_value=median(runs["raw"]),
            columns=columns,
            runs={"ours": runs["ours"], "yardstick": runs["raw"]},
        )
        for unit, runs, better in (("rows/s", rate, "more"), ("CPU s per 1,000", cpu, "less"))
    ]


def _clear(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


ROWS: Mapping[str, Callable[[Bench], list[Row]]] = {
    "blast": blast_rows,
    "memory": memory_rows,
    "import": import_rows,
    "channels": channel_rows,
}
