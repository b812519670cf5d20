"""``outreach blast``: one ask, from its file to its launch."""

from __future__ import annotations

import tomllib
from pathlib import Path

import click
from pydantic import ValidationError

from router.app import utc_now
from router.cli.group import first_problem, out, outreach, with_runtime
from router.core.ask import Ask
from router.core.errors import BadInput
from router.launch import approve_campaign, check_words, launch_campaign, save_campaign
from router.preview import preview_ask, send_test
from router.runtime import Runtime
from router.screens import campaign_table, preview_table, tone_table
from router.views import view_campaign


@outreach.command()
@click.argument("ask_file", metavar="ASK.toml", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what a launch would do now; save nothing.")
@click.option(
    "--test-to",
    metavar="ADDRESS",
    help="Send the real rendering to one address of yours only: a phone, a mailbox, or CHANNEL:ADDRESS.",
)
@click.option("--by", default="command line", help="Who launches it; kept in the audit log.")
@click.option("--undo", type=click.IntRange(0, 3600), help="Seconds in which it can still be taken back.")
@click.option("--yes", is_flag=True, help="Do not ask before launching.")
def blast(ask_file: Path, dry_run: bool, test_to: str | None, by: str, undo: int | None, yes: bool) -> None:
    """Check, preview, approve and launch the ask in ASK.toml. A running worker (`outreach serve`) sends it."""
    ask = _read_ask(ask_file)
    with_runtime(lambda runtime: _blast(runtime, ask, dry_run=dry_run, to=test_to, by=by, undo=undo, yes=yes))


async def _blast(
    runtime: Runtime, ask: Ask, *, dry_run: bool, to: str | None, by: str, undo: int | None, yes: bool
) -> None:
    check_words(runtime, ask)
    if to is not None:
        out.print(await send_test(runtime, ask, to=to, now=utc_now()))
        return
    preview = await preview_ask(runtime, ask, now=utc_now())
    out.print(preview_table(preview))
    if preview.tone:
        out.print(tone_table(preview.tone))
    if dry_run:
        return
    if not yes:
        click.confirm("Launch it?", abort=True)
    saved = await save_campaign(runtime, ask, by=by, now=utc_now())
    await approve_campaign(runtime, saved.id, by=by, now=utc_now())
    view = await launch_campaign(runtime, saved.id, by=by, now=utc_now(), undo_seconds=undo)
    out.print(campaign_table(await view_campaign(runtime, view.id)))
    out.print(f"Campaign {view.id} starts at {view.starts_at:%Y-%m-%d %H:%M:%S} UTC; until then it can be cancelled.")


def _read_ask(path: Path) -> Ask:
    try:
        return Ask.model_validate(tomllib.loads(path.read_text("utf-8")))
    except UnicodeDecodeError:
        raise BadInput("is not UTF-8 text", place=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(str(error), place=str(path)) from None
    except ValidationError as error:
        raise first_problem(error, str(path)) from None
