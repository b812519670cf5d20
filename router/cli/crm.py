"""``outreach webhook``: other systems that are told what happens."""

from __future__ import annotations

import click
from rich.table import Table

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.core.outgoing import Kind
from router.crm.registry import add_webhook, list_events, list_webhooks, replay, set_active

_BY = click.option("--by", default="command line", help="Who does it; kept in the audit log.")


@outreach.group("webhook")
def webhook() -> None:
    """Tell other systems (a CRM) of opt-outs, actions and finished campaigns."""


@webhook.command("add")
@click.argument("url")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice([kind.value for kind in Kind]),
    help="What it wants to hear of; everything where it is left out. May be given several times.",
)  # fmt: skip
@_BY
def add(url: str, kinds: tuple[str, ...], by: str) -> None:
    """Tell URL from now on. The secret that signs what is sent there is shown once (standardwebhooks.com)."""
    wanted = [Kind(kind) for kind in kinds] or list(Kind)
    made = with_runtime(lambda runtime: add_webhook(runtime, url, wanted, by=by, now=utc_now()))
    out.print(f"Webhook {made.webhook.id} is told. Its secret, shown this once:")
    out.print(made.secret, highlight=False)


@webhook.command("list")
def list_command() -> None:
    """The addresses that are told, and how they do."""
    table = Table("Webhook", "Address", "Hears of", "Waiting", "Dead", "")
    for one in with_runtime(list_webhooks):
        resting = f"rests until {one.resting_until:%H:%M} UTC" if one.resting_until else ""
        state = one.reason or resting
        table.add_row(str(one.id), one.url, ", ".join(one.kinds), f"{one.waiting:,}", f"{one.dead:,}", state)
    out.print(table)


@webhook.command("events")
@click.argument("number", metavar="WEBHOOK", type=click.IntRange(0))
@click.option("--status", type=click.Choice(["waiting", "told", "dead"]), default="dead", show_default=True)
def events(number: int, status: str) -> None:
    """The newest events of WEBHOOK: dead letters, what waits, or what was told."""
    table = Table("Event", "At", "Kind", "Member", "Tries", "Last error")
    for one in with_runtime(lambda runtime: list_events(runtime, number, status=status)):
        who = str(one.member_id or "")
        table.add_row(str(one.id), f"{one.at:%Y-%m-%d %H:%M}", one.kind, who, str(one.attempts), one.last_error)
    out.print(table)


@webhook.command("replay")
@click.argument("number", metavar="WEBHOOK", type=click.IntRange(0))
@_BY
def replay_command(number: int, by: str) -> None:
    """Try all dead letters of WEBHOOK again."""
    many = with_runtime(lambda runtime: replay(runtime, number, by=by, now=utc_now()))
    out.print(f"{many:,} events are tried again.")


@webhook.command("close")
@click.argument("number", metavar="WEBHOOK", type=click.IntRange(0))
@click.option("--open", "reopen", is_flag=True, help="Open it again instead: what waited is told then.")
@_BY
def close(number: int, reopen: bool, by: str) -> None:
    """Tell WEBHOOK nothing more."""
    with_runtime(lambda runtime: set_active(runtime, number, reopen, by=by, now=utc_now()))
    out.print(f"Webhook {number} is {'told again' if reopen else 'closed'}.")
