"""``outreach migrate``, ``serve``, ``web``, ``worker``: the processes of an installation."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from router.app import open_runtime, refuse_split_sqlite
from router.cli.group import open_settings, out, outreach, with_runtime
from router.loop import run
from router.policy_changes.keeping import keeping_rules
from router.runtime import Runtime
from router.store.migrate import migrate
from router.worker import run_worker


@outreach.command("migrate")
def migrate_command() -> None:
    """Bring the ledger to the newest version. Safe to run twice, and from two machines at once."""

    async def work() -> None:
        async with open_runtime(open_settings()) as runtime:
            await migrate(runtime.store)

    run(work())
    out.print("The ledger is up to date.")


@outreach.command()
def serve() -> None:
    """Web server and worker in one process: all that a laptop needs."""
    with_runtime(lambda runtime: _serve(runtime, web=True, worker=True))


@outreach.command()
def web() -> None:
    """Only the web server: API, webhooks, members' pages."""
    refuse_split_sqlite(open_settings())
    with_runtime(lambda runtime: _serve(runtime, web=True, worker=False))


@outreach.command()
def worker() -> None:
    """Only a worker: routes, sends, retries. Stops gracefully on SIGTERM."""
    refuse_split_sqlite(open_settings())
    with_runtime(lambda runtime: _serve(runtime, web=False, worker=True))


def _stop_on_signals(stop: asyncio.Event) -> None:
    """The first SIGTERM or Ctrl-C sets `stop`; the second ends this process at once, as if it had been killed."""

    def heard(number: int) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()
        out.print("Stopping: what is under way is finished first. The same again stops at once.")

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, heard, number)


async def _serve(runtime: Runtime, *, web: bool, worker: bool) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    settings = runtime.settings
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(keeping_rules(runtime))
        if web:
            # The pages are half of the program, and a process that only works has none.
            from router.office.invitations import first_link
            from router.serving import serving

            url = await stack.enter_async_context(serving(runtime, host=settings.host, port=settings.port))
            out.print(f"Listening on {url}, known to others as {settings.public_url}. Ctrl-C stops.")
            if link := await first_link(runtime, now=runtime.clock()):
                out.print("Nobody can sign in yet. This link makes the first admin, once:")
                out.print(link, highlight=False, soft_wrap=True)
        channels = ", ".join(runtime.channels) or "none yet: see README, Channels"
        out.print(f"Channels: {channels}")
        await stack.enter_async_context(runtime.metrics.watching_loop())
        if worker and not web and settings.metrics_port:
            from router.web.system import serve_metrics

            runner = await serve_metrics(runtime, settings.metrics_host, settings.metrics_port)
            stack.push_async_callback(runner.cleanup)
        if worker:
            await run_worker(runtime, stop=stop)
        else:
            await stop.wait()
