"""What ``outreach simulate`` prints: a table for each setting, the comparison within the same caps, what is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from router.simulation.findings import (
    ACTIONS,
    LISTENING,
    MESSAGES,
    OPT_OUTS,
    SURGE_ACTIONS,
    YIELD,
    Spread,
    Verdict,
    Years,
    beyond_caps,
    difference,
    growths_of,
    not_won,
    seeds_of,
    spread_of,
)
from router.simulation.trials import ARMS, CAPPED
from router.simulation.year import Year

_ROWS: dict[str, tuple[Callable[[Year], float], str]] = {
    "Reached at least once": (lambda year: year.reached / year.members, ".0%"),
    "Reachable at the end": (lambda year: year.reachable / year.members, ".0%"),
    "let go of these": (lambda year: year.let_go / year.members, ".0%"),
    "Actions": (ACTIONS.of, ",.0f"),
    "on what could not wait": (SURGE_ACTIONS.of, ",.0f"),
    "per 1,000 messages": (YIELD.of, ".1f"),
    "Opt-outs": (OPT_OUTS.of, ",.0f"),
    "turned down to weekly": (lambda year: year.turned_down, ",.0f"),
    "Messages per member": (lambda year: year.messages / year.members, ".1f"),
    "median": (lambda year: year.median, ".0f"),
    "nine in ten get at most": (lambda year: year.p90, ".0f"),
}
"""What of a year, and how it is written. Shares are of all members; what begins small belongs to the row above."""


def setting_name(growth: float) -> str:
    """What a setting of annoyance means."""
    if not growth:
        return "A second ask in a week annoys no more than the first (a = 0)"
    return f"Each further ask in a week annoys {growth:.0%} more (a = {growth:g})"


def screens(years: Years) -> Iterator[RenderableType]:
    """Everything that there is to say, in order."""
    for growth in growths_of(years):
        yield setting_table(years, growth)
    yield caps_table(years)
    yield Padding(Text("\n".join(f"• {sentence}" for sentence in beyond_caps(years))), (0, 0, 1, 0))
    lost = list(not_won(years))
    if lost:
        yield Text("Where the router does not win, and at which a:", style="bold")
        yield Text("\n".join(f"• {sentence}" for sentence in lost))
    else:
        yield Text("The router wins in every measure, setting and seed; mistrust the parameters.", style="bold")


def setting_table(years: Years, growth: float) -> Table:
    """All arms in one setting."""
    seeds = len(seeds_of(years))
    note = f"Mean of {seeds} seeds, below it least to most." if seeds > 1 else "One seed says nothing of the spread."
    table = Table(title=setting_name(growth), caption=note, title_justify="left", caption_justify="left")
    table.add_column("", no_wrap=True)
    for arm in ARMS:
        table.add_column(arm, justify="right")
    for name, (of, how) in _ROWS.items():
        cells = [_written(spread_of(years, growth, arm, of), how) for arm in ARMS]
        table.add_row(name if name[0].isupper() else f"  {name}", *cells)
    return table


def caps_table(years: Years) -> Table:
    """The router against email within the same caps, as ratios."""
    table = Table(
        title=f"Beyond caps: the router against {CAPPED}, 1.00 is equal",
        caption="Router divided by rival, seed by seed. What is won in the last setting alone is no finding.",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("a", justify="right")
    measures = (ACTIONS, YIELD, OPT_OUTS, LISTENING, MESSAGES)
    for measure in measures:
        table.add_column(measure.name, justify="right")
    for growth in growths_of(years):
        cells = []
        for measure in measures:
            found = difference(years, measure, CAPPED, growth)
            style = {Verdict.WINS: "green", Verdict.LOSES: "red", Verdict.EVEN: "yellow"}[found.verdict]
            cells.append(Text(f"{_written(found.ratio, '.2f')}\n{found.verdict.value}", style=style))
        table.add_row(f"{growth:g}", *cells)
    return table


def _written(values: Spread, how: str) -> str:
    mean, least, most = (format(value, how) for value in (values.mean, values.least, values.most))
    return mean if least == most else f"{mean}\n{least}–{most}"
