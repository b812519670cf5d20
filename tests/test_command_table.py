"""The table of commands, which is read in their place, says what they are; and ``--help`` loads none of them."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

import router.cli
from router.cli.table import COMMANDS, outreach


def test_every_command_stands_in_the_table() -> None:
    for path in Path(router.cli.__file__).parent.glob("[a-z]*.py"):
        import_module(f"router.cli.{path.stem}")
    assert set(outreach.commands) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_its_sentence_is_the_first_of_its_help(name: str) -> None:
    command = outreach.get_command(click.Context(outreach), name)
    assert command is not None
    assert COMMANDS[name][1] == command.get_short_help_str(limit=200)


def test_the_list_of_commands_loads_no_channel_and_no_ledger() -> None:
    script = "import sys\nfrom router.__main__ import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, "--help"], check=True, capture_output=True, text=True)
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "router.cli.table" in loaded
    assert not {"router.app", "sqlalchemy", "aiohttp", "channels", "pydantic"} & loaded
