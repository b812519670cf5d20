"""``outreach group``: the group chats that asks can be posted in."""

from __future__ import annotations

import click
from rich.table import Table

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.group_list import GroupView, list_groups
from router.groups import add_group, change_group, change_steward
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


@group.command("about")
@click.argument("number", metavar="GROUP", type=click.IntRange(0))
@click.option("--title", help="What it is called.")
@click.option("--language", help="In which the bot answers there: es, pt-BR.")
@click.option("--country", help="Two letters: DE.")
@click.option("--place", help="Where its people are; it is shown the events of there.")
@click.option("--by", default="command line", help="Who says so; kept in the audit log.")
def about(
    number: int, title: str | None, language: str | None, country: str | None, place: str | None, by: str
) -> None:
    """Say what GROUP is called, which language it speaks and where its people are. What is left out stays."""
    with_runtime(
        lambda runtime: change_group(
            runtime, number, title=title, locale=language, country=country.upper() if country else country,
            place=place, by=by, now=utc_now(),
        )
    )  # fmt: skip
    out.print(f"Group {number} is changed.")


@group.command("steward")
@click.argument("number", metavar="GROUP", type=click.IntRange(0))
@click.argument("steward", metavar="[MEMBER]", type=click.IntRange(1), required=False)
@click.option("--by", default="command line", help="Who names them; kept in the audit log.")
def steward(number: int, steward: int | None, by: str) -> None:
    """Let MEMBER quiet us in GROUP, in the place of whoever let us in; nobody where no MEMBER is given."""
    with_runtime(lambda runtime: change_steward(runtime, number, steward, by=by, now=utc_now()))
    out.print(f"Member {steward} is the steward of group {number}." if steward else f"Group {number} has no steward.")


@group.command("list")
def list_command() -> None:
    """The groups that we know, their tags and stewards, how many members we know in each."""
    table = Table("Group", "Title", "Channel", "Account", "Address", "Tags", "Steward", "Members", "")
    for one in with_runtime(_all):
        table.add_row(
            str(one.id), one.title, one.channel, one.account or "any", one.address, ", ".join(one.tags),
            str(one.steward or ""), f"{one.linked}{'+' if one.is_large else ''}", _state(one),
        )  # fmt: skip
    out.print(table)


def _state(one: GroupView) -> str:
    if not one.open:
        return "we were put out"
    return f"quiet until {one.quiet_until:%Y-%m-%d %H:%M} UTC" if one.quiet_until else ""


async def _all(runtime: Runtime) -> list[GroupView]:
    found: list[GroupView] = []
    while page := await list_groups(runtime, limit=_PAGE, after=found[-1].id if found else 0):
        found += page
    return found
