"""``outreach compare``: two texts of one ask beside each other, and those asked beside those held out."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.comparison import HoldOut, Texts, compare
from router.core.comparing import Share


@outreach.command("compare")
@click.argument("campaign", type=click.IntRange(0, 2**63 - 1))
def compare_command(campaign: int) -> None:
    """What the two texts of CAMPAIGN, or those held out of it, have shown.

    Shares stand with their intervals. Nothing is decided by them: which text is used is for people to say.
    """
    found = with_runtime(lambda runtime: compare(runtime, campaign, now=utc_now()))
    out.print(Text(f"Campaign {found.campaign}: {found.title}"))
    if found.texts is not None:
        out.print(_texts_table(found.texts))
    if found.hold_out is not None:
        out.print(_hold_out_table(found.hold_out))


def _texts_table(texts: Texts) -> Table:
    table = _table(texts.sentence, "", "First text", "Second text")
    table.add_row("begins with", *(Text(line) for line in texts.lines))
    table.add_row("people reached", f"{texts.first.acted.of:,}", f"{texts.second.acted.of:,}")
    for name in ("acted", "clicked", "declined", "opted_out"):
        table.add_row(name.replace("_", " "), _share(getattr(texts.first, name)), _share(getattr(texts.second, name)))
    return table


def _hold_out_table(found: HoldOut) -> Table:
    table = _table(found.sentence, f"Up to {found.until:%Y-%m-%d %H:%M} UTC", "Asked", "Held out")
    table.add_row("people", f"{found.asked.of:,}", f"{found.held_out.of:,}")
    table.add_row("acted, on anything", _share(found.asked), _share(found.held_out))
    return table


def _table(sentence: str, *columns: str) -> Table:
    table = Table(caption=Text(sentence), caption_justify="left")
    for name in columns:
        table.add_column(name)
    return table


def _share(one: Share) -> str:
    return f"{one.count:,}: {one.estimate:.2%} ({one.low:.2%} to {one.high:.2%})"
