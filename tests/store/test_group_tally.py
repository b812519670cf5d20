"""The tally under a post in a group: edited in place, seldom, and never where we may not write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from channels.sandbox.telegram_people import Message as TelegramMessage
from router.community.group_chats.showing import show_tallies
from router.core.ask import Ask
from router.core.rates import ChannelRules, Pace
from router.launch import cancel_campaign, pause_campaign
from router.store.campaigns import write_ask
from router.store.engine import Store
from tests.support.accounts import Open
from tests.support.movement import UNPACED, Movement, everywhere
from tests.support.posts import BUTTONS, SLACK, SUPPER, TELEGRAM, answers, hear, look, post, posts, ref_of, said
from tests.support.settling import working

WORDS = "Dinner on Thursday? Tenants Together"
PLACES = pytest.mark.parametrize(
    ("channel", "group", "people"),
    [("telegram", TELEGRAM, ("11", "12")), ("slack", SLACK, ("U11", "U12"))],
    ids=["telegram", "slack"],
)


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """All eight channels."""
    async with everywhere(database_url) as movement:
        yield movement


@pytest.fixture
async def running(movement: Movement) -> Movement:
    """The same, with somebody in whose night an ask waits: so it stays running."""
    await movement.add_members(1, channel="sms", zone="Asia/Tokyo", country="JP")
    return movement


async def press(movement: Movement, group: str, *people: str, word: str = "YES") -> None:
    provider = movement.sandbox.slack if group == SLACK else movement.sandbox.telegram
    for person in people:
        provider.press(group, person, word)
    await movement.sandbox.idle()


def shown(message: Any) -> str:
    """What people read, without the labels of buttons."""
    words: str = message.text
    return words.partition("\n[")[0]


def keywords(message: Any) -> list[str]:
    """The keywords of the buttons under a message."""
    if isinstance(message, TelegramMessage):
        data = [button["callback_data"] for row in message.buttons for button in row if "url" not in button]
    else:
        data = [value for _, value in message.buttons]
    return [one.partition("|")[0] for one in data]


def counted(yes: int) -> str:
    return f"{WORDS}\n\nIn this group so far: {yes} yes."


# ── in place ──────────────────────────────────────────────────────────────────────────────────────────────────────


@PLACES
async def test_the_tally_stands_under_the_post_and_follows_a_changed_mind(
    movement: Movement, channel: str, group: str, people: tuple[str, str]
) -> None:
    await post(movement, {group: channel})
    [message] = posts(movement, channel)
    assert shown(message) == WORDS
    await press(movement, group, *people)
    await look(movement)
    assert shown(message) == counted(2)
    await press(movement, group, people[1], word="NO")
    await look(movement)
    assert shown(message) == f"{WORDS}\n\nIn this group so far: 1 yes, 1 no."
    await look(movement)
    assert len(message.edits) == 2
    assert keywords(message) == ["YES", "NO"]
    assert movement.received() == {group: 1}


@PLACES
async def test_a_cancelled_ask_loses_its_buttons(
    running: Movement, channel: str, group: str, people: tuple[str, str]
) -> None:
    campaign = await post(running, {group: channel})
    [message] = posts(running, channel)
    await press(running, group, *people)
    await look(running)
    await cancel_campaign(running.runtime, campaign, by="ana", now=running.clock())
    await look(running)
    assert shown(message) == f"{counted(2)}\n\nThis is over now."
    assert keywords(message) == []
    await hear(running, said(running, people[0], "NO", group, await ref_of(running, campaign, group)), channel=channel)
    await look(running)
    assert len(message.edits) == 2
    assert await answers(running) == {"yes": 2}


async def test_an_ask_whose_time_is_over_loses_its_buttons(movement: Movement) -> None:
    await post(movement, {TELEGRAM: "telegram"})
    await press(movement, TELEGRAM, "11")
    await look(movement)
    await look(movement, after=timedelta(days=60))
    [message] = posts(movement, "telegram")
    assert message.text.endswith("This is over now.")
    assert keywords(message) == []


async def test_a_press_that_comes_too_late_takes_the_buttons_away(running: Movement) -> None:
    campaign = await post(running, {TELEGRAM: "telegram"})
    await cancel_campaign(running.runtime, campaign, by="ana", now=running.clock())
    [message] = posts(running, "telegram")
    await press(running, TELEGRAM, "11")
    await look(running)
    assert message.text == f"{WORDS}\n\nThis is over now."
    assert keywords(message) == []


async def test_a_worker_brings_the_tally_up_to_date(open_movement: Open) -> None:
    async with open_movement(policy={"edit_seconds": "[1]"}) as movement:
        await post(movement, {TELEGRAM: "telegram", SLACK: "slack"})
        [there], [here] = posts(movement, "telegram"), posts(movement, "slack")
        async with working(movement):
            await press(movement, TELEGRAM, "11", "12", "13")
            await press(movement, SLACK, "U11")
            await movement.until(lambda: (shown(there), shown(here)) == (counted(3), counted(1)))
        [leases] = await movement.execute("SELECT count(*) AS n FROM lease WHERE name = 'tallies'")
        assert leases.n == 0


async def test_the_words_are_those_it_left_with(movement: Movement) -> None:
    campaign = await post(movement, {TELEGRAM: "telegram"})
    other = {"en": {"default": {"text": "Supper on Friday? {{ organization }}", "buttons": BUTTONS}}}
    async with movement.runtime.store.write() as connection:
        ask = Ask.model_validate({**SUPPER, "texts": other})
        await write_ask(connection, campaign, 2, ask, by="ana", now=movement.clock())
        await connection.execute(text("UPDATE campaign SET text_version = 2"))
    await press(movement, TELEGRAM, "11")
    await look(movement)
    assert posts(movement, "telegram")[0].text == counted(1)


async def test_a_way_to_answer_in_private_stands_under_a_post_and_stays_there(
    movement: Movement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTREACH_TELEGRAM_USERNAME", "sandbox_union_bot")
    await post(movement, {TELEGRAM: "telegram", SLACK: "slack"})
    [message] = posts(movement, "telegram")
    [[*_], [private]] = message.buttons
    assert private["text"] == "Answer in private"
    assert private["url"].startswith("https://t.me/sandbox_union_bot?start=")
    await press(movement, TELEGRAM, "11")
    await look(movement)
    assert message.buttons[-1] == [private]
    assert keywords(posts(movement, "slack")[0]) == ["YES", "NO"]


# ── seldom ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_flood_of_answers_is_a_handful_of_edits(movement: Movement) -> None:
    campaign = await post(movement, {TELEGRAM: "telegram"})
    about = await ref_of(movement, campaign, TELEGRAM)
    [message] = posts(movement, "telegram")
    for start in range(0, 300, 20):
        await hear(
            movement, *(said(movement, str(person + 1), "YES", TELEGRAM, about) for person in range(start, start + 20))
        )
        await look(movement, after=timedelta(seconds=2))
    await look(movement)
    assert message.text == counted(300)
    assert len(message.edits) <= 6, "thirty seconds, with pauses of 3, 5, 10 and 20 seconds"


async def test_edits_wait_for_the_tokens_of_their_chat(database_url: str) -> None:
    pace = ChannelRules(rate=0, concurrency=10, each={"group": Pace(rate=0.001, burst=2)})
    async with everywhere(database_url, rules={**UNPACED, "telegram": pace}) as movement:
        await post(movement, {TELEGRAM: "telegram"})
        [message] = posts(movement, "telegram")
        for people in (("11", "12"), ("13", "14")):
            await press(movement, TELEGRAM, *people)
            await look(movement)
        assert message.text == counted(2), "the post and one edit took what there was"
        [row] = await movement.execute("SELECT edit_at, failures FROM group_post")
        assert row.edit_at > movement.clock().timestamp() * 1_000 + 500_000
        assert row.failures == 0


async def test_who_answers_while_the_post_is_edited_is_counted_by_the_next_edit(
    movement: Movement, database_url: str
) -> None:
    about = await ref_of(movement, await post(movement, {TELEGRAM: "telegram"}), TELEGRAM)
    [message] = posts(movement, "telegram")
    other = Store(database_url)

    async def flood(first: int, store: Store | None) -> None:
        for person in range(first, first + 40):
            await hear(movement, said(movement, str(person), "YES", TELEGRAM, about), store=store)

    async def keep_looking(done: asyncio.Event) -> None:
        began = movement.clock()
        while not done.is_set():
            if movement.clock() - began < timedelta(hours=48):  # else the ask would be over
                movement.clock.jump(timedelta(minutes=6))
            await show_tallies(movement.runtime, "test", now=movement.clock())

    done = asyncio.Event()
    looking = asyncio.create_task(keep_looking(done))
    await asyncio.gather(flood(1, None), flood(101, other))
    done.set()
    await looking
    await look(movement)
    await other.aclose()
    assert message.text == counted(80)
    [row] = await movement.execute("SELECT count(edit_at) AS due FROM group_post")
    assert row.due == 0


# ── what stands in the way ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_throttled_edit_comes_when_the_provider_lets_it(movement: Movement) -> None:
    await post(movement, {TELEGRAM: "telegram"})
    [message] = posts(movement, "telegram")
    await press(movement, TELEGRAM, "11")
    movement.sandbox.turn(throttle_rate=1.0, retry_after=2)
    await look(movement)
    refused = movement.sandbox.memory.counters["telegram_refused_429"]
    movement.sandbox.turn(throttle_rate=0.0)
    await look(movement, after=timedelta(0))
    assert (refused, message.text) == (1, WORDS)

    async def is_edited() -> bool:
        await look(movement, after=timedelta(0))
        return bool(message.text == counted(1))

    await movement.until(is_edited)
    [row] = await movement.execute("SELECT edits, failures FROM group_post")
    assert tuple(row) == (1, 0)


async def test_an_edit_that_fails_comes_later(movement: Movement) -> None:
    await post(movement, {SLACK: "slack"})
    [message] = posts(movement, "slack")
    await press(movement, SLACK, "U11")
    movement.sandbox.turn(error_rate=1.0)
    await look(movement)
    movement.sandbox.turn(error_rate=0.0)
    [row] = await movement.execute("SELECT failures, closed FROM group_post")
    assert (row.failures, bool(row.closed)) == (1, False)
    await look(movement)
    assert shown(message) == counted(1)


async def test_an_answer_that_comes_before_its_post_is_written_down_is_shown_later(movement: Movement) -> None:
    campaign = await post(movement, {TELEGRAM: "telegram"})
    [message] = posts(movement, "telegram")
    about = await ref_of(movement, campaign, TELEGRAM)
    await movement.execute("UPDATE attempt SET outcome = 'waits' WHERE delivery_id = :id", id=about.id)
    await press(movement, TELEGRAM, "11")
    await look(movement)
    assert message.text == WORDS
    await movement.execute("UPDATE attempt SET outcome = 'sent' WHERE delivery_id = :id", id=about.id)
    await look(movement)
    assert message.text == counted(1)


async def test_the_post_of_a_group_that_moved_is_left_as_it_is_and_answers_count(movement: Movement) -> None:
    campaign = await post(movement, {"-4711": "telegram"})
    about = await ref_of(movement, campaign, "-4711")
    await press(movement, "-4711", "11")
    movement.sandbox.telegram.people.migrate("-4711", TELEGRAM, "4242")
    await movement.sandbox.idle()
    await hear(movement, said(movement, "12", "YES", TELEGRAM, about))
    await look(movement)
    [message] = posts(movement, "telegram")
    assert message.text == WORDS
    assert await answers(movement) == {"yes": 2}
    [row] = await movement.execute("SELECT closed FROM group_post")
    assert row.closed


@pytest.mark.parametrize("why", ["put out", "stopped", "quiet", "paused"])
async def test_nothing_is_edited_where_we_may_not_write(running: Movement, why: str) -> None:
    campaign = await post(running, {TELEGRAM: "telegram"})
    about = await ref_of(running, campaign, TELEGRAM)
    [message] = posts(running, "telegram")
    await hear(running, said(running, "11", "YES", TELEGRAM, about))
    match why:
        case "put out":
            await running.execute("UPDATE address SET state = 'dead' WHERE channel = 'telegram'")
        case "stopped":
            await running.execute("UPDATE address SET consent = 'revoked' WHERE channel = 'telegram'")
        case "quiet":
            await running.execute("UPDATE member SET dial = 'paused' WHERE kind = 'group'")
        case "paused":
            await pause_campaign(running.runtime, campaign, by="ana", reason="a look", now=running.clock())
    await look(running)
    await look(running)
    assert message.text == WORDS
    assert running.sandbox.memory.counters["telegram_edits"] == 0
