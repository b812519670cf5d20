"""What comes of a bench: the rows, the table and ``bench/out/latest.json``."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.harness import OUT, ROOT, Cores


@dataclass(slots=True, kw_only=True)
class Row:
    """One line of the table: a number of ours beside its yardstick, measured in the same minutes.

    `ratio` is ours over the yardstick; `better` says whether more or less is better. `runs` keeps every measurement.
    """

    name: str
    value: float
    unit: str
    better: str = "more"
    yardstick: str = ""
    yardstick_value: float | None = None
    columns: dict[str, str] = field(default_factory=dict)
    """What one must know to judge it: database, pragmas, fsync, the unknown window …"""
    runs: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.value / self.yardstick_value if self.yardstick_value else None


def others_at_work() -> str:
    """What else this machine had to do over the last minute: numbers from a busy one are worth little."""
    load = os.getloadavg()[0]
    return f"{load:.1f} processes wanted a core just before" + (": not a quiet machine" if load > 0.5 else "")


def machine() -> str:
    """Processor, cores, memory, system and Python: without a host name."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    memory = ""
    with contextlib.suppress(ValueError, OSError):
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB"
    return f"{processor}, {os.cpu_count()} cores{memory}, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    """The checkout's commit, with a ``+`` where files differ from it; "" outside a checkout."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")
    return ""


def show(rows: Sequence[Row], console: Console) -> None:
    """The table, and below it what one must know of each row."""
    table = Table(title="Ours beside its yardstick")
    for column in ("row", "ours", "unit", "yardstick", "its own", "ratio"):
        table.add_column(column, justify="right" if column in ("ours", "its own", "ratio") else "left")
    for row in rows:
        table.add_row(
            row.name,
            _number(row.value),
            row.unit,
            row.yardstick or "–",
            "–" if row.yardstick_value is None else _number(row.yardstick_value),
            "–" if row.ratio is None else f"{row.ratio:.2f}",
        )
    console.print(table)
    notes: dict[str, list[str]] = {}
    for row in rows:
        if row.columns:
            text = "\n".join(f"  {name}: {text}" for name, text in row.columns.items())
            notes.setdefault(text, []).append(row.name)
    for text, names in notes.items():
        console.print(f"[bold]{', '.join(dict.fromkeys(names))}[/bold]")
        console.print(text, highlight=False)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def save(rows: Sequence[Row], sweeps: Mapping[str, Mapping[int, float]], cores: Cores) -> Path:
    """``bench/out/latest.json``: these rows, and of rows that were not measured now what was measured last."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"machine": machine(), "commit": commit(), "pinned": str(cores), "at": at}
    now = [{**asdict(row), "ratio": row.ratio, **about} for row in rows]
    measured = {row["name"] for row in now}
    document = {
        **about,
        "sweeps": {name: {str(at): rate for at, rate in sweep.items()} for name, sweep in sweeps.items()},
        "rows": [*now, *(row for row in latest() if row["name"] not in measured)],
    }
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "latest.json"
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def latest() -> list[dict[str, Any]]:
    """The rows that were written last, each with its time, machine and commit; none where nothing was measured yet."""
    try:
        rows: list[dict[str, Any]] = json.loads((OUT / "latest.json").read_text("utf-8"))["rows"]
    except FileNotFoundError:
        return []
    return rows
