"""Whose chat is whose, and whose answer answers what: links to a bot, pressed buttons, STOP.

Over the simulated providers' real webhooks, on both databases.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from slack_sdk.signature import SignatureVerifier

from channels.sandbox.slack import SIGNING_SECRET
from channels.sandbox.slack_people import TEAM
from channels.sandbox.telegram_people import Message
from router.core.join_links import join_token
from router.core.model import DeliveryRef
from tests.support.movement import DINNER, Movement, everywhere
from tests.support.settling import settle, working

CHAT = "5150"


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """All eight channels."""
    async with everywhere(database_url) as movement:
        yield movement


def token_of(movement: Movement, member: int, *, days: float = 7, key: bytes = b"") -> str:
    """What a member's own link to our bot carries."""
    return join_token(key or movement.runtime.key, member, movement.clock() + timedelta(days=days))


async def say(movement: Movement, text: str, chat: str = CHAT) -> None:
    """Somebody writes to our bot."""
    movement.sandbox.telegram.answer(chat, text)
    await movement.sandbox.idle()


async def send(movement: Movement, **ask: Any) -> int:
    """Send an ask to everybody."""
    async with working(movement):
        campaign = await movement.launch(**DINNER | ask)
        await settle(movement, campaign)
    return campaign


async def chats(movement: Movement) -> list[tuple[Any, ...]]:
    rows = await movement.execute(
        "SELECT member_id, value, account, state, consent, rank FROM address WHERE channel = 'telegram'"
    )
    return [tuple(row) for row in rows]


async def actions(movement: Movement) -> list[tuple[Any, ...]]:
    """(member, campaign, what they did)."""
    rows = await movement.execute("SELECT member_id, campaign_id, kind FROM action ORDER BY id")
    return [tuple(row) for row in rows]


# ── links to a bot ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_opens_the_bot_by_their_own_link_is_asked_there_from_now_on(movement: Movement) -> None:
    [member] = await movement.add_members(1)
    await say(movement, f"/start {token_of(movement, member)}")
    assert await chats(movement) == [(member, CHAT, "main", "active", "granted", 0)]
    consents = await movement.execute("SELECT member_id, channel, state, source, wording FROM consent")
    opened = (member, "telegram", "granted", "opened the chat on telegram by their own link", "/start")
    assert opened in [tuple(row) for row in consents]
    before = movement.received()
    await send(movement)
    asked = movement.received() - before
    assert asked[CHAT] >= 1
    assert "+33639980000" not in asked, "the newest choice comes first"
    words = [row.text for row in movement.sandbox.memory.accepted if row.to == CHAT]
    assert sum("dinner" in text for text in words) == 1


async def test_what_waits_goes_where_its_owner_joined_meanwhile(movement: Movement) -> None:
    [member] = await movement.add_members(1)
    movement.clock.jump(timedelta(hours=4))  # into the night
    async with working(movement):
        campaign = await movement.launch(**DINNER)
        await movement.until(lambda: _waits(movement, campaign))
        await say(movement, f"/start {token_of(movement, member)}")
        await settle(movement, campaign)
    rows = await movement.execute(
        "SELECT channel, status, reason FROM delivery WHERE campaign_id = :id ORDER BY id", id=campaign
    )
    assert [tuple(row) for row in rows] == [("sms", "cancelled", "superseded"), ("telegram", "sent", None)]


async def _waits(movement: Movement, campaign: int) -> bool:
    return await movement.statuses(campaign) == {"queued": 1}


@pytest.mark.parametrize(
    "forge",
    [
        lambda movement, member: "",
        lambda movement, member: "hello",
        lambda movement, member: token_of(movement, member)[:-1] + "A",
        lambda movement, member: token_of(movement, member)[:31],
        lambda movement, member: token_of(movement, member, key=b"somebody else's key, long enough"),
        lambda movement, member: token_of(movement, member, days=-0.001),
        lambda movement, member: token_of(movement, member + 10_000),
        lambda movement, member: f"{member}",
    ],
    ids=["none", "word", "altered", "cut", "forged", "expired", "of nobody", "bare number"],
)
async def test_a_link_that_we_did_not_make_or_that_is_too_old_binds_nothing(
    movement: Movement, forge: Callable[[Movement, int], str]
) -> None:
    [member] = await movement.add_members(1)
    token = forge(movement, member)
    await say(movement, f"/start {token}".strip())
    assert await chats(movement) == []
    [consents] = await movement.execute("SELECT count(*) AS n FROM consent")
    assert consents.n == 0
    [inbound] = await movement.execute("SELECT member_id, intent FROM inbound")
    assert tuple(inbound) == (None, "start"), "what was written is kept all the same"


async def test_a_link_followed_in_a_group_binds_nothing(movement: Movement) -> None:
    [member] = await movement.add_members(1)
    movement.sandbox.telegram.people.write("-1001", CHAT, f"/start@sandbox_union_bot {token_of(movement, member)}")
    await movement.sandbox.idle()
    assert await chats(movement) == []


async def test_an_erased_members_link_and_a_groups_number_bind_nothing(movement: Movement) -> None:
    [member] = await movement.add_members(1)
    await movement.execute("UPDATE member SET erased_at = 1 WHERE id = :id", id=member)
    [group] = await movement.add_groups(["C0RENT00001"], channel="slack")
    for one in (member, group):
        await say(movement, f"/start {token_of(movement, one)}")
    assert await chats(movement) == []


async def test_the_same_link_twice_is_one_chat_and_a_second_device_another(movement: Movement) -> None:
    [member] = await movement.add_members(1)
    token = token_of(movement, member)
    for chat in (CHAT, CHAT, "6006"):
        await say(movement, f"/start {token}", chat)
    assert sorted(row[1] for row in await chats(movement)) == [CHAT, "6006"]
    await send(movement)
    words = [row.to for row in movement.sandbox.memory.accepted if "dinner" in row.text]
    assert words == ["6006"], "one message, where they came last"


# ── pressed buttons ───────────────────────────────────────────────────────────────────────────────────────────────


def latest(movement: Movement, channel: str) -> tuple[dict[Any, Any], Any]:
    """Where the sandbox keeps what can be pressed, and the key of `asked`'s only address."""
    sandbox = movement.sandbox
    match channel:
        case "telegram":
            return sandbox.telegram.people.latest, int(CHAT)
        case "slack":
            return sandbox.slack.people._latest, "U0ANA"
    return sandbox.phones._under, "whatsapp:+33639984711"


def press(movement: Movement, channel: str, keyword: str) -> None:
    movement.sandbox._answer(channel, str(latest(movement, channel)[1]), keyword)


@pytest.mark.parametrize("channel", ["telegram", "slack", "whatsapp"])
async def test_a_pressed_button_answers_its_own_campaign_once(movement: Movement, channel: str) -> None:
    value = {"telegram": CHAT, "slack": "U0ANA", "whatsapp": "+33639984711"}[channel]
    [member] = await movement.add_members(1, channel=channel, values=[value])
    first = await send(movement)
    kept, key = latest(movement, channel)
    earlier = kept[key]
    second = await send(movement, title="Supper")
    later, kept[key] = kept[key], earlier
    for _ in range(2):
        press(movement, channel, "YES")
    await movement.sandbox.idle()
    assert await actions(movement) == [(member, first, "yes")]
    kept[key] = later
    press(movement, channel, "YES")
    await movement.sandbox.idle()
    assert await actions(movement) == [(member, first, "yes"), (member, second, "yes")]


async def refs(movement: Movement, campaign: int) -> dict[int, DeliveryRef]:
    """Member → the delivery that they were sent."""
    rows = await movement.execute("SELECT member_id, month, id FROM delivery WHERE campaign_id = :id", id=campaign)
    return {row.member_id: DeliveryRef(row.month, row.id) for row in rows}


@pytest.mark.parametrize("whose", ["another's", "no reference"])
async def test_a_button_with_another_members_delivery_does_nothing(movement: Movement, whose: str) -> None:
    _, other = await movement.add_members(2, channel="telegram", values=[CHAT, "6006"])
    theirs = (await refs(movement, await send(movement)))[other]
    named = {"another's": str(theirs), "no reference": "x-1"}[whose]
    forged = [[{"text": "I will come", "callback_data": f"YES|{named}"}]]
    movement.sandbox.telegram.people.latest[int(CHAT)] = Message(int(CHAT), 99, 0, text="Dinner?", buttons=forged)
    press(movement, "telegram", "YES")
    await movement.sandbox.idle()
    assert await actions(movement) == []


# ── STOP ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_stop_by_slack_is_answered_within_three_seconds_and_nothing_starts_after_it(movement: Movement) -> None:
    """Slack waits 3 s, even while it keeps us waiting for another message to the same person."""
    await movement.add_members(1, channel="slack", values=["U0ANA"])
    movement.sandbox.turn(timeout_after_accept=1)
    async with working(movement):
        await movement.launch(**DINNER)
        await movement.until(lambda: len(movement.sandbox.memory.accepted) == 1)
        movement.sandbox.turn(timeout_after_accept=0)
        soon = movement.clock() + timedelta(seconds=5)
        supper = await movement.launch(**DINNER | {"title": "Supper", "starts_at": soon})
        took, status = await slack_says(movement, "STOP")
        assert (status, took < 3.0) == (200, True), f"{status} after {took:.2f} s"
        assert await movement.execute("SELECT 1 FROM suppression WHERE channel = 'slack' AND reason = 'stop'")
        await movement.until(lambda: movement.clock() > soon)
        await settle(movement, supper)
    assert (await movement.view(supper)).held == {"suppressed": 1}
    confirmation, *more = [row.text for row in movement.sandbox.memory.accepted][1:]
    assert "unsubscribed" in confirmation
    assert more == []


async def slack_says(movement: Movement, text: str) -> tuple[float, int]:
    """A direct message by signed webhook; seconds until it was answered, and how."""
    now = movement.clock().timestamp()
    event = {
        "type": "message",
        "channel_type": "im",
        "channel": "DU0ANA",
        "user": "U0ANA",
        "text": text,
        "ts": f"{now}",
    }
    payload = {"type": "event_callback", "team_id": TEAM, "event_id": "Ev1", "event_time": int(now), "event": event}
    body, stamp = json.dumps(payload).encode(), str(int(now))
    signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=stamp, body=body)
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature or "",
    }
    url = f"{movement.runtime.settings.public_url}/hooks/slack/main"
    async with ClientSession() as session:
        began = time.monotonic()
        async with session.post(url, data=body, headers=headers) as reply:
            await reply.read()
            return time.monotonic() - began, reply.status
