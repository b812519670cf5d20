"""The event loop that every process of ours runs on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

COLLECT_AFTER = (50_000, 20, 50)
"""New objects between two looks for cycles. A range of a thousand members makes some hundred thousand, nearly all of
which go by counting references; with Python's own 700 the looking took 29 % of the time of routing (py-spy), and a
fifth of every start, in which there is nothing to collect."""


def collect_seldom() -> None:
    """Look for cycles as seldom as `COLLECT_AFTER` says: the first thing that a process of ours does."""
    gc.set_threshold(*COLLECT_AFTER)


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, on uvloop where that is installed: it takes half of the CPU time off a request."""
    collect_seldom()
    gc.freeze()  # what is imported stays, so no look needs to go through it
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Makes uvloop's loop; None, which stands for asyncio's own, where there is no uvloop (Windows, PyPy)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
