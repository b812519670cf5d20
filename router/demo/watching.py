"""Launch an ask in the demo, watch it go out, and tell what came of it."""

from __future__ import annotations

import asyncio
import contextlib

from rich.console import Console
from rich.live import Live
from rich.table import Table
from sqlalchemy import text

from channels.sandbox import Sandbox
from router.core.ask import Ask
from router.core.roles import Role
from router.door import door_link
from router.drafting import save_campaign
from router.launch import approve_campaign, launch_campaign
from router.office.invitations import first_link, invite, link_of
from router.runtime import Runtime
from router.screens import campaign_table, held_table
from router.views import CampaignView, view_campaign


async def launch(runtime: Runtime, ask: Ask) -> int:
    now = runtime.clock()
    saved = await save_campaign(runtime, ask, by="ana", now=now)
    await approve_campaign(runtime, saved.id, by="bo", now=now)
    await launch_campaign(runtime, saved.id, by="ana", now=now, undo_seconds=0)
    return saved.id


async def settled(runtime: Runtime, campaign: int) -> None:
    """Wait until a campaign has nothing left that may leave now."""
    while not await is_quiet(runtime, campaign):  # noqa: ASYNC110 - it is the ledger that we watch
        await asyncio.sleep(0.05)


async def is_quiet(runtime: Runtime, campaign: int) -> bool:
    view = await view_campaign(runtime, campaign)
    if view.ranges == 0 or view.routed < view.ranges:
        return view.status.value == "finished"
    async with runtime.store.read() as connection:
        waiting = await connection.scalar(
            text(
                "SELECT count(*) FROM batch WHERE campaign_id = :id AND open"
                " AND (not_before <= :now OR owner IS NOT NULL)"
            ),
            {"id": campaign, "now": int(runtime.clock().timestamp() * 1000)},
        )
    return not waiting


async def watch(runtime: Runtime, sandbox: Sandbox, campaign: int, out: Console) -> None:
    """Show the counts move until nothing can leave any more and the last receipts and replies are in."""
    with Live(console=out, refresh_per_second=8, transient=True) as live:
        while True:
            view = await view_campaign(runtime, campaign)
            live.update(campaign_table(view))
            if await is_quiet(runtime, campaign):
                break
            await asyncio.sleep(0.15)
        # Receipts and replies are still on their way, and a failed text may take its next hop at once.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sandbox.idle(), 20)
        await settled(runtime, campaign)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sandbox.idle(), 20)
    out.print(campaign_table(await view_campaign(runtime, campaign)))


async def show_result(runtime: Runtime, sandbox: Sandbox, campaign: int, out: Console) -> None:
    out.rule("4. What came of it")
    view = await view_campaign(runtime, campaign)
    out.print(held_table(view.held))
    out.print(await _answers(runtime, view))
    phones = len(sandbox.memory.accepted)
    out.print(
        f"The simulated providers accepted {phones:,} messages in all. Nobody was written to twice by this ask,"
        " and whoever said STOP is written to no more."
    )


async def _answers(runtime: Runtime, view: CampaignView) -> Table:
    """What people did: replies by meaning, links opened, who asked for silence."""
    table = Table(title="Answers", title_justify="left", show_header=False)
    table.add_column(justify="right", style="bold")
    table.add_column()
    async with runtime.store.read() as connection:
        replies = await connection.execute(text("SELECT intent, count(*) FROM inbound GROUP BY intent ORDER BY 2 DESC"))
        for intent, count in replies:
            table.add_row(f"{count:,}", f"replied {intent.upper()}")
        actions = await connection.scalar(
            text("SELECT count(*) FROM action WHERE campaign_id = :id AND kind = 'yes'"), {"id": view.id}
        )
        silent = await connection.scalar(text("SELECT count(DISTINCT address_hash) FROM suppression"))
    table.add_row(f"{actions:,}", "said they will come")
    table.add_row(f"{silent:,}", "addresses are silenced for good (unless they write START)")
    return table


async def stay(out: Console, runtime: Runtime, sandbox: Sandbox, url: str) -> None:
    """Say where everything is to be seen, and stay until Ctrl-C."""
    out.rule("Look around")
    for what, where in (await places_of(runtime, sandbox, url)).items():
        out.print(f"{what}:", soft_wrap=True)
        out.print(f"    {where}", highlight=False, soft_wrap=True)
    out.print("Ctrl-C ends the demo and throws its ledger away.")
    await asyncio.Event().wait()


async def places_of(runtime: Runtime, sandbox: Sandbox, url: str) -> dict[str, str]:
    """What there is to be seen → its address; some addresses let somebody in once."""
    now = runtime.clock()
    name, door = await _a_door(runtime)
    approver = link_of(runtime, await invite(runtime, role=Role.APPROVER, by="the demo", now=now))
    return {
        "The office. You come in as its first organizer (this link is good once)": await first_link(runtime, now=now),
        "A second organizer, to approve what the first one writes (once; in a private window)": approver,
        f"What {name}, a member, sees and changes": door,
        "What everybody may read": f"{url}/open",
        "Simulated phones and mailboxes (reply STOP or YES as one of them)": f"{sandbox.http_url}/",
        "The API": f"{url}/docs/api",
    }


async def _a_door(runtime: Runtime) -> tuple[str, str]:
    """The name of somebody who did what was asked, and the link to their own page."""
    async with runtime.store.read() as connection:
        [(number, name)] = await connection.execute(
            text(
                "SELECT m.id, m.first_name FROM member m LEFT JOIN action a ON a.member_id = m.id"
                " WHERE m.kind = 'person' AND m.first_name <> '' ORDER BY a.id IS NULL, m.id LIMIT 1"
            )
        )
    return name, await door_link(runtime, number, now=runtime.clock())
