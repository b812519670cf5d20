"""An urgent ask above the usual caps: by a second organizer, with a reason and an end, and never above the ceiling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.competing import next_route
from router.core.ask import Ask
from router.core.channel import OutboundMessage, Sent
from router.core.errors import BadInput, FailureClass, NotAllowed, NotFound, Refused
from router.core.policy import read_policy
from router.drafting import edit_campaign, save_campaign
from router.fanout import route_range_of
from router.launch import approve_campaign, cancel_campaign, launch_campaign, start_due_campaigns
from router.raising import raise_budget
from router.settings import load_settings, load_toml
from router.store.engine import Store
from router.views import CampaignView
from router.web.auth import create_token
from tests.support.ledger import Ledger
from tests.support.runtime import Clock

POLICY = read_policy(load_toml("policy", load_settings()))
WHY = "The vote was moved to tonight"


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """An installation with the budget as shipped."""
    return Ledger(store, policy=POLICY, clock=Clock(datetime(2026, 11, 20, 10, 0, tzinfo=UTC)))


async def raise_(ledger: Ledger, campaign: int, *, by: str = "bo", reason: str = WHY, hours: int = 6) -> CampaignView:
    return await raise_budget(ledger.runtime, campaign, by=by, reason=reason, hours=hours, now=ledger.clock())


def ask(**more: Any) -> Ask:
    words = {"title": "Vote", "texts": {"en": {"default": {"text": "Vote tonight!"}}}}
    return Ask.model_validate({**words, **more})


async def saved(ledger: Ledger, **more: Any) -> int:
    return (await save_campaign(ledger.runtime, ask(**more), by="ana", now=ledger.clock())).id


async def send_off(ledger: Ledger, campaign: int) -> list[tuple[str, str | None]]:
    """Approve, launch, start and route; returns what was decided."""
    about: dict[str, Any] = {"now": ledger.clock()}
    await approve_campaign(ledger.runtime, campaign, by="bo", **about)
    await launch_campaign(ledger.runtime, campaign, by="ana", undo_seconds=0, **about)
    await start_due_campaigns(ledger.runtime, **about)
    await ledger.route()
    return [(row.status, row.reason) for row in await ledger.rows(campaign)]


async def asked(ledger: Ledger, *, raised: bool, **more: Any) -> list[tuple[str, str | None]]:
    """An urgent ask to everybody, and what was decided."""
    campaign = await saved(ledger, **{"urgent": True, **more})
    if raised:
        await raise_(ledger, campaign)
    return await send_off(ledger, campaign)


async def test_it_reaches_who_was_asked_today_once_more_and_no_oftener(ledger: Ledger) -> None:
    await ledger.add_members(1)
    assert await asked(ledger, raised=False) == [("queued", None)]
    ledger.clock.advance(minutes=5)
    assert await asked(ledger, raised=False) == [("held", "cap")]
    assert await asked(ledger, raised=True) == [("queued", None)]
    ledger.clock.advance(minutes=5)
    assert await asked(ledger, raised=True) == [("held", "cap")], "the ceiling is two a day"


async def test_one_member_is_asked_above_the_caps_twice_in_thirty_days(ledger: Ledger) -> None:
    await ledger.add_members(1)
    for _ in range(2):
        assert await asked(ledger, raised=False) == [("queued", None)]
        assert await asked(ledger, raised=True) == [("queued", None)]
        ledger.clock.advance(days=8)
    assert await asked(ledger, raised=True) == [("held", "cap")], "four texts in a month, and lifted twice"
    ledger.clock.advance(days=16)
    assert await asked(ledger, raised=False) == [("queued", None)]
    assert await asked(ledger, raised=True) == [("queued", None)], "the first of them is 32 days ago"


async def test_it_lifts_no_stop_no_consent_no_pause_and_no_legal_hours(ledger: Ledger) -> None:
    stopped, unconfirmed, paused, sleeping = await ledger.add_members(4)
    await ledger.execute(
        "INSERT INTO suppression (address_hash, channel, reason, at)"
        " SELECT hash, channel, 'stop', 0 FROM address WHERE member_id = :id",
        id=stopped,
    )
    await ledger.execute("UPDATE address SET consent = 'unconfirmed' WHERE member_id = :id", id=unconfirmed)
    await ledger.execute("UPDATE member SET dial = 'paused' WHERE id = :id", id=paused)
    await ledger.execute("UPDATE member SET zone = 'America/Los_Angeles', country = 'US' WHERE id = :id", id=sleeping)
    campaign = await saved(ledger, urgent=True)
    await raise_(ledger, campaign)
    await send_off(ledger, campaign)
    assert {row.member_id: row.reason for row in await ledger.rows(campaign)} == {
        stopped: "suppressed",
        unconfirmed: "unconfirmed",
        paused: "paused",
        sleeping: "quiet_hours",
    }, "it is two at night in Los Angeles, and an urgent ask lives six hours"


async def test_it_counts_for_whom_is_routed_after_it_and_until_it_ends(ledger: Ledger) -> None:
    await ledger.add_members(1)
    await asked(ledger, raised=False)
    campaign = await saved(ledger, urgent=True)
    view = await raise_(ledger, campaign, hours=1)
    assert (view.raised_by, view.raised_reason) == ("bo", WHY)
    assert view.raised_until == ledger.clock() + timedelta(hours=1)
    ledger.clock.advance(hours=1)
    assert await send_off(ledger, campaign) == [("held", "cap")]


async def test_a_plan_that_was_made_before_it_was_raised_or_ran_out_is_made_anew(ledger: Ledger) -> None:
    await ledger.add_members(1)
    await asked(ledger, raised=False)
    campaign = await saved(ledger, urgent=True)
    await approve_campaign(ledger.runtime, campaign, by="bo", now=ledger.clock())
    await launch_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock(), undo_seconds=0)
    await start_due_campaigns(ledger.runtime, now=ledger.clock())
    before = await next_route(ledger.runtime)
    await raise_(ledger, campaign, hours=1)
    raised = await next_route(ledger.runtime)
    assert before is not None
    assert raised is not None
    assert await route_range_of(ledger.runtime, before, now=ledger.clock()) is None
    later = ledger.clock.advance(hours=1)
    assert await route_range_of(ledger.runtime, raised, now=later) is None
    await ledger.route()
    assert [row.reason for row in await ledger.rows(campaign)] == ["cap"]


@pytest.mark.parametrize(("hours", "hops"), [(0, [0, 1]), (1, [0])])
async def test_a_further_hop_profits_as_well_until_it_ends(ledger: Ledger, hours: int, hops: list[int]) -> None:
    """The text fails; the email that takes its place is above the cap of the day."""
    await ledger.add_members(1, channels=("sms", "email"))
    await asked(ledger, raised=False)
    await ledger.send()
    campaign = await saved(ledger, urgent=True)
    await raise_(ledger, campaign, hours=1)
    await send_off(ledger, campaign)
    ledger.clock.advance(hours=hours)

    async def dead(message: OutboundMessage) -> Sent:
        raise Refused(FailureClass.ADDRESS_DEAD, "30006")

    ledger.sms.script = dead
    await ledger.send()
    assert [row.hop for row in await ledger.rows(campaign)] == hops


async def test_new_words_are_not_what_it_was_raised_for(ledger: Ledger) -> None:
    campaign = await saved(ledger, urgent=True)
    await raise_(ledger, campaign)
    view = await edit_campaign(ledger.runtime, campaign, ask(urgent=True, title="Money"), by="ana", now=ledger.clock())
    assert view.raised_until is None


@pytest.mark.parametrize(
    ("more", "by", "reason", "hours", "said"),
    [
        ({"urgent": True}, "ana", WHY, 6, "Ben must raise it, because it takes somebody beside its author"),
        ({"urgent": True}, " Ana", WHY, 6, "outreach raise"),
        ({}, "bo", WHY, 6, "only an urgent ask may raise"),
        ({"kind": "welcome"}, "bo", WHY, 6, "a welcome costs no contact budget"),
        ({"urgent": True}, "bo", "because  \n x", 6, "reason: say in 10 characters or more"),
        ({"urgent": True}, "bo", WHY, 25, "hours: give it 1 to 24 hours"),
        ({"urgent": True}, "bo", WHY, 0, "hours: give it 1 to 24 hours"),
    ],
)
async def test_what_is_refused(
    ledger: Ledger, more: dict[str, Any], by: str, reason: str, hours: int, said: str
) -> None:
    await create_token(ledger.store, "Ben", "campaigns:launch", ledger.clock())
    campaign = await saved(ledger, **more)
    with pytest.raises((NotAllowed, BadInput)) as refused:
        await raise_(ledger, campaign, by=by, reason=reason, hours=hours)
    assert said in str(refused.value)


async def test_there_must_be_something_to_raise(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        await raise_(ledger, 9)
    campaign = await saved(ledger, urgent=True)
    await cancel_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    with pytest.raises(NotAllowed, match="this campaign is cancelled"):
        await raise_(ledger, campaign)


async def test_it_leaves_an_audit_row_with_its_reason(ledger: Ledger) -> None:
    campaign = await saved(ledger, urgent=True)
    await raise_(ledger, campaign)
    [row] = await ledger.execute("SELECT who, subject, detail FROM audit WHERE what = 'campaign.raise'")
    assert (row.who, row.subject) == ("bo", str(campaign))
    assert WHY in str(row.detail)
