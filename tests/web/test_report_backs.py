"""What comes after a blast, over HTTP: report-backs, overrides that anybody can read, the list of people to ring up."""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from click.testing import CliRunner
from sqlalchemy import text

from router.actions import record_action
from router.cli import outreach
from router.community.debts import keep_due_dates
from router.competing import next_route
from router.fanout import route_range_of
from router.launch import finish_done_campaigns, start_due_campaigns
from router.runtime import Runtime
from router.store.engine import Store
from tests.support.ledger import Ledger
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders

ANA: dict[str, Any] = {
    "first_name": "Ana",
    "last_name": "Ruiz",
    "phone": "+33639980001",
    "place": "Camden",
    "country": "FR",
    "consents": [{"channel": "sms", "source": "form", "wording": "Text me"}],
}
ASK = {"title": "Rents", "texts": {"en": {"default": {"text": "Sign, {{ first_name }}?"}}}}
WHY = "The landlord files for eviction tomorrow morning"


async def post(client: TestClient, headers: dict[str, str], path: str, body: Any, status: int = 200) -> Any:
    async with client.post(f"/api/v1/{path}", headers=headers, json=body) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def get(client: TestClient, headers: dict[str, str], path: str) -> Any:
    async with client.get(path, headers=headers) as response:
        assert response.status == 200, await response.text()
        return await response.json()


@pytest.fixture
async def missed(client: TestClient, admin: dict[str, str], runtime: Runtime, clock: Clock) -> tuple[int, int]:
    """A member and a campaign that did not reach them."""
    member = (await post(client, admin, "members", ANA, 200))["member_id"]
    campaign = (await post(client, admin, "campaigns", ASK, 201))["id"]
    await post(client, admin, f"campaigns/{campaign}/approve", {})
    await post(client, admin, f"campaigns/{campaign}/launch", {"undo_seconds": 0})
    clock.advance(seconds=1)
    await start_due_campaigns(runtime, now=clock())
    while (prepared := await next_route(runtime)) is not None:
        await route_range_of(runtime, prepared, now=clock())
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE delivery SET status = 'failed', reason = 'content'"))
        await connection.execute(text("UPDATE batch SET open = false"))
    await finish_done_campaigns(runtime, now=clock())
    return member, campaign


async def test_a_report_back_is_owed_written_and_listed(
    client: TestClient, bearer: MakeHeaders, missed: tuple[int, int], runtime: Runtime, clock: Clock
) -> None:
    member, campaign = missed
    reader, launcher = await bearer("campaigns:read"), await bearer("campaigns:launch")
    done = {"external_id": "1", "kind": "signed", "member_id": member, "campaign_id": campaign}
    await post(client, await bearer("actions:write"), "actions", done, 201)
    clock.advance(minutes=2)
    await keep_due_dates(runtime, now=clock())
    [owed] = (await get(client, reader, "/api/v1/report-backs"))["owed"]
    assert (owed["campaign_id"], owed["title"], owed["people"], owed["overdue"]) == (campaign, "Rents", 1, False)
    note = {"kind": "progress", "text": "The council meets on Friday."}
    await post(client, launcher, f"campaigns/{campaign}/report-back", note, 201)
    told = await post(client, launcher, f"campaigns/{campaign}/report-back", {"text": "We won: {{ my_action }}."}, 201)
    assert (told["kind"], told["status"], told["missing"]) == ("result", "scheduled", "")
    sent = await get(client, reader, f"/api/v1/campaigns/{told['sent_as']}")
    assert (sent["kind"], sent["ask"]["about"]) == ("report_back", campaign)
    listed = (await get(client, reader, f"/api/v1/campaigns/{campaign}/report-backs"))["report_backs"]
    assert [one["kind"] for one in listed] == ["result", "progress"]
    public = await get(client, {}, "/open/report-backs")
    assert [one["text"] for one in public["report_backs"]] == ["The council meets on Friday."]
    again = await post(client, launcher, f"campaigns/{campaign}/report-back", {"text": "Again."}, 409)
    assert f"campaign {told['sent_as']} carries its report-back already" in again["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": "x" * 4_001}, "text"),
        ({"text": "x", "kind": "rumour"}, "kind"),
        ({"text": "x", "media": "javascript:alert(1)"}, "media"),
        ({"text": "x", "alt": "a crowd"}, ""),
        ({"text": "x", "kind": "progress", "texts": {"de": "y"}}, ""),
        ({"text": "x", "audience": {"op": "everyone"}}, "audience"),
    ],
)
async def test_a_report_back_that_cannot_be_is_refused(
    client: TestClient, admin: dict[str, str], missed: tuple[int, int], body: dict[str, Any], field: str
) -> None:
    answer = await post(client, admin, f"campaigns/{missed[1]}/report-back", body, 422)
    assert field in {each["field"] for each in answer["errors"]}


async def test_an_override_is_read_by_anybody_and_names_nobody(
    client: TestClient, admin: dict[str, str], bearer: MakeHeaders
) -> None:
    campaign = (await post(client, admin, "campaigns", ASK, 201))["id"]
    short = await post(client, admin, f"campaigns/{campaign}/debt-override", {"reason": "because"}, 422)
    assert short["errors"][0]["field"] == "reason"
    await post(client, await bearer("campaigns:write"), f"campaigns/{campaign}/debt-override", {"reason": WHY}, 403)
    await post(client, admin, f"campaigns/{campaign}/debt-override", {"reason": WHY}, 201)
    async with client.get("/open/overrides") as response:
        body = await response.text()
        [one] = (await response.json())["overrides"]
    assert (one["campaign_id"], one["title"], one["reason"], one["role"]) == (campaign, "Rents", WHY, "organizer")
    assert '"tests"' not in body, "the token's name is nobody's business"


async def test_afterwards_and_the_list_of_people_to_ring_up(
    client: TestClient, bearer: MakeHeaders, missed: tuple[int, int]
) -> None:
    member, campaign = missed
    one = f"/api/v1/campaigns/{campaign}"
    found = await get(client, await bearer("campaigns:read"), f"{one}/afterwards")
    assert (found["not_reached"]["failed"], found["call_list"], found["acted"]) == (1, {"Camden": 1}, 0)
    for path in (f"{one}/call-list.csv", f"{one}/call-list.html"):
        async with client.get(path, headers=await bearer("campaigns:read")) as response:
            assert response.status == 403, "a list of telephone numbers takes more"
    caller = await bearer("members:write")
    async with client.get(f"{one}/call-list.csv?script=Hello", headers=caller) as response:
        assert response.content_type == "text/csv"
        assert "Camden,Ana,Ruiz,'+33639980001" in await response.text()
    async with client.get(f"{one}/call-list.html", headers=caller) as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert "+33639980001" in page
    assert "<script" not in page
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy, "a browser applies the style of the page itself and no other"
    calls = {"calls": [{"member": member, "result": "yes"}]}
    told = await post(client, await bearer("actions:write"), f"campaigns/{campaign}/call-list", calls)
    assert told == {"new": 1, "known": 0, "results": {"yes": 1}}
    assert (await get(client, await bearer("campaigns:read"), f"{one}/afterwards"))["call_list"] == {}


@pytest.mark.parametrize(
    ("calls", "field"),
    [
        ([], "calls"),
        ([{"member": 1}], "calls.0.result"),
        ([{"member": 1, "result": "maybe"}], "calls.0.result"),
        ([{"member": "1", "result": "yes"}], "calls.0.member"),
        ([{"member": 1, "result": "yes", "phone": "1"}], "calls.0.phone"),
        ([{"member": 1, "result": "yes"}] * 1_001, "calls"),
    ],
)
async def test_results_that_cannot_be_are_refused(
    client: TestClient, admin: dict[str, str], calls: list[Any], field: str
) -> None:
    answer = await post(client, admin, "campaigns/1/call-list", {"calls": calls}, 422)
    assert answer["errors"][0]["field"] == field


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> tuple[int, int, int]:
    """A ledger for the commands: a campaign, who acted on it, and whom it did not reach."""
    monkeypatch.setenv("OUTREACH_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("OUTREACH_SECRET_KEY", "x" * 40)
    monkeypatch.chdir(tmp_path)

    async def fill() -> tuple[int, int, int]:
        store = Store(sqlite_url)
        ledger = Ledger(store, clock=Clock(datetime.now(UTC)), secret_key="x" * 40)
        ana, bo = await ledger.add_members(2)
        campaign = await ledger.launch_and_route(title="Rents", alert=True)
        await ledger.execute("UPDATE delivery SET status = 'failed', reason = 'content'")
        await ledger.execute("UPDATE batch SET open = false")
        await ledger.finish()
        await record_action(
            ledger.runtime, member_id=ana, phone=None, email=None, external_id="1", kind="signed",
            campaign_id=campaign, at=ledger.clock(), now=ledger.clock(),
        )  # fmt: skip
        await keep_due_dates(ledger.runtime, now=ledger.clock())
        await store.aclose()
        return campaign, ana, bo

    return asyncio.run(fill())


def run(*words: str) -> str:
    result = CliRunner().invoke(outreach, [str(word) for word in words])
    return " ".join((result.output + str(result.exception or "")).split())


def test_the_commands_show_what_is_owed_and_send_it(office: tuple[int, int, int], tmp_path: Path) -> None:
    campaign, _, _ = office
    assert "Rents" in run("owed")
    assert "stands in public" in run("report-back", str(campaign), "--progress", "Soon.")
    words = tmp_path / "won.toml"
    words.write_text('text = "We won."\n[texts]\nde = "Gewonnen: {{ my_action }}."\n', "utf-8")
    assert "The report-back is launched as campaign" in run("report-back", str(campaign), str(words))
    assert "carries its report-back already" in run("report-back", str(campaign), str(words))
    words.write_text("text = 7", "utf-8")
    assert "won.toml: text" in run("report-back", str(campaign), str(words))


def test_the_commands_write_the_list_and_take_it_back(office: tuple[int, int, int], tmp_path: Path) -> None:
    campaign, _, bo = office
    assert "To ring up │ 1" in run("afterwards", str(campaign))
    calls, page = tmp_path / "calls.csv", tmp_path / "calls.html"
    assert "1 of 1 people" in run("afterwards", str(campaign), "--calls", str(calls), "--script", "Hello.")
    assert "1 of 1 people" in run("afterwards", str(campaign), "--calls", str(page))
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert {path.stat().st_mode & 0o777 for path in (calls, page)} == {0o600}
    with calls.open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert int(row["member"]) == bo
    with calls.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow({**row, "result": "Yes"})
    assert "1 results are kept, 0 were known." in run("afterwards", str(campaign), "--results", str(calls))
    assert "0 results are kept, 1 were known." in run("afterwards", str(campaign), "--results", str(calls))
    assert "To ring up │ 0" in run("afterwards", str(campaign))


def test_the_commands_refuse_in_a_sentence(office: tuple[int, int, int], tmp_path: Path) -> None:
    assert "give a FILE with the result, or --progress TEXT" in run("report-back", "1")
    assert "there is no campaign 999" in run("report-back", "999", "--progress", "Soon.")
    assert "there is no campaign 999" in run("afterwards", "999")
    assert "20 to 400 characters" in run("override", str(office[0]), "--reason", "because")
    filled = tmp_path / "calls.csv"
    filled.write_text("member,result\n7,\n8,perhaps\n", "utf-8")
    assert "is no result" in run("afterwards", str(office[0]), "--results", str(filled))
