"""Groups: let in, put out, moved; an ask is posted once in each that it names, and never where we were put out.

Events come from the simulated providers over real webhooks, or straight to the receiver where the order matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from router.core.channel import GroupChange, GroupEvent, Received
from router.group_list import MOST_LINKED, GroupView, list_groups
from router.receive import Receiver
from tests.support.movement import DINNER, Movement, everywhere
from tests.support.settling import settle, working

EVERY_GROUP = DINNER | {"groups": ["all"]}
TELEGRAM, SLACK = "-1000000004711", "C0RENT00001"
ADMIN = "4242"


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """All eight channels."""
    async with everywhere(database_url) as movement:
        yield movement


async def groups(movement: Movement) -> dict[str, GroupView]:
    """Address → group."""
    found = await list_groups(movement.runtime)
    assert len({group.address for group in found}) == len(found), "each chat once"
    return {group.address: group for group in found}


async def is_open(movement: Movement, address: str, open_: bool) -> bool:
    found = (await groups(movement)).get(address)
    return found is not None and found.open is open_


async def posted(movement: Movement, **ask: Any) -> Counter[str]:
    """Send an ask and tell where it was posted."""
    before = movement.received()
    async with working(movement):
        await settle(movement, await movement.launch(**ask))
    return movement.received() - before


def let_in(movement: Movement, channel: str) -> None:
    if channel == "telegram":
        movement.sandbox.telegram.people.join(TELEGRAM, ADMIN)
    else:
        movement.sandbox.slack.people.join(SLACK)


def put_out(movement: Movement, channel: str) -> None:
    if channel == "telegram":
        movement.sandbox.telegram.people.leave(TELEGRAM, ADMIN)
    else:
        movement.sandbox.slack.people.leave(SLACK)


@pytest.mark.parametrize(("channel", "address"), [("telegram", TELEGRAM), ("slack", SLACK)])
async def test_a_group_that_lets_us_in_gets_asks_until_it_puts_us_out(
    movement: Movement, channel: str, address: str
) -> None:
    let_in(movement, channel)
    await movement.until(lambda: is_open(movement, address, True))
    assert await posted(movement, **EVERY_GROUP) == {address: 1}
    put_out(movement, channel)
    await movement.until(lambda: is_open(movement, address, False))
    assert await posted(movement, **EVERY_GROUP) == {}
    let_in(movement, channel)
    await movement.until(lambda: is_open(movement, address, True))
    assert await posted(movement, **EVERY_GROUP) == {address: 1}
    rows = await movement.execute("SELECT state, source FROM consent")
    assert [tuple(row) for row in rows] == [("granted", f"added to the group on {channel}")]


async def test_of_a_large_group_not_all_people_are_counted(movement: Movement) -> None:
    [group] = await movement.add_groups([SLACK], channel="slack")

    async def come(numbers: range) -> tuple[int, bool]:
        people = [{"group": group, "member": number} for number in numbers]
        async with movement.runtime.store.write() as connection:
            await connection.execute(
                text("INSERT INTO group_member (group_id, member_id, source, at) VALUES (:group, :member, 'came', 1)"),
                people,
            )
        found = (await groups(movement))[SLACK]
        return found.linked, found.is_large

    assert await come(range(1, 4)) == (3, False)
    assert await come(range(4, MOST_LINKED + 5)) == (MOST_LINKED, True)


async def test_an_archived_slack_channel_is_left_alone(movement: Movement) -> None:
    await movement.add_groups([SLACK], channel="slack")
    movement.sandbox.slack.people.archive(SLACK)
    await movement.until(lambda: is_open(movement, SLACK, False))
    assert await posted(movement, **DINNER) == {}


async def test_an_ask_is_posted_once_in_each_group_of_its_tag_and_goes_to_people_once(movement: Movement) -> None:
    rent = {"telegram": ["-1001", "-2002"], "slack": ["C0RENT00001", "G0RENT00002"], "apprise": ["neighbours"]}
    for channel, values in rent.items():
        await movement.add_groups(values, channel=channel)
    await movement.add_groups(["-3003"], channel="telegram", tag="harbour")
    await movement.add_groups(["stewards"], channel="apprise", tag="harbour")
    people = {"11", "12", "13"}
    await movement.add_members(3, channel="telegram", values=sorted(people))
    chats = {value for values in rent.values() for value in values}
    assert await posted(movement, **DINNER) == dict.fromkeys(chats | people, 1)
    movement.sandbox.telegram.people.leave("-1001", ADMIN)
    await movement.until(lambda: is_open(movement, "-1001", False))
    without_slack = DINNER | {"channels": ["telegram", "apprise"]}
    assert await posted(movement, **without_slack) == dict.fromkeys(people | {"-2002", "neighbours"}, 1)
    assert await posted(movement, **DINNER | {"groups": []}) == dict.fromkeys(people, 1)


async def test_a_group_that_refuses_us_without_a_word_is_asked_no_more(movement: Movement) -> None:
    await movement.add_groups(["-1001"], channel="telegram")
    movement.sandbox.telegram.people.closed.add(-1001)
    assert await posted(movement, **DINNER) == {}
    assert not (await groups(movement))["-1001"].open
    assert movement.sandbox.memory.counters["telegram_refused_403"] == 1
    await posted(movement, **DINNER)
    assert movement.sandbox.memory.counters["telegram_refused_403"] == 1


async def test_a_group_that_moved_keeps_its_tags_and_gets_the_ask_once(movement: Movement) -> None:
    [group] = await movement.add_groups(["-4711"], channel="telegram")
    movement.sandbox.telegram.people.migrate("-4711", TELEGRAM, ADMIN)
    await movement.until(lambda: is_open(movement, TELEGRAM, True))
    assert list(await groups(movement)) == [TELEGRAM]
    assert (await groups(movement))[TELEGRAM].id == group
    assert await posted(movement, **DINNER) == {TELEGRAM: 1}
    assert movement.sandbox.memory.counters["telegram_refused_400"] == 0


# ── in any order, and more than once ──────────────────────────────────────────────────────────────────────────────


async def tell(movement: Movement, *events: GroupEvent, channel: str = "telegram") -> None:
    """What a webhook or a listener would hand over."""
    async with Receiver(movement.runtime).running() as receiver:
        for event in events:
            await receiver.submit(channel, "main", Received(events=(event,)), movement.clock())


def event(number: str, change: GroupChange, at: datetime, group: str = TELEGRAM, **more: str) -> GroupEvent:
    return GroupEvent(event_id=number, group=group, change=change, at=at, title="Block 5", person=ADMIN, **more)


async def test_the_same_events_twice_are_one_group(movement: Movement) -> None:
    now = movement.clock()
    added, out = event("1", GroupChange.ADDED, now), event("2", GroupChange.REMOVED, now)
    await tell(movement, added, added)
    assert (await groups(movement))[TELEGRAM].open
    await tell(movement, out, out)
    assert not (await groups(movement))[TELEGRAM].open
    [members] = await movement.execute("SELECT count(*) AS n FROM member")
    assert members.n == 1


async def test_an_old_event_told_again_lets_us_in_nowhere(movement: Movement) -> None:
    """Telegram's webhooks bear no time, so a replay is known by its number alone (DESIGN.md 7)."""
    now = movement.clock()
    await tell(movement, event("1", GroupChange.ADDED, now), event("2", GroupChange.REMOVED, now))
    await tell(movement, event("1", GroupChange.ADDED, now))
    assert not (await groups(movement))[TELEGRAM].open


async def test_a_group_whose_new_chat_was_heard_of_first_is_posted_in_once(movement: Movement) -> None:
    await movement.add_groups(["-4711"], channel="telegram")
    now = movement.clock()
    await tell(movement, event("1", GroupChange.ADDED, now))
    await tell(movement, event("2", GroupChange.MOVED, now, group="-4711", moved_to=TELEGRAM))
    assert await posted(movement, **EVERY_GROUP) == {TELEGRAM: 1}
    assert list(await groups(movement)) == [TELEGRAM]


@pytest.mark.parametrize("change", [GroupChange.JOINED, GroupChange.LEFT, GroupChange.REMOVED, GroupChange.MOVED])
async def test_what_happens_in_groups_that_we_do_not_know_makes_none(movement: Movement, change: GroupChange) -> None:
    await tell(movement, event("1", change, movement.clock(), moved_to="-1009"))
    assert await groups(movement) == {}
    [rows] = await movement.execute("SELECT (SELECT count(*) FROM member) + (SELECT count(*) FROM address) AS n")
    assert rows.n == 0


# ── answers in groups ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_press_in_a_group_is_its_members_answer_and_a_strangers_is_none(movement: Movement) -> None:
    [member] = await movement.add_members(1, channel="telegram", values=["5150"])
    await movement.add_groups([TELEGRAM], channel="telegram")
    async with working(movement):
        campaign = await movement.launch(**DINNER)
        await settle(movement, campaign)
    for person in ("5150", "5150", "6660"):
        movement.sandbox.telegram.press(TELEGRAM, person, "YES")
    await movement.sandbox.idle()
    actions = await movement.execute("SELECT member_id, campaign_id, kind FROM action")
    assert [tuple(row) for row in actions] == [(member, campaign, "yes")]


async def test_stop_in_a_group_silences_who_says_it_and_not_the_group(movement: Movement) -> None:
    await movement.add_members(2, channel="telegram", values=["5150", "6006"])
    await movement.add_groups([TELEGRAM], channel="telegram")
    async with working(movement):
        await settle(movement, await movement.launch(**DINNER))
        movement.sandbox.telegram.people.write(TELEGRAM, "5150", "STOP", reply=True)
        await movement.sandbox.idle()
        await settle(movement, await movement.launch(**DINNER))
    assert movement.received() == {"5150": 1, "6006": 2, TELEGRAM: 2}
