"""Answers under a post in a group: one for each person, an action of those we know, nothing from anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from router.community.group_chats.answers import adopt_answers
from router.core.address import address_hash
from router.core.model import DeliveryRef
from router.launch import cancel_campaign
from router.owners import owners_of
from router.store.engine import Store
from router.store.tallies import Moves
from tests.support.movement import Movement, everywhere
from tests.support.posts import TELEGRAM, answers, hear, post, posts, ref_of, said

OTHER = "-1000000004712"
MEMBER, STRANGER = "5150", "6660"


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """All eight channels."""
    async with everywhere(database_url) as movement:
        yield movement


@pytest.fixture
async def other_process(database_url: str) -> AsyncIterator[Store]:
    """Connections of another process to the same ledger."""
    store = Store(database_url)
    yield store
    await store.aclose()


async def actions(movement: Movement) -> list[tuple[Any, ...]]:
    rows = await movement.execute("SELECT member_id, campaign_id, kind FROM action ORDER BY id")
    return [tuple(row) for row in rows]


async def test_everybody_is_counted_once_and_those_we_know_acted(movement: Movement) -> None:
    [member] = await movement.add_members(1, channel="telegram", values=[MEMBER])
    campaign = await post(movement, {TELEGRAM: "telegram"})
    for person in (MEMBER, STRANGER, MEMBER, STRANGER, "7770"):
        movement.sandbox.telegram.press(TELEGRAM, person, "YES")
    await movement.sandbox.idle()
    assert await answers(movement) == {"yes": 3}
    assert await actions(movement) == [(member, campaign, "yes")]
    [seen] = await movement.execute("SELECT member_id, source FROM group_member")
    assert tuple(seen) == (member, "spoke")


async def test_a_changed_mind_changes_the_answer(movement: Movement) -> None:
    [member] = await movement.add_members(1, channel="telegram", values=[MEMBER])
    campaign = await post(movement, {TELEGRAM: "telegram"})
    about = await ref_of(movement, campaign, TELEGRAM)
    for word in ("YES", "NO", "YES", "NO"):
        await hear(movement, said(movement, MEMBER, word, TELEGRAM, about), said(movement, "7", word, TELEGRAM, about))
    assert await answers(movement) == {"no": 2}
    assert await actions(movement) == [(member, campaign, "yes"), (member, campaign, "no")]


async def test_an_older_press_that_comes_late_changes_nothing(movement: Movement) -> None:
    about = await ref_of(movement, await post(movement, {TELEGRAM: "telegram"}), TELEGRAM)
    earlier = movement.clock() - timedelta(seconds=30)
    await hear(movement, said(movement, STRANGER, "NO", TELEGRAM, about))
    await hear(movement, said(movement, STRANGER, "YES", TELEGRAM, about, at=earlier))
    assert await answers(movement) == {"no": 1}


async def test_a_written_answer_to_the_post_counts_and_chatter_does_not(movement: Movement) -> None:
    await post(movement, {TELEGRAM: "telegram"})
    people = movement.sandbox.telegram.people
    people.write(TELEGRAM, "11", "yes!", reply=True)
    people.write(TELEGRAM, "12", "no", reply=True)
    people.write(TELEGRAM, "13", "who else has read about the boiler?", reply=True)
    people.write(TELEGRAM, "14", "yes")
    await movement.sandbox.idle()
    assert await answers(movement) == {"yes": 1, "no": 1}
    assert movement.received() == {TELEGRAM: 1}, "nothing is said in the group"


async def test_who_answered_in_another_group_first_counts_there_once(movement: Movement) -> None:
    campaign = await post(movement, {TELEGRAM: "telegram", OTHER: "telegram"})
    here, there = await ref_of(movement, campaign, TELEGRAM), await ref_of(movement, campaign, OTHER)
    await hear(movement, said(movement, STRANGER, "YES", TELEGRAM, here))
    await hear(movement, said(movement, STRANGER, "NO", OTHER, there))
    [row] = await movement.execute(
        "SELECT a.value, g.kind, g.delivery_id FROM group_answer g JOIN address a ON a.member_id = g.group_id"
    )
    assert tuple(row) == (TELEGRAM, "no", here.id)
    [due] = await movement.execute("SELECT delivery_id FROM group_post WHERE edit_at IS NOT NULL")
    assert due.delivery_id == here.id


@pytest.mark.parametrize(
    ("words", "group", "shift"),
    [("YES", OTHER, 0), ("YES", TELEGRAM, 1_000_000), ("SHUT UP", TELEGRAM, 0), ("MONEY", TELEGRAM, 0)],
    ids=["another group's post", "no post", "no button of the post", "a word of nobody's"],
)
async def test_a_forged_press_has_no_effect_and_no_answer(
    movement: Movement, words: str, group: str, shift: int
) -> None:
    await movement.add_members(1, channel="telegram", values=[MEMBER])
    await movement.add_groups([OTHER], channel="telegram", tag="harbour")
    about = await ref_of(movement, await post(movement, {TELEGRAM: "telegram"}), TELEGRAM)
    forged = DeliveryRef(about.month, about.id + shift)
    before = movement.received()
    await hear(movement, said(movement, MEMBER, words, group, forged))
    await movement.work()
    assert await answers(movement) == {}
    assert await actions(movement) == []
    assert await movement.execute("SELECT 1 FROM group_post") == []
    assert movement.received() == before


@pytest.mark.parametrize("end", ["cancelled", "over"])
async def test_an_ask_that_has_ended_counts_nobody_and_says_so_once(movement: Movement, end: str) -> None:
    await movement.add_members(1, channel="sms", zone="Asia/Tokyo", country="JP")  # in whose night it waits
    campaign = await post(movement, {TELEGRAM: "telegram"})
    about = await ref_of(movement, campaign, TELEGRAM)
    if end == "cancelled":
        await cancel_campaign(movement.runtime, campaign, by="ana", now=movement.clock())
    else:
        movement.clock.jump(timedelta(days=60))
    for person in (STRANGER, "11", "12"):
        await hear(movement, said(movement, person, "YES", TELEGRAM, about))
    await movement.work()
    assert await answers(movement) == {}
    assert movement.received()[TELEGRAM] == 2
    assert "this is over now" in posts(movement, "telegram")[-1].text


# ── an address that turns out to be a member's ────────────────────────────────────────────────────────────────────


async def test_answers_are_adopted_by_the_member_whose_address_it_was(movement: Movement) -> None:
    campaign = await post(movement, {TELEGRAM: "telegram"})
    about = await ref_of(movement, campaign, TELEGRAM)
    await hear(movement, said(movement, MEMBER, "YES", TELEGRAM, about))
    assert await actions(movement) == []
    [member] = await movement.add_members(1, channel="telegram", values=[MEMBER])
    hash_ = address_hash(movement.runtime.key, "telegram", MEMBER)
    for _ in range(2):
        ids = await movement.runtime.store.take_ids(20)
        moves = Moves()
        async with movement.runtime.store.write() as connection:
            [owner] = await owners_of(connection, hash_, "telegram")
            await adopt_answers(connection, hash_, owner, iter(ids), moves, now=movement.clock())
            await moves.write(connection)
    assert await actions(movement) == [(member, campaign, "yes")]
    [row] = await movement.execute("SELECT member_id, (SELECT count(*) FROM group_member) AS seen FROM group_answer")
    assert tuple(row) == (member, 1)


# ── at once ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_presses_at_once_in_two_processes_have_one_effect_each(movement: Movement, other_process: Store) -> None:
    """Two people press at once, and the same person twice, each time in both processes."""
    members = await movement.add_members(3, channel="telegram", values=["1", "2", "3"])
    campaign = await post(movement, {TELEGRAM: "telegram"})
    about = await ref_of(movement, campaign, TELEGRAM)
    people = ["1", "2", "3", *(str(place) for place in range(100, 117))]
    here = [said(movement, person, "YES", TELEGRAM, about) for person in people]
    there = [said(movement, person, "YES", TELEGRAM, about) for person in reversed(people)]
    for pair in zip(here, there, strict=True):
        await asyncio.gather(hear(movement, pair[0]), hear(movement, pair[1], store=other_process))
    assert await answers(movement) == {"yes": len(people)}
    assert sorted(await actions(movement)) == [(member, campaign, "yes") for member in sorted(members)]
    [row] = await movement.execute("SELECT count(*) AS n, count(edit_at) AS due FROM group_post")
    assert tuple(row) == (1, 1)
