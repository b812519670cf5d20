"""The ``outreach`` command. It prints; everything it does, the API can do too."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import sys
import tomllib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import ValidationError
from rich.console import Console

from router import __version__
from router.app import open_runtime, refuse_split_sqlite, run_worker, serving, utc_now
from router.core.ask import Ask
from router.core.errors import BadInput, OutreachError
from router.demo import run_demo
from router.launch import approve_campaign, check_words, launch_campaign, save_campaign
from router.preview import preview_ask, send_test
from router.records.imports import ImportOptions, import_file
from router.records.record import Attestation
from router.runtime import Runtime
from router.screens import campaign_table, import_table, preview_table, watch_import
from router.settings import Settings, load_settings
from router.store.migrate import is_current, migrate
from router.views import view_campaign
from router.web.auth import create_token

T = TypeVar("T")

out = Console()
err = Console(stderr=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="outreach")
def outreach() -> None:
    """One ask, routed to each member over the channel they chose, only if their attention can bear it.

    Start with `outreach demo`. Settings are environment variables; the README lists them.
    """


def main() -> None:
    """Run the command; what went wrong is said in one sentence, with exit status 2."""
    try:
        outreach(standalone_mode=False)
    except OutreachError as error:
        err.print(f"outreach: {error}", style="red", highlight=False, markup=False)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _settings() -> Settings:
    settings = load_settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel("WARNING")
    return settings


async def _with_runtime(work: Callable[[Runtime], Coroutine[Any, Any, T]]) -> T:
    async with open_runtime(_settings()) as runtime:
        if not await is_current(runtime.store):
            if not runtime.store.is_sqlite:
                raise BadInput("the ledger is not up to date; run `outreach migrate` first", place="database")
            await migrate(runtime.store)
        return await work(runtime)


# ── processes ─────────────────────────────────────────────────────────────────────────────────────────────────────


@outreach.command("migrate")
def migrate_command() -> None:
    """Bring the ledger to the newest version. Safe to run twice, and from two machines at once."""

    async def work() -> None:
        async with open_runtime(_settings()) as runtime:
            await migrate(runtime.store)

    _run(work())
    out.print("The ledger is up to date.")


@outreach.command()
def serve() -> None:
    """Web server and worker in one process: all that a laptop needs."""
    _run(_with_runtime(lambda runtime: _serve(runtime, web=True, worker=True)))


@outreach.command()
def web() -> None:
    """Only the web server: API, webhooks, members' pages."""
    refuse_split_sqlite(_settings())
    _run(_with_runtime(lambda runtime: _serve(runtime, web=True, worker=False)))


@outreach.command()
def worker() -> None:
    """Only a worker: routes, sends, retries. Stops gracefully on SIGTERM."""
    refuse_split_sqlite(_settings())
    _run(_with_runtime(lambda runtime: _serve(runtime, web=False, worker=True)))


async def _serve(runtime: Runtime, *, web: bool, worker: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = runtime.settings
    async with contextlib.AsyncExitStack() as stack:
        if web:
            url = await stack.enter_async_context(serving(runtime, host=settings.host, port=settings.port))
            out.print(f"Listening on {url}, known to others as {settings.public_url}. Ctrl-C stops.")
        channels = ", ".join(runtime.channels) or "none yet: see README, Channels"
        out.print(f"Channels: {channels}")
        if worker:
            await run_worker(runtime, stop=stop)
        else:
            await stop.wait()


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────


@outreach.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Read and count everything, write nothing.")
@click.option("--suppress", is_flag=True, help="FILE holds the old tool's unsubscribes and bounces. Do this first.")
@click.option(
    "--attest",
    type=click.Choice(["consent", "membership", "charity_soft_opt_in"]),
    help="You vouch for this legal basis of every row that states none.",
)
@click.option("--attest-source", default="", help="Where that basis comes from: which form, which roll.")
@click.option("--attest-date", default="", help="Since when, as 2026-11-21.")
@click.option("--by", default="command line", help="Who vouches; kept in the audit log.")
@click.option("--profile", default="", help="Column profile; found out by itself where left out.")
@click.option("--restart", is_flag=True, help="Begin an interrupted import again instead of resuming it.")
@click.option("--problems", type=click.Path(path_type=Path), help="Write the rows that could not be used to this CSV.")
def import_command(file: Path, **options: Any) -> None:
    """Read members from a CSV file: any common encoding, delimiter and column names.

    Nobody is written to unless consent stands in the file or you attest its legal basis.
    """
    _run(_with_runtime(lambda runtime: _import(runtime, file, **options)))


async def _import(
    runtime: Runtime,
    file: Path,
    *,
    dry_run: bool,
    suppress: bool,
    attest: str | None,
    attest_source: str,
    attest_date: str,
    by: str,
    profile: str,
    restart: bool,
    problems: Path | None,
) -> None:
    attestation = None
    if attest:
        attestation = _checked(Attestation, {"basis": attest, "source": attest_source, "dated": attest_date})
    options = ImportOptions(
        dry_run=dry_run, suppress=suppress, attestation=attestation, profile=profile, restart=restart
    )
    with watch_import(err) as progress:
        report = await import_file(
            runtime.store,
            file,
            key=runtime.key,
            default_region=runtime.settings.default_region,
            by=by,
            now=runtime.clock(),
            options=options,
            progress=progress,
        )
    out.print(import_table(report))
    if problems is not None:
        await _write_problems(runtime, report, problems)


async def _write_problems(runtime: Runtime, report: Any, path: Path) -> None:
    from router.records.imports import problems_csv

    with path.open("wb") as file:
        async for piece in problems_csv(runtime.store, report.id):
            file.write(piece)
    out.print(f"The rows that could not be used are in {path}.")


# ── asks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@outreach.command()
@click.argument("ask_file", metavar="ASK.toml", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what a launch would do now; save nothing.")
@click.option("--test-to", metavar="ADDRESS", help="Send the real rendering to this phone or mailbox of yours only.")
@click.option("--by", default="command line", help="Who launches it; kept in the audit log.")
@click.option("--undo", type=click.IntRange(0, 3600), help="Seconds in which it can still be taken back.")
@click.option("--yes", is_flag=True, help="Do not ask before launching.")
def blast(ask_file: Path, dry_run: bool, test_to: str | None, by: str, undo: int | None, yes: bool) -> None:
    """Check, preview, approve and launch the ask in ASK.toml. A running worker (`outreach serve`) sends it."""
    ask = _read_ask(ask_file)
    _run(_with_runtime(lambda runtime: _blast(runtime, ask, dry_run=dry_run, to=test_to, by=by, undo=undo, yes=yes)))


async def _blast(
    runtime: Runtime, ask: Ask, *, dry_run: bool, to: str | None, by: str, undo: int | None, yes: bool
) -> None:
    check_words(runtime, ask)
    if to is not None:
        out.print(await send_test(runtime, ask, to=to, now=utc_now()))
        return
    out.print(preview_table(await preview_ask(runtime, ask, now=utc_now())))
    if dry_run:
        return
    if not yes:
        click.confirm("Launch it?", abort=True)
    saved = await save_campaign(runtime, ask, by=by, now=utc_now())
    await approve_campaign(runtime, saved.id, by=by, now=utc_now())
    view = await launch_campaign(runtime, saved.id, by=by, now=utc_now(), undo_seconds=undo)
    out.print(campaign_table(await view_campaign(runtime, view.id)))
    out.print(f"Campaign {view.id} starts at {view.starts_at:%Y-%m-%d %H:%M:%S} UTC; until then it can be cancelled.")


def _read_ask(path: Path) -> Ask:
    try:
        return Ask.model_validate(tomllib.loads(path.read_text("utf-8")))
    except UnicodeDecodeError:
        raise BadInput("is not UTF-8 text", place=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(str(error), place=str(path)) from None
    except ValidationError as error:
        sentence, place = _first(error, str(path))
        raise BadInput(sentence, place=place) from None


def _checked(model: type[T], values: dict[str, Any]) -> T:
    try:
        return model(**values)
    except ValidationError as error:
        sentence, place = _first(error, "--attest")
        raise BadInput(sentence, place=place) from None


# ── the office ────────────────────────────────────────────────────────────────────────────────────────────────────


@outreach.command()
def keys() -> None:
    """Make the secrets that an installation needs. Keep them: links and suppressions depend on them."""
    out.print(f"OUTREACH_SECRET_KEY={secrets.token_urlsafe(48)}", highlight=False)


@outreach.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, default=("admin",), show_default=True, help="May be given several times."
)
def token(name: str, scopes: tuple[str, ...]) -> None:
    """Make an API token called NAME. It is shown once."""

    async def work(runtime: Runtime) -> str:
        return await create_token(runtime.store, name, " ".join(scopes), utc_now())

    out.print(_run(_with_runtime(work)), highlight=False)


@outreach.command()
@click.option("--once", is_flag=True, help="Run the blast, print the tables and leave.")
@click.option("--members", default=2_000, show_default=True, type=click.IntRange(10, 12_000), help="How many people.")
@click.option("--seed", default=1, show_default=True, help="The same movement for the same seed.")
def demo(once: bool, members: int, seed: int) -> None:
    """A movement of 2,000 asked to an event by SMS and email, over the real adapters against simulated providers."""
    logging.basicConfig(level="WARNING", format="%(levelname)s %(name)s: %(message)s")
    _run(run_demo(out, scenario="hearing", members=members, seed=seed, once=once))


@outreach.command()
@click.option("--port", default=8025, show_default=True, help="Port of the providers and of the page of phones.")
@click.option("--smtp-port", default=2525, show_default=True, help="Port of the mail server.")
@click.option("--public-url", default="http://127.0.0.1:8080", show_default=True, help="Where the router listens.")
def sandbox(port: int, smtp_port: int, public_url: str) -> None:
    """Simulated providers for trying things out: prints the settings that point the channels at them."""
    from router.demo import run_sandbox

    _run(run_sandbox(out, port=port, smtp_port=smtp_port, public_url=public_url))


def _first(error: ValidationError, file: str) -> tuple[str, str]:
    first = error.errors()[0]
    return first["msg"], f"{file}: {'.'.join(str(part) for part in first['loc'])}"


if __name__ == "__main__":
    main()
