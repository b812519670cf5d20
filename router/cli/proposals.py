"""``outreach proposal``: ideas of members, and what organizers decide about them.

Whoever has the command line holds the ledger itself, so the name after ``--by`` is taken as it is given.
"""

from __future__ import annotations

from datetime import datetime

import click
from rich.table import Table
from rich.text import Text

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.community.proposals.deciding import decide
from router.community.proposals.reading import OneProposal, ProposalView, list_proposals, read_proposal
from router.core.proposal_rules import Decision
from router.runtime import Runtime

_PAGE = 200
_IDEA = click.argument("idea", type=click.IntRange(1, 2**31 - 1))
_BY = click.option("--by", default="command line", show_default=True, help="Who decides; kept in the audit log.")
_REASON = click.option("--reason", default="", help="For the other organizers.")
_STATUSES = ["open", "held", "refused", "removed", "withdrawn", "done"]


@outreach.group("proposal")
def proposal() -> None:
    """Ideas that members propose and second: list them, read one, keep, remove or refuse it.

    Two organizers decide alike (config/policy.toml, proposals.organizers). What is held waits for you: somebody
    reported it, or most who second it joined lately.
    """


@proposal.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only these.")
def list_command(status: str | None) -> None:
    """The ideas that there are, by the number that people write."""
    table = Table("Idea", "Words", "Where", "Seconds", "Reports", "Asked", "Status", "Because")
    for one in with_runtime(lambda runtime: _all(runtime, status or "")):
        where = ", ".join(filter(None, (f"group {one.group_id}" if one.group_id else "", one.place, one.country)))
        because = one.rule if one.status in ("refused", "removed") else one.reason
        cells = (
            str(one.number), one.text, where, str(one.seconds), str(one.reports or ""), one.stage, one.status, because,
        )  # fmt: skip
        table.add_row(*map(Text, cells))
    out.print(table)


@proposal.command("show")
@_IDEA
def show(idea: int) -> None:
    """All about IDEA: why members reported it, how organizers voted, when its next step is due."""
    _show(with_runtime(lambda runtime: read_proposal(runtime, idea)))


@proposal.command("keep")
@_IDEA
@_REASON
@_BY
def keep(idea: int, reason: str, by: str) -> None:
    """IDEA stands: it is open again after a hold or a refusal."""
    _decide(idea, Decision.KEEP, "", reason, by)


@proposal.command("remove")
@_IDEA
@click.option("--rule", default="", help="The published rule; needed where members did not report it.")
@_REASON
@_BY
def remove(idea: int, rule: str, reason: str, by: str) -> None:
    """Take IDEA away, which members reported or which is held for another reason."""
    _decide(idea, Decision.REMOVE, rule, reason, by)


@proposal.command("refuse")
@_IDEA
@click.option("--rule", required=True, help="The published rule (proposals.rules of the policy).")
@_REASON
@_BY
def refuse(idea: int, rule: str, reason: str, by: str) -> None:
    """Let IDEA go no wider. Everybody can read by which rule; members can object, unless it binds them all."""
    _decide(idea, Decision.REFUSE, rule, reason, by)


def _decide(idea: int, decision: Decision, rule: str, reason: str, by: str) -> None:
    _show(with_runtime(lambda runtime: decide(runtime, idea, decision, by=by, rule=rule, reason=reason, now=utc_now())))


async def _all(runtime: Runtime, status: str) -> list[ProposalView]:
    found: list[ProposalView] = []
    while page := await list_proposals(runtime, status=status, limit=_PAGE, after=found[-1].number if found else 0):
        found += page
    return found


def _show(found: OneProposal) -> None:
    one = found.proposal
    said = [
        f"Idea {one.number} of member {found.member_id} is {one.status}{f' ({one.reason})' if one.reason else ''}.",
        one.text,
        f"Seconds: {one.seconds}. Objections: {one.objections}. Reports: {one.reports}.",
    ]
    if one.rule:
        said.append(f"Rule: {one.rule}.")
    if one.campaign_id:
        said.append(f"Asked now: {one.stage}, by campaign {one.campaign_id}.")
    if one.next_at is not None:
        said.append(f"Its next step is looked at on {_moment(one.next_at)} UTC.")
    said += [f"A member reported it on {_moment(each.at)}: {each.reason or '(no words)'}" for each in found.reported]
    for vote in found.votes:
        because = ", ".join(filter(None, (vote.rule, vote.reason)))
        said.append(f"{vote.by} is for {vote.what}{f' ({because})' if because else ''}, {_moment(vote.at)}.")
    for line in said:
        out.print(line, highlight=False, markup=False)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
