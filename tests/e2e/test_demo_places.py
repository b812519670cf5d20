"""Where the demo says that one can look around: each address opens what it promises."""

from __future__ import annotations

from pathlib import Path

import aiohttp
from rich.console import Console

from router.demo.crowd import import_members
from router.demo.house import Clock, installation
from router.demo.watching import places_of


async def test_each_address_of_the_demo_opens_what_it_promises(tmp_path: Path) -> None:
    async with installation(tmp_path, Clock()) as (runtime, sandbox, url):
        await import_members(runtime, Console(quiet=True), tmp_path / "members.csv", 20, 7)
        places = await places_of(runtime, sandbox, url)
        async with aiohttp.ClientSession() as session:
            seen = []
            for where in places.values():
                async with session.get(where) as response:
                    assert response.status == 200, where
                    seen.append(await response.text())
    office, approver, door, ledger, phones, api = seen
    assert "makes API tokens" in office
    assert "approves, launches, pauses" in approver
    assert 'name="dial"' in door
    assert "Nothing was asked yet." in ledger
    assert "<html" in phones
    assert "openapi" in api
