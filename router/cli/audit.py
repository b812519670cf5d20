"""``outreach audit``: who did what, and the proof that nothing of it was changed since."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from router.cli.group import out, outreach, with_runtime
from router.core.audit_chain import Head, read_head
from router.core.errors import BadInput
from router.office.audit import read_audit
from router.records.audit import Verdict, read_chain, verify_audit
from router.runtime import Runtime


@outreach.group(invoke_without_command=True)
@click.option("--who", default="", help="Only what this organizer, token or command line did.")
@click.option("--what", default="", help="Only such deeds: campaign.launch, or all that begin with campaign.")
@click.option("--subject", default="", help="Only deeds about this campaign, member … by its number.")
@click.option("--before", metavar="PLACE", type=click.IntRange(1), help="Go on where the list ended.")
@click.pass_context
def audit(context: click.Context, who: str, what: str, subject: str, before: int | None) -> None:
    """Who did what, the latest first; `audit verify` proves that nothing of it was changed."""
    if context.invoked_subcommand is not None:
        return
    page = with_runtime(lambda runtime: read_audit(runtime, who=who, what=what, subject=subject, before=before))
    if not page.entries:
        out.print("There is no such entry.")
        return
    table = Table("When, UTC", "Who", "Did what", "About", "In detail")
    for entry in page.entries:
        detail = json.dumps(entry.detail, ensure_ascii=False) if entry.detail else ""
        cells = (f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.who, entry.what, entry.subject, detail)
        table.add_row(*map(Text, cells))
    out.print(table)
    if page.before is not None:
        out.print(f"There are older ones: outreach audit --before {page.before}", highlight=False)


@audit.command()
@click.option("--expect", metavar="PLACE:SEAL", help="The newest seal as it was printed earlier, and kept elsewhere.")
def verify(expect: str | None) -> None:
    """Check every entry's seal, from the first to the newest. Exit code 1 where something was changed.

    Whoever can write in the database, but does not have this installation's key, can change, remove, add or reorder
    nothing unseen. That the newest entries were cut off shows only to who knows a seal from before: note the one that
    is printed, outside of this machine, and give it with --expect the next time.
    """
    expected = None if expect is None else _head(expect)
    found = with_runtime(lambda runtime: verify_audit(runtime, expected=expected))
    for fault in found.faults:
        out.print(f"  • {fault.sentence}", style="bold red", highlight=False, markup=False)
    if found.waiting:
        out.print(f"{found.waiting:,} wait for their seal; a worker gives it within seconds.", highlight=False)
    if found.faults:
        out.print(f"{_entries(found)}; not all are as they were written.", highlight=False)
        raise SystemExit(1)
    out.print(f"{_entries(found)}, all as they were written.", highlight=False)
    if found.head.place:
        out.print(f"Note the newest seal elsewhere: {found.head}", highlight=False, soft_wrap=True)


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(file: Path) -> None:
    """Write every sealed entry into FILE, one JSON object a line, each with its place and seal."""

    async def work(runtime: Runtime) -> int:
        count = 0
        with file.open("w", encoding="utf-8") as lines:
            async for entry in read_chain(runtime):
                lines.write(json.dumps(entry, ensure_ascii=False) + "\n")
                count += 1
        return count

    out.print(f"{with_runtime(work):,} entries are in {file}.", highlight=False, soft_wrap=True)


def _head(text: str) -> Head:
    try:
        return read_head(text)
    except BadInput as error:
        raise BadInput(error.sentence, place="--expect") from None


def _entries(found: Verdict) -> str:
    return "1 entry" if found.head.place == 1 else f"{found.head.place:,} entries"
