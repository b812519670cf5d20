"""``outreach calls``: how a calling campaign stands."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.community.call_counts import CallResult, Counts, LineCount, count_calls, list_results
from router.runtime import Runtime

_PAGE = 200


@outreach.command("calls")
@click.argument("campaign", type=click.IntRange(0, 2**63 - 1))
@click.option("--slots", is_flag=True, help="Also every slot of every line.")
@click.option("--results", is_flag=True, help="Also what callers told, in their own words.")
def calls_command(campaign: int, slots: bool, results: bool) -> None:
    """How the calling CAMPAIGN stands this minute: who is to call, has called, found it busy, by place.

    Lines are given to a campaign with POST /api/v1/campaigns/CAMPAIGN/calls/lines.
    """
    found = with_runtime(lambda runtime: count_calls(runtime, campaign, now=utc_now()))
    table = Table("Place", "Who is called", "Open (UTC)", *(name.capitalize() for name in Counts.model_fields))
    for one in found.lines:
        hours = f"{one.line.opens_at:%m-%d %H:%M} to {one.line.closes_at:%m-%d %H:%M}"
        table.add_row(Text(one.line.place or "everywhere"), Text(one.line.name), hours, *_numbers(one))
    table.add_section()
    table.add_row("all", "", "", *_numbers(found))
    out.print(Text(f"Campaign {found.campaign}: {found.title}"))
    out.print(table)
    if slots:
        out.print(_slots_table(found.lines))
    if results:
        told = Table("Member", "Status", "When (UTC)", "In their words")
        for result in with_runtime(lambda runtime: _all_results(runtime, campaign)):
            told.add_row(str(result.member_id), result.status, f"{result.at:%m-%d %H:%M}", Text(result.result))
        out.print(told)


def _slots_table(lines: list[LineCount]) -> Table:
    table = Table("Place", "From (UTC)", "Told to call", "Room for", "Called")
    for one in lines:
        for slot in one.slots:
            row = (f"{slot.assigned:,}", f"{one.line.per_slot:,}", f"{slot.called:,}")
            table.add_row(Text(one.line.place or "everywhere"), f"{slot.starts_at:%m-%d %H:%M}", *row)
    return table


def _numbers(counts: Counts) -> list[str]:
    return [f"{getattr(counts, name):,}" for name in Counts.model_fields]


async def _all_results(runtime: Runtime, campaign: int) -> list[CallResult]:
    found: list[CallResult] = []
    while True:
        after = found[-1].member_id if found else 0
        page = await list_results(runtime, campaign, limit=_PAGE, after=after)
        found += page
        if len(page) < _PAGE:
            return found
