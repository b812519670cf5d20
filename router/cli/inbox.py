"""``outreach inbox``: read, claim and answer what no rule understood.

Whoever has the command line holds the ledger itself, so the name after ``--by`` is taken as it is given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import click
from rich.table import Table
from rich.text import Text

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.community import inbox as threads
from router.community.inbox_answers import answer, close
from router.community.inbox_threads import OneThread, ThreadPage, ThreadView, list_threads, read_thread
from router.runtime import Runtime
from router.why import find_member

_BY = click.option("--by", default="command line", show_default=True, help="Who does it; kept in the audit log.")
_MEMBER = click.argument("member", metavar="MEMBER")


@outreach.group("inbox", invoke_without_command=True)
@click.option("--status", type=click.Choice(["open", "claimed", "done"]), help="Only these; all but done otherwise.")
@click.option("--mine", metavar="NAME", default="", help="Only those that NAME has claimed.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="How many to show.")
@click.option("--after", metavar="PLACE", default="", help="Go on where the list ended.")
@click.pass_context
def inbox(context: click.Context, status: str | None, mine: str, limit: int, after: str) -> None:
    """Work through what people wrote and no rule understood; alone it lists them, who waits longest first.

    MEMBER is a number, a phone, a mailbox or your own external id. Read one with `outreach inbox show MEMBER`, answer
    with `outreach inbox answer MEMBER "Words"`, close with `outreach inbox done MEMBER`.
    """
    if context.invoked_subcommand is None:
        page = with_runtime(
            lambda runtime: list_threads(runtime, status=status or "", mine=mine, limit=limit, after=after)
        )
        _show_page(page)


@inbox.command("show")
@_MEMBER
def show(member: str) -> None:
    """All that was said between MEMBER and us, on every channel, and what they probably meant."""
    _do(member, _nothing)


@inbox.command("claim")
@_MEMBER
@_BY
def claim(member: str, by: str) -> None:
    """Take MEMBER's thread, so that nobody else answers it meanwhile."""
    _do(member, lambda runtime, number: threads.claim(runtime, number, by=by, now=utc_now()))


@inbox.command("release")
@_MEMBER
@_BY
def release(member: str, by: str) -> None:
    """Give MEMBER's thread back to all."""
    _do(member, lambda runtime, number: threads.release(runtime, number, by=by, now=utc_now()))


@inbox.command("assign")
@_MEMBER
@click.argument("name")
@_BY
def assign(member: str, name: str, by: str) -> None:
    """Give MEMBER's thread to organizer NAME, whoever has it now."""
    _do(member, lambda runtime, number: threads.assign(runtime, number, to=name, by=by, now=utc_now()))


@inbox.command("answer")
@_MEMBER
@click.argument("text")
@_BY
def answer_command(member: str, text: str, by: str) -> None:
    """Write TEXT to MEMBER where they wrote last. A running worker (`outreach serve`) sends it."""
    _do(member, lambda runtime, number: answer(runtime, number, text, by=by, now=utc_now()))


@inbox.command("done")
@_MEMBER
@click.option("--as-suggested", is_flag=True, help="Also do what the suggestion says, as if they had written it.")
@_BY
def done(member: str, as_suggested: bool, by: str) -> None:
    """Close MEMBER's thread; it opens again when they write."""
    _do(member, lambda runtime, number: close(runtime, number, by=by, now=utc_now(), as_suggested=as_suggested))


async def _nothing(runtime: Runtime, number: int) -> None:
    """Only look."""


def _do(member: str, work: Callable[[Runtime, int], Awaitable[None]]) -> None:
    """Do something with MEMBER's thread and show how it stands."""

    async def done_and_read(runtime: Runtime) -> OneThread:
        number = await find_member(runtime, member)
        await work(runtime, number)
        return await read_thread(runtime, number)

    _show_thread(with_runtime(done_and_read))


def _show_page(page: ThreadPage) -> None:
    if not page.threads:
        out.print("There is no such thread: nobody waits here for an answer.")
        return
    table = Table("Member", "Name", "Waiting", "Since", "On", "About", "They wrote", "Probably", "Has it")
    for one in page.threads:
        since = _moment(one.waiting_since)
        about = f"{one.campaign_id} {one.campaign}".strip() if one.campaign_id else ""
        cells = (
            str(one.member_id), one.name, str(one.waiting), since, one.channel, about, one.text,
            one.suggestion.kind, one.claimed_by or "",
        )  # fmt: skip
        table.add_row(*map(Text, cells))
    out.print(table)
    if page.next:
        out.print(f"There are more: outreach inbox --after {page.next}", highlight=False)


def _show_thread(found: OneThread) -> None:
    one = found.thread
    table = Table("When, UTC", "Who", "On", "Words", "Status", title=Text(_headline(one)), title_justify="left")
    for said in found.said:
        table.add_row(*map(Text, (_moment(said.at), said.by, said.channel, said.text or "(no words)", said.status)))
    out.print(table)
    if found.last_ask is not None:
        last = found.last_ask
        said_last = f"Asked last: campaign {last.campaign_id}, {last.title} ({last.channel}, {last.status})"
        out.print(said_last, highlight=False, markup=False)
    if one.waiting:
        out.print(one.suggestion.meaning, highlight=False, markup=False)
        out.print(f"A ready answer: {one.suggestion.answer}", highlight=False, markup=False)


def _headline(one: ThreadView) -> str:
    who = f"Member {one.member_id}, {one.name}" if one.name else f"Member {one.member_id}"
    has = f", {one.claimed_by} has it" if one.claimed_by else ""
    waits = f", waiting since {_moment(one.waiting_since)} UTC" if one.waiting_since else ""
    return f"{who}: {one.status}{has}{waits}"


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"
