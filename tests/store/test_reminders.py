"""Silence: where an ask wants it, who did not act in time is asked once more, elsewhere, and only once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from router.core.model import DeliveryStatus
from router.launch import pause_campaign
from router.store.engine import Store
from router.tending import tend
from tests.store.test_waterfall import ACTED, BOTH, DEAD, acts, ref, remind, sent, share, story, with_whatsapp
from tests.support.ledger import Ledger
from tests.support.runtime import Clock

S = DeliveryStatus


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A fresh installation, at ten in the morning in Paris."""
    return Ledger(store, clock=Clock(datetime(2026, 11, 20, 9, 0, tzinfo=UTC)))


async def test_who_did_not_act_in_time_is_asked_once_more_and_only_once(ledger: Ledger) -> None:
    campaign, rows = await sent(ledger, 3, waterfall=ACTED)
    acted, clicked, silent = rows
    await acts(ledger, acted.member_id, campaign)
    await follow_link_of(ledger, clicked)
    assert await remind(ledger, minutes=59) == 0
    assert await remind(ledger, minutes=1) == 1
    await ledger.send("email")
    assert [(r.member_id, r.channel, r.hop, r.status) for r in (await ledger.rows(campaign))[3:]] == [
        (silent.member_id, "email", 1, "sent")
    ]
    assert [slot[2] for slot in await ledger.slots(silent.member_id)] == ["sms", "email"], "it costs budget"
    for _ in range(3):
        assert await remind(ledger, hours=24) == 0
    await ledger.assert_tally_is_right(campaign)


async def follow_link_of(ledger: Ledger, row: Any) -> None:
    """A click, as the ledger keeps it."""
    await acts(ledger, row.member_id, row.campaign_id, "click")


async def test_silence_is_nothing_to_an_ask_that_does_not_ask_for_it(ledger: Ledger) -> None:
    campaign, _ = await sent(ledger)
    assert await remind(ledger, hours=10) == 0
    assert await ledger.statuses(campaign) == ["sent"]


async def test_a_reminder_that_fails_may_fall_further_but_brings_no_second(ledger: Ledger) -> None:
    campaign, [_] = await sent(ledger, waterfall=ACTED)
    assert await remind(ledger, hours=1) == 1
    await ledger.send("email")
    reminder = (await ledger.rows(campaign))[1]
    await ledger.receipt(ref(reminder), S.FAILED, **DEAD)
    assert await remind(ledger, hours=25) == 0
    assert [one[:2] for one in await story(ledger, campaign)] == [("sms", "sent"), ("email", "failed")]


async def test_a_failure_that_is_told_late_adds_nothing_to_a_reminder(ledger: Ledger) -> None:
    campaign, [row] = await sent(ledger, waterfall=ACTED)
    assert await remind(ledger, hours=1) == 1
    await ledger.receipt(ref(row), S.FAILED, **DEAD)
    assert [one[:2] for one in await story(ledger, campaign)] == [("sms", "failed"), ("email", "queued")]


@pytest.mark.parametrize("why", ["no budget", "no consent", "stopped", "wrote back", "paused", "erased"])
async def test_nobody_is_asked_once_more_who_should_not_be(ledger: Ledger, why: str) -> None:
    campaign, [row] = await sent(ledger, waterfall=ACTED)
    now = ledger.clock()
    match why:
        case "no budget":
            for _ in range(2):
                await ledger.launch_and_route()
        case "no consent":
            await ledger.execute("UPDATE address SET consent = 'none' WHERE channel = 'email'")
        case "stopped":
            await ledger.execute(
                "INSERT INTO suppression (address_hash, channel, reason, at)"
                " SELECT hash, 'sms', 'stop', 0 FROM address WHERE channel = 'sms'"
            )
        case "wrote back":
            await ledger.execute("UPDATE address SET last_inbound_at = :at", at=row.sent_at + 1)
        case "paused":
            await pause_campaign(ledger.runtime, campaign, by="ana", reason="wait", now=now)
        case "erased":
            await ledger.execute("UPDATE member SET erased_at = 1")
    assert await remind(ledger, hours=1) == 0
    assert await ledger.statuses(campaign) == ["sent"]


async def test_a_campaign_that_had_finished_runs_again_for_its_reminders_and_finishes(ledger: Ledger) -> None:
    campaign, _ = await sent(ledger, waterfall=ACTED)
    await ledger.finish()
    assert await remind(ledger, hours=1) == 1
    assert await ledger.execute("SELECT status FROM campaign WHERE id = :id", id=campaign) == [("running",)]
    await ledger.send("email")
    await ledger.finish()
    assert await ledger.execute("SELECT status FROM campaign WHERE id = :id", id=campaign) == [("finished",)]


async def test_many_silent_members_are_asked_in_few_batches_by_one_process(store: Store) -> None:
    one, other = Ledger(store), Ledger(store)
    await one.add_members(700, **BOTH)
    campaign = await one.launch_and_route(waterfall=ACTED)
    await one.send()
    one.clock.advance(hours=1)
    for _ in range(3):
        await asyncio.gather(
            *(tend(ledger.runtime, name, now=one.clock()) for ledger, name in ((one, "a"), (other, "b")))
        )
    rows = await one.rows(campaign)
    assert len([row for row in rows if row.hop == 1]) == len({row.member_id for row in rows if row.hop == 1}) == 700
    [(batches,)] = await one.execute("SELECT count(*) FROM batch WHERE channel = 'email'")
    assert batches <= 20
    await one.send("email")
    assert len(one.email.handed) == 700
    await one.assert_tally_is_right(campaign)


async def test_reminders_to_one_mailbox_come_once(ledger: Ledger) -> None:
    members = await ledger.add_members(2, **BOTH)
    await share(ledger, members)
    campaign = await ledger.launch_and_route(waterfall=ACTED)
    await ledger.send()
    assert await remind(ledger, hours=1) == 1
    await ledger.send("email")
    assert len(ledger.email.handed) == 1
    assert sorted(await ledger.statuses(campaign)) == ["sent", "sent", "sent"]


async def test_the_same_phone_is_not_asked_once_more_by_another_app(ledger: Ledger) -> None:
    """Silence on a telephone is not answered on the same telephone: the mailbox has its turn instead."""
    await ledger.add_members(1, **BOTH)
    await with_whatsapp(ledger, hours=2)
    campaign = await ledger.launch_and_route(waterfall=[*ACTED, {"channel": "whatsapp"}])
    await ledger.send()
    assert await remind(ledger, hours=1) == 1
    assert [one[0] for one in await story(ledger, campaign)] == ["sms", "email"]
