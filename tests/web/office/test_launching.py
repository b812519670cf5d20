"""From a draft to what leaves, by pages: preview, a second pair of eyes, launch, pause, cancel, raise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from router.core.ask import Ask
from router.core.audience import Tagged
from router.core.model import CampaignStatus
from router.core.roles import Role
from router.drafting import save_campaign
from router.launch import start_due_campaigns
from router.store.engine import Store
from router.views import view_campaign
from tests.support.ledger import Ledger
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock
from tests.web.conftest import serving

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def ledger(store: Store, clock: Clock) -> Ledger:
    return Ledger(store, clock=clock)


@pytest.fixture
async def client(ledger: Ledger) -> AsyncIterator[TestClient]:
    async with serving(ledger.runtime) as client:
        yield client


async def save(ledger: Ledger, *, by: str = "Ada", **ask: object) -> int:
    values = {"title": "Dinner", "texts": {"en": {"default": {"text": "Dinner, {{ first_name }}?"}}}, **ask}
    return (await save_campaign(ledger.runtime, Ask.model_validate(values), by=by, now=ledger.clock())).id


async def get(client: TestClient, who: Entered, path: str, status: int = 200) -> str:
    async with client.get(path, headers=who.headers, allow_redirects=False) as response:
        page = await response.text()
        assert response.status == status, page
        return page


async def post(client: TestClient, who: Entered, path: str, form: Mapping[str, str] = {}) -> ClientResponse:
    return await client.post(path, data={"csrf": who.csrf, **form}, headers=who.headers, allow_redirects=False)


async def status_of(ledger: Ledger, campaign: int) -> CampaignStatus:
    return (await view_campaign(ledger.runtime, campaign)).status


async def test_a_preview_counts_who_gets_it_and_why_others_do_not(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, Role.AUTHOR, name="Ada", now=ledger.clock())
    members = await ledger.add_members(5)
    await ledger.execute("UPDATE address SET consent = 'none' WHERE member_id = :id", id=members[0])
    path = f"/office/asks/{await save(ledger)}/preview"
    page = await get(client, ada, path)
    assert f'hx-get="{path}/counted"' in page
    assert f'href="{path}?counted=yes"' in page
    assert "Approve it" not in page  # an author may not
    for address in (f"{path}?counted=yes", f"{path}/counted"):
        page = await get(client, ada, address)
        assert '<p class="figure">4</p><p>get it, of 5 in its audience' in page
        assert "there is no consent to it there" in page
        assert "Dinner, Ana" in page
        assert "It spends one ask of each of 4 people" in page
        assert "Up to 1,000, whoever may launch can approve it" in page
    assert "<html" not in page


async def test_the_why_of_any_member(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, Role.VIEWER, now=ledger.clock())
    [member] = await ledger.add_members(1)
    path = f"/office/asks/{await ledger.launch_and_route()}/why"
    page = await get(client, ada, f"{path}?member={member}")
    assert "was chosen, to leave at once" in page
    assert "What the member reads" in page
    for wrong, status in (("x", 422), (HOSTILE, 422), ("9" * 30, 422), (str(member + 1), 404)):
        async with client.get(path, params={"member": wrong}, headers=ada.headers) as response:
            page = await response.text()
        assert response.status == status
        assert "<script>alert" not in page
        assert 'id="member-wrong"' in page


async def test_from_draft_to_launch_and_a_second_click_changes_nothing(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, Role.APPROVER, name="Ada", now=ledger.clock())
    await ledger.add_members(3)
    campaign = await save(ledger)
    one = f"/office/asks/{campaign}"
    assert "Approve it" in await get(client, ada, f"{one}/preview")
    for _ in range(2):
        response = await post(client, ada, f"{one}/approve")
        assert (response.status, response.headers["Location"]) == (303, f"{one}/preview")
    assert "Launch it" in await get(client, ada, f"{one}/preview")
    for _ in range(2):
        response = await post(client, ada, f"{one}/launch")
        assert (response.status, response.headers["Location"]) == (303, f"{one}/live")
    starts_at = ledger.clock() + timedelta(seconds=ledger.runtime.policy.launch.undo_seconds)
    page = await get(client, ada, f"{one}/live")
    assert f'data-until="{int(starts_at.timestamp() * 1000)}"' in page
    assert "Until then nothing has left" in page
    audit = await ledger.execute("SELECT count(*) FROM audit WHERE what = 'campaign.launch'")
    assert [tuple(row) for row in audit] == [(1,)]


async def test_for_many_the_page_says_who_can_approve(client: TestClient, ledger: Ledger) -> None:
    ada, ben = [await come_in(ledger.runtime, Role.APPROVER, name=name, now=ledger.clock()) for name in ("Ada", "Ben")]
    await ledger.add_members(1_001)
    one = f"/office/asks/{await save(ledger)}"
    assert "Ben must approve it; it goes to 1,001 people" in await get(client, ada, f"{one}/preview/counted")
    assert "It is not yours, so you can approve it" in await get(client, ben, f"{one}/preview/counted")
    response = await post(client, ada, f"{one}/approve")
    page = await response.text()
    assert response.status == 409
    assert "Ben must approve it; it goes to 1,001 people" in page
    assert "/api/v1" not in page
    assert (await post(client, ben, f"{one}/approve")).status == 303
    approved = await get(client, ada, f"{one}/preview/counted")
    assert "1,001" in approved
    assert "approve it" not in approved
    assert (await post(client, ada, f"{one}/launch")).status == 303


async def test_pause_and_cancel_say_what_has_gone_and_what_will_not(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, Role.APPROVER, name="Ada", now=ledger.clock())
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    one = f"/office/asks/{campaign}"
    page = await get(client, ada, f"{one}/pause")
    assert "<strong>0</strong> messages have left" in page
    assert "<strong>3</strong> wait and stay where they are" in page
    response = await post(client, ada, f"{one}/pause", {"reason": HOSTILE})
    assert response.headers["Location"] == f"{one}/live"
    page = await get(client, ada, f"{one}/live")
    assert "<script>alert" not in page
    assert "Paused: &lt;script&gt;" in page
    assert (await post(client, ada, f"{one}/resume")).status == 303
    assert await status_of(ledger, campaign) is CampaignStatus.RUNNING
    await ledger.send()
    page = await get(client, ada, f"{one}/cancel")
    assert "<strong>3</strong> messages have left and cannot be called back" in page
    assert "cannot be taken back" in page
    for _ in range(2):
        assert (await post(client, ada, f"{one}/cancel")).status == 303
    assert await status_of(ledger, campaign) is CampaignStatus.CANCELLED
    response = await post(client, ada, f"{one}/resume")
    assert response.status == 409
    assert "This campaign is cancelled" in await response.text()
    await get(client, ada, f"{one}/cancel", status=303)


async def test_a_raise_takes_a_reason_hours_and_somebody_else(client: TestClient, ledger: Ledger) -> None:
    ada, ben = [await come_in(ledger.runtime, Role.APPROVER, name=name, now=ledger.clock()) for name in ("Ada", "Ben")]
    deadline = ledger.clock() + timedelta(hours=5)
    campaign = await save(ledger, urgent=True, deadline=deadline)
    one = f"/office/asks/{campaign}/raise"
    page = await get(client, ben, one)
    assert "Whoever asked for silence or a pause is left in peace" in page
    for form, words in (
        ({"reason": "short", "hours": "2"}, "10 characters or more"),
        ({"reason": HOSTILE, "hours": "x"}, "1 to 24 hours"),
        ({"reason": "The vote is tonight", "hours": "99"}, "1 to 24 hours"),
    ):
        response = await post(client, ben, one, form)
        page = await response.text()
        assert response.status == 422
        assert words in page
        assert "<script>alert" not in page
    good = {"reason": "The vote is tonight", "hours": "2"}
    response = await post(client, ada, one, good)
    assert response.status == 409
    assert "Ben must raise it" in await response.text()
    assert (await post(client, ben, one, good)).status == 303
    assert "raised for it until" in await get(client, ada, f"/office/asks/{campaign}/preview")


async def test_hostile_words_are_shown_as_text(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, now=ledger.clock())
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route(title=HOSTILE, texts={"en": {"default": {"text": HOSTILE}}})
    for page in ("preview?counted=yes", "why?member=1", "live", "pause", "cancel", "raise"):
        async with client.get(f"/office/asks/{campaign}/{page}", headers=ada.headers) as response:
            shown = await response.text()
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "&lt;script&gt;" in shown


async def test_an_ask_for_others_is_out_of_reach(client: TestClient, ledger: Ledger) -> None:
    mine = Tagged(op="tag", tag="west")
    eve = await come_in(ledger.runtime, Role.APPROVER, name="Eve", audience=mine, now=ledger.clock())
    await ledger.add_members(1)
    campaign = await ledger.launch()
    for page in ("preview", "preview/counted", "why?member=1", "live", "live/events", "pause", "cancel", "raise"):
        await get(client, eve, f"/office/asks/{campaign}/{page}", status=404)
    for step in ("approve", "launch", "resume", "pause", "cancel", "raise"):
        assert (await post(client, eve, f"/office/asks/{campaign}/{step}")).status == 404
    assert await status_of(ledger, campaign) is CampaignStatus.RUNNING
    own = await ledger.launch(audience=mine.model_dump())
    await start_due_campaigns(ledger.runtime, now=ledger.clock())
    assert "get it, of 0" in await get(client, eve, f"/office/asks/{own}/preview/counted")
