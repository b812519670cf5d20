"""The bench's tools: pinned processes, medians of three, the table and its JSON.

Whoever sends runs on one core and the provider on the other, so that neither lends the other its speed. Where the
machine has one core or cannot pin (macOS), the table says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from rich.console import Console

ROOT = Path(__file__).parent.parent
OUT = ROOT / "bench" / "out"
LONGEST = 7_200.0
"""Seconds after which a process that is measured has failed."""


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


def peak_mib(pid: int | str = "self") -> float:
    """The most memory a process ever held, in MiB, this one by default.

    From Linux's own account of it: ``ru_maxrss`` also counts what the parent held when it forked. Elsewhere only of
    this process, by ``ru_maxrss`` (bytes on macOS).
    """
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / (1 << 10)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


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


def end_on_sigterm() -> None:
    """Let a SIGTERM end this process as ctrl-C does, so that databases and servers made for the bench are removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def run(arguments: Sequence[str], *, core: int | None, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run ``python ARGUMENTS`` to its end and return the JSON object on its last line.

    Raises RuntimeError where it fails, `subprocess.TimeoutExpired` where it takes longer than `LONGEST`.
    """
    with start(arguments, core=core, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=LONGEST)
        except BaseException:
            process.kill()
            raise
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


# ── measuring ─────────────────────────────────────────────────────────────────────────────────────────────────────


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def interleaved(times: int, **what: Callable[[], dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Measure each of `what` in turn, `times` over: a slow minute of the machine falls on all of them alike."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in what}
    for _ in range(times):
        for name, measure in what.items():
            found[name].append(measure())
    return found


@contextlib.contextmanager
def announced(console: Console, what: str) -> Iterator[None]:
    """Say what is being measured, and then how long that took."""
    began = time.perf_counter()
    console.print(f"· {what} …", end=" ", highlight=False)
    yield
    console.print(f"{time.perf_counter() - began:.1f} s", highlight=False)
