"""``outreach organizer``: who may come in to the organizers' pages."""

from __future__ import annotations

import click
from rich.table import Table

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.core.roles import Role
from router.office.invitations import invite, link_of
from router.office.organizers import change_organizer, list_organizers, set_password
from router.office.passwords import fresh
from router.runtime import Runtime

BY = "the console"


@outreach.group()
def organizer() -> None:
    """Who may come in to the organizers' pages: invite somebody, list them, end it."""


@organizer.command("invite")
@click.argument("name", default="")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.AUTHOR.value, show_default=True)
def invite_command(name: str, role: str) -> None:
    """Print a link by which NAME, or whoever follows it, makes an account. It works once, for three days."""

    async def work(runtime: Runtime) -> str:
        return link_of(runtime, await invite(runtime, role=Role(role), name=name, by=BY, now=utc_now()))

    out.print(with_runtime(work), highlight=False, soft_wrap=True)


@organizer.command("list")
def list_command() -> None:
    """Everybody who may come in, or might once."""
    table = Table("No.", "name", "role", "sees", "since")
    for one in with_runtime(list_organizers):
        since = f"{one.created_at:%Y-%m-%d}" + (f", ended {one.disabled_at:%Y-%m-%d}" if one.disabled_at else "")
        table.add_row(str(one.id), one.name, one.role.value, "a part" if one.audience else "all", since)
    out.print(table)


@organizer.command("disable")
@click.argument("number", type=int)
def disable_command(number: int) -> None:
    """End the account NUMBER; whoever has it is signed out at once."""
    ended = with_runtime(lambda runtime: change_organizer(runtime, number, disabled=True, by=BY, now=utc_now()))
    out.print(f"{ended.name} is out.", highlight=False)


@organizer.command("password")
@click.argument("number", type=int)
def password_command(number: int) -> None:
    """Give the account NUMBER a new password and print it, for an admin who forgot theirs."""
    made = fresh()
    with_runtime(lambda runtime: set_password(runtime, number, made, by=BY, now=utc_now()))
    out.print(made, highlight=False)
