"""The loop that processes run on: uvloop's where there is one, and the same manners on both."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import sys

import pytest

from router.loop import run


@pytest.fixture(params=["as installed", "without uvloop"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the loop's class must come from."""
    if request.param == "without uvloop":
        monkeypatch.setitem(sys.modules, "uvloop", None)
        return "asyncio"
    return "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"


def test_it_runs_on_the_best_loop_there_is(module: str) -> None:
    async def main() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run(main()).partition(".")[0] == module


def test_what_went_wrong_comes_out(module: str) -> None:
    async def main() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        run(main())


def test_an_interrupt_ends_it_in_order(module: str, request: pytest.FixtureRequest) -> None:
    # A shell that starts the tests in the background has them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    ended = []

    async def aside() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("aside")

    async def main() -> None:
        task = asyncio.create_task(aside())
        await asyncio.sleep(0)
        try:
            asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGINT)
            await asyncio.sleep(5)
        finally:
            ended.append(f"main, {task.done()}")

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert ended == ["main, False", "aside"]


def test_a_process_is_told_to_stop(module: str) -> None:
    async def main() -> str:
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(told.wait(), 2.0)
        return "stopped"

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert run(main()) == "stopped"
    finally:
        signal.signal(signal.SIGTERM, before)  # uvloop does not
