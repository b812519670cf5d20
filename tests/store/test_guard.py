"""The guard in the ledger: who is counted for which ask, what stops one, and what happens when somebody resumes it."""

from __future__ import annotations

from typing import Any

import pytest

from router.core.channel import Inbound, OptOut, OutboundMessage, Received, Sent
from router.core.errors import FailureClass, Refused
from router.core.model import CampaignStatus, DeliveryRef
from router.core.policy import read_policy
from router.guard import watch_campaigns
from router.launch import pause_campaign, resume_campaign
from router.settings import load_settings, load_toml
from router.store.engine import Store
from router.views import view_campaign
from tests.support.ledger import Ledger
from tests.support.runtime import build_runtime

PAUSED, RUNNING = CampaignStatus.PAUSED, CampaignStatus.RUNNING
LIMITS = read_policy(load_toml("policy", load_settings())).guard.limits


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """An installation with the shipped limits, where everything leaves at once."""
    policy = build_runtime(store).policy
    return Ledger(store, policy=policy.model_copy(update={"guard": policy.guard.model_copy(update={"limits": LIMITS})}))


async def sent(ledger: Ledger, members: int = 1, *, channels: tuple[str, ...] = ("sms",), **ask: Any) -> int:
    """An ask that was just sent to so many new members. It runs on until `Ledger.finish` looks at it."""
    ids = await ledger.add_members(members, channels=channels)
    campaign = await ledger.launch_and_route(audience={"op": "members", "ids": ids}, **ask)
    await ledger.send(channels[0])
    return campaign


async def addresses(ledger: Ledger, campaign: int, channel: str = "sms") -> list[str]:
    rows = await ledger.execute(
        "SELECT a.value FROM delivery d JOIN address a ON a.id = d.address_id WHERE d.campaign_id = :id"
        " AND a.channel = :channel ORDER BY d.id",
        id=campaign,
        channel=channel,
    )
    return [value for (value,) in rows]


async def stop(ledger: Ledger, phones: list[str], *, again: str = "") -> None:
    """Each of them replies STOP."""
    for phone in phones:
        event = Inbound(event_id=f"{phone}{again}", sender=phone, recipient="", text="STOP", at=ledger.clock())
        await ledger.submit(Received(events=(event,)))


async def complain(ledger: Ledger, mailboxes: list[str], about: DeliveryRef | None = None) -> None:
    """The provider passes on that each of them called it spam."""
    events = tuple(
        OptOut(event_id=one, address=one, at=ledger.clock(), complaint=True, delivery=about) for one in mailboxes
    )
    await ledger.submit(Received(events=events), channel="email")


async def reactions(ledger: Ledger) -> list[tuple[Any, ...]]:
    rows = await ledger.execute("SELECT campaign_id, channel, kind, count FROM reaction ORDER BY 1, 2, 3")
    return [tuple(row) for row in rows]


async def status(ledger: Ledger, campaign: int) -> CampaignStatus:
    return (await view_campaign(ledger.runtime, campaign)).status


async def watch(ledger: Ledger) -> int:
    return await watch_campaigns(ledger.runtime, now=ledger.clock())


# ── who is counted, and for what ──────────────────────────────────────────────────────────────────────────────────


async def test_a_stop_counts_once_for_the_ask_that_came_last(ledger: Ledger) -> None:
    members = await ledger.add_members(2)
    for _ in range(2):
        campaign = await ledger.launch_and_route(audience={"op": "members", "ids": members})
        await ledger.send()
        ledger.clock.advance(minutes=5)
    [phone, _] = await addresses(ledger, campaign)
    await stop(ledger, [phone])
    await stop(ledger, [phone], again="-once-more")
    assert await reactions(ledger) == [(campaign, "sms", "opt_out", 1)]


async def test_what_its_provider_says_it_is_about_counts_there(ledger: Ledger) -> None:
    members = await ledger.add_members(2, channels=("email",))
    asks = []
    for _ in range(2):
        asks.append(await ledger.launch_and_route(audience={"op": "members", "ids": members}))
        await ledger.send("email")
        ledger.clock.advance(minutes=5)
    [one, two] = await ledger.rows(asks[0])
    [mailbox, other] = await addresses(ledger, asks[0], "email")
    await complain(ledger, [mailbox], about=DeliveryRef(one.month, one.id))
    await complain(ledger, [other])
    assert await reactions(ledger) == [(asks[0], "email", "complaint", 1), (asks[1], "email", "complaint", 1)]
    assert two.status == "sent"


async def test_one_click_and_a_provider_that_knows_better_count_too(ledger: Ledger) -> None:
    mail = await sent(ledger, channels=("email",))
    [row] = await ledger.rows(mail)
    await ledger.receiver.unsubscribe(DeliveryRef(row.month, row.id), ledger.clock())
    await ledger.receiver.unsubscribe(DeliveryRef(row.month, row.id), ledger.clock())
    assert await reactions(ledger) == [(mail, "email", "opt_out", 1)]

    async def opted_out(message: OutboundMessage) -> Sent:
        raise Refused(FailureClass.OPT_OUT, "21610")

    text = await sent(ledger)
    ledger.sms.script = opted_out
    ledger.clock.advance(minutes=5)
    late = await ledger.launch_and_route(channels=["sms"])
    await ledger.send()
    assert (text, "sms", "opt_out", 1) in await reactions(ledger), "what was refused now did not annoy anybody"
    assert "failed" in await ledger.statuses(late)


async def test_an_answer_that_overtakes_its_outcome_is_counted(ledger: Ledger) -> None:
    async def answered_at_once(message: OutboundMessage) -> Sent:
        await stop(ledger, [message.to])
        return Sent("SM1")

    ledger.sms.script = answered_at_once
    campaign = await sent(ledger)
    assert await reactions(ledger) == [(campaign, "sms", "opt_out", 1)]


async def test_strangers_service_messages_and_what_is_long_ago_are_nobodys(ledger: Ledger) -> None:
    campaign = await sent(ledger, 2)
    [first, second] = await addresses(ledger, campaign)
    await stop(ledger, ["+12025550199"])
    ledger.clock.advance(days=15)
    await stop(ledger, [first])
    assert await reactions(ledger) == []
    await ledger.execute("UPDATE campaign SET kind = 'reminder'")
    ledger.clock.advance(days=-15)
    await stop(ledger, [second])
    assert await reactions(ledger) == []


async def test_counting_is_the_last_thing_of_a_transaction_and_rolled_back_with_it(ledger: Ledger) -> None:
    """The same events twice in one group: the second adds nothing; a failing group adds nothing at all."""
    campaign = await sent(ledger, 2)
    [first, second] = await addresses(ledger, campaign)
    events = [
        Inbound(event_id="E1", sender=phone, recipient="", text="STOP", at=ledger.clock()) for phone in (first, first)
    ]
    await ledger.submit(Received(events=tuple(events)))
    assert await reactions(ledger) == [(campaign, "sms", "opt_out", 1)]
    await stop(ledger, [second])
    assert await reactions(ledger) == [(campaign, "sms", "opt_out", 2)]


# ── what stops one ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_ask_that_annoys_people_is_stopped_and_says_who_can_lift_it(ledger: Ledger) -> None:
    campaign = await sent(ledger, 200)
    phones = await addresses(ledger, campaign)
    await stop(ledger, phones[:4])
    assert await watch(ledger) == 0
    assert await status(ledger, campaign) is RUNNING
    await stop(ledger, phones[4:14])
    assert await watch(ledger) == 1
    view = await view_campaign(ledger.runtime, campaign)
    assert view.status is PAUSED
    assert view.pause_reason.startswith("after 200 messages by sms 14 people asked for silence: 7 %")
    assert "1 % is the limit" in view.pause_reason
    assert f"POST /api/v1/campaigns/{campaign}/resume" in view.pause_reason
    [(subject, sentence)] = await ledger.execute("SELECT subject, sentence FROM notice WHERE kind = 'campaign'")
    assert subject == str(campaign)
    assert sentence == f"Campaign {campaign} is paused: {view.pause_reason}"[:400]
    assert await watch(ledger) == 0, "what is paused is not looked at"


async def test_what_a_human_resumed_is_not_stopped_again_for_the_same(ledger: Ledger) -> None:
    campaign = await sent(ledger, 200)
    phones = await addresses(ledger, campaign)
    await stop(ledger, phones[:14])
    await watch(ledger)
    await stop(ledger, phones[14:16])  # answers that come while it is paused are known to whoever resumes it
    about: dict[str, Any] = {"by": "bo", "now": ledger.clock()}
    await resume_campaign(ledger.runtime, campaign, **about)
    for _ in range(3):
        assert await watch(ledger) == 0
    await pause_campaign(ledger.runtime, campaign, **about, reason="lunch")
    await resume_campaign(ledger.runtime, campaign, **about)
    assert await watch(ledger) == 0
    assert await status(ledger, campaign) is RUNNING
    await ledger.execute("UPDATE tally SET count = 400 WHERE campaign_id = :id AND status = 'sent'", id=campaign)
    await stop(ledger, phones[16:30])
    assert await watch(ledger) == 1, "what came since is beyond its limit by itself"
    assert (await view_campaign(ledger.runtime, campaign)).pause_reason.startswith("after 200 messages by sms 14 ")


async def test_a_stop_that_a_crash_cut_short_is_made_good(ledger: Ledger) -> None:
    campaign = await sent(ledger, 200)
    await stop(ledger, (await addresses(ledger, campaign))[:14])
    [(epoch,)] = await ledger.execute("SELECT epoch FROM campaign WHERE id = :id", id=campaign)
    await ledger.execute(
        "INSERT INTO guard_stop (campaign_id, epoch, at) VALUES (:id, :epoch, 0)", id=campaign, epoch=epoch
    )
    assert await watch(ledger) == 1
    assert await status(ledger, campaign) is PAUSED


async def test_complaints_about_earlier_asks_count_against_the_next_by_email(ledger: Ledger) -> None:
    """They come days later: the ask that they are about is over by then."""
    first = await sent(ledger, 300, channels=("email",))
    await ledger.finish()
    ledger.clock.advance(days=3)
    await complain(ledger, (await addresses(ledger, first, "email"))[:8])
    assert await watch(ledger) == 0, "nothing runs that could be stopped"
    second = await sent(ledger, 3, channels=("email",))
    texts = await sent(ledger, 3)
    assert await watch(ledger) == 1
    assert await status(ledger, texts) is RUNNING
    reason = (await view_campaign(ledger.runtime, second)).pause_reason
    assert reason.startswith("after 303 messages by email 8 people complained of spam, those of the last 30 days' asks")
    await resume_campaign(ledger.runtime, second, by="bo", now=ledger.clock())
    assert await watch(ledger) == 0
    assert await watch(ledger) == 0
    ledger.clock.advance(days=31)
    third = await sent(ledger, 3, channels=("email",))
    assert await watch(ledger) == 0
    assert await status(ledger, third) is RUNNING


async def test_good_asks_before_it_do_not_hide_a_bad_one(ledger: Ledger) -> None:
    good = await sent(ledger, 1, channels=("email",))
    await ledger.execute("UPDATE tally SET count = 100000 WHERE campaign_id = :id AND status = 'sent'", id=good)
    bad = await sent(ledger, 300, channels=("email",))
    await complain(ledger, (await addresses(ledger, bad, "email"))[:8])
    assert await watch(ledger) == 1
    assert await status(ledger, bad) is PAUSED


async def test_what_fails_too_often_is_stopped_but_not_for_those_who_opted_out(ledger: Ledger) -> None:
    campaign = await sent(ledger, 30)
    await ledger.execute(
        "INSERT INTO tally (campaign_id, channel, status, reason, count)"
        " VALUES (:id, 'sms', 'failed', 'suppressed', 40)",
        id=campaign,
    )
    assert await watch(ledger) == 0
    await ledger.execute("UPDATE tally SET reason = 'address_dead' WHERE reason = 'suppressed'")
    assert await watch(ledger) == 1
    assert "of 70 messages by sms 40 failed" in (await view_campaign(ledger.runtime, campaign)).pause_reason


async def test_answers_to_a_claim_that_is_under_way_are_held_against_all_of_it(ledger: Ledger) -> None:
    campaign = await sent(ledger, 100)
    count = "UPDATE tally SET count = CASE WHEN status = 'sending' THEN {} ELSE 0 END"
    await ledger.execute(count.format(100))
    await ledger.execute(
        "INSERT INTO reaction (campaign_id, channel, kind, count) VALUES (:id, 'sms', 'opt_out', 5)", id=campaign
    )
    assert await watch(ledger) == 0
    await ledger.execute(count.format(5))
    assert await watch(ledger) == 1


async def test_service_messages_are_not_stopped(ledger: Ledger) -> None:
    """Who signed up must hear that it is cancelled, whatever the others think."""
    campaign = await sent(ledger, 200)
    await stop(ledger, (await addresses(ledger, campaign))[:20])
    await ledger.execute("UPDATE campaign SET kind = 'cancelled'")
    assert await watch(ledger) == 0


async def test_what_is_over_is_left_alone(ledger: Ledger) -> None:
    campaign = await sent(ledger, 200)
    await ledger.finish()
    assert await status(ledger, campaign) is CampaignStatus.FINISHED
    await stop(ledger, (await addresses(ledger, campaign))[:50])
    ledger.clock.advance(days=1)
    assert await watch(ledger) == 0
