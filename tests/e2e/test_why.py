"""``outreach why``, as a person types it."""

from __future__ import annotations

import re
from pathlib import Path

from channels.sandbox import Sandbox
from tests.e2e.test_commands import ASK, Office

MEMBERS = """first_name,phone,external_id,sms consent,consent source,consent date
Ana,+33639980001,VAN-7,yes,form,2026-01-02
"""


async def test_why_names_a_member_by_phone_or_key_and_refuses_in_one_sentence(tmp_path: Path, sqlite_url: str) -> None:
    office = Office(
        tmp_path,
        {
            "OUTREACH_DATABASE_URL": sqlite_url,
            "OUTREACH_SECRET_KEY": "a secret for the tests, forty characters long",
            "OUTREACH_DEFAULT_REGION": "FR",
        },
    )
    office.write("members.csv", MEMBERS)
    await office.run("import", "members.csv")
    async with Sandbox() as sandbox:
        office.environment |= sandbox.channel_environment()
        office.write("ask.toml", ASK)
        launched = await office.run("blast", "ask.toml", "--yes", "--undo", "0")
    [campaign] = re.findall(r"Campaign (\d+)", launched)[:1]
    for name in ("+33639980001", "06 39 98 00 01", "VAN-7"):
        said = await office.run("why", name, campaign)
        assert f'Nobody has been asked yet: campaign {campaign}, "Dinner", starts at' in said
        assert "What the member reads" in said
        assert "639980001" not in said
    assert "there is no such member" in await office.run("why", "nobody@example.org", campaign, status=2)
    assert "there is no campaign 999999" in await office.run("why", "VAN-7", "999999", status=2)
