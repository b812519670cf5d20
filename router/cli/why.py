"""``outreach why``: how it came that somebody got a message, or did not."""

from __future__ import annotations

import click
from rich.markup import escape
from rich.panel import Panel

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.looks import Look, note_view
from router.runtime import Runtime
from router.why import Why, find_member, why


@outreach.command("why")
@click.argument("member")
@click.argument("campaign", type=click.IntRange(0))
def why_command(member: str, campaign: int) -> None:
    """Why MEMBER got the message of CAMPAIGN, or did not.

    MEMBER is a number, a phone, a mailbox or your own external id; CAMPAIGN is a number.
    """
    found = with_runtime(lambda runtime: _why(runtime, member, campaign))
    title = escape(f"Member {found.member}, campaign {found.campaign}: {found.title}")
    out.print(Panel(escape("\n".join(found.for_organizers)), title=title, title_align="left"))
    out.print(Panel(escape("\n".join(found.for_member)), title="What the member reads", title_align="left"))


async def _why(runtime: Runtime, member: str, campaign: int) -> Why:
    number, now = await find_member(runtime, member), utc_now()
    told = await why(runtime, number, campaign, now=now)
    await note_view(runtime, Look.WHY, number, by="command line", now=now)
    return told
