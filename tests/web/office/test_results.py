"""What came of an ask, as its organizers see it, and as files that no spreadsheet runs."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from aiohttp.test_utils import TestClient

from router.community.debts import keep_due_dates
from router.core.audience import Members
from router.core.roles import Role
from router.runtime import Runtime
from tests.support.desk import acted
from tests.support.ledger import Ledger
from tests.support.office import Entered, come_in, entered
from tests.support.runtime import Clock
from tests.web.office.test_asks import read


@pytest.fixture
def ledger(runtime: Runtime, clock: Clock) -> Ledger:
    return Ledger(runtime.store, clock=clock)


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.AUTHOR, name="Ada", now=clock())


@pytest.fixture
async def sent(ledger: Ledger) -> tuple[int, list[int]]:
    """An ask that went to four: two acted, one of these gave money, one only looked, one asked for silence."""
    members = await ledger.add_members(4)
    campaign = await ledger.launch_and_route(
        title="Rents", wants="give", goal={"measure": "gave", "target": 500, "currency": "EUR"}
    )
    await ledger.send()
    await acted(ledger, members[0], campaign, "gave", amount=1250, currency="EUR")
    await acted(ledger, members[1], campaign, "yes")
    await acted(ledger, members[2], campaign, "click")
    await ledger.execute(
        "INSERT INTO reaction (campaign_id, channel, kind, variant, count) VALUES (:id, 'sms', 'opt_out', 0, 1)",
        id=campaign,
    )
    return campaign, members


async def test_the_page(
    client: TestClient, ledger: Ledger, ada: Entered, sent: tuple[int, list[int]], clock: Clock
) -> None:
    campaign, _ = sent
    page = await read(client, ada, f"/office/asks/{campaign}/results")
    for words in ("4</p><p>messages reached", "2</p><p>people acted: 50.0 %", "12.50 EUR", "of 500 EUR wanted"):
        assert words in page, words
    assert "/results/compared" not in page
    clock.advance(days=4)
    await keep_due_dates(ledger.runtime, now=clock())
    ada = await entered(ledger.runtime, ada.organizer, now=clock())
    page = await read(client, ada, f"/office/asks/{campaign}/results")
    assert "2 people acted and were not told yet what came of it: owed by" in page
    assert f'href="/office/asks/{campaign}/report-back">Tell them' in page
    clock.advance(days=60)
    ada = await entered(ledger.runtime, ada.organizer, now=clock())
    assert "overdue since" in await read(client, ada, f"/office/asks/{campaign}/results")


async def test_who_was_left_in_peace_and_why(client: TestClient, ledger: Ledger, ada: Entered) -> None:
    members = await ledger.add_members(2)
    await ledger.execute("UPDATE member SET dial = 'paused' WHERE id = :id", id=members[0])
    campaign = await ledger.launch_and_route()
    page = await read(client, ada, f"/office/asks/{campaign}/results")
    assert 'You asked us to pause, so we did.</th><td class="number">1</td>' in page


async def test_before_it_began(client: TestClient, ledger: Ledger, ada: Entered) -> None:
    campaign = await ledger.launch(start=False)
    page = await read(client, ada, f"/office/asks/{campaign}/results")
    assert "It has not begun" in page


async def test_two_texts_are_compared_in_a_part_of_its_own(client: TestClient, ledger: Ledger, ada: Entered) -> None:
    await ledger.add_members(6)
    hostile = "<script>alert(1)</script>"
    campaign = await ledger.launch_and_route(second={"en": {"default": {"text": f"{hostile} Hungry?"}}})
    await ledger.send()
    path = f"/office/asks/{campaign}/results/compared"
    page = await read(client, ada, f"/office/asks/{campaign}/results")
    assert f'hx-get="{path}"' in page
    assert f'<a href="{path}"' in page
    whole = await read(client, ada, path)
    assert "Too few to say" in whole
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Hungry?" in whole
    assert whole.startswith("<!doctype html>")
    async with client.get(path, headers=ada.headers | {"HX-Request": "true"}) as response:
        part = await response.text()
    assert "<html" not in part
    assert "Too few to say" in part
    alone = await ledger.launch()
    assert "nothing to compare" in await read(client, ada, f"/office/asks/{alone}/results/compared")


async def test_counts_as_a_file(client: TestClient, ada: Entered, sent: tuple[int, list[int]]) -> None:
    campaign, _ = sent
    async with client.get(f"/office/asks/{campaign}/results.csv", headers=ada.headers) as response:
        assert response.content_type == "text/csv"
        assert response.headers["Content-Disposition"] == f'attachment; filename="ask-{campaign}-counts.csv"'
        rows = list(csv.reader(StringIO(await response.text())))
    assert rows == [["channel", "status", "reason", "messages"], ["sms", "sent", "", "4"]]


async def test_who_acted_as_a_file(
    client: TestClient, ledger: Ledger, ada: Entered, sent: tuple[int, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, members = sent
    monkeypatch.setattr("router.results._PAGE", 2)
    await ledger.execute("UPDATE action SET kind = '=1+1' WHERE kind = 'yes'")
    at = ledger.clock().isoformat()
    async with client.get(f"/office/asks/{campaign}/acted.csv", headers=ada.headers) as response:
        rows = list(csv.reader(StringIO(await response.text())))
    assert rows == [
        ["member", "kind", "amount", "currency", "at"],
        [str(members[0]), "gave", "12.5", "EUR", at],
        [str(members[1]), "'=1+1", "", "", at],
        [str(members[2]), "click", "", "", at],
    ]


async def test_who_acted_of_the_part_that_one_may_see(
    client: TestClient, runtime: Runtime, ledger: Ledger, clock: Clock
) -> None:
    members = await ledger.add_members(3)
    part = Members(op="members", ids=members[:2])
    eve = await come_in(runtime, Role.AUTHOR, name="Eve", audience=part, now=clock())
    campaign = await ledger.launch_and_route(audience=part.model_dump())
    for member in members:  # the last one by a link that somebody passed on
        await acted(ledger, member, campaign, "yes")
    page = await read(client, eve, f"/office/asks/{campaign}/acted.csv")
    assert [line.split(",")[0] for line in page.splitlines()[1:]] == [str(number) for number in members[:2]]
