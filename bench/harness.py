"""The bench's tools: pinned processes, medians of three, the table and its JSON.

Whoever sends runs on one core and the provider on the other, so that neither lends the other its speed. Where the
machine has one core or cannot pin (macOS), the table says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
OUT = ROOT / "bench" / "out"


# ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Stopwatch:
    """Wall-clock and CPU seconds of this process over a ``with``, threads included."""

    seconds: float = 0.0
    cpu: float = 0.0

    def __enter__(self) -> Stopwatch:
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._wall
        self.cpu = _cpu_seconds() - self._cpu

    def as_dict(self) -> dict[str, float]:
        return {"seconds": self.seconds, "cpu": self.cpu}


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_mib() -> float:
    """The most memory this process ever held, in MiB (``ru_maxrss`` is KiB on Linux and bytes on macOS)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


# ── processes ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core sends and which answers; None where nothing is pinned."""

    sender: int | None
    provider: int | None

    @classmethod
    def choose(cls) -> Cores:
        """The last two cores of this machine, or none where there is one core or no way to pin."""
        if not hasattr(os, "sched_getaffinity"):
            return cls(None, None)
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[-1], usable[-2]) if len(usable) > 1 else cls(None, None)

    def __str__(self) -> str:
        if self.sender is None:
            return "not pinned: sender and provider share the machine, so both are slower than they could be"
        return f"sender on core {self.sender}, provider on core {self.provider}"


def start(
    arguments: Sequence[str], *, core: int | None, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[str]:
    """Start ``python ARGUMENTS`` in the checkout, kept on one core where that is possible."""

    def pin() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})

    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**_clean_environment(), **(env or {})},
        preexec_fn=pin,
        text=True,
        **options,
    )


def _clean_environment() -> dict[str, str]:
    """Ours without what sets up another installation."""
    kept = ("OUTREACH_TEST_",)
    return {
        name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_") or name.startswith(kept)
    }


def run(arguments: Sequence[str], *, core: int | None, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run ``python ARGUMENTS`` to its end and return the JSON object on its last line."""
    with start(arguments, core=core, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"python {' '.join(arguments)} failed:\n{err[-4000:]}")
    answer: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return answer


class Background:
    """A server that runs for a ``with`` and says on its first line, in JSON, that it is ready and where."""

    def __init__(self, arguments: Sequence[str], *, core: int | None, env: Mapping[str, str] | None = None) -> None:
        self._arguments, self._core, self._env = arguments, core, env
        self._errors: list[str] = []
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Background:
        self._process = start(
            self._arguments, core=self._core, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        threading.Thread(target=self._drain, args=(self._process.stderr, self._errors), daemon=True).start()
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise RuntimeError(f"python {' '.join(self._arguments)} ended:\n{''.join(self._errors)[-4000:]}")
        self.ready = json.loads(line)
        threading.Thread(target=self._drain, args=(self._process.stdout, None), daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_seconds(self) -> float:
        """CPU seconds the server used so far, children apart; 0 where the system does not tell (macOS)."""
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    @staticmethod
    def _drain(stream: IO[str], into: list[str] | None) -> None:
        for line in stream:
            if into is not None:
                into.append(line)


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def interleaved(times: int, **what: Callable[[], dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Measure each of `what` in turn, `times` over: a slow minute of the machine falls on all of them alike."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in what}
    for _ in range(times):
        for name, measure in what.items():
            found[name].append(measure())
    return found


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
    """``bench/out/latest.json``."""
    about = {"machine": machine(), "commit": commit(), "pinned": str(cores)}
    document = {
        **about,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "sweeps": {name: {str(at): rate for at, rate in sweep.items()} for name, sweep in sweeps.items()},
        "rows": [{**asdict(row), "ratio": row.ratio, **about} for row in rows],
    }
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "latest.json"
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


@contextlib.contextmanager
def announced(console: Console, what: str) -> Iterator[None]:
    """Say what is being measured, and then how long that took."""
    began = time.perf_counter()
    console.print(f"· {what} …", end=" ", highlight=False)
    yield
    console.print(f"{time.perf_counter() - began:.1f} s", highlight=False)
