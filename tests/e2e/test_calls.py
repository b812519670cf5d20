"""``outreach calls``, as a person types it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from router.app import utc_now
from router.community.calls import add_line
from router.core.ask import Ask
from router.drafting import save_campaign
from router.store.engine import Store
from router.store.tables import to_ms
from tests.e2e.test_commands import Office
from tests.support.runtime import build_runtime

CALL: dict[str, Any] = {"title": "Call [them]", "texts": {"en": {"default": {"text": "Call?"}}}, "wants": "call"}


async def test_how_a_calling_campaign_stands(tmp_path: Path, sqlite_url: str) -> None:
    store, now = Store(sqlite_url), utc_now()
    runtime = build_runtime(store)
    campaign = (await save_campaign(runtime, Ask.model_validate(CALL), by="ana", now=now)).id
    hours = {"opens_at": now - timedelta(minutes=30), "closes_at": now + timedelta(minutes=30), "slot_minutes": 10}
    about = {"place": "", "name": "Minister [W]", "phone": "+33639980999", "script": "", "per_slot": 40, **hours}
    line = await add_line(runtime, campaign, about, by="ana", now=now)
    async with store.write() as connection:
        for member, status, minutes in ((1, "called", -30), (2, "called", -30), (3, "busy", 10), (4, "assigned", -20)):
            await connection.execute(
                text(
                    "INSERT INTO call (campaign_id, member_id, line_id, slot_at, status, result, at)"
                    " VALUES (:campaign, :member, :line, :at, :status, 'They [listened]', :at)"
                ),
                {
                    "campaign": campaign, "member": member, "line": line.id, "status": status,
                    "at": to_ms(now + timedelta(minutes=minutes)),
                },
            )  # fmt: skip
    await store.aclose()
    office = Office(
        tmp_path,
        {"OUTREACH_DATABASE_URL": sqlite_url, "OUTREACH_SECRET_KEY": "a secret for the tests, forty characters long"},
    )
    said = await office.run("calls", str(campaign), "--slots", "--results")
    rows = [[cell.strip() for cell in row.strip("│ ").split("│")] for row in said.splitlines() if "│" in row]
    assert "Call [them]" in said
    assert [row[0:2] + row[3:] for row in rows if row[0] == "everywhere" and len(row) == 9] == [
        ["everywhere", "Minister [W]", "1", "2", "1", "0", "1", "0"]
    ]
    assert [row[2:] for row in rows if row[0] == "everywhere" and len(row) == 5] == [
        ["2", "40", "2"],
        ["1", "40", "0"],
        ["1", "40", "0"],
    ]
    assert [row[0:2] + row[3:] for row in rows if row[-1] == "They [listened]"] == [
        ["1", "called", "They [listened]"],
        ["2", "called", "They [listened]"],
        ["3", "busy", "They [listened]"],
    ]
    assert "there is no such campaign" in " ".join((await office.run("calls", "4711", status=2)).split())
