"""``outreach blast``, and the steps of a campaign that is saved: approve, raise, launch, pause, resume, cancel, status.

Whoever has the command line holds the ledger itself, so the name after ``--by`` is taken as it is given.
"""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from router.app import utc_now
from router.approval import ApprovalMissing
from router.cli.group import first_problem, out, outreach, with_runtime
from router.core.ask import Ask
from router.core.errors import BadInput
from router.drafting import check_words, save_campaign
from router.launch import approve_campaign, cancel_campaign, launch_campaign, pause_campaign, resume_campaign
from router.preview import preview_ask, send_test
from router.raising import LONGEST_HOURS, raise_budget
from router.runtime import Runtime
from router.screens import campaign_facts, campaign_table, preview_table, tone_table, tonight_sentence
from router.views import CampaignView, view_campaign

_NUMBER = click.argument("campaign", type=click.IntRange(0, 2**63 - 1))
_UNDO = click.option("--undo", type=click.IntRange(0, 3600), help="Seconds in which it can still be taken back.")
_BY = click.option("--by", default="command line", show_default=True, help="Who does it; kept in the audit log.")


@outreach.command()
@click.argument("ask_file", metavar="ASK.toml", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what a launch would do now; save nothing.")
@click.option(
    "--test-to",
    metavar="ADDRESS",
    help="Send the real rendering to one address of yours only: a phone, a mailbox, or CHANNEL:ADDRESS.",
)
@_BY
@_UNDO
@click.option("--yes", is_flag=True, help="Do not ask before launching.")
def blast(ask_file: Path, dry_run: bool, test_to: str | None, by: str, undo: int | None, yes: bool) -> None:
    """Check, preview, approve and launch the ask in ASK.toml. A running worker (`outreach serve`) sends it.

    Where it goes to so many that somebody beside its author must approve it, it is saved and that is said.
    """
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
    if ask.tonight:
        out.print(tonight_sentence(ask, runtime.policy))
    if preview.tone:
        out.print(tone_table(preview.tone))
    if dry_run:
        return
    if not yes:
        click.confirm("Launch it?", abort=True)
    saved = await save_campaign(runtime, ask, by=by, now=utc_now())
    try:
        await approve_campaign(runtime, saved.id, by=by, now=utc_now())
    except ApprovalMissing as missing:
        sentence = f"Campaign {saved.id} is saved as a draft; {missing}; then outreach launch {saved.id}."
        out.print(sentence, highlight=False, markup=False)
        return
    await launch_campaign(runtime, saved.id, by=by, now=utc_now(), undo_seconds=undo)
    _show(await view_campaign(runtime, saved.id))


def _show(view: CampaignView) -> None:
    out.print(campaign_table(view))
    for sentence in campaign_facts(view):
        out.print(sentence, highlight=False, markup=False)


def _step(work: Callable[[Runtime], Awaitable[CampaignView]]) -> None:
    """Take one step of a campaign and show how it stands."""

    async def taken(runtime: Runtime) -> CampaignView:
        return await work(runtime)

    _show(with_runtime(taken))


@outreach.command()
@_NUMBER
@_BY
def approve(campaign: int, by: str) -> None:
    """Approve CAMPAIGN, a draft or a paused one whose words were changed."""
    _step(lambda runtime: approve_campaign(runtime, campaign, by=by, now=utc_now()))


@outreach.command("raise")
@_NUMBER
@click.option("--reason", required=True, help="Why it cannot wait; the team reads this.")
@click.option("--hours", required=True, type=click.IntRange(1, LONGEST_HOURS), help="How long it is good for.")
@_BY
def raise_command(campaign: int, **options: Any) -> None:
    """Raise the contact budget to its ceiling for CAMPAIGN, an urgent ask of somebody else's."""
    _step(lambda runtime: raise_budget(runtime, campaign, now=utc_now(), **options))


@outreach.command()
@_NUMBER
@_UNDO
@_BY
def launch(campaign: int, undo: int | None, by: str) -> None:
    """Launch CAMPAIGN, which is approved. A running worker (`outreach serve`) sends it."""
    _step(lambda runtime: launch_campaign(runtime, campaign, by=by, now=utc_now(), undo_seconds=undo))


@outreach.command()
@_NUMBER
@click.option("--reason", default="", help="The team reads this.")
@_BY
def pause(campaign: int, reason: str, by: str) -> None:
    """Stop sending CAMPAIGN, for now."""
    _step(lambda runtime: pause_campaign(runtime, campaign, by=by, reason=reason, now=utc_now()))


@outreach.command()
@_NUMBER
@_BY
def resume(campaign: int, by: str) -> None:
    """Go on with CAMPAIGN, which is paused."""
    _step(lambda runtime: resume_campaign(runtime, campaign, by=by, now=utc_now()))


@outreach.command()
@_NUMBER
@_BY
def cancel(campaign: int, by: str) -> None:
    """Withdraw what of CAMPAIGN has not left, for good."""
    _step(lambda runtime: cancel_campaign(runtime, campaign, by=by, now=utc_now()))


@outreach.command()
@_NUMBER
def status(campaign: int) -> None:
    """How CAMPAIGN stands: who was reached, who approved it, what it has cost."""
    _step(lambda runtime: view_campaign(runtime, campaign))


def _read_ask(path: Path) -> Ask:
    try:
        return Ask.model_validate(tomllib.loads(path.read_text("utf-8")))
    except UnicodeDecodeError:
        raise BadInput("is not UTF-8 text", place=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(str(error), place=str(path)) from None
    except ValidationError as error:
        raise first_problem(error, str(path)) from None
