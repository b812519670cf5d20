"""``outreach report-back``, ``owed``, ``override``, ``afterwards``: what comes after a blast."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import click
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from router.app import utc_now
from router.cli.group import first_problem, out, outreach, with_runtime
from router.community.afterwards import Afterwards, CallList, as_csv, as_html, call_list
from router.community.afterwards import afterwards as look_back
from router.community.debts import list_owed, override_debt
from router.community.phoning import CallRow, tell_results
from router.community.report_backs import ReportBackIn, ReportBackView, write_report_back
from router.core.errors import BadInput
from router.runtime import Runtime

_NUMBER = click.argument("campaign", type=click.IntRange(0, 2**63 - 1))
_BY_WHOM = click.option("--by", default="command line", show_default=True, help="Who does it; kept in the audit log.")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@outreach.command("report-back")
@_NUMBER
@click.argument("file", metavar="[FILE]", type=_FILE, required=False)
@click.option("--progress", metavar="TEXT", help="A note for everybody in place of a result: it gives you more time.")
@_BY_WHOM
def report_back(campaign: int, file: Path | None, progress: str | None, by: str) -> None:
    """Tell those who acted on CAMPAIGN what came of it, on the channel they acted on. It costs no contact budget.

    FILE is plain text, or TOML (NAME.toml) with text, texts.LOCALE, media and alt. A text may say {{ others }} (how
    many acted beside the reader), {{ my_action }} and {{ my_amount }}.
    """
    if (file is None) == (progress is None):
        raise click.UsageError("give a FILE with the result, or --progress TEXT")
    body = _read(file) if file is not None else ReportBackIn(kind="progress", text=progress or "")
    view = with_runtime(lambda runtime: write_report_back(runtime, campaign, body, by=by, now=utc_now()))
    for sentence in _said(view):
        out.print(sentence, highlight=False, markup=False)


def _read(file: Path) -> ReportBackIn:
    try:
        words = file.read_text("utf-8")
        return ReportBackIn.model_validate(tomllib.loads(words) if file.suffix == ".toml" else {"text": words.strip()})
    except UnicodeDecodeError:
        raise BadInput("is not UTF-8 text", place=str(file)) from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(str(error), place=str(file)) from None
    except ValidationError as error:
        raise first_problem(error, str(file)) from None


def _said(view: ReportBackView) -> list[str]:
    if view.sent_as is None:
        return [f"The progress note on campaign {view.campaign_id} stands in public."]
    if view.missing:
        return [f"The report-back is saved as campaign {view.sent_as}; {view.missing}."]
    return [f"The report-back is launched as campaign {view.sent_as}: outreach status {view.sent_as}"]


@outreach.command("owed")
def owed() -> None:
    """Campaigns that owe those who acted a report-back, the longest due first."""
    table = Table("Campaign", "Title", "Due")
    table.add_column("People", justify="right")
    for one in with_runtime(lambda runtime: list_owed(runtime, now=utc_now())):
        due = f"{one.due_at:%Y-%m-%d %H:%M} UTC" + (", overdue" if one.overdue else "")
        table.add_row(str(one.campaign_id), escape(one.title), due, f"{one.people:,}")
    out.print(table)


@outreach.command("override")
@_NUMBER
@click.option("--reason", required=True, help="Why it cannot wait. Anybody can read it, for good.")
@_BY_WHOM
def override(campaign: int, reason: str, by: str) -> None:
    """Let CAMPAIGN go to people who are owed a report-back. The reason is public."""
    with_runtime(lambda runtime: override_debt(runtime, campaign, by=by, reason=reason, now=utc_now()))
    out.print(f"Campaign {campaign} goes to them all the same; the reason stands at /open/overrides.")


@outreach.command("afterwards")
@_NUMBER
@click.option("--by", "grouped", default="place", show_default=True, help="Group callees by place or by an attribute.")
@click.option("--calls", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write the call list.")
@click.option("--only", metavar="GROUP", help="On that list only people of this branch or building.")
@click.option("--script", default="", help="What a caller says before the ask's own text.")
@click.option("--results", metavar="FILE", type=_FILE, help="Take back a list whose column result was filled in.")
def afterwards(
    campaign: int, grouped: str, calls: Path | None, only: str | None, script: str, results: Path | None
) -> None:
    """After CAMPAIGN: who acted, who was not reached, whom to invite next, what is owed.

    --calls writes the people to ring up as NAME.csv, or as NAME.html to print. --results reads that CSV back: yes, no,
    reached, no_answer, wrong_number or stop in its column result; rows without one are left out.
    """
    if results is not None:
        told = with_runtime(lambda runtime: _take_back(runtime, campaign, results))
        out.print(told)
    if calls is not None:
        found = with_runtime(
            lambda runtime: call_list(runtime, campaign, by=grouped, only=only, script=script, now=utc_now())
        )
        _write(calls, found)
        out.print(f"{len(found.people):,} of {found.total:,} people to ring up are in {calls}.")
    if results is None and calls is None:
        _show(with_runtime(lambda runtime: look_back(runtime, campaign, by=grouped, now=utc_now())))


def _write(path: Path, found: CallList) -> None:
    path.touch(0o600)
    path.chmod(0o600)  # names and telephone numbers
    path.write_bytes(as_html(found).encode() if path.suffix == ".html" else as_csv(found))


async def _take_back(runtime: Runtime, campaign: int, path: Path) -> str:
    with path.open(encoding="utf-8-sig", newline="") as file:
        filled = [row for row in csv.DictReader(file) if (row.get("result") or "").strip()]
    rows = []
    for row in filled:
        try:
            number = int(row.get("member") or "")
            rows.append(CallRow.model_validate({"member": number, "result": row["result"].strip().lower()}))
        except (ValueError, ValidationError):
            raise BadInput(
                f"{row['result']!r} for member {row.get('member')!r} is no result; write yes, no, reached, no_answer,"
                " wrong_number or stop",
                place=str(path),
            ) from None
    told = await tell_results(runtime, campaign, rows, by="command line", now=utc_now())
    return f"{told.new:,} results are kept, {told.known:,} were known."


def _show(found: Afterwards) -> None:
    missed = found.not_reached
    table = Table(title=escape(f"After {found.title}"), title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("Acted", f"{found.acted:,}")
    why = f"{missed.failed:,} failed, {missed.unknown:,} unknown, {missed.expired:,} too late, {missed.held:,} no way"
    table.add_row("Not reached", f"{missed.people:,} ({why})")
    groups = ", ".join(f"{escape(name) or 'not known'} {many:,}" for name, many in found.call_list.items())
    table.add_row("To ring up", f"{missed.to_call:,}" + (f" ({groups})" if groups else ""))
    for group in found.invite_next:
        rung = "leave in peace for now" if group.rung is None else f"invite to: {group.rung.value}"
        table.add_row("Next", f"{group.people:,} who did {group.did}: {rung}")
    due = "" if found.report_back.due_at is None else f", due {found.report_back.due_at:%Y-%m-%d %H:%M} UTC"
    how = f"; {found.report_back.how}" if found.report_back.how else ""
    table.add_row("Report-back", f"{found.report_back.state}{due}{how}")
    out.print(table)
