"""What members wish takes effect at once, also on what already waits for them: on both databases, to the last row."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.core.attention import Dial
from router.core.channel import Inbound, Received
from router.core.errors import BadInput, NotAllowed, NotFound
from router.preferences import Preferences, Wishes, read_preferences, set_preferences
from router.store.tables import to_ms
from tests.support.ledger import Ledger

BOTH = ("sms", "email")
AGREED = {"source": "the form on our site", "wording": "Yes, write to me there"}


async def wish(ledger: Ledger, member: int, **wishes: Any) -> Preferences:
    return await set_preferences(ledger.runtime, member, Wishes(**wishes), by="ana", now=ledger.clock())


async def say(ledger: Ledger, member: int, words: str) -> None:
    """The member writes to us from their phone."""
    [(phone,)] = await ledger.execute("SELECT value FROM address WHERE member_id = :id AND channel = 'sms'", id=member)
    event = f"SM{words}{to_ms(ledger.clock())}"
    one = Inbound(event_id=event, sender=phone, recipient="+12025550100", text=words, at=ledger.clock())
    await ledger.submit(Received(events=(one,)))


async def stands(ledger: Ledger, campaign: int) -> list[tuple[Any, ...]]:
    """(channel, status, reason) of each row."""
    await ledger.assert_tally_is_right(campaign)
    return [(row.channel, row.status, row.reason) for row in await ledger.rows(campaign)]


async def send(ledger: Ledger) -> None:
    for channel in BOTH:
        await ledger.send(channel)


def asked(ledger: Ledger) -> list[tuple[str, str]]:
    """(channel, words) of what left, without answers to keywords."""
    handed = [(m.allow.address.channel, m.text) for m in (*ledger.sms.handed, *ledger.email.handed)]
    return [one for one in handed if "Dinner" in one[1]]


# ── the channel ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_email_me_instead_moves_what_waits_and_says_so(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    campaign = await ledger.launch_and_route()
    await say(ledger, member, "EMAIL ME INSTEAD")
    assert await stands(ledger, campaign) == [("sms", "cancelled", "superseded"), ("email", "queued", None)]
    assert [slot[2] for slot in await ledger.slots(member)] == ["email"], "the slot went along"
    await send(ledger)
    assert [channel for channel, _ in asked(ledger)] == ["email"]
    [answer] = ledger.sms.handed
    assert "by email first" in answer.text
    after = await ledger.launch_and_route()
    assert await stands(ledger, after) == [("email", "queued", None)], "and what comes later begins there"


async def test_who_changes_their_mind_twice_is_asked_once_where_they_want_it(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    campaign = await ledger.launch_and_route()
    await say(ledger, member, "EMAIL ME INSTEAD")
    ledger.clock.advance(minutes=1)
    await say(ledger, member, "TEXT ME INSTEAD")
    assert [status for _, status, _ in await stands(ledger, campaign)] == ["cancelled", "cancelled", "queued"]
    await send(ledger)
    assert [channel for channel, _ in asked(ledger)] == ["sms"]
    assert len(await ledger.slots(member)) == 1


@pytest.mark.parametrize("spoil", ["consent = 'unconfirmed'", "state = 'dead'", "consent = 'revoked'"])
async def test_a_channel_without_an_address_that_we_may_use_moves_nothing(ledger: Ledger, spoil: str) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    await ledger.execute(f"UPDATE address SET {spoil} WHERE channel = 'email'")
    campaign = await ledger.launch_and_route()
    await say(ledger, member, "EMAIL ME INSTEAD")
    assert await stands(ledger, campaign) == [("sms", "queued", None)]
    await send(ledger)
    assert any("no confirmed email address" in m.text for m in ledger.sms.handed)


async def test_an_order_of_channels_moves_what_waits_and_one_consent_withdrawn_too(ledger: Ledger) -> None:
    ana, bo, cy = await ledger.add_members(3, channels=BOTH)
    campaign = await ledger.launch_and_route()
    assert (await wish(ledger, ana, order=["email", "sms"])).order == ["email", "sms"]
    assert (await wish(ledger, bo, channels={"sms": False})).channels == {"sms": False, "email": True}
    await wish(ledger, cy, channels={"sms": False, "email": False})
    rows = [(row.member_id, row.channel, row.status, row.reason) for row in await ledger.rows(campaign)]
    assert sorted(rows) == sorted(
        [
            (ana, "sms", "cancelled", "superseded"),
            (ana, "email", "queued", None),
            (bo, "sms", "cancelled", "superseded"),
            (bo, "email", "queued", None),
            (cy, "sms", "cancelled", "suppressed"),
        ]
    )
    assert await ledger.slots(cy) == []
    await ledger.assert_tally_is_right(campaign)
    revoked = await ledger.execute("SELECT member_id, channel, state, source FROM consent ORDER BY id")
    by = "preferences: ana"
    assert [tuple(row) for row in revoked] == [
        (bo, "sms", "revoked", by),
        (cy, "sms", "revoked", by),
        (cy, "email", "revoked", by),
    ]


async def test_an_order_that_changes_nothing_for_a_message_leaves_it_alone(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    campaign = await ledger.launch_and_route()
    only_sms = await ledger.launch_and_route(channels=["sms"])
    await wish(ledger, member, order=["sms"], locale="fr")
    assert await stands(ledger, campaign) == [("sms", "queued", None)]
    await wish(ledger, member, order=["email"])
    assert await stands(ledger, only_sms) == [("sms", "queued", None)], "this ask has no words for email"


async def test_a_message_that_is_on_its_way_stays_there(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    campaign = await ledger.launch_and_route()
    await ledger.execute("UPDATE delivery SET status = 'sending', claim_id = 1 WHERE campaign_id = :id", id=campaign)
    await wish(ledger, member, order=["email"])
    assert [row.status for row in await ledger.rows(campaign)] == ["sending"]


async def test_a_moved_message_keeps_its_stage_its_lane_and_its_text(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    campaign = await ledger.launch_and_route(urgent=True)
    await ledger.execute("UPDATE batch SET stage = 2")
    await ledger.execute("UPDATE delivery SET variant = 1")
    await wish(ledger, member, order=["email"])
    rows = await ledger.execute(
        "SELECT channel, stage, lane FROM batch WHERE campaign_id = :id ORDER BY id", id=campaign
    )
    assert [tuple(row) for row in rows] == [("sms", 2, 1), ("email", 2, 1)]
    assert [row.variant for row in await ledger.rows(campaign)] == [1, 1]


async def test_a_mailbox_that_somebody_else_was_asked_at_is_not_asked_again(ledger: Ledger) -> None:
    """Two records with one mailbox: one of them gets it there, the other stays where it is."""
    ana, bo = await ledger.add_members(2, channels=BOTH)
    shared = await ledger.execute("SELECT value, hash FROM address WHERE member_id = :id AND channel = 'email'", id=ana)
    await ledger.execute(
        "UPDATE address SET value = :value, hash = :hash WHERE member_id = :id AND channel = 'email'",
        value=shared[0].value, hash=shared[0].hash, id=bo,
    )  # fmt: skip
    campaign = await ledger.launch_and_route()
    for member in (ana, bo):
        await wish(ledger, member, order=["email"])
    await send(ledger)
    assert sorted(channel for channel, _ in asked(ledger)) == ["email", "sms"]
    await ledger.assert_tally_is_right(campaign)


async def test_a_service_message_follows_the_channel_and_no_dial(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    about = await ledger.launch_and_route()
    await send(ledger)
    await say(ledger, member, "YES")
    reminder = await ledger.launch_and_route(kind="reminder", about=about)
    await wish(ledger, member, dial=Dial.PAUSED, order=["email"])
    await send(ledger)
    assert await stands(ledger, reminder) == [("sms", "cancelled", "superseded"), ("email", "sent", None)]


# ── how much ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("priorities", "stays"), [((0, 0), 0), ((5, 0), 0), ((0, 5), 1)])
async def test_less_cancels_a_second_ask_within_seven_days_the_less_important(
    ledger: Ledger, priorities: tuple[int, int], stays: int
) -> None:
    [member] = await ledger.add_members(1)
    campaigns = [await ledger.launch_and_route(priority=priority) for priority in priorities]
    await say(ledger, member, "LESS")
    stood = [(await stands(ledger, campaign))[0] for campaign in campaigns]
    assert stood[stays] == ("sms", "queued", None)
    assert stood[1 - stays] == ("sms", "cancelled", "dial")
    assert len(await ledger.slots(member)) == 1


async def test_a_pause_puts_off_what_is_still_of_use_afterwards_and_more_brings_it_back(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    campaign = await ledger.launch_and_route(deadline=ledger.clock() + timedelta(days=9))
    await say(ledger, member, "PAUSE 1 DAY")
    [row] = await ledger.rows(campaign)
    until = to_ms(ledger.clock() + timedelta(days=1))
    assert (row.status, row.not_before >= until) == ("queued", True)
    assert [slot[0] for slot in await ledger.slots(member)] == [row.not_before], "the slot went along"
    await send(ledger)
    assert asked(ledger) == []
    ledger.clock.advance(minutes=5)
    await say(ledger, member, "MORE")
    await send(ledger)
    assert len(asked(ledger)) == 1


async def test_a_pause_that_outlasts_an_ask_cancels_it(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    campaign = await ledger.launch_and_route(deadline=ledger.clock() + timedelta(days=9))
    await say(ledger, member, "PAUSE 4 WEEKS")
    assert await stands(ledger, campaign) == [("sms", "cancelled", "paused")]
    assert await ledger.slots(member) == []


async def test_urgent_only_lets_the_urgent_through(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    calm = await ledger.launch_and_route()
    urgent = await ledger.launch_and_route(urgent=True)
    found = await wish(ledger, member, dial=Dial.URGENT_ONLY)
    assert found.dial is Dial.URGENT_ONLY
    await send(ledger)
    assert await stands(ledger, calm) == [("sms", "cancelled", "dial")]
    assert await stands(ledger, urgent) == [("sms", "sent", None)]


# ── the last look, for what a worker was about to take ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("turned", "ask", "stood"),
    [
        ("dial = 'paused'", {}, ("cancelled", "paused")),
        ("dial = 'paused'", {"urgent": True}, ("cancelled", "paused")),
        ("dial = 'urgent_only'", {}, ("cancelled", "dial")),
        ("dial = 'urgent_only'", {"urgent": True}, ("sent", None)),
        ("dial = 'weekly'", {}, ("sent", None)),
        ("paused_until = :soon", {}, ("queued", None)),
        ("paused_until = :late", {}, ("cancelled", "paused")),
        ("paused_until = :gone", {}, ("sent", None)),
    ],
)
async def test_the_dial_is_looked_at_once_more_before_anything_leaves(
    ledger: Ledger, turned: str, ask: dict[str, Any], stood: tuple[str, str | None]
) -> None:
    [member] = await ledger.add_members(1)
    campaign = await ledger.launch_and_route(**ask)
    moments = {"soon": timedelta(days=1), "late": timedelta(days=60), "gone": -timedelta(hours=1)}
    given = {name: to_ms(ledger.clock() + by) for name, by in moments.items() if f":{name}" in turned}
    await ledger.execute(f"UPDATE member SET {turned} WHERE id = :id", id=member, **given)
    await ledger.send()
    [(_, *found)] = await stands(ledger, campaign)
    assert tuple(found) == stood
    assert len(await ledger.slots(member)) == (stood[0] != "cancelled")
    if "soon" in given:
        [row] = await ledger.rows(campaign)
        assert row.not_before == given["soon"]


async def test_money_is_asked_for_in_the_hours_for_that(ledger: Ledger) -> None:
    """Eleven on a Sunday in Paris: a text may come, one that asks for money may not (quiet_hours.toml)."""
    ledger.clock.now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    await ledger.add_members(1)
    plain = await ledger.launch_and_route()
    money = await ledger.launch_and_route(purpose="fundraising")
    await ledger.execute("UPDATE delivery SET not_before = 0")
    await ledger.execute("UPDATE batch SET not_before = 0")
    await ledger.send()
    assert await stands(ledger, plain) == [("sms", "sent", None)]
    assert await stands(ledger, money) == [("sms", "queued", None)]


@pytest.mark.parametrize("agreed", [True, False])
async def test_an_alert_comes_at_night_only_while_its_owner_agrees(ledger: Ledger, agreed: bool) -> None:
    ledger.clock.now = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    [member] = await ledger.add_members(1)
    await wish(ledger, member, alerts={"sms": True}, **AGREED)
    campaign = await ledger.launch_and_route(alert=True, deadline=ledger.clock() + timedelta(hours=20))
    await ledger.execute("UPDATE delivery SET not_before = 0")
    await ledger.execute("UPDATE batch SET not_before = 0")
    if not agreed:
        await wish(ledger, member, alerts={"sms": False})
    await ledger.send()
    assert await stands(ledger, campaign) == [("sms", "sent" if agreed else "queued", None)]


# ── evidence, and what is refused ─────────────────────────────────────────────────────────────────────────────────


async def test_a_yes_is_kept_with_its_words(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    await ledger.execute("UPDATE address SET consent = 'none' WHERE channel = 'email'")
    await wish(ledger, member, channels={"email": True}, alerts={"email": True}, **AGREED)
    rows = await ledger.execute("SELECT channel, purpose, state, source, wording FROM consent ORDER BY id")
    kept = ("granted", *AGREED.values())
    assert [tuple(row) for row in rows] == [("email", "asks", *kept), ("email", "alerts", *kept)]
    found = await wish(ledger, member, channels={"email": False})
    assert (found.channels["email"], found.alerts["email"]) == (False, False), "alerts end with the channel"
    await wish(ledger, member, channels={"email": False})
    [count] = await ledger.execute("SELECT count(*) AS n FROM consent")
    assert count.n == 4, "a no that is known is not written twice"


@pytest.mark.parametrize(
    ("wishes", "place"),
    [
        ({"channels": {"email": True}}, "source"),
        ({"channels": {"email": True}, "source": "a form"}, "source"),
        ({"channels": {"telegram": True}, **AGREED}, "channels.telegram"),
        ({"alerts": {"email": True}, **AGREED}, "alerts.email"),
        ({"alerts": {"slack": True}, **AGREED}, "alerts.slack"),
        ({"order": ["sms", "pigeon"]}, "order.pigeon"),
        ({"zone": "Mars/Olympus"}, "zone"),
    ],
)
async def test_what_cannot_be_wished(ledger: Ledger, wishes: dict[str, Any], place: str) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    await ledger.execute("UPDATE address SET consent = 'none' WHERE channel = 'email'")
    before = await read_preferences(ledger.runtime, member)
    with pytest.raises(BadInput) as refused:
        await wish(ledger, member, dial=Dial.WEEKLY, **wishes)
    assert refused.value.place == place
    assert await read_preferences(ledger.runtime, member) == before, "all of it or nothing"


async def test_no_preference_lifts_a_stop(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=BOTH)
    await say(ledger, member, "STOP")
    with pytest.raises(NotAllowed, match="START"):
        await wish(ledger, member, channels={"sms": True}, **AGREED)
    assert not (await read_preferences(ledger.runtime, member)).channels["sms"]


async def test_nobody_has_no_preferences(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1)
    await ledger.execute("UPDATE member SET erased_at = 7 WHERE id = :id", id=member)
    for nobody in (member, member + 10_000):
        with pytest.raises(NotFound):
            await wish(ledger, nobody, dial=Dial.WEEKLY)
        with pytest.raises(NotFound):
            await read_preferences(ledger.runtime, nobody)


# ── while a worker sends at full speed ────────────────────────────────────────────────────────────────────────────


async def test_nobody_is_asked_twice_or_not_at_all_who_changes_channel_while_it_is_sent(ledger: Ledger) -> None:
    members = await ledger.add_members(120, channels=BOTH)
    campaign = await ledger.launch_and_route()
    async with asyncio.TaskGroup() as group:
        group.create_task(ledger.send())
        for member in members[::2]:
            group.create_task(wish(ledger, member, order=["email"]))
    await send(ledger)
    rows = Counter(row.member_id for row in await ledger.rows(campaign) if row.status == "sent")
    assert rows == dict.fromkeys(members, 1)
    assert len(asked(ledger)) == len(members)
    assert [len(await ledger.slots(member)) for member in members] == [1] * len(members)
    await ledger.assert_tally_is_right(campaign)
