"""The waterfall: the next channel on proven failure, once more on silence, nothing once somebody acted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from channels.whatsapp import WhatsAppChannel
from router.actions import follow_link, record_action
from router.core.channel import Inbound, OutboundMessage, Receipt, Received, Sent
from router.core.errors import FailureClass, OutcomeUnknown
from router.core.model import DeliveryRef, DeliveryStatus
from router.receipts import Arrived, apply_receipts
from router.receive import Receiver
from router.store.budgets import note_answers
from router.store.engine import Store
from router.store.tables import to_ms
from router.store.tallies import Moves
from router.waterfall import remind_silent
from tests.support.ledger import UNLIMITED, Ledger, ScriptedChannel
from tests.support.runtime import Clock

S = DeliveryStatus
BOTH: dict[str, Any] = {"channels": ("sms", "email")}
PATIENT = [{"channel": "sms", "wait_minutes": 60}, {"channel": "email"}]
ACTED = [{"channel": "sms", "wait_minutes": 60, "success": "acted"}, {"channel": "email", "success": "acted"}]
GAVE_UP: dict[str, Any] = {"code": "30036", "failure": FailureClass.EXPIRED}
DEAD: dict[str, Any] = {"code": "30005", "failure": FailureClass.ADDRESS_DEAD}


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A fresh installation, at ten in the morning in Paris."""
    return Ledger(store, clock=Clock(datetime(2026, 11, 20, 9, 0, tzinfo=UTC)))


def ref(row: Any) -> DeliveryRef:
    return DeliveryRef(row.month, row.id)


async def sent(ledger: Ledger, count: int = 1, **ask: Any) -> tuple[int, list[Any]]:
    """An ask that `count` members with telephone and mailbox got by SMS; its campaign and rows."""
    await ledger.add_members(count, **BOTH)
    campaign = await ledger.launch_and_route(**{"waterfall": PATIENT, **ask})
    await ledger.send()
    rows = await ledger.rows(campaign)
    assert [row.status for row in rows] == ["sent"] * count
    return campaign, rows


async def acts(ledger: Ledger, member: int, campaign: int, kind: str = "signed", **more: Any) -> None:
    about: dict[str, Any] = {"phone": None, "email": None, "external_id": f"{campaign}:{member}:{kind}"}
    now = ledger.clock()
    await record_action(
        ledger.runtime, member_id=member, campaign_id=campaign, kind=kind, at=now, now=now, **{**about, **more}
    )


async def remind(ledger: Ledger, **later: float) -> int:
    """Let time pass and look for those who did not act."""
    ledger.clock.advance(**later)
    return await remind_silent(ledger.runtime, now=ledger.clock())


async def story(ledger: Ledger, campaign: int) -> list[tuple[str, str, str | None]]:
    return [(row.channel, row.status, row.reason) for row in await ledger.rows(campaign)]


# ── proven failure ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_provider_may_try_as_long_as_the_channel_is_waited_for(ledger: Ledger) -> None:
    await sent(ledger)
    await ledger.launch_and_route(urgent=True, waterfall=[{"channel": "sms"}])
    await ledger.launch_and_route()
    await ledger.send()
    urgent = ledger.runtime.policy.waits["sms"].urgent
    assert [message.valid_seconds for message in ledger.sms.handed[:2]] == [60 * 60, urgent * 60]
    assert ledger.sms.handed[2].valid_seconds > 60 * 60, "without a waterfall as long as it is of use"


async def test_a_provider_that_gave_up_leaves_the_ask_to_the_next_channel(ledger: Ledger) -> None:
    campaign, [row] = await sent(ledger)
    ledger.clock.advance(minutes=60)
    for _ in range(2):
        await ledger.receipt(ref(row), S.FAILED, **GAVE_UP)
    await ledger.send("email")
    assert await story(ledger, campaign) == [("sms", "failed", "unreachable"), ("email", "sent", None)]
    assert [slot[2] for slot in await ledger.slots(row.member_id)] == ["email"]
    await ledger.assert_tally_is_right(campaign)


@pytest.mark.parametrize("ask", [{"waterfall": []}, {"waterfall": [{"channel": "email"}]}])
async def test_without_a_step_for_the_channel_giving_up_is_the_end(ledger: Ledger, ask: dict[str, Any]) -> None:
    campaign, [row] = await sent(ledger, **ask)
    await ledger.receipt(ref(row), S.FAILED, **GAVE_UP)
    assert [one[:2] for one in await story(ledger, campaign)] == [("sms", "failed")]


async def test_an_ask_that_is_over_goes_nowhere_else(ledger: Ledger) -> None:
    campaign, [row] = await sent(ledger, deadline=ledger.clock() + timedelta(minutes=30))
    ledger.clock.advance(minutes=31)
    await ledger.receipt(ref(row), S.FAILED, **GAVE_UP)
    assert [one[:2] for one in await story(ledger, campaign)] == [("sms", "failed")]


async def test_a_phone_that_is_off_is_not_tried_again_once_the_next_channel_has_its_turn(ledger: Ledger) -> None:
    campaign, [row] = await sent(ledger, waterfall=[{"channel": "sms", "wait_minutes": 20}])
    await ledger.receipt(ref(row), S.FAILED, code="30003", failure=FailureClass.RECIPIENT_TRANSIENT)
    await ledger.send("email")
    assert [one[:2] for one in await story(ledger, campaign)] == [("sms", "failed"), ("email", "sent")]


async def test_an_outcome_that_nobody_knows_is_no_failure(ledger: Ledger) -> None:
    """Nor is a message without a receipt: only proof moves the ask on, however long it takes."""

    async def lost(message: OutboundMessage) -> Sent:
        raise OutcomeUnknown("timeout")

    await ledger.add_members(1, **BOTH)
    ledger.sms.script = lost
    unknown = await ledger.launch_and_route(waterfall=ACTED)
    await ledger.send()
    ledger.sms.script = None
    silent = await ledger.launch_and_route(waterfall=PATIENT)
    await ledger.send()
    for _ in range(3):
        await remind(ledger, hours=5)
    assert await ledger.statuses(unknown) == ["unknown"]
    assert await ledger.statuses(silent) == ["sent"]


# ── once somebody acted ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["signed", "no"])
async def test_nothing_follows_a_failure_once_the_member_acted(ledger: Ledger, kind: str) -> None:
    campaign, [row] = await sent(ledger)
    await acts(ledger, row.member_id, campaign, kind)
    await ledger.receipt(ref(row), S.FAILED, **DEAD)
    assert [one[:2] for one in await story(ledger, campaign)] == [("sms", "failed")]
    assert await ledger.slots(row.member_id) == []


async def test_what_waits_to_follow_is_withdrawn_when_the_member_acts(ledger: Ledger) -> None:
    campaign, [row] = await sent(ledger)
    await ledger.receipt(ref(row), S.FAILED, **DEAD)
    await follow_link(ledger.runtime, ref(row), now=ledger.clock() + timedelta(minutes=1), prefetch=False)
    assert (await story(ledger, campaign))[1] == ("email", "queued", None), "a click may be a mail scanner's"
    for _ in range(2):
        await acts(ledger, row.member_id, campaign)
    await ledger.send("email")
    assert (await story(ledger, campaign))[1] == ("email", "cancelled", "acted")
    assert ledger.email.handed == []
    assert await ledger.slots(row.member_id) == []
    await ledger.assert_tally_is_right(campaign)


async def test_a_yes_by_text_withdraws_it_as_well(ledger: Ledger) -> None:
    await ledger.add_members(1, phone="+33639980001", **BOTH)
    campaign = await ledger.launch_and_route(waterfall=ACTED)
    await ledger.send()
    ledger.clock.now = ledger.clock.now.replace(hour=21)  # mail leaves until nine in the evening, ten in Paris
    await remind(ledger)
    assert (await story(ledger, campaign))[1][1] == "queued"
    event = Inbound(event_id="SM1", sender="+33639980001", recipient="+1", text="YES", at=ledger.clock())
    await ledger.submit(Received(events=(event,)))
    assert (await story(ledger, campaign))[1] == ("email", "cancelled", "acted")


@pytest.mark.parametrize("kind", ["signed", "no"])
async def test_who_acts_before_their_message_left_is_not_asked_any_more(ledger: Ledger, kind: str) -> None:
    """A friend passed the link on, or they answered in a group."""
    [member] = await ledger.add_members(1, **BOTH)
    campaign = await ledger.launch_and_route(waterfall=PATIENT)
    await acts(ledger, member, campaign, "click")
    assert await ledger.statuses(campaign) == ["queued"], "a click may be a mail scanner's"
    for _ in range(2):
        await acts(ledger, member, campaign, kind)
    assert await story(ledger, campaign) == [("sms", "cancelled", "acted")]
    assert await ledger.slots(member) == []
    await ledger.send()
    assert ledger.sms.handed == []
    await ledger.assert_tally_is_right(campaign)


@pytest.mark.parametrize("ask", [{"purpose": "ballot"}, {"kind": "welcome"}])
async def test_what_is_owed_comes_whatever_somebody_did(ledger: Ledger, ask: dict[str, Any]) -> None:
    [member] = await ledger.add_members(1, **BOTH)
    campaign = await ledger.launch_and_route(**ask)
    await acts(ledger, member, campaign)
    assert await ledger.statuses(campaign) == ["queued"]


async def test_a_stop_withdraws_what_would_follow_elsewhere(ledger: Ledger) -> None:
    await ledger.add_members(1, phone="+33639980001", **BOTH)
    campaign = await ledger.launch_and_route(waterfall=ACTED)
    other = await ledger.launch_and_route(channels=["email"])
    await ledger.send()
    ledger.clock.now = ledger.clock.now.replace(hour=21)
    await remind(ledger)
    event = Inbound(event_id="SM1", sender="+33639980001", recipient="+1", text="STOP", at=ledger.clock())
    await ledger.submit(Received(events=(event,)))
    assert (await story(ledger, campaign))[1] == ("email", "cancelled", "suppressed")
    assert await ledger.statuses(other) == ["queued"], "they still agree to other asks by email"
    await ledger.assert_tally_is_right(campaign)


async def test_an_action_and_a_failure_at_the_same_moment_never_bring_another_message(ledger: Ledger) -> None:
    campaign, rows = await sent(ledger, 20)
    jobs = [ledger.receipt(ref(row), S.FAILED, event_id=f"f{row.id}", **DEAD) for row in rows[:1]]
    async with ledger.receiver.running():
        events = [ledger.receiver.submit("sms", "main", _failed(ledger, row), ledger.clock()) for row in rows[1:]]
        await asyncio.gather(*jobs, *events, *(acts(ledger, row.member_id, campaign) for row in rows))
    await ledger.send("email")
    assert ledger.email.handed == []
    assert {one[:2] for one in await story(ledger, campaign)} <= {("sms", "failed"), ("email", "cancelled")}
    assert [await ledger.slots(row.member_id) for row in rows] == [[]] * 20
    await ledger.assert_tally_is_right(campaign)


async def someone_waits(ledger: Ledger) -> None:
    """Until another transaction waits for a lock of the one that is open; on SQLite whoever writes waits."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    for _ in range(1_000):
        async with ledger.store.read() as connection:
            if ledger.store.is_sqlite or await connection.scalar(text(waiting)):
                return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_a_failure_that_is_told_while_an_action_is_written_sees_the_action(ledger: Ledger) -> None:
    campaign, [row] = await sent(ledger)
    async with ledger.store.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at)"
                " VALUES (1, :member, :campaign, 'signed', 'api', 'x', 0)"
            ),
            {"member": row.member_id, "campaign": campaign},
        )
        await note_answers(connection, {row.member_id: ledger.clock()})
        told = asyncio.create_task(ledger.receipt(ref(row), S.FAILED, **DEAD))
        await someone_waits(ledger)
    await told
    assert [one[:2] for one in await story(ledger, campaign)] == [("sms", "failed")]


async def test_an_action_that_is_told_while_a_hop_is_taken_withdraws_the_hop(ledger: Ledger) -> None:
    campaign, [row] = await sent(ledger)
    [failed] = _failed(ledger, row).events
    assert isinstance(failed, Receipt)
    ids, moves = await ledger.store.take_ids(4), Moves()
    async with ledger.store.write() as connection:
        arrived = [Arrived(channel="sms", receipt=failed)]
        await apply_receipts(ledger.runtime, connection, arrived, ids, moves, now=ledger.clock())
        told = asyncio.create_task(acts(ledger, row.member_id, campaign))
        await someone_waits(ledger)
        await moves.write(connection)
    await told
    assert (await story(ledger, campaign))[1] == ("email", "cancelled", "acted")
    assert await ledger.slots(row.member_id) == []
    await ledger.assert_tally_is_right(campaign)


def _failed(ledger: Ledger, row: Any) -> Received:
    one = Receipt(event_id=f"f{row.id}", status=S.FAILED, at=ledger.clock(), delivery=ref(row), **DEAD)
    return Received(events=(one,))


# ── one ask per person and per address ────────────────────────────────────────────────────────────────────────────


async def test_two_members_with_one_mailbox_get_the_ask_there_once_also_by_fallback(ledger: Ledger) -> None:
    members = await ledger.add_members(2, **BOTH)
    await share(ledger, members)
    campaign = await ledger.launch_and_route(waterfall=PATIENT)
    await ledger.send()
    for row in await ledger.rows(campaign):
        await ledger.receipt(ref(row), S.FAILED, **GAVE_UP)
    await ledger.send("email")
    assert len(ledger.email.handed) == 1
    assert sorted(await ledger.statuses(campaign)) == ["failed", "failed", "sent"]
    assert sum([len(await ledger.slots(member)) for member in members]) == 1
    await ledger.assert_tally_is_right(campaign)


async def share(ledger: Ledger, members: list[int]) -> None:
    """All of them have the mailbox of the first."""
    await ledger.execute(
        "UPDATE address SET value = (SELECT value FROM address WHERE member_id = :first AND channel = 'email'),"
        " hash = (SELECT hash FROM address WHERE member_id = :first AND channel = 'email')"
        " WHERE channel = 'email' AND member_id <> :first",
        first=members[0],
    )


async def test_a_fallback_never_takes_an_address_that_somebody_else_was_asked_at(ledger: Ledger) -> None:
    """Two records of one phone: one gets the ask there; the other's falls from its mailbox onto that same phone."""
    [first] = await ledger.add_members(1, phone="+33639980001")
    [second] = await ledger.add_members(1, channels=("email", "sms"), phone="+33639980001")
    campaign = await ledger.launch_and_route(waterfall=[{"channel": "email"}, {"channel": "sms"}])
    await ledger.send()
    await ledger.send("email")
    rows = {row.member_id: row for row in await ledger.rows(campaign)}
    assert (rows[first].channel, rows[second].channel) == ("sms", "email")
    await ledger.receipt(ref(rows[second]), S.FAILED, **DEAD)
    await ledger.send()
    assert len(ledger.sms.handed) == 1
    assert sorted(one[:2] for one in await story(ledger, campaign)) == [("email", "failed"), ("sms", "sent")]


async def with_whatsapp(ledger: Ledger, hours: int) -> ScriptedChannel:
    """Let everybody with a telephone have it on WhatsApp, too, where they wrote so many hours ago."""
    channel = ScriptedChannel()
    channel.spec = WhatsAppChannel.spec
    channels = {**ledger.runtime.channels, "whatsapp": {"main": channel}}
    ledger.runtime = replace(ledger.runtime, channels=channels, rules={**UNLIMITED, "whatsapp": UNLIMITED["sms"]})
    ledger.receiver = Receiver(ledger.runtime)
    await ledger.execute(
        "INSERT INTO address (id, member_id, channel, value, hash, state, consent, rank, last_inbound_at, created_at)"
        " SELECT id + 1000000, member_id, 'whatsapp', value, hash, 'active', 'granted', 1, :at, 0 FROM address"
        " WHERE channel = 'sms'",
        at=to_ms(ledger.clock() - timedelta(hours=hours)),
    )
    return channel


async def test_a_number_that_no_text_reached_may_be_reached_by_another_app(ledger: Ledger) -> None:
    await ledger.add_members(1)
    whatsapp = await with_whatsapp(ledger, hours=1)
    campaign = await ledger.launch_and_route(waterfall=PATIENT)
    await ledger.send()
    [row] = await ledger.rows(campaign)
    await ledger.receipt(ref(row), S.FAILED, **GAVE_UP)
    await ledger.send("whatsapp")
    assert [message.to for message in whatsapp.handed] == [ledger.sms.handed[0].to]
    assert [one[:2] for one in await story(ledger, campaign)] == [("sms", "failed"), ("whatsapp", "sent")]
