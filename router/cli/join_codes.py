"""``outreach join-code``: the ways by which people join."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import ValidationError
from rich.table import Table

from router.app import utc_now
from router.cli.group import first_problem, out, outreach, with_runtime
from router.community.join_codes import JoinCodeIn, JoinCodeView, create_code, list_codes, view_code
from router.community.join_codes import close_code as close_join_code
from router.community.joining_links import qr_svg


class _Codes(click.Group):
    """``join-code DINNERS`` is short for ``join-code show DINNERS``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@outreach.group("join-code", cls=_Codes)
def join_code() -> None:
    """Ways by which people join: JOIN and a code by text message, a page with a form, a QR code.

    `outreach join-code add DINNERS --title "Dinners for all"` opens one, `outreach join-code DINNERS --qr FILE.svg`
    writes its QR code for a poster.
    """


@join_code.command("add")
@click.argument("code")
@click.option("--title", required=True, help="What people join, in a few words.")
@click.option("--campaign", default=0, type=click.IntRange(0), help="The campaign that they come through.")
@click.option("--tag", "tags", multiple=True, help="Whoever joins gets this tag. May be given several times.")
@click.option("--first-step", default="", help="What the welcome asks them to do first.")
@click.option("--by", default="command line", help="Who opens it; kept in the audit log.")
def add(code: str, title: str, campaign: int, tags: tuple[str, ...], first_step: str, by: str) -> None:
    """Open CODE: 2 to 32 capitals and digits, such as DINNERS. A code is never used for something else later."""
    try:
        body = JoinCodeIn(code=code.upper(), title=title, campaign_id=campaign, tags=list(tags), first_step=first_step)
    except ValidationError as error:
        raise first_problem(error, "join-code") from None
    _show(with_runtime(lambda runtime: create_code(runtime, body, by=by, now=utc_now())))


@join_code.command("list")
def list_command() -> None:
    """All codes, open ones first, and how many people came by each."""
    table = Table("Code", "Title", "Joined", "Tags", "Page", "")
    for one in with_runtime(list_codes):
        table.add_row(
            one.code, one.title, str(one.joined), ", ".join(one.tags), one.link, "closed" if one.closed_at else ""
        )
    out.print(table)


@join_code.command("show")
@click.argument("code")
@click.option(
    "--qr", type=click.Path(dir_okay=False, path_type=Path), help="Write the page's QR code to this SVG file."
)
def show(code: str, qr: Path | None) -> None:
    """The links of CODE; with --qr also a picture for a poster, which may be printed at any size."""
    found = with_runtime(lambda runtime: view_code(runtime, code))
    _show(found)
    if qr is not None:
        qr.write_bytes(qr_svg(found.link))
        out.print(f"The QR code is in {qr}.", highlight=False, soft_wrap=True)


@join_code.command("close")
@click.argument("code")
@click.option("--by", default="command line", help="Who closes it; kept in the audit log.")
def close(code: str, by: str) -> None:
    """Let nobody in by CODE any more, for good. Who joined by it stays."""
    found = with_runtime(lambda runtime: close_join_code(runtime, code, by=by, now=utc_now()))
    out.print(f"{found.code} is closed; {found.joined} came by it.", highlight=False)


def _show(code: JoinCodeView) -> None:
    out.print(f"{code.code}: {code.title}{' (closed)' if code.closed_at else ''}", highlight=False, markup=False)
    out.print(f"page: {code.link}", highlight=False, soft_wrap=True)
    out.print(f"text message: JOIN {code.code}", highlight=False)
    if code.sms:
        out.print(f"link for phones: {code.sms}", highlight=False, soft_wrap=True)
