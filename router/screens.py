"""What the command line shows: tables and progress, made from the same views that the API returns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from router.core.ask import Ask
from router.core.model import CampaignStatus, Reason
from router.core.policy import Policy
from router.core.tone import ToneFinding
from router.outlook import Surge
from router.preview import Preview
from router.records.imports import ImportProgress, ImportReport
from router.views import CampaignView

_COLUMNS = ("queued", "sending", "sent", "delivered", "read", "failed", "expired", "cancelled", "unknown")


def campaign_table(view: CampaignView, *, title: str = "") -> Table:
    """Who was reached on what, and who was held back and why."""
    used = [name for name in _COLUMNS if any(by.get(name) for by in view.counts.values())] or ["queued"]
    table = Table(
        title=title or f"{view.title} ({view.status.value})",
        title_justify="left",
        caption=Text("\n".join(filter(None, (view.stages, view.pace, goal_sentence(view))))),
        caption_justify="left",
        show_footer=True,
    )
    total = sum(sum(by.get(name, 0) for name in used) for by in view.counts.values())
    table.add_column("Channel", footer="all")
    for name in used:
        count = sum(by.get(name, 0) for by in view.counts.values())
        table.add_column(name, justify="right", footer=f"{count:,}")
    table.add_column("messages", justify="right", footer=f"{total:,}")
    for channel, by in sorted(view.counts.items()):
        row = [by.get(name, 0) for name in used]
        if any(row):
            table.add_row(channel, *(f"{count:,}" if count else "·" for count in row), f"{sum(row):,}")
    return table


def goal_sentence(view: CampaignView) -> str:
    """How far its goal is, and whom it left in peace; "" where it has none."""
    goal = view.goal
    if goal is None:
        return ""
    unit = goal.currency or goal.measure
    said = f"Goal: {goal.reached:,} of {goal.target:,} {unit}"
    if goal.places:
        met = sum(reached >= target for reached, target in goal.places.values())
        said += f", met in {met} of {len(goal.places)} places"
    if goal.met_at is not None:
        said += f", met at {goal.met_at:%Y-%m-%d %H:%M} UTC"
    return f"{said}. {goal.left_in_peace:,} people were left in peace." if goal.left_in_peace else f"{said}."


def campaign_facts(view: CampaignView) -> list[str]:
    """Who stands behind a campaign, when it starts, what it has cost, whether the budget is raised for it."""
    approved = f", approved by {view.approved_by}" if view.approved_by else ""
    facts = [f"Campaign {view.id} by {view.created_by}{approved}. Its audience: {view.recipients:,}."]
    if view.status is CampaignStatus.SCHEDULED:
        facts.append(
            f"It starts at {view.starts_at:%Y-%m-%d %H:%M:%S} UTC; until then it can be taken back:"
            f" outreach cancel {view.id}"
        )
    if view.pause_reason:
        facts.append(f"It is paused: {view.pause_reason}.")
    limit = view.ask.spend_limit
    spent = " + ".join(f"{amount:,.2f} {currency}" for currency, amount in view.spent.items())
    if spent or limit:
        most = f", of at most {limit.amount:,.2f} {limit.currency}" if limit else ""
        facts.append(f"It has cost {spent or 'nothing'}{most}.")
    if view.raised_until is not None:
        facts.append(
            f"{view.raised_by} raised the contact budget for it until {view.raised_until:%Y-%m-%d %H:%M} UTC:"
            f" {view.raised_reason}"
        )
    return facts


def tonight_sentence(ask: Ask, policy: Policy) -> str:
    """What the preset `tonight` turns on, in the numbers of this house."""
    ramp = policy.guard.ramp
    steps = ", ".join(f"{share:.0%}" for share in ramp.shares)
    waits = [wait.urgent for wait in policy.waits.values()]
    alerts = (
        "those who agreed to alerts get it on all their channels at any hour"
        if ask.alert
        else ("quiet hours hold for everybody (alert = true would reach those who agreed to alerts)")
    )
    return (
        f"Tonight: it goes before other asks and lives {policy.lifetime.urgent_hours} h at most; in place of a canary"
        f" it goes to {steps} of the people, then to all, {ramp.tonight_wait_seconds} s apart; after {min(waits)} to"
        f" {max(waits)} min without delivery the next channel has its turn; {alerts}; whoever answers YES may get up to"
        f" {policy.budget.thread.follow_ups} follow-ups at no cost to their contact budget; a second organizer may"
        " raise the budget for it (outreach raise)."
    )


def held_table(held: dict[str, int], *, title: str = "Left in peace") -> Table:
    """Who was held back, and the sentence they would read."""
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("People", justify="right", footer=f"{sum(held.values()):,}")
    table.add_column("Reason", footer="all")
    table.add_column("What they read when they ask why")
    for reason, count in sorted(held.items(), key=lambda item: -item[1]):
        if count:
            table.add_row(f"{count:,}", reason.replace("_", " "), Reason(reason).sentence)
    return table


def preview_table(preview: Preview) -> Table:
    """What a launch would do now."""
    table = Table(title="If it were launched now", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    reached = ", ".join(f"{count:,} by {channel}" for channel, count in sorted(preview.by_channel.items()))
    table.add_row("Audience", f"{preview.members:,} people")
    table.add_row("Would get it", reached or "nobody")
    held = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in sorted(preview.by_reason.items()))
    table.add_row("Left in peace", held or "nobody")
    table.add_row("Later", f"{preview.deferred:,} wait for their quiet hours to end")
    if preview.group_first:
        table.add_row(
            "Group first", f"{preview.group_first:,} are asked in their group and get it if they do not answer"
        )
    if preview.debt:
        table.add_row("Owed a report-back", preview.debt)
    languages = ", ".join(f"{count:,} {locale}" for locale, count in sorted(preview.by_locale.items()))
    table.add_row("Languages", f"{languages or 'none'}; {preview.default_text:,} get the default for want of theirs")
    cost = " + ".join(f"{amount:,.2f} {currency}" for currency, amount in preview.cost.items())
    table.add_row("SMS segments", f"{preview.segments:,}")
    table.add_row("Cost", cost or "nothing")
    table.add_row("Sending takes", f"{_duration(preview.seconds)} at the present rates, quiet hours apart")
    if preview.pace:
        table.add_row("Paced", preview.pace)
    if preview.surge is not None:
        table.add_row("In time", preview.surge.sentence)
    for channel, text in sorted(preview.samples.items()):
        table.add_row(f"Sample, {channel}", text.strip())
    return table


def surge_table(surge: Surge) -> Table:
    """Which channel carries how many before the deadline, and where the others go."""
    table = Table(title=f"What can leave by {surge.due:%H:%M} UTC", title_justify="left", show_footer=True)
    channels = surge.channels.values()
    table.add_column("Channel", footer="all")
    table.add_column("first choice", justify="right", footer=f"{sum(one.wanted for one in channels):,}")
    table.add_column("in time", justify="right", footer=f"{sum(one.in_time for one in channels):,}")
    table.add_column("overflow to")
    table.add_column("too late", justify="right", footer=f"{surge.late:,}")
    table.add_column("last leaves")
    for name, one in sorted(surge.channels.items()):
        overflow = ", ".join(f"{count:,} {channel}" for channel, count in sorted(one.overflow.items()))
        last = f"{one.finishes_at:%H:%M} UTC" if one.in_time else ""
        table.add_row(name, f"{one.wanted:,}", f"{one.in_time:,}", overflow, f"{one.late:,}", last)
    return table


def tone_table(findings: Sequence[ToneFinding]) -> Table:
    """What the author should look at again before it leaves; nothing is held back for it."""
    table = Table(title="The tone, for you to decide", title_justify="left", show_lines=True)
    for name in ("Words", "Where", "Why", "Rather"):
        table.add_column(name)
    for found in findings:
        kind = found.kind.value.replace("_", " ")
        where = f"{found.place}\n{kind}, {found.severity.value}"
        table.add_row(*map(Text, (found.words or f"({kind})", where, found.why, found.instead)))
    return table


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"


def import_table(report: ImportReport, *, most: int = 8) -> Table:
    """What became of a file: the counts in words, and the first of what could not be used."""
    table = Table(title=f"Import of {report.file_name}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for sentence in report.sentences:
        table.add_row("", sentence)
    taken = ", ".join(f"{header} → {meaning}" for header, meaning in report.columns.items())
    table.add_row("Columns", taken)
    for problem in report.first_problems[:most]:
        where = f"line {problem.line}" + (f", {problem.column}" if problem.column else "")
        table.add_row(where, problem.sentence)
    return table


@contextlib.contextmanager
def watch_import(console: Console) -> Iterator[Callable[[ImportProgress], None]]:
    """A progress bar for an import."""
    with Progress(
        TextColumn("Reading"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None, rows=0, rate=0.0)

        def show(step: ImportProgress) -> None:
            bar.update(task, completed=step.bytes_done, total=step.bytes_total, rows=step.rows, rate=step.rate)

        yield show
