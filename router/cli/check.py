"""``outreach check``: is everything set up, and what is to be mended."""

from __future__ import annotations

import logging
import sys

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from channels import REGISTRY
from router.app import open_runtime, utc_now
from router.checks import Finding, Report, check_installation
from router.cli.group import open_settings, out, outreach
from router.loop import run


@outreach.command()
@click.argument("channels", metavar="[CHANNEL]...", nargs=-1)
def check(channels: tuple[str, ...]) -> None:
    """Prove every channel's credentials and webhook, and all they stand on; say what is to be mended.

    Writes to nobody. With the names of channels: only these, and it is wrong if one of them is not set up. Exit status
    1 where something must be mended.
    """

    async def work() -> Report:
        async with open_runtime(open_settings()) as runtime:
            return await check_installation(runtime, REGISTRY, only=channels, now=utc_now())

    # Which accounts are off, and why, is in the report.
    logging.getLogger("router.app").setLevel("ERROR")
    report = run(work())
    out.print(report_screen(report))
    if report.mend:
        sys.exit(1)


def report_screen(report: Report) -> RenderableType:
    """A table of what was looked at, then what is to be mended."""
    table = Table(title="What was looked at", title_justify="left")
    for column in ("", "Subject", "What it says", "Webhook"):
        table.add_column(column)
    for one in report.around:
        table.add_row(*_row(one))
    table.add_section()
    for one in report.accounts:
        table.add_row(*_row(one))
    parts: list[RenderableType] = [table]
    if report.absent:
        parts.append(Text(f"Not set up: {', '.join(report.absent)}. docs/connect.md says how.", style="dim"))
    parts += _list("To mend", report.mend, "red")
    notices = [f"{one.sentence} ({one.count} times, last {one.last_at:%Y-%m-%d %H:%M} UTC)" for one in report.notices]
    parts += _list("Notices; POST /api/v1/notices/clear takes one off", notices, "yellow")
    parts += _list("Worth knowing", report.advice, "")
    if not report.mend:
        parts.append(Text("Nothing is to be mended.", style="green"))
    return Group(*parts)


def _row(one: Finding) -> tuple[Text, Text, Text, Text]:
    mark = Text("mend", style="red") if one.mend else Text("ok", style="green")
    return mark, Text(one.subject), Text(one.says), Text(one.webhook)


def _list(title: str, sentences: list[str], style: str) -> list[RenderableType]:
    if not sentences:
        return []
    lines = [Padding(Text(f"• {sentence}"), (0, 0, 0, 2)) for sentence in sentences]
    return [Text(f"{title}:", style=style or "bold"), *lines]
