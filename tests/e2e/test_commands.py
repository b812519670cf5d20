"""The ``outreach`` command, as a person types it: processes of its own, real providers' stand-ins, real signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import stat
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from channels.sandbox import CALLING, Sandbox
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

WARNINGS = "error,ignore:'imghdr' is deprecated:DeprecationWarning"
"""A vendor's own; see pyproject.toml."""


class Office:
    """A folder with a ledger, and the environment that the commands run in."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
        self.environment = inherited | environment | {"COLUMNS": "200", "PYTHONWARNINGS": WARNINGS}

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
        try:
            output, _ = await asyncio.wait_for(process.communicate(), 60)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        said = output.decode()
        assert process.returncode == status, said
        assert "Traceback" not in said, said
        return said

    def write(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content, encoding="utf-8")
        return name

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """``outreach serve`` on the port that is given; it must stop gracefully."""
        process = await self.start("serve")
        try:
            assert process.stdout is not None
            first = await asyncio.wait_for(process.stdout.readline(), 30)
            assert b"Listening on" in first
            yield int(self.environment["OUTREACH_PORT"])
        finally:
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 15) == 0


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
        # Nobody named a channel, so the ask goes by the cheaper of two where both may be used.
        assert "1 by email, 1 by sms" in await office.run("blast", "ask.toml", "--dry-run")
        assert "Sent by sms" in await office.run("blast", "ask.toml", "--test-to", "+33639989999")
        assert [one.to for one in sandbox.memory.accepted] == ["+33639989999"]
        office.write("bad.toml", ASK.replace("first_name", "frist_name"))
        refused = await office.run("blast", "bad.toml", "--dry-run", status=2)
        assert "first_name" in refused
        assert "texts.en.default.text" in refused
        assert "starts at" in await office.run("blast", "ask.toml", "--yes", "--undo", "0")


async def test_a_large_ask_takes_its_steps_one_by_one(office: Office) -> None:
    head = "first_name,phone,sms consent,consent source,consent date\n"
    rows = [f"Ana,+3363998{place:04d},yes,form,2026-01-02\n" for place in range(1_001)]
    office.write("members.csv", head + "".join(rows))
    await office.run("import", "members.csv")
    await office.run("token", "Ben")
    async with Sandbox() as sandbox:
        office.environment |= sandbox.channel_environment()
        deadline = datetime.now(UTC) + timedelta(hours=5)
        office.write("ask.toml", f"deadline = {deadline:%Y-%m-%dT%H:%M:%SZ}\ntonight = true\n{ASK}")
        dry = await office.run("blast", "ask.toml", "--dry-run")
        assert "Tonight: it goes before other asks and lives 6 h at most" in dry
        said = await office.run("blast", "ask.toml", "--yes", "--by", "Ana")
        [number] = re.findall(r"Campaign (\d+) is saved as a draft; Ben must approve it", said)
        assert f"then outreach launch {number}" in said
        said = await office.run("approve", number, "--by", "Ana", status=2)
        assert "it goes to 1,001 people" in said
        raised = ("raise", number, "--reason", "The vote is tonight", "--hours", "6", "--by", "Ben")
        assert "Ben raised the contact budget for it until" in await office.run(*raised)
        assert "by Ana, approved by Ben. Its audience: 1,001." in await office.run("approve", number, "--by", "Ben")
        assert "It starts at" in await office.run("launch", number, "--undo", "600")
        assert "wrong day" in await office.run("pause", number, "--reason", "wrong day")
        assert "(scheduled)" in await office.run("resume", number)
        assert "(cancelled)" in await office.run("cancel", number)
        assert "there is no campaign 77" in await office.run("status", "77", status=2)


async def test_serve_answers_and_stops_gracefully(office: Office) -> None:
    await office.run("migrate")
    token = (await office.run("token", "test")).strip()
    assert token.startswith("ort_")
    async with office.serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"200" in (await reader.read()).split(b"\r\n", 1)[0]
        writer.close()


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


async def test_check_proves_every_channel_and_says_what_is_to_be_mended(office: Office) -> None:
    await office.run("migrate")
    said = await office.run("check")
    assert "Not set up: sms, slack" in said
    assert "set OUTREACH_SMS_ACCOUNT_SID and OUTREACH_SMS_AUTH_TOKEN" in await office.run("check", "sms", status=1)
    assert "choose among sms" in await office.run("check", "pigeon", status=2)
    public = f"http://127.0.0.1:{office.environment['OUTREACH_PORT']}"
    async with Sandbox(webhooks={name: f"{public}/hooks/{name}/main" for name in CALLING}) as sandbox:
        office.environment |= sandbox.channel_environment() | {"OUTREACH_PUBLIC_URL": public}
        async with office.serving():
            said = await office.run("check")
            assert "Nothing is to be mended." in said
            assert "nobody answers" not in said
            assert re.search(r"ok +│ sms \(main\) +│ Sandbox +│ right", said), said
        office.environment["OUTREACH_SMS_AUTH_TOKEN"] = "wrong"
        said = await office.run("check", "sms", "email", status=1)
        assert re.search(r"mend +│ sms \(main\)", said), said
        assert "does not accept our credentials (20003)" in said
        assert "wrong" not in said, "a secret is never shown"


async def test_a_group_is_entered_and_listed(office: Office) -> None:
    await office.run("migrate")
    entered = ("group", "add", "telegram", "-1001234567890", "--title", "Board", "--tag", "Tenants", "--tag", "board")
    assert "telegram has no account of this name" in await office.run(*entered, status=2)
    office.environment |= {"OUTREACH_TELEGRAM_TOKEN": "12345:token", "OUTREACH_TELEGRAM_LISTEN": "yes"}
    number = re.findall(r"Group (\d+)", await office.run(*entered))[0]
    assert "already entered" in await office.run(*entered, status=2)
    assert "posts in no groups" in await office.run("group", "add", "sms", "+12025550123", "--title", "X", status=2)
    assert re.search(
        r"Board +│ telegram +│ main +│ -1001234567890 +│ board, tenants", await office.run("group", "list")
    )
    await office.run("group", "tag", number, "Harbour")
    assert re.search(r"-1001234567890 +│ harbour ", await office.run("group", "list"))
    assert "there is no group" in await office.run("group", "tag", "999", "x", status=2)
    assert "is changed" in await office.run("group", "about", number, "--language", "es", "--country", "es")
    assert "has no steward" in await office.run("group", "steward", number)


async def test_keys_are_shown_as_a_file_of_variables(tmp_path: Path) -> None:
    said = await Office(tmp_path, {"OUTREACH_EMAIL_FROM_ADDRESS": "news@example.org"}).run("keys", "--selector", "s1")
    lines = [line for line in said.splitlines() if not line.startswith("# ")]
    assert [line.partition("=")[0] for line in lines] == [
        "OUTREACH_SECRET_KEY",
        "OUTREACH_WEBPUSH_VAPID_PRIVATE_KEY",
        "OUTREACH_EMAIL_DKIM_KEY",
        "OUTREACH_EMAIL_DKIM_SELECTOR",
        "OUTREACH_TELEGRAM_WEBHOOK_SECRET",
    ]
    assert '# s1._domainkey.example.org. TXT "v=DKIM1; k=rsa; p=' in said
    assert '# _dmarc.example.org. TXT "v=DMARC1; p=none;' in said


async def test_keys_that_are_written_are_kept_and_not_shown(tmp_path: Path) -> None:
    office = Office(tmp_path, {})
    office.write("my.env", "OUTREACH_SECRET_KEY=mine\nOTHER=1")
    said = await office.run("keys", "secret", "telegram", "--write", "my.env")
    path = tmp_path / "my.env"
    first = path.read_text("utf-8")
    assert re.fullmatch(r"OUTREACH_SECRET_KEY=mine\nOTHER=1\nOUTREACH_TELEGRAM_WEBHOOK_SECRET=[\w-]{64}\n", first), (
        first
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first.splitlines()[2].partition("=")[2] not in said
    assert "had OUTREACH_SECRET_KEY already" in said
    await office.run("keys", "telegram", "--write", "my.env")
    assert path.read_text("utf-8") == first
    shown = [await office.run("keys", "email", "webpush", "--write", "new.env") for _ in range(2)]
    assert stat.S_IMODE((tmp_path / "new.env").stat().st_mode) == 0o600
    public = [[line for line in said.splitlines() if re.search("p=|public key", line)] for said in shown]
    assert len(public[0]) == 3
    assert public[0] == public[1], "what is public belongs to the keys that are kept"
