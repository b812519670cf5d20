"""``outreach group``: the group chats that asks can be posted in."""

from __future__ import annotations

import click
from rich.table import Table

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.group_list import GroupView, list_groups
from router.groups import add_group, change_group
from router.runtime import Runtime
from router.settings import MAIN

_PAGE = 200


@outreach.group("group")
def group() -> None:
    """Group chats that asks can be posted in: enter one, tag it, list them."""


# Telegram's group chats are negative numbers, which would else be taken for options.
@group.command("add", context_settings={"ignore_unknown_options": True})
@click.argument("channel")
@click.argument("address")
@click.option("--title", required=True, help="What the group is called.")
@click.option("--tag", "tags", multiple=True, help="Asks name their groups by tags. May be given several times.")
@click.option("--account", default=MAIN, show_default=True, help="Which of the channel's accounts is let in.")
@click.option("--by", default="command line", help="Who enters it; kept in the audit log.")
def add(channel: str, address: str, title: str, tags: tuple[str, ...], account: str, by: str) -> None:
    """Enter the group at ADDRESS on CHANNEL, where no provider tells us of it, or before it does.

    ADDRESS is a chat's number on telegram, a channel's ID on slack, the name of a target on apprise.
    """
    number = with_runtime(
        lambda runtime: add_group(
            runtime, channel=channel, account=account, value=address, title=title, tags=list(tags), by=by, now=utc_now()
        )
    )
    out.print(f"Group {number} is entered.")


@group.command("tag")
@click.argument("number", metavar="GROUP", type=click.IntRange(0))
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@click.option("--by", default="command line", help="Who tags it; kept in the audit log.")
def tag(number: int, tags: tuple[str, ...], by: str) -> None:
    """Give GROUP these tags in place of those it has; none where no TAG is given. Asks name their groups by them."""
    with_runtime(lambda runtime: change_group(runtime, number, tags=list(tags), by=by, now=utc_now()))
    out.print(f"Group {number} has the tags {', '.join(tags)}." if tags else f"Group {number} has no tags.")


@group.command("list")
def list_command() -> None:
    """The groups that we know, and their tags."""
    table = Table("Group", "Title", "Channel", "Account", "Address", "Tags", "")
    for one in with_runtime(_all):
        tags = ", ".join(one.tags)
        state = "" if one.open else "we were put out"
        table.add_row(str(one.id), one.title, one.channel, one.account or "any", one.address, tags, state)
    out.print(table)


async def _all(runtime: Runtime) -> list[GroupView]:
    found: list[GroupView] = []
    while page := await list_groups(runtime, limit=_PAGE, after=found[-1].id if found else 0):
        found += page
    return found
