"""Report-backs' pages: who is owed one, the form that tells them, and the way around a debt."""

from __future__ import annotations

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
from tests.web.office.test_asks import HOSTILE, SHOWN, read, save
from tests.web.office.test_house import post
from tests.web.office.test_inbox import count

WHY = "The landlord files for eviction tomorrow morning"


@pytest.fixture
def ledger(runtime: Runtime, clock: Clock) -> Ledger:
    return Ledger(runtime.store, clock=clock)


@pytest.fixture
async def sent(ledger: Ledger, clock: Clock) -> int:
    """An ask on which two acted, and which is over."""
    members = await ledger.add_members(3)
    campaign = await ledger.launch_and_route(title="Rents")
    await ledger.send()
    for member in members[:2]:
        await acted(ledger, member, campaign, "yes")
    clock.advance(days=4)
    await keep_due_dates(ledger.runtime, now=clock())
    return campaign


@pytest.fixture
async def ada(runtime: Runtime, sent: int, clock: Clock) -> Entered:
    return await come_in(runtime, Role.APPROVER, name="Ada", now=clock())


async def test_what_is_owed_is_told_once(
    client: TestClient, ledger: Ledger, ada: Entered, sent: int, clock: Clock
) -> None:
    path = f"/office/asks/{sent}/report-back"
    assert f'<a href="{path}">Rents</a>' in await read(client, ada, "/office/report-backs")
    page = await read(client, ada, path)
    assert "<strong>2</strong> people acted" in page
    assert "With {{ others }} they read" in page
    note: dict[str, str | list[str]] = {"kind": "progress", "text": "We meet them", "locale": "en", "once": "p"}
    for _ in range(2):
        await post(client, path, ada, note)
    assert (await read(client, ada, path)).count("We meet them") == 1, "a double click is one note"
    assert "We meet them" in await read(client, ada, "/office/report-backs")
    result = note | {"kind": "result", "text": "We won", "texts.es": "Ganamos", "once": "r"}
    for _ in range(2):
        await post(client, path, ada, result)
    assert await count(ledger, "SELECT count(*) FROM report_back WHERE kind = 'result'") == 1
    page = await read(client, ada, path)
    assert "its message</a>: launched, has not begun" in page
    page = await post(client, path, ada, result | {"once": "other"}, status=409)
    assert "carries its report-back already" in page
    assert "We won</textarea>" in page


@pytest.mark.parametrize(
    ("change", "box"),
    [
        ({"text": ""}, "text"),
        ({"text": "x" * 4_001}, "text"),
        ({"media": "http://example.org"}, "media"),
        ({"locale": "klingon!"}, "locale"),
        ({"kind": "rumour"}, "kind"),
        ({"texts.es": "{{ nobody }}"}, "texts.es"),
    ],
)
async def test_what_cannot_be_is_said_beside_the_field(
    client: TestClient, ledger: Ledger, ada: Entered, sent: int, change: dict[str, str], box: str
) -> None:
    form: dict[str, str | list[str]] = {"kind": "result", "text": "We won", "locale": "en", **change}
    page = await post(client, f"/office/asks/{sent}/report-back", ada, form, status=422)
    assert (f'id="{box}-wrong"' if box != "kind" else "Input should be") in page
    assert await count(ledger, "SELECT count(*) FROM report_back") == 0


async def test_it_waits_for_a_second_organizer(client: TestClient, ledger: Ledger, ada: Entered, sent: int) -> None:
    page = await read(client, ada, f"/office/asks/{sent}/report-back")
    assert "It has not left" not in page
    await post(client, f"/office/asks/{sent}/report-back", ada, {"kind": "result", "text": "We won", "locale": "en"})
    await ledger.execute("UPDATE campaign SET status = 'draft' WHERE kind = 'report_back'")
    page = await read(client, ada, f"/office/asks/{sent}/report-back")
    assert "It has not left" in page


async def test_who_may_not_launch_reads(
    client: TestClient, runtime: Runtime, ledger: Ledger, sent: int, clock: Clock
) -> None:
    author = await come_in(runtime, Role.AUTHOR, now=clock())
    path = f"/office/asks/{sent}/report-back"
    assert "Whoever may launch asks tells them" in await read(client, author, path)
    await post(client, path, author, {"kind": "result", "text": "We won"}, status=403)
    part = Members(op="members", ids=[1])
    eve = await come_in(runtime, Role.APPROVER, name="Eve", audience=part, now=clock())
    assert "Nobody is owed one" in await read(client, eve, "/office/report-backs")
    await read(client, eve, path, status=404)
    await post(client, path, eve, {"kind": "result", "text": "We won"}, status=404)
    await post(client, f"/office/asks/{sent}/override", eve, {"reason": WHY}, status=404)


async def test_a_debt_is_gone_around_in_public(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered
) -> None:
    other = await save(runtime, title="Eviction tomorrow")
    path = f"/office/asks/{other}/override"
    page = await post(client, path, ada, {"reason": "because"}, status=422)
    assert "Say in 20 to 400 characters" in page
    assert "because</textarea>" in page
    for _ in range(2):
        await post(client, path, ada, {"reason": WHY, "once": "o"})
    assert (await read(client, ada, "/office/report-backs")).count(WHY) == 1
    await ledger.execute("UPDATE campaign SET status = 'cancelled' WHERE id = :id", id=other)
    assert "cancelled" in await post(client, path, ada, {"reason": WHY}, status=409)


async def test_all_that_people_wrote_is_text(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered, sent: int, clock: Clock
) -> None:
    path = f"/office/asks/{sent}"
    await ledger.execute("UPDATE campaign SET title = :words", words=HOSTILE)
    await post(client, f"{path}/report-back", ada, {"kind": "progress", "text": HOSTILE, "locale": "en"})
    ada = await entered(runtime, ada.organizer, now=clock())
    for page in ("/office/report-backs", f"{path}/report-back", f"{path}/override"):
        shown = await read(client, ada, page)
        assert SHOWN in shown
        for tag in ("<script>alert", "<img", ">49<"):
            assert tag not in shown
