"""Time a worker that takes one task for each message from a queue, in a process of its own beside the one that asks."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from bench.harness import ROOT, Stopwatch, peak_mib

READY = "ready"
"""What a worker says on a line of its own once it takes tasks."""
LONGEST_START = 60.0
"""Seconds after which a worker that is not ready has failed."""
LONGEST = 300.0
"""Seconds after which a queue that is not empty has failed."""


def through_queue(worker: Sequence[str], enqueue: Callable[[], None], waiting: Callable[[], int]) -> dict[str, Any]:
    """Start ``python WORKER``, put every task in, wait until none is left; raises TimeoutError where that is never.

    CPU seconds are those of both processes and all their children; memory is the most that each of them ever held.
    """
    with subprocess.Popen([sys.executable, *worker], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            _wait_until_ready(process)
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            before = sum(map(_cpu, family))
            with Stopwatch() as watch:
                enqueue()
                _wait(waiting)
            cpu = watch.cpu + sum(map(_cpu, family)) - before
            peak = peak_mib() + sum(peak_mib(one.pid) for one in family)
        finally:
            _end(process)
    return {"seconds": watch.seconds, "cpu": cpu, "peak_mib": peak}


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == READY:
                ready.set()

    threading.Thread(target=read, daemon=True).start()
    if not ready.wait(LONGEST_START):
        raise TimeoutError(f"{process.args!r} was not ready after {LONGEST_START:.0f} s")


def _wait(waiting: Callable[[], int]) -> None:
    until = time.monotonic() + LONGEST
    while left := waiting():
        if time.monotonic() > until:
            raise TimeoutError(f"{left} messages are still waiting after {LONGEST:.0f} s")
        time.sleep(0.05)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _end(process: subprocess.Popen[str]) -> None:
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
    for child in psutil.wait_procs(children, timeout=5)[1]:
        child.kill()
