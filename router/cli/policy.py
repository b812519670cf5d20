"""``outreach policy``: which rules of the house hold, which are announced, and from which files they are."""

from __future__ import annotations

import click
from rich.table import Column, Table

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.core.policy_directions import path_of
from router.core.policy_words import short
from router.policy_changes.book import read_standing
from router.policy_changes.keeping import OwnRules
from router.policy_changes.sights import Change, list_changes
from router.runtime import Runtime
from router.settings import toml_path

_STANDS = {"announced": "holds from {}", "refused": "refused by members on {}", "in_force": "in force since {}"}


@outreach.command("policy")
@click.option("--all", "every", is_flag=True, help="Every rule in force, also where nothing changes.")
def policy(every: bool) -> None:
    """The rules of the house: which are announced, which members refused, what is in force.

    Rules are changed in the files it names. When the program starts again, what is stricter holds at once; what would
    let us message more is announced on /open first, and holds days later unless members refuse it.
    """

    async def work(runtime: Runtime) -> tuple[list[Change], dict[str, object], OwnRules]:
        async with runtime.store.read() as connection:
            standing = await read_standing(connection)
        found = await list_changes(runtime, now=utc_now())
        out.print(*(f"Files: {toml_path(name, runtime.settings)}" for name in ("policy", "quiet_hours")), sep="\n",
                  highlight=False, soft_wrap=True)  # fmt: skip
        return found, dict(standing.in_force), OwnRules.read(runtime.settings)

    changes, in_force, own = with_runtime(work)
    if not in_force:
        out.print("Nothing has been started to serve yet: the files hold as they stand.")
        return
    _show_changes(changes)
    _show_values(in_force, own, {(one.file, one.key) for one in changes}, every=every)


def _show_changes(changes: list[Change]) -> None:
    if not changes:
        out.print("Nothing is announced.")
        return
    table = Table("What changes", Column("Rule", overflow="fold"), "Now", "Then", "How it stands", "For", "Against")
    for one in changes:
        stands = _STANDS[one.status].format(f"{one.effective_at:%d %b %Y %H:%M} UTC")
        table.add_row(one.sentence, f"{one.file}: {one.key}", short(one.old), short(one.new), stands,
                      str(one.seconds), str(one.objections))  # fmt: skip
    out.print(table)


def _show_values(in_force: dict[str, object], own: OwnRules, known: set[tuple[str, str]], *, every: bool) -> None:
    """All values in force, or those where the files say something else that nobody announced yet."""
    table = Table("File", "Rule", "In force", "In the file")
    for key in sorted({*in_force, *own.kept}):
        name, *path = path_of(key)
        file, rule = f"{name}.toml", ".".join(path)
        if every or (in_force.get(key) != own.kept.get(key) and (file, rule) not in known):
            table.add_row(file, rule, short(in_force.get(key)), short(own.kept.get(key)))
    if table.rows:
        out.print(table)
    if table.rows and not every:
        out.print("The files say something else there: start the program again, and it is announced or holds at once.")
