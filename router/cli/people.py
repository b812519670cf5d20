"""``outreach import`` and ``outreach join``: members from a file, and how they join more channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from router.app import utc_now
from router.cli.group import err, first_problem, out, outreach, with_runtime
from router.core.errors import NotAllowed
from router.joining import join_links
from router.records.imports import ImportOptions, ImportReport, import_file, problems_csv
from router.records.record import Attestation
from router.runtime import Runtime
from router.screens import import_table, watch_import


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
    with_runtime(lambda runtime: _import(runtime, file, **options))


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
    options = ImportOptions(
        dry_run=dry_run,
        suppress=suppress,
        attestation=_attestation(attest, attest_source, attest_date) if attest else None,
        profile=profile,
        restart=restart,
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
            accounts=runtime.channels,
        )
    out.print(import_table(report))
    if problems is not None:
        await _write_problems(runtime, report, problems)


def _attestation(basis: str, source: str, dated: str) -> Attestation:
    try:
        return Attestation.model_validate({"basis": basis, "source": source, "dated": dated})
    except ValidationError as error:
        raise first_problem(error, "--attest") from None


async def _write_problems(runtime: Runtime, report: ImportReport, path: Path) -> None:
    with path.open("wb") as file:
        async for piece in problems_csv(runtime.store, report.id):
            file.write(piece)
    out.print(f"The rows that could not be used are in {path}.")


@outreach.command()
@click.argument("member", type=click.IntRange(0))
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 365), help="How long the links are good.")
def join(member: int, days: int) -> None:
    """Links by which MEMBER joins a channel: notifications in a browser, a chat with the bot. For that member only."""
    links = with_runtime(lambda runtime: join_links(runtime, member, days=days, now=utc_now()))
    if not links:
        raise NotAllowed("neither webpush nor telegram (with its username) is set up; see docs/connect.md")
    for channel, link in links.items():
        out.print(f"{channel}: {link}", highlight=False, soft_wrap=True)
