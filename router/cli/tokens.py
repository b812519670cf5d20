"""``outreach token``: who may use the API."""

from __future__ import annotations

import click

from router.app import utc_now
from router.cli.group import out, outreach, with_runtime
from router.web.auth import create_token


@outreach.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, default=("admin",), show_default=True, help="May be given several times."
)
def token(name: str, scopes: tuple[str, ...]) -> None:
    """Make an API token called NAME. It is shown once."""
    made = with_runtime(lambda runtime: create_token(runtime.store, name, " ".join(scopes), utc_now()))
    out.print(made, highlight=False)
