"""``outreach simulate``: what this way of asking brings and spares, in a made-up movement over a year."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from router.cli.table import err, out, outreach
from router.core.errors import BadInput
from router.settings import load_settings
from router.simulation.findings import growths_of
from router.simulation.picture import draw_picture
from router.simulation.tables import screens
from router.simulation.trials import ARMS, Size, Trial, load_rules, run_trials


@outreach.command()
@click.option(
    "--members", default=5_000, show_default=True, type=click.IntRange(10, 1_000_000), help="How many people."
)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1, 100), help="So many movements and years.")
@click.option("--weeks", default=52, show_default=True, type=click.IntRange(1, 52), help="How long the year is.")
@click.option("--jobs", default=0, type=click.IntRange(0, 64), help="Processes; by default one for each processor.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this SVG file as well.")
def simulate(members: int, seeds: int, weeks: int, jobs: int, picture: Path | None) -> None:
    """Play a made-up movement's year asked in four ways, and count what each brings and costs.

    Email to everyone; email within this router's caps; email and SMS to everyone; this router, by its real decisions.
    Each of them in three settings of how annoying several asks in a week are, with the same people and the same asks.
    Same seed, same numbers. What is assumed stands in config/simulation.toml, the method in docs/simulation.md.
    """
    if picture is not None and not picture.absolute().parent.is_dir():
        raise BadInput("lies in a folder that does not exist; make it first", place=str(picture))
    rules = load_rules(load_settings())
    size = Size(members=members, weeks=weeks)
    total = seeds * len(rules.parameters.annoyance.growth) * len(ARMS)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("years", total=total)

        def tell(trial: Trial) -> None:
            progress.update(task, advance=1, description=f"seed {trial.seed}, a = {trial.growth:g}, {trial.arm}")

        years = run_trials(rules, size, seeds, jobs=jobs or os.cpu_count() or 1, done=tell)
    for screen in screens(years):
        out.print(screen)
    if picture is not None:
        picture.write_text(draw_picture(years, size), "utf-8")
        out.print(f"Drawn: {picture}, with {len(growths_of(years))} settings.", highlight=False)
