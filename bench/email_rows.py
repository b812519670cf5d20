"""The rows of email: a personalised durable blast beside loops that keep nothing and postfix's ``smtp-source``."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench import harness, ledgers
from bench.harness import announced, interleaved, median
from bench.report import Row
from bench.rows import Bench, checked_blast, environment
from bench.smtp_sink import SmtpSink, smtp_sink

AT_ONCE = 8
"""Kept connections, for ours and for the loops."""
LABELS = {
    "sdk": "aiosmtplib, EmailMessage",
    "lean": "aiosmtplib, mails prepared",
    "postfix": "postfix smtp-source, one mail over and over",
}
LACKS = {
    "sdk": "nothing is written down, nothing unsubscribes",
    "lean": "nothing is written down, no words are put together",
    "postfix": "nothing but SMTP, in C: the limit",
}


def email_rows(bench: Bench) -> list[Row]:
    """Email on SQLite, as the bench's own mail server counts it."""
    messages = 500 if bench.quick else 4_000
    source = _smtp_source()
    if source is None:
        bench.console.print("left out: smtp-source, which is not on this machine; it comes with postfix (apt-get)")
    with (
        smtp_sink(bench.cores) as sink,
        ledgers.filled("sqlite", _members(bench), bench.folder, bench.cores) as ledger,
    ):
        runs: dict[str, Any] = {"ours": partial(_ours, bench, sink, ledger)}
        runs |= {what: partial(_loop, bench, sink, what, messages) for what in ("sdk", "lean")}
        if source is not None:
            runs["postfix"] = partial(_postfix, bench, sink, source, _members(bench))
        with announced(bench.console, f"email to {_members(bench):,} members on {ledger.name}, and its yardsticks"):
            found = interleaved(bench.times, **runs)
    rate = {what: [run["messages"] / run["seconds"] for run in each] for what, each in found.items()}
    return [
        Row(
            name=f"email {_members(bench):,} {ledger.name}",
            value=median(rate["ours"]),
            unit="messages/s",
            yardstick=f"{LABELS[what]}, {AT_ONCE} connections",
            yardstick_value=median(rate[what]),
            columns={
                "ours": "two parts, words of each member's own, one-click unsubscribing; every outcome committed",
                "CPU": f"{median([run['cpu'] / run['messages'] * 1000 for run in found['ours']]):.2f} s per 1,000",
                **{LABELS[name]: LACKS[name] for name in rate if name != "ours"},
                "provider": "a mail server in Python that only counts (bench/smtp_sink.py), the same for all",
                "others": bench.others,
            },
            runs={"ours": rate["ours"], "yardstick": rate[what]},
        )
        for what in rate
        if what != "ours"
    ]


def _ours(bench: Bench, sink: SmtpSink, ledger: ledgers.Ledger) -> dict[str, Any]:
    with ledger.copy() as url:
        env = environment(bench, url, sink, concurrency=AT_ONCE)
        env |= {"OUTREACH_EMAIL_CONNECTIONS": str(AT_ONCE), "OUTREACH_POSTAL_ADDRESS": "1 Example Street, Anytown"}
        found = checked_blast(bench, sink, ledger, url, _members(bench), env=env, channel="email")
    return {**found, "messages": _members(bench)}


def _loop(bench: Bench, sink: SmtpSink, what: str, messages: int) -> dict[str, Any]:
    sink.forget()
    arguments = [what, "email", "--url", "", "--messages", str(messages), "--concurrency", str(AT_ONCE)]
    found = harness.run(["-m", "bench.channels", *arguments], core=bench.cores.sender, env=sink.environment)
    sink.check(messages)
    return {**found, "messages": messages}


def _postfix(bench: Bench, sink: SmtpSink, source: str, messages: int) -> dict[str, Any]:
    """``smtp-source`` counts by itself; its mails are alike, so that only their number can be checked."""
    sink.forget()
    mail = ["-s", str(AT_ONCE), "-m", str(messages), "-l", "1200", "-d", "-f", "hello@example.org"]
    command = [source, *mail, "-t", "member@example.org", f"inet:127.0.0.1:{sink.port}"]

    def pin() -> None:
        if bench.cores.sender is not None:
            os.sched_setaffinity(0, {bench.cores.sender})

    began = time.perf_counter()
    subprocess.run(command, check=True, timeout=120, preexec_fn=pin, capture_output=True)
    seconds = time.perf_counter() - began
    sink.check(messages, alike=True)
    return {"seconds": seconds, "messages": messages}


def _smtp_source() -> str | None:
    usual = Path("/usr/sbin/smtp-source")
    return shutil.which("smtp-source") or (str(usual) if usual.exists() else None)


def _members(bench: Bench) -> int:
    return bench.members // 2
