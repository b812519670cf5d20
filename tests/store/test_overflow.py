"""An ask with a deadline over channels that are too slow for it, on both databases."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from router.competing import next_route
from router.core.purse import NOTHING, decode
from router.core.rates import ChannelRules, Daily
from router.overflow import room_for
from router.relief import relieve
from router.store.engine import Store
from tests.support.ledger import Ledger

SLOW = {"sms": ChannelRules(rate=0.1, concurrency=4), "email": ChannelRules(rate=0, concurrency=2)}
"""A text in ten seconds: 300 in the 50 minutes that an hour's deadline leaves."""


@pytest.fixture
def slow(store: Store) -> Ledger:
    return Ledger(store, rules=dict(SLOW))


def in_an_hour(ledger: Ledger, **values: Any) -> dict[str, Any]:
    """What an ask for the next hour says; no ramp, so that nothing is waited for."""
    return {"deadline": (ledger.clock() + timedelta(hours=1)).isoformat(), "urgent": True, **values}


async def standing(ledger: Ledger, campaign: int) -> Counter[tuple[str, str, int]]:
    """(channel, status, hop) → how many."""
    return Counter((row.channel, row.status, row.hop) for row in await ledger.rows(campaign))


async def assert_budget_is_right(ledger: Ledger, campaign: int) -> None:
    """Everybody who is to get the ask has it in their purse, once, by the number of what is still to come."""
    live = {row.member_id: row.id for row in await ledger.rows(campaign) if row.status == "queued"}
    for holder, slots in await ledger.execute("SELECT holder, slots FROM contact_budget"):
        numbers = [slot.delivery for slot in decode(slots or NOTHING).slots]
        assert numbers == ([live[holder]] if holder in live else [])


# ── while routing ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_routing_fills_a_slow_channel_and_goes_on_with_the_next(slow: Ledger) -> None:
    await slow.add_members(800, channels=("sms", "email"))
    campaign = await slow.launch_and_route(**in_an_hour(slow))
    assert await standing(slow, campaign) == {("sms", "queued", 0): 300, ("email", "queued", 0): 500}
    await slow.assert_tally_is_right(campaign)


async def test_without_a_deadline_everybody_gets_what_they_like_best(slow: Ledger) -> None:
    await slow.add_members(800, channels=("sms", "email"))
    campaign = await slow.launch_and_route(urgent=True)
    assert await standing(slow, campaign) == {("sms", "queued", 0): 800}


async def test_who_has_no_other_channel_keeps_the_slow_one(slow: Ledger) -> None:
    await slow.add_members(400, channels=("sms",))
    campaign = await slow.launch_and_route(**in_an_hour(slow))
    assert await standing(slow, campaign) == {("sms", "queued", 0): 400}
    assert await relieve(slow.runtime, now=slow.clock()) == 0


async def test_what_waits_already_takes_its_part(slow: Ledger) -> None:
    await slow.add_members(200, channels=("sms",))
    first = await slow.launch_and_route(**in_an_hour(slow))
    await slow.execute("UPDATE address SET consent = 'revoked'")
    await slow.add_members(200, channels=("sms", "email"))
    second = await slow.launch_and_route(**in_an_hour(slow))
    assert (await standing(slow, first))["sms", "queued", 0] == 200
    found = await standing(slow, second)
    assert (found["sms", "queued", 0], found["email", "queued", 0]) == (100, 100)


async def test_a_less_urgent_queue_is_no_hindrance(slow: Ledger) -> None:
    await slow.add_members(400, channels=("sms",))
    await slow.launch_and_route()
    await slow.execute("UPDATE address SET consent = 'revoked'")
    await slow.add_members(200, channels=("sms", "email"))
    second = await slow.launch_and_route(**in_an_hour(slow))
    assert (await standing(slow, second))["sms", "queued", 0] == 200


async def test_a_sender_that_rests_carries_less(slow: Ledger) -> None:
    until = slow.clock() + timedelta(minutes=25)
    await slow.execute(
        "INSERT INTO sender (channel, account, name, state, reason, until, weight, updated_at)"
        " VALUES ('sms', 'main', '', 'open', 'a test', :until, 1.0, 0)",
        until=int(until.timestamp() * 1000),
    )
    await slow.add_members(800, channels=("sms", "email"))
    campaign = await slow.launch_and_route(**in_an_hour(slow))
    assert (await standing(slow, campaign))["sms", "queued", 0] == 150


async def test_a_days_allowance_is_kept(store: Store) -> None:
    rules = ChannelRules(rate=0, concurrency=4, daily=Daily(cap=40, zone="Europe/Paris"))
    ledger = Ledger(store, rules={**SLOW, "sms": rules})
    await ledger.add_members(100, channels=("sms", "email"))
    campaign = await ledger.launch_and_route(**in_an_hour(ledger))
    assert await standing(ledger, campaign) == {("sms", "queued", 0): 40, ("email", "queued", 0): 60}


async def test_the_room_is_counted_anew_after_a_second(slow: Ledger) -> None:
    await slow.add_members(10, channels=("sms", "email"))
    await slow.launch(**in_an_hour(slow))
    prepared = await next_route(slow.runtime)
    assert prepared is not None
    async with slow.store.read() as connection:
        room = await room_for(slow.runtime, connection, prepared, now=slow.clock())
        assert await room_for(slow.runtime, connection, prepared, now=slow.clock()) is room
        assert await room_for(slow.runtime, connection, prepared, now=slow.clock.advance(seconds=1)) is not room


# ── afterwards ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def overfull(ledger: Ledger, count: int = 500, **values: Any) -> int:
    """A campaign whose texts were queued while the channel was fast enough for them all."""
    fast, ledger.runtime.rules["sms"] = ledger.runtime.rules["sms"], ChannelRules(rate=0, concurrency=4)  # type: ignore[index]
    campaign = await ledger.launch_and_route(**in_an_hour(ledger, **values))
    assert await standing(ledger, campaign) == {("sms", "queued", 0): count}
    ledger.runtime.rules["sms"] = fast  # type: ignore[index]
    return campaign


async def test_the_end_of_a_queue_that_is_too_long_moves_to_the_next_channel(slow: Ledger) -> None:
    await slow.add_members(500, channels=("sms", "email"))
    campaign = await overfull(slow)
    assert await relieve(slow.runtime, now=slow.clock()) == 200
    rows = await slow.rows(campaign)
    assert await standing(slow, campaign) == {
        ("sms", "queued", 0): 300, ("sms", "cancelled", 0): 200, ("email", "queued", 1): 200,
    }  # fmt: skip
    assert {row.reason for row in rows if row.status == "cancelled"} == {"superseded"}
    moved = [row.id for row in rows if row.status == "cancelled"]
    assert min(moved) > max(row.id for row in rows if row.status == "queued" and row.hop == 0), "those last in turn"
    await slow.assert_tally_is_right(campaign)
    await assert_budget_is_right(slow, campaign)
    claims = await slow.execute("SELECT count(*) FROM ask_claim WHERE campaign_id = :id", id=campaign)
    assert claims == [(700,)]
    assert await relieve(slow.runtime, now=slow.clock()) == 0, "what is left gets there in time"


async def test_nobody_is_moved_twice(slow: Ledger) -> None:
    await slow.add_members(500, channels=("sms", "email"))
    campaign = await overfull(slow)
    await relieve(slow.runtime, now=slow.clock())
    slow.runtime.rules["email"] = ChannelRules(rate=0.001, concurrency=2)  # type: ignore[index]
    slow.runtime.rules["sms"] = ChannelRules(rate=0, concurrency=2)  # type: ignore[index]
    assert await relieve(slow.runtime, now=slow.clock()) == 0
    assert (await standing(slow, campaign))["email", "queued", 1] == 200


async def test_who_has_another_channel_makes_way_for_who_has_none(slow: Ledger) -> None:
    await slow.add_members(200, channels=("sms", "email"))
    await slow.add_members(250, channels=("sms",))
    campaign = await overfull(slow, 450)
    assert await relieve(slow.runtime, now=slow.clock()) == 150
    assert (await standing(slow, campaign))["sms", "queued", 0] == 300


async def test_a_channel_that_is_no_faster_takes_nobody(slow: Ledger) -> None:
    await slow.add_members(500, channels=("sms", "email"))
    campaign = await overfull(slow)
    slow.runtime.rules["email"] = ChannelRules(rate=0.02, concurrency=2)  # type: ignore[index]
    assert await relieve(slow.runtime, now=slow.clock()) == 60
    assert (await standing(slow, campaign))["email", "queued", 1] == 60


async def test_an_address_that_somebody_elses_ask_goes_to_is_not_used(slow: Ledger) -> None:
    await slow.add_members(500, channels=("sms", "email"))
    campaign = await overfull(slow)
    await slow.execute(
        "INSERT INTO ask_claim (campaign_id, member_id, address_hash)"
        " SELECT :id, NULL, hash FROM address WHERE channel = 'email'",
        id=campaign,
    )
    assert await relieve(slow.runtime, now=slow.clock()) == 0
    assert await standing(slow, campaign) == {("sms", "queued", 0): 500}
    await assert_budget_is_right(slow, campaign)


async def test_who_took_their_consent_back_is_not_written_to_elsewhere(slow: Ledger) -> None:
    await slow.add_members(500, channels=("sms", "email"))
    await overfull(slow)
    await slow.execute("UPDATE address SET consent = 'revoked' WHERE channel = 'email'")
    assert await relieve(slow.runtime, now=slow.clock()) == 0


async def test_a_paused_campaign_and_one_whose_goal_is_met_move_nobody(slow: Ledger) -> None:
    await slow.add_members(500, channels=("sms", "email"))
    campaign = await overfull(slow)
    await slow.execute("UPDATE campaign SET goal_met_at = 1 WHERE id = :id", id=campaign)
    assert await relieve(slow.runtime, now=slow.clock()) == 0
    await slow.execute("UPDATE campaign SET goal_met_at = NULL, status = 'paused' WHERE id = :id", id=campaign)
    assert await relieve(slow.runtime, now=slow.clock()) == 0


async def test_what_was_moved_is_sent_and_a_household_stays_within_its_budget(slow: Ledger) -> None:
    [household] = await slow.store.take_ids(1)
    await slow.add_members(2, channels=("sms", "email"), household_id=household)
    await slow.add_members(400, channels=("sms", "email"))
    campaign = await overfull(slow, 402)
    moved = await relieve(slow.runtime, now=slow.clock())
    assert moved == 102
    await slow.send("email")
    assert len(slow.email.handed) == 102
    assert len(await slow.slots(household)) == 2
    await slow.assert_tally_is_right(campaign)


async def test_a_channel_that_sends_less_than_it_should_is_seen(slow: Ledger) -> None:
    """It sends nothing for a minute although its rate says it could: whoever can goes another way."""
    slow.runtime.rules["sms"] = ChannelRules(rate=1, concurrency=4)  # type: ignore[index]
    await slow.add_members(100, channels=("sms", "email"))
    campaign = await slow.launch_and_route(**in_an_hour(slow))
    await slow.execute("INSERT INTO tally VALUES (:id, 'sms', 'sent', '', 1)", id=campaign)
    moved = 0
    for _ in range(70):
        moved += await relieve(slow.runtime, now=slow.clock.advance(seconds=1))
    assert moved == 100


async def test_people_are_moved_while_texts_leave_and_nobody_gets_both(store: Store, database_url: str) -> None:
    """Dispatchers take rows from the front of the very batches that are relieved from the end."""
    ledger = Ledger(store, rules=dict(SLOW))
    await ledger.add_members(400, channels=("sms", "email"))
    campaign = await overfull(ledger, 400)
    other = Store(database_url)
    beside = Ledger(other, rules={**SLOW, "sms": ChannelRules(rate=0, concurrency=4)})

    async def relieve_often() -> int:
        return sum([await relieve(ledger.runtime, now=ledger.clock()) for _ in range(10)])

    moved, *_ = await asyncio.gather(relieve_often(), beside.send("sms"), ledger.send("email"))
    await ledger.send("email")
    by_text = [message.to for message in beside.sms.handed]
    rows = await ledger.rows(campaign)
    assert len(by_text) == len(set(by_text)) == 400 - moved
    assert len(ledger.email.handed) == moved
    live = [row.member_id for row in rows if row.status == "sent"]
    assert len(live) == len(set(live)) == 400
    assert Counter(row.status for row in rows) == Counter({"sent": 400, "cancelled": moved})
    await ledger.assert_tally_is_right(campaign)
    await other.aclose()
