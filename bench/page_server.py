"""The processes behind the rows ``pages`` and ``viewers``: a ledger is filled, then it is served while an ask goes out.

``fill``    migrate a ledger and write a movement with a past into it
``serve``   the shipped web server, an organizer signed in, an ask to everybody launched; with ``--work`` the shipped
            worker in the same process (as `outreach serve` has it), without it the worker is a process of its own
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import signal
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bench.blast import ASK
from router import drafting, launch
from router.app import open_runtime
from router.core.ask import Ask
from router.loop import run
from router.receive import Receiver
from router.runtime import Runtime
from router.settings import load_settings
from router.store.migrate import migrate
from router.web import make_app
from router.web.office.show import ROOMS, respond
from router.worker import run_worker
from tests.support.office import come_in
from tests.support.pages import sights
from tests.support.past import Past, past_of, write_past

NOTHING = "/bench/nothing"
"""The yardstick: a handler that reads nothing and shows the frame that all pages of the office have."""


class _Frame:
    sentence = "Nothing was looked up"


async def nothing(request: web.Request) -> web.Response:
    rooms = [(path, name) for path, name, _ in ROOMS]
    return respond(request, "problem.html", me=None, csrf="", rooms=rooms, room="/office", problem=_Frame)


async def fill(members: int) -> dict[str, Any]:
    async with open_runtime(load_settings()) as runtime:
        await migrate(runtime.store)
        past = await write_past(runtime, members, now=datetime.now(UTC))
    return past._asdict()


async def start_ask(runtime: Runtime, past: Past) -> int:
    """An ask to everybody, launched without undo time; its number."""
    now = datetime.now(UTC)
    made = await drafting.save_campaign(runtime, Ask.model_validate(ASK), by="bench", now=now)
    await launch.approve_campaign(runtime, made.id, by="a second organizer", now=now)
    await launch.launch_campaign(runtime, made.id, by="bench", now=now, undo_seconds=0)
    return made.id


async def serve(members: int, *, work: bool) -> None:
    """Until it is told to stop; says on its first line where it listens and what there is to see."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(open_runtime(load_settings()))
        receiver = await stack.enter_async_context(Receiver(runtime).running())
        app = make_app(runtime, receiver)
        app.router.add_get(NOTHING, nothing)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        now = datetime.now(UTC)
        past = past_of(members, now)
        me = await come_in(runtime, now=now)
        ask = await start_ask(runtime, past)
        seen = await sights(runtime, past, running=ask, now=now)
        ready = {
            "url": f"http://127.0.0.1:{runner.addresses[0][1]}", "headers": me.headers, "csrf": me.csrf,
            "ask": ask, "sights": [sight._asdict() for sight in seen],
        }  # fmt: skip
        print(json.dumps(ready), flush=True)
        if work:
            await run_worker(runtime, stop=stop)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.page_server")
    parser.add_argument("what", choices=("fill", "serve"))
    parser.add_argument("--members", type=int, required=True)
    parser.add_argument("--work", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    if options.what == "fill":
        print(json.dumps(run(fill(options.members))))
    else:
        run(serve(options.members, work=options.work))


if __name__ == "__main__":
    main()
