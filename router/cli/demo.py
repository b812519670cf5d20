"""``outreach demo`` and ``outreach sandbox``: the program over simulated providers.

On asyncio's own loop, because the simulated servers take its transports for granted, which uvloop's are not.
"""

from __future__ import annotations

import asyncio

import click

from router.cli.table import out, outreach
from router.demo import SCENARIOS, run_demo, run_sandbox
from router.logs import configure_logs


@outreach.command()
@click.option(
    "--scenario", type=click.Choice(list(SCENARIOS)), default="hearing", show_default=True, help="What is played."
)
@click.option("--once", is_flag=True, help="Run the blast, print the tables and leave.")
@click.option(
    "--members", type=click.IntRange(10, 12_000), help="How many people; the scenario's own number where left out."
)
@click.option("--seed", default=1, show_default=True, help="The same movement for the same seed.")
def demo(scenario: str, once: bool, members: int | None, seed: int) -> None:
    """A made-up movement is asked to an event, over the real adapters of all channels against simulated providers."""
    configure_logs("WARNING")
    asyncio.run(run_demo(out, scenario=scenario, members=members, seed=seed, once=once))


@outreach.command()
@click.option("--port", default=8025, show_default=True, help="Port of the providers and of the page of phones.")
@click.option("--smtp-port", default=2525, show_default=True, help="Port of the mail server.")
@click.option("--public-url", default="http://127.0.0.1:8080", show_default=True, help="Where the router listens.")
def sandbox(port: int, smtp_port: int, public_url: str) -> None:
    """Simulated providers for trying things out: prints the settings that point the channels at them."""
    asyncio.run(run_sandbox(out, port=port, smtp_port=smtp_port, public_url=public_url))
