"""The ``outreach`` command, as a person types it: processes of its own, real providers' stand-ins, real signals."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from channels.sandbox import Sandbox
from tests.e2e.conftest import free_port

MESSY = (
    "\ufeffVorname;Nachname;Handy;E-Mail;SMS consent;Email consent;Consent source;Consent date\n"
    "Zoë;Müller;+33 6 39 98 00 01;zoe@example.org;yes;yes;form;2026-01-02\n"
    'Ana;"Ruiz\nde la Torre";0639980002;;yes;;form;2026-01-02\n'
    "Bo;;12;not-a-mailbox;yes;yes;form;2026-01-02\n"
    "Cy;Xu;;cy@example.org;;;;\n"
)

ASK = """
title = "Dinner"
[texts.en.default]
text = "Hi {{ first_name | default('friend') }}, dinner on Thursday?"
"""


class Office:
    """A folder with a ledger, and the environment that the commands run in."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
        self.environment = inherited | environment | {"COLUMNS": "200", "PYTHONWARNINGS": "error"}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "router",
            *arguments,
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, *arguments: str, status: int = 0) -> str:
        process = await self.start(*arguments)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        said = output.decode()
        assert process.returncode == status, said
        assert "Traceback" not in said, said
        return said

    def write(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content, encoding="utf-8")
        return name


@pytest.fixture
def office(tmp_path: Path, database_url: str) -> Office:
    return Office(
        tmp_path,
        {
            "OUTREACH_DATABASE_URL": database_url,
            "OUTREACH_SECRET_KEY": "a secret for the tests, forty characters long",
            "OUTREACH_DEFAULT_REGION": "FR",
            "OUTREACH_PORT": str(free_port()),
        },
    )


async def test_a_messy_file_comes_in_and_its_report_says_how(office: Office) -> None:
    office.write("members.csv", MESSY)
    dry = await office.run("import", "members.csv", "--dry-run")
    assert "nothing was written" in dry
    said = await office.run("import", "members.csv", "--problems", "problems.csv")
    assert "3 new members" in said
    assert "1 row kept as unconfirmed" in said
    assert "1 row could not be used" in said
    problems = (office.folder / "problems.csv").read_text("utf-8")
    assert re.search(r"^5,", problems, re.MULTILINE), problems
    again = await office.run("import", "members.csv")
    assert "0 new members" in again


async def test_a_preview_a_refusal_and_a_launch_from_a_file(office: Office) -> None:
    office.write("members.csv", MESSY)
    await office.run("import", "members.csv")
    async with Sandbox() as sandbox:
        office.environment |= sandbox.channel_environment()
        office.write("ask.toml", ASK)
        assert "2 by sms" in await office.run("blast", "ask.toml", "--dry-run")
        assert "Sent by sms" in await office.run("blast", "ask.toml", "--test-to", "+33639989999")
        assert [one.to for one in sandbox.memory.accepted] == ["+33639989999"]
        office.write("bad.toml", ASK.replace("first_name", "frist_name"))
        refused = await office.run("blast", "bad.toml", "--dry-run", status=2)
        assert "first_name" in refused
        assert "texts.en.default.text" in refused
        assert "starts at" in await office.run("blast", "ask.toml", "--yes", "--undo", "0")


async def test_serve_answers_and_stops_gracefully(office: Office) -> None:
    await office.run("migrate")
    token = (await office.run("token", "test")).strip()
    assert token.startswith("ort_")
    process = await office.start("serve")
    try:
        assert process.stdout is not None
        first = await asyncio.wait_for(process.stdout.readline(), 30)
        assert b"Listening on" in first
        reader, writer = await asyncio.open_connection("127.0.0.1", int(office.environment["OUTREACH_PORT"]))
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"200" in (await reader.read()).split(b"\r\n", 1)[0]
        writer.close()
    finally:
        process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_migrating_from_two_processes_at_once(office: Office) -> None:
    said = await asyncio.gather(office.run("migrate"), office.run("migrate"))
    assert all("up to date" in one for one in said)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("OUTREACH_DATABASE_URL", "nonsense", "OUTREACH_DATABASE_URL"),
        ("OUTREACH_SECRET_KEY", "short", "at least 32 characters"),
        ("OUTREACH_PORT", "seventy", "OUTREACH_PORT"),
        ("OUTREACH_SPLIT_DISKS", "yes", "separate disks"),
    ],
)
async def test_a_wrong_setting_is_named(tmp_path: Path, variable: str, value: str, sentence: str) -> None:
    office = Office(tmp_path, {"OUTREACH_SECRET_KEY": "a secret for the tests, forty characters long", variable: value})
    assert sentence in await office.run("worker", status=2)


async def test_the_demo_runs_to_its_end(tmp_path: Path) -> None:
    said = await Office(tmp_path, {}).run("demo", "--once", "--members", "60")
    assert "Left in peace" in said
    assert "delivered" in said
