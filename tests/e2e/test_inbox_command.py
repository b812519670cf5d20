"""``outreach inbox``: a reply that no rule understands is read, claimed and answered from the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from channels.sandbox import Sandbox
from tests.e2e.conftest import free_port
from tests.e2e.test_commands import Office

MEMBERS = "first_name,phone,sms consent,consent source,consent date\nAna,+33639980001,yes,form,2026-01-02\n"
PHONE = "+33639980001"


@pytest.fixture
def office(tmp_path: Path, database_url: str) -> Office:
    port = str(free_port())
    return Office(
        tmp_path,
        {
            "OUTREACH_DATABASE_URL": database_url,
            "OUTREACH_SECRET_KEY": "a secret for the tests, forty characters long",
            "OUTREACH_DEFAULT_REGION": "FR",
            "OUTREACH_PORT": port,
            "OUTREACH_PUBLIC_URL": f"http://127.0.0.1:{port}",
        },
    )


async def _arrived(sandbox: Sandbox, count: int) -> list[str]:
    """The texts that the phone has, once there are so many."""
    for _ in range(600):
        texts = [one.text for one in sandbox.memory.accepted if one.to == PHONE]
        if len(texts) >= count:
            return texts
        await asyncio.sleep(0.05)
    raise AssertionError("it did not arrive in time")


async def _listed(office: Office, words: str) -> str:
    """The list, once these words are in it."""
    for _ in range(20):
        said = await office.run("inbox")
        if words in said:
            return said
    raise AssertionError("it came into no thread")


async def test_a_conversation_on_the_command_line(office: Office) -> None:
    office.write("members.csv", MEMBERS)
    await office.run("import", "members.csv")
    hooks = {"sms": f"{office.environment['OUTREACH_PUBLIC_URL']}/hooks/sms/main"}
    async with Sandbox(webhooks=hooks) as sandbox:
        office.environment |= sandbox.channel_environment()
        async with office.serving():
            # A person who starts a conversation may be answered at any hour, whatever the clock of this test says.
            sandbox.phones.reply(PHONE, "is there a ramp for my wheelchair?", "")
            assert "Ana" in await _listed(office, "is there a ramp for my wheelchair?")
            said = await office.run("inbox", "answer", PHONE, "There is, at the back door.", "--by", "Bo")
            assert "There is, at the back door." in said
            refused = await office.run("inbox", "claim", PHONE, "--by", "Ana", status=2)
            assert "Bo has had this thread since" in refused
            assert await _arrived(sandbox, 1) == ["There is, at the back door."]
            assert "done" in await office.run("inbox", "done", PHONE, "--by", "Bo")
