"""The ``outreach`` command itself, and the table of its commands.

A command is imported when it is called for: all of them together take seconds to load, and ``--help`` needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click
from rich.console import Console

from router import __version__

out = Console()
err = Console(stderr=True)

COMMANDS: Mapping[str, tuple[str, str]] = {
    "afterwards": (
        "report_backs",
        "After CAMPAIGN: who acted, who was not reached, whom to invite next, what is owed.",
    ),
    "approve": ("campaigns", "Approve CAMPAIGN, a draft or a paused one whose words were changed."),
    "audit": ("audit", "Who did what, the latest first; `audit verify` proves that nothing of it was changed."),
    "backup": ("backup", "Copy the ledger into FILE while everything runs; of PostgreSQL it says how."),
    "blast": ("campaigns", "Check, preview, approve and launch the ask in ASK.toml."),
    "calls": (
        "calls",
        "How the calling CAMPAIGN stands this minute: who is to call, has called, found it busy, by place.",
    ),
    "cancel": ("campaigns", "Withdraw what of CAMPAIGN has not left, for good."),
    "check": (
        "check",
        "Prove every channel's credentials and webhook, and all they stand on; say what is to be mended.",
    ),
    "compare": ("comparison", "What the two texts of CAMPAIGN, or those held out of it, have shown."),
    "demo": (
        "demo",
        "A made-up movement is asked to an event, over the real adapters of all channels against simulated providers.",
    ),
    "door": ("members", "The link to MEMBER's own page, for that member only."),
    "erase": ("members", "Erase MEMBER for good: name, addresses and every word; nobody writes to them again."),
    "events": (
        "events",
        "Events that people host and come to: list them, approve, refuse and cancel them, trust a host.",
    ),
    "export": ("members", "All that we hold of MEMBER, into FILE: JSON, or CSV tables where its name ends in .zip."),
    "group": ("groups", "Group chats that asks can be posted in: enter one, tag it, list them."),
    "import": ("people", "Read members from a CSV file: any common encoding, delimiter and column names."),
    "inbox": (
        "inbox",
        "Work through what people wrote and no rule understood; alone it lists them, who waits longest first.",
    ),
    "join": ("people", "Links by which MEMBER joins a channel: notifications in a browser, a chat with the bot."),
    "join-code": (
        "join_codes",
        "Ways by which people join: JOIN and a code by text message, a page with a form, a QR code.",
    ),
    "keys": ("keys", "Make the secrets that an installation needs."),
    "launch": ("campaigns", "Launch CAMPAIGN, which is approved."),
    "migrate": ("processes", "Bring the ledger to the newest version."),
    "organizer": ("organizers", "Who may come in to the organizers' pages: invite somebody, list them, end it."),
    "override": ("report_backs", "Let CAMPAIGN go to people who are owed a report-back."),
    "owed": ("report_backs", "Campaigns that owe those who acted a report-back, the longest due first."),
    "pause": ("campaigns", "Stop sending CAMPAIGN, for now."),
    "places": ("events", "Read from FILE where postcodes lie, so that people are led to the nearest event."),
    "policy": ("policy", "The rules of the house: which are announced, which members refused, what is in force."),
    "proposal": ("proposals", "Ideas that members propose and second: list them, read one, keep, remove or refuse it."),
    "raise": ("campaigns", "Raise the contact budget to its ceiling for CAMPAIGN, an urgent ask of somebody else's."),
    "report-back": ("report_backs", "Tell those who acted on CAMPAIGN what came of it, on the channel they acted on."),
    "restore": ("backup", "Bring the ledger back from the backup in FILE, so that nobody is asked twice."),
    "resume": ("campaigns", "Go on with CAMPAIGN, which is paused."),
    "retention": ("retention", "What is kept of people for how long, and what would go now; --apply drops it."),
    "sandbox": (
        "demo",
        "Simulated providers for trying things out: prints the settings that point the channels at them.",
    ),
    "serve": ("processes", "Web server and worker in one process: all that a laptop needs."),
    "simulate": (
        "simulate",
        "Play a made-up movement's year asked in four ways, and count what each brings and costs.",
    ),
    "status": ("campaigns", "How CAMPAIGN stands: who was reached, who approved it, what it has cost."),
    "token": ("tokens", "Make an API token called NAME."),
    "web": ("processes", "Only the web server: API, webhooks, members' pages."),
    "webhook": ("crm", "Tell other systems (a CRM) of opt-outs, actions and finished campaigns."),
    "why": ("why", "Why MEMBER got the message of CAMPAIGN, or did not."),
    "worker": ("processes", "Only a worker: routes, sends, retries."),
}
"""Name → the module of this package that enters the command, and the first sentence of its help."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            import_module(f"router.cli.{COMMANDS[cmd_name][0]}")
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="outreach")
def outreach() -> None:
    """One ask, routed to each member over the channel they chose, only if their attention can bear it.

    Start with `outreach demo`. Settings are environment variables; the README lists them.
    """
