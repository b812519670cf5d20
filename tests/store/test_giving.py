"""Giving by reply and by link: pledges, gifts that a donation page tells of, refunds, and the total as it grows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.actions import follow_link, record_action, whose_ref
from router.community.giving import read_total
from router.core.channel import Inbound, Received
from router.core.errors import NotFound
from router.core.links import action_token
from router.core.model import DeliveryRef
from router.store.engine import Store
from router.views import view_campaign
from tests.support.calling import Phones
from tests.support.ledger import Ledger
from tests.support.runtime import Clock

GOAL: dict[str, Any] = {"measure": "gave", "target": 5000, "currency": "EUR"}
ASK: dict[str, Any] = {"wants": "give", "goal": GOAL, "link": "https://give.example.org/now?form=2#top"}


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A fresh installation, at ten in the morning in Paris."""
    return Ledger(store, clock=Clock(datetime(2026, 11, 20, 9, 0, tzinfo=UTC)))


@pytest.fixture
def phones(ledger: Ledger) -> Phones:
    return Phones(ledger)


ANA = "+33639980001"


async def ask_for_gifts(ledger: Ledger, **more: Any) -> tuple[int, Any]:
    """A campaign that asks one member for a gift, and their delivery."""
    await ledger.add_members(1, phone=ANA)
    campaign = await ledger.launch_and_route(**{**ASK, **more})
    await ledger.send()
    ledger.clock.advance(minutes=1)
    [row] = await ledger.rows(campaign)
    return campaign, row


async def tells(
    ledger: Ledger, campaign: int | None, member: int, amount: int, kind: str = "gave", **more: Any
) -> None:
    now = ledger.clock.advance(seconds=5)
    about = {"phone": None, "email": None, "external_id": f"gift-{now}", "currency": "EUR"} | more
    await record_action(
        ledger.runtime, member_id=member, kind=kind, campaign_id=campaign, at=now, now=now, amount=amount, **about
    )


async def pledges(ledger: Ledger) -> list[tuple[str, int, str]]:
    rows = await ledger.execute("SELECT kind, amount, currency FROM action ORDER BY id")
    return [tuple(row) for row in rows]


# ── by reply ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "pledge"),
    [
        ("GIVE", ("give", 0, "")),
        ("GIVE 20", ("give", 2000, "EUR")),
        ("give 12,50 €", ("give", 1250, "EUR")),
        ("20 EUR", ("give", 2000, "EUR")),
        ("20", ("give", 2000, "EUR")),
        ("£10", ("give", 1000, "GBP")),
        ("GIVE $10", ("give", 0, "")),
        ("YES", ("give", 0, "")),
    ],
)
async def test_give_is_a_pledge_and_brings_the_own_link(
    ledger: Ledger, phones: Phones, text: str, pledge: tuple[str, int, str]
) -> None:
    _, row = await ask_for_gifts(ledger)
    said = await phones.says(ANA, text)
    token = action_token(ledger.runtime.key, DeliveryRef(row.month, row.id))
    assert f"https://outreach.example.org/a/{token}" in said
    assert "So far 0 EUR of 5,000 EUR." in said
    assert await pledges(ledger) == [pledge]


async def test_a_pledge_is_no_gift(ledger: Ledger, phones: Phones) -> None:
    campaign, row = await ask_for_gifts(ledger)
    await phones.says(ANA, "GIVE 2000")
    ledger.clock.advance(seconds=5)
    assert "So far 0 EUR" in await phones.says(ANA, "TOTAL")
    await tells(ledger, campaign, row.member_id, 124_050)
    ledger.clock.advance(seconds=5)
    assert await phones.says(ANA, "TOTAL") == (
        "Tenants Together: So far 1,240 EUR of 5,000 EUR. Every bit counts, thank you."
    )
    await tells(ledger, campaign, row.member_id, 400_000)
    ledger.clock.advance(seconds=5)
    assert "We made it: 5,240 EUR of 5,000 EUR." in await phones.says(ANA, "total?")


async def test_give_after_the_end(ledger: Ledger, phones: Phones) -> None:
    await ask_for_gifts(ledger, deadline=(ledger.clock() + timedelta(hours=2)).isoformat())
    ledger.clock.advance(hours=2)
    assert "over now" in await phones.says(ANA, "GIVE 20")
    assert await phones.says(ANA, "GIVE 20") == ""
    assert await pledges(ledger) == []
    assert "So far 0 EUR" in await phones.says(ANA, "TOTAL")


async def test_without_a_link_a_person_answers(ledger: Ledger, phones: Phones) -> None:
    await ask_for_gifts(ledger, link="")
    assert await phones.says(ANA, "GIVE 20") == ""
    assert await phones.says(ANA, "YES") == ""
    assert await pledges(ledger) == [("yes", 0, "")]


async def test_the_same_webhook_twice_is_one_pledge(ledger: Ledger) -> None:
    await ask_for_gifts(ledger)
    event = Inbound(event_id="SM1", sender=ANA, recipient="+1", text="GIVE 20", at=ledger.clock())
    for _ in range(2):
        await ledger.submit(Received(events=(event,)))
    assert await pledges(ledger) == [("give", 2000, "EUR")]


# ── the donation page ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_donation_page_gives_the_ref_back(ledger: Ledger) -> None:
    campaign, row = await ask_for_gifts(ledger)
    ref = DeliveryRef(row.month, row.id)
    page = await follow_link(ledger.runtime, ref, now=ledger.clock(), prefetch=False)
    token = action_token(ledger.runtime.key, ref)
    assert page == f"https://give.example.org/now?form=2&ref={token}#top"
    assert await whose_ref(ledger.runtime, token) == (row.member_id, campaign)


async def test_other_asks_lead_where_their_author_said(ledger: Ledger) -> None:
    _, row = await ask_for_gifts(ledger, wants="sign", goal=None)
    ref = DeliveryRef(row.month, row.id)
    assert await follow_link(ledger.runtime, ref, now=ledger.clock(), prefetch=False) == ASK["link"]


async def test_a_forged_ref_is_nobodys(ledger: Ledger) -> None:
    _, row = await ask_for_gifts(ledger)
    of_nobody = action_token(ledger.runtime.key, DeliveryRef(row.month, row.id + 1))
    of_another = action_token(b"x" * 32, DeliveryRef(row.month, row.id))
    for token in ("", "x", of_nobody, of_another):
        with pytest.raises(NotFound, match="no link of ours"):
            await whose_ref(ledger.runtime, token)


async def test_a_refund_is_taken_off_again(ledger: Ledger) -> None:
    campaign, row = await ask_for_gifts(ledger)
    await tells(ledger, campaign, row.member_id, 300_000)
    await tells(ledger, campaign, row.member_id, 100_000, "refund")
    await tells(ledger, campaign, row.member_id, 50_000, "refund", currency="GBP")
    goal = (await view_campaign(ledger.runtime, campaign)).goal
    assert goal is not None
    assert goal.reached == 2000


async def test_more_refunds_than_gifts_are_a_total_of_nothing_and_say_so(ledger: Ledger) -> None:
    campaign, row = await ask_for_gifts(ledger)
    await tells(ledger, campaign, row.member_id, 100_000, "refund")
    total = await read_total(ledger.runtime, campaign, "", now=ledger.clock())
    assert total is not None
    assert total.sentence.startswith("So far 0 EUR of 5,000 EUR.")


async def test_a_refund_takes_nobody_off_a_goal_of_people(ledger: Ledger) -> None:
    campaign, row = await ask_for_gifts(ledger, goal={"measure": "gave", "target": 10})
    await tells(ledger, campaign, row.member_id, 100_000)
    await tells(ledger, campaign, row.member_id, 100_000, "refund")
    goal = (await view_campaign(ledger.runtime, campaign)).goal
    assert goal is not None
    assert goal.reached == 1


# ── the total ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_total_is_shown_two_seconds_long(ledger: Ledger) -> None:
    campaign, row = await ask_for_gifts(ledger)
    seen = []
    for seconds in (0, 1.9, 0.1):
        ledger.clock.advance(seconds=seconds)
        total = await read_total(ledger.runtime, campaign, "de", now=ledger.clock())
        assert total is not None
        seen.append(total.sentence.split(" von")[0])
        await record_action(
            ledger.runtime, member_id=row.member_id, phone=None, email=None, kind="gave", campaign_id=campaign,
            external_id=f"gift-{seconds}", at=ledger.clock(), now=ledger.clock(), amount=100_000, currency="EUR",
        )  # fmt: skip
    assert seen == ["Bisher 0 EUR", "Bisher 0 EUR", "Bisher 2.000 EUR"]


async def test_a_total_of_many_is_shown_ten_seconds_long(ledger: Ledger) -> None:
    campaign, row = await ask_for_gifts(ledger)
    await tells(ledger, campaign, row.member_id, 100_100)
    seen = []
    for seconds in (0, 4.9, 5.1):
        ledger.clock.advance(seconds=seconds)
        total = await read_total(ledger.runtime, campaign, "de", now=ledger.clock())
        assert total is not None
        seen.append(total.sentence.split(" von")[0])
        await tells(ledger, campaign, row.member_id, 100_000)
    assert seen == ["Bisher 1.001 EUR", "Bisher 1.001 EUR", "Bisher 3.001 EUR"]


async def test_there_is_no_total_of_drafts_and_of_asks_without_a_goal(ledger: Ledger) -> None:
    plain = await ledger.launch()
    for campaign in (plain, 4711):
        assert await read_total(ledger.runtime, campaign, "", now=ledger.clock()) is None


async def test_a_message_says_how_far_it_is_when_it_leaves(ledger: Ledger) -> None:
    texts = {
        "en": {"default": {"text": "So far {{ total }} of 5000. You?"}},
        "de": {"default": {"text": "Bisher {{ total }}"}},
    }
    [early, late] = [(await ledger.add_members(1, phone=f"+3363998010{n}"))[0] for n in (1, 2)]
    await ledger.execute("UPDATE member SET locale = 'de' WHERE id = :id", id=late)
    campaign = await ledger.launch_and_route(**ASK, texts=texts)
    await ledger.execute(
        "UPDATE delivery SET not_before = :at WHERE member_id = :id",
        at=int((ledger.clock() + timedelta(hours=1)).timestamp() * 1000),
        id=late,
    )
    await ledger.send()
    await tells(ledger, campaign, early, 123_400)
    ledger.clock.advance(hours=1)
    await ledger.send()
    assert [message.text for message in ledger.sms.handed] == [
        "Tenants Together: So far 0 EUR of 5000. You?",
        "Tenants Together: Bisher 1.234 EUR",
    ]
