"""The open ledger: what anybody may read of an ask, and what nobody may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.community.giving import say_total
from router.core.goals import Progress
from router.core.roles import Role
from router.runtime import Runtime
from router.store.tables import to_ms
from tests.support.office import come_in
from tests.support.runtime import Clock

HOSTILE = '<script>alert(1)</script> "><img src=x onerror=alert(1)>'
ASK: dict[str, Any] = {
    "title": f"Rents {HOSTILE}",
    "texts": {"en": {"default": {"text": "Hi {{ first_name | default('you') }}, sign? " + HOSTILE}}},
    "goal": {"measure": "signed", "target": 10},
}


class Ledger:
    """Asks that went out, written as rows."""

    def __init__(self, client: TestClient, headers: dict[str, str], runtime: Runtime, clock: Clock) -> None:
        self.client, self.headers, self.runtime, self.clock = client, headers, runtime, clock

    async def execute(self, statement: str, **values: Any) -> None:
        async with self.runtime.store.write() as connection:
            await connection.execute(text(statement), values)

    async def ask(self, *, recipients: int = 400, **columns: Any) -> int:
        """An ask that went out an hour ago."""
        async with self.client.post("/api/v1/campaigns", headers=self.headers, json=ASK) as response:
            number: int = (await response.json())["id"]
        began = to_ms(self.clock() - timedelta(hours=1))
        values = {"status": "finished", "launched_at": began, "starts_at": began, "recipients": recipients, **columns}
        await self.execute(f"UPDATE campaign SET {', '.join(f'{k} = :{k}' for k in values)} WHERE id = :id",
                           id=number, **values)  # fmt: skip
        return number

    async def page(self, path: str, status: int = 200) -> str:
        async with self.client.get(path) as response:
            assert response.status == status, await response.text()
            return await response.text()


@pytest.fixture
def ledger(client: TestClient, admin: dict[str, str], runtime: Runtime, clock: Clock) -> Ledger:
    return Ledger(client, admin, runtime, clock)


async def test_an_ask_stands_there_with_what_came_of_it(ledger: Ledger, client: TestClient) -> None:
    await come_in(ledger.runtime, Role.APPROVER, name="Bo Approver", now=ledger.clock())
    number = await ledger.ask(approved_by="bo approver")
    for channel, status, count in (("sms", "delivered", 250), ("sms", "sent", 10), ("email", "read", 90),
                                   ("sms", "failed", 20), ("", "held", 30)):  # fmt: skip
        await ledger.execute("INSERT INTO tally (campaign_id, channel, status, reason, count)"
                             " VALUES (:id, :channel, :status, '', :count)",
                             id=number, channel=channel, status=status, count=count)  # fmt: skip
    await ledger.execute("INSERT INTO reaction (campaign_id, channel, kind, count) VALUES (:id, 'sms', 'opt_out', 2)",
                         id=number)  # fmt: skip
    await ledger.execute("INSERT INTO spending (month, campaign_id, currency, micros)"
                         " VALUES (202611, :id, 'USD', 2158000)", id=number)  # fmt: skip
    for member, kind in ((1, "signed"), (2, "signed"), (2, "called"), (2, "signed"), (3, "no")):
        await ledger.execute("INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at)"
                             " SELECT coalesce(max(id), 0) + 1, :member, :id, :kind, 'api', count(*), 0 FROM action",
                             id=number, member=member, kind=kind)  # fmt: skip
    async with client.get(f"/open/{number}.json") as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        found = await response.json()
    assert found["title"] == ASK["title"]
    assert found["words"] == f"Hi you, sign? {HOSTILE}"
    assert found["reached"] == {"sms": 260, "email": 90}
    assert (found["left_in_peace"], found["asked_for_silence"], found["acted"]) == (30, 2, 2)
    assert found["did"] == {"signed": 2, "called": 1, "no": 1}
    assert (found["approved_by"], found["cost"]) == ("approver", {"USD": 2.158})
    assert found["goal"] == say_total(Progress(2, 10, {}), "", "en")
    for path in ("/open", f"/open/{number}", f"/open/{number}/card"):
        page = await ledger.page(path)
        assert "text message: 260" in page
        assert "an organizer who approves asks" in page
        assert "Bo" not in page
        assert "<script>" not in page
        assert "<img" not in page


async def test_what_nobody_may_see_stands_nowhere(ledger: Ledger) -> None:
    few = ledger.runtime.policy.open.above_people
    soon = to_ms(ledger.clock() + timedelta(minutes=1))
    hidden = [
        await ledger.ask(recipients=few),
        await ledger.ask(status="draft", launched_at=None, starts_at=None),
        await ledger.ask(status="scheduled", starts_at=soon),
        await ledger.ask(kind="reply"),
    ]
    page = await ledger.page("/open")
    assert "Nothing was asked yet." in page
    for number in hidden:
        for path in (f"/open/{number}", f"/open/{number}.json", f"/open/{number}/card"):
            assert "sign?" not in await ledger.page(path, 404)
    shown = await ledger.ask(recipients=few + 1)
    assert f'href="/open/{shown}"' in await ledger.page("/open")


async def test_who_knows_no_address_comes_to_the_ledger(client: TestClient) -> None:
    async with client.get("/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/open")


async def test_old_asks_are_on_further_pages(ledger: Ledger) -> None:
    numbers = [await ledger.ask() for _ in range(21)]
    page = await ledger.page("/open")
    assert f'href="/open/{numbers[0]}"' not in page
    assert f"/open?before={numbers[1]}" in page
    page = await ledger.page(f"/open?before={numbers[1]}")
    assert f'href="/open/{numbers[0]}"' in page
    assert "Older asks" not in page
    await ledger.page("/open?before=x", 422)


async def test_other_pages_may_show_the_card_and_nothing_else(ledger: Ledger, client: TestClient) -> None:
    number = await ledger.ask()
    for path, ancestors in ((f"/open/{number}/card", "*"), (f"/open/{number}", "'none'"), ("/open", "'none'")):
        async with client.get(path) as response:
            policy = response.headers["Content-Security-Policy"]
            assert f"frame-ancestors {ancestors}" in policy
            assert "unsafe" not in policy


async def test_a_report_is_shown_and_says_when(ledger: Ledger, client: TestClient, admin: dict[str, str]) -> None:
    number = await ledger.ask()
    await ledger.execute("INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at)"
                         " VALUES (1, 1, :id, 'signed', 'api', '', 0)", id=number)  # fmt: skip
    note = {"kind": "progress", "text": f"Half of them signed. {HOSTILE}"}
    async with client.post(f"/api/v1/campaigns/{number}/report-back", headers=admin, json=note) as response:
        assert response.status == 201
    page = await ledger.page(f"/open/{number}")
    assert "Half of them signed." in page
    assert "How it goes, 20 Nov 2026" in page
    assert "<script>" not in page
