"""``outreach door``, ``export`` and ``erase``, as a person types them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import click
import pytest

from router.core.errors import NotFound
from tests.support.commands import Say, typed_in

CSV = "first_name,last_name,phone,email,consent\nAnn,Lee,+33639980001,ann@example.org,yes\n"


@pytest.fixture
def say(sqlite_url: str) -> Say:
    """Run a command in an installation."""
    return typed_in(sqlite_url, OUTREACH_PUBLIC_URL="https://outreach.example.org", COLUMNS="200", TERM="xterm")


def test_a_member_gets_their_link_their_data_and_is_erased(say: Say, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text(CSV, "utf-8")
    assert say("import", str(people)).exit_code == 0
    shown = say("door", "ann@example.org")
    assert "https://outreach.example.org/m/" in shown.output
    assert "void" not in shown.output
    assert "No link" in say("door", "ann@example.org", "--shut").output
    document, tables = tmp_path / "ann.json", tmp_path / "ann.zip"
    assert say("export", "+33639980001", str(document)).exit_code == 0
    assert json.loads(document.read_text("utf-8"))["person"]["first_name"] == "Ann"
    assert say("export", "+33639980001", str(tables)).exit_code == 0
    assert "ann@example.org" in zipfile.ZipFile(tables).read("addresses.csv").decode()
    refused = say("erase", "ann@example.org")
    assert isinstance(refused.exception, click.Abort | SystemExit)
    assert "Erased." in say("erase", "ann@example.org", "--yes").output
    assert isinstance(say("export", "ann@example.org", str(document)).exception, NotFound)
