"""``outreach door``, ``outreach export`` and ``outreach erase``: what one member may have of us at any time."""

from __future__ import annotations

from pathlib import Path

import click

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.door import DAYS, door_link, shut_door
from router.erasing import erase_member
from router.looks import Look, note_view
from router.own_data import as_json, as_zip, own_data
from router.runtime import Runtime
from router.why import find_member

_BY = "command line"


@outreach.command()
@click.argument("member")
@click.option("--days", default=DAYS, show_default=True, type=click.IntRange(1, 365), help="How long the link is good.")
@click.option("--shut", is_flag=True, help="Make all links to it void instead: a phone was lost.")
def door(member: str, days: int, shut: bool) -> None:
    """The link to MEMBER's own page, for that member only.

    MEMBER is a number, a phone, a mailbox or your own external id.
    """

    async def work(runtime: Runtime) -> str:
        number = await find_member(runtime, member)
        if not shut:
            return await door_link(runtime, number, days=days, now=utc_now())
        await shut_door(runtime, number, by=_BY, now=utc_now())
        return "No link opens that page any more."

    out.print(with_runtime(work), highlight=False, soft_wrap=True)


@outreach.command()
@click.argument("member")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(member: str, file: Path) -> None:
    """All that we hold of MEMBER, into FILE: JSON, or CSV tables where its name ends in .zip."""

    async def work(runtime: Runtime) -> bytes:
        number = await find_member(runtime, member)
        own = await own_data(runtime, number)
        await note_view(runtime, Look.EXPORT, number, by=_BY, now=utc_now())
        return as_zip(own) if file.suffix == ".zip" else as_json(own).encode()

    file.write_bytes(with_runtime(work))
    out.print(f"It is in {file}.", highlight=False, soft_wrap=True)


@outreach.command()
@click.argument("member")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(member: str, yes: bool) -> None:
    """Erase MEMBER for good: name, addresses and every word; nobody writes to them again."""
    if not yes:
        click.confirm("This cannot be undone. Erase them?", abort=True)

    async def work(runtime: Runtime) -> None:
        await erase_member(runtime, await find_member(runtime, member), by=_BY, now=utc_now())

    with_runtime(work)
    out.print("Erased.")
