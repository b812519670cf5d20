"""``outreach retention``: how long what is kept of people stays, and what goes now."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.table import Table

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.records.retention import Going, apply, review

_KINDS = {
    "answers": "words of our answers",
    "messages": "who was sent what, tries and receipts",
    "received": "words that people wrote",
    "parked_receipts": "receipts that match nothing",
    "import_problems": "problems of imports",
    "webhooks": "what another system never took",
    "notices": "notices that were cleared",
    "invitations": "invitations that are over",
}
FOR_GOOD = "Never dropped: consents, suppressions, who was asked what (claims), totals, the audit log."


@outreach.command()
@click.option("--apply", "do_it", is_flag=True, help="Drop it. Nothing brings it back.")
@click.option("--by", default="command line", show_default=True, help="Who does it; kept in the audit log.")
def retention(do_it: bool, by: str) -> None:
    """What is kept of people for how long, and what would go now; --apply drops it.

    The numbers are under [retention] in config/policy.toml. With automatic = true a worker does it each night.
    """
    if do_it:
        lines = with_runtime(lambda runtime: apply(runtime, by=by, now=utc_now()))
    else:
        lines = with_runtime(lambda runtime: review(runtime, now=utc_now()))
    out.print(_table(lines, "Went" if do_it else "Would go"))
    out.print(FOR_GOOD, highlight=False)
    if not do_it and any(one.rows and not one.because for one in lines):
        out.print("Nothing was dropped. To drop it: outreach retention --apply", highlight=False)


def _table(lines: Sequence[Going], goes: str) -> Table:
    table = Table("What", "Kept", "Month")
    table.add_column(goes, justify="right")
    table.add_column("Stays, because")
    for one in lines:
        month = f"{one.month // 100}-{one.month % 100:02d}" if one.month else ""
        rows = "" if one.because else f"{one.rows:,}"
        table.add_row(_KINDS[one.kind], one.kept, month, rows, one.because)
    return table
