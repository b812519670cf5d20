"""``outreach compare``, as a person types it."""

from __future__ import annotations

import re
from pathlib import Path

from channels.sandbox import Sandbox
from tests.e2e.test_commands import ASK, Office

SECOND = '\n[second.en.default]\ntext = "Come and [eat] with us\\non Thursday"\n'


async def test_two_texts_are_printed_side_by_side(tmp_path: Path, sqlite_url: str) -> None:
    office = Office(
        tmp_path,
        {
            "OUTREACH_DATABASE_URL": sqlite_url,
            "OUTREACH_SECRET_KEY": "a secret for the tests, forty characters long",
            "OUTREACH_DEFAULT_REGION": "FR",
            "COLUMNS": "140",
        },
    )
    async with Sandbox() as sandbox:
        office.environment |= sandbox.channel_environment()
        numbers = []
        for name, words in (("one.toml", ASK), ("two.toml", ASK + SECOND)):
            office.write(name, words)
            launched = await office.run("blast", name, "--yes", "--undo", "0")
            numbers += re.findall(r"Campaign (\d+)", launched)[:1]
    one, two = numbers
    said = await office.run("compare", two)
    assert "First text" in said
    assert "Come and [eat] with us" in said
    assert "0: 0.00% (0.00% to 100.00%)" in said
    assert "Too few to say: 0 and 0 of at least 1,000 each." in said
    refused = await office.run("compare", one, status=2)
    assert "has one text and holds nobody out" in " ".join(refused.split())
