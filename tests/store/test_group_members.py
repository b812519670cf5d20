"""Who is in a group, who its steward is, and how a person comes from there to their record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from router.core.channel import GroupChange
from router.core.errors import NotFound
from router.core.group_links import group_token
from router.core.join_links import join_token
from router.group_list import list_groups
from router.groups import change_group, change_steward
from router.store.engine import Store
from tests.support.chats import GROUP, SLACK_GROUP, STEWARD, Chats


@pytest.fixture
async def chats(store: Store) -> Chats:
    """Nobody has let us in yet."""
    return Chats(store)


async def linked(chats: Chats) -> list[tuple[Any, ...]]:
    """(group, member, how we know)."""
    return await chats.rows("group_member", "group_id, member_id, source")


# ── coming and going ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("channel", "address", "person"), [("telegram", GROUP, "5150"), ("slack", SLACK_GROUP, "U51")])
async def test_members_who_come_are_known_to_be_there_until_they_leave(
    chats: Chats, channel: str, address: str, person: str
) -> None:
    group = await chats.let_in(address, channel=channel)
    member = await chats.add_person(person, channel=channel)
    for _ in range(2):
        await chats.change(GroupChange.JOINED, group=address, person=person, channel=channel)
        assert await linked(chats) == [(group, member, "came")]
    await chats.change(GroupChange.LEFT, group=address, person=person, channel=channel)
    assert await linked(chats) == []


async def test_strangers_who_come_and_go_leave_no_trace(chats: Chats) -> None:
    """A group of 200,000 may fill up and empty again."""
    await chats.let_in()
    tables = ("member", "address", "inbound", "group_member", "group_chat", "consent", "dialog")
    before = [len(await chats.rows(table)) for table in tables]
    for change in (GroupChange.JOINED, GroupChange.LEFT):
        for person in ("6001", "6002", "6003"):
            await chats.change(change, person=person)
    assert [len(await chats.rows(table)) for table in tables] == before


async def test_members_who_come_into_a_group_that_we_do_not_know_are_in_none(chats: Chats) -> None:
    await chats.add_person("5150")
    await chats.change(GroupChange.JOINED, person="5150")
    assert await linked(chats) == []


async def test_who_gives_a_command_is_known_to_be_there(chats: Chats) -> None:
    group = await chats.let_in()
    member = await chats.add_person("5150")
    await chats.write("5150", "/help")
    await chats.write("6660", "/help")
    assert await linked(chats) == [(group, member, "spoke")]


async def test_being_put_out_and_moving_forget_nobody(chats: Chats) -> None:
    group = await chats.let_in("-4711")
    member = await chats.add_person("5150")
    await chats.change(GroupChange.JOINED, group="-4711", person="5150")
    await chats.change(GroupChange.REMOVED, group="-4711")
    await chats.change(GroupChange.ADDED, group="-4711")
    await chats.change(GroupChange.MOVED, group="-4711", moved_to=GROUP)
    assert await linked(chats) == [(group, member, "came")]
    assert [one.address for one in await list_groups(chats.runtime)] == [GROUP]
    assert await chats.write("5150", "/quiet") == [(GROUP, NOT_STEWARD)], "it is the same group"
    assert "Quiet" in (await chats.write(STEWARD, "/quiet"))[0][1]


async def test_people_of_a_new_chat_that_was_heard_of_first_come_along(chats: Chats) -> None:
    group = await chats.let_in("-4711")
    member = await chats.add_person("5150")
    await chats.let_in(GROUP)
    await chats.change(GroupChange.JOINED, group=GROUP, person="5150")
    await chats.change(GroupChange.MOVED, group="-4711", moved_to=GROUP)
    assert await linked(chats) == [(group, member, "came")]


# ── the steward ───────────────────────────────────────────────────────────────────────────────────────────────────

NOT_STEWARD = "Only the steward of this group can do that: whoever let us in, or whom the organizers named."


async def test_whoever_let_us_in_is_the_steward_known_or_not(chats: Chats) -> None:
    member = await chats.add_person("5150")
    await chats.let_in("-1001", person=STEWARD)
    await chats.let_in("-1002", person="5150")
    await chats.let_in(SLACK_GROUP, channel="slack", person="")
    assert [one.steward for one in await list_groups(chats.runtime)] == [None, member, None]
    rows = await chats.rows("group_chat", "group_id, steward_hash")
    assert [hash_ for _, hash_ in rows] == [chats.hash_of(STEWARD), chats.hash_of("5150"), ""]


async def test_whoever_lets_us_in_again_is_the_steward_from_then_on(chats: Chats) -> None:
    await chats.let_in()
    await chats.change(GroupChange.REMOVED)
    await chats.change(GroupChange.ADDED, person="7777")
    assert await chats.write(STEWARD, "/quiet") == [(GROUP, NOT_STEWARD)]
    assert "Quiet" in (await chats.write("7777", "/quiet"))[0][1]


async def test_a_steward_whom_organizers_named_stays_whoever_lets_us_in(chats: Chats) -> None:
    group = await chats.let_in()
    member = await chats.add_person("5150")
    await change_steward(chats.runtime, group, member, by="ana", now=chats.ledger.clock())
    await chats.change(GroupChange.REMOVED)
    await chats.change(GroupChange.ADDED, person="7777")
    for person in (STEWARD, "7777"):
        assert await chats.write(person, "/quiet") in ([(GROUP, NOT_STEWARD)], [])
    assert "Quiet" in (await chats.write("5150", "/quiet"))[0][1]
    await change_steward(chats.runtime, group, None, by="ana", now=chats.ledger.clock())
    assert await chats.write("5150", "/quiet off") == [], "nobody is; it was said before"
    audit = await chats.rows("audit", "who, what, detail")
    assert [row[:2] for row in audit if row[1] == "group.steward"] == [("ana", "group.steward")] * 2


async def test_a_steward_must_be_a_member_and_the_group_one(chats: Chats) -> None:
    group = await chats.let_in()
    for where, who in ((group, group), (group, 10**9), (10**9, None)):
        with pytest.raises(NotFound):
            await change_steward(chats.runtime, where, who, by="ana", now=chats.ledger.clock())


async def test_the_list_tells_steward_members_language_and_quiet(chats: Chats) -> None:
    group = await chats.let_in()
    now = chats.ledger.clock()
    await change_group(chats.runtime, group, locale="es", country="ES", place="Vallecas", by="ana", now=now)
    for person in ("5150", "5151"):
        await chats.add_person(person)
        await chats.change(GroupChange.JOINED, person=person)
    await chats.write(STEWARD, "/quiet 3 days", group=f"{GROUP}/45")
    [one] = await list_groups(chats.runtime)
    assert (one.locale, one.country, one.place, one.linked) == ("es", "ES", "Vallecas", 2)
    assert one.quiet_until == now + timedelta(days=3)
    assert one.open
    chats.ledger.clock.advance(days=4)
    assert [one.quiet_until for one in await list_groups(chats.runtime)] == [None]


# ── from the group to their record ────────────────────────────────────────────────────────────────────────────────


async def test_a_member_who_follows_the_groups_link_is_linked_and_told_alone(chats: Chats) -> None:
    group = await chats.let_in()
    member = await chats.add_person("5150")
    token = group_token(chats.runtime.key, group, 0)
    assert await chats.follow("5150", token) == [
        (
            "5150",
            'Tenants Together: you are linked with "Block 5". What you answer there counts for you, and you are not'
            " asked again elsewhere. Nobody there sees it.",
        )
    ]
    assert await linked(chats) == [(group, member, "link")]


async def test_a_stranger_who_follows_it_becomes_a_member_by_their_own_start(chats: Chats) -> None:
    group = await chats.let_in()
    [(place, words)] = await chats.follow("6660", group_token(chats.runtime.key, group, 0))
    assert place == "6660"
    assert words.startswith("Tenants Together: welcome!")
    assert "your own link" in words
    [(_, member, _)] = await linked(chats)
    consents = await chats.rows("consent", "member_id, state, source")
    assert (member, "granted", "opened the chat from the group's link") in consents
    again = await chats.follow("6660", group_token(chats.runtime.key, group, 0))
    assert [place for place, _ in again] == ["6660"]
    assert len(await chats.rows("member", "id, kind")) == 2, "the group and one person"


@pytest.mark.parametrize("forge", ["cut", "altered", "of another key", "of no group", "of a person"])
async def test_a_link_that_we_did_not_make_links_nobody(chats: Chats, forge: str) -> None:
    group, key = await chats.let_in(), chats.runtime.key
    person = await chats.add_person("5150")
    token = group_token(key, group, 0)
    payload = {
        "cut": token[:-1],
        "altered": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "of another key": group_token(b"somebody else's key, long enough", group, 0),
        "of no group": group_token(key, group + 10_000, 0),
        "of a person": group_token(key, person, 0),
    }[forge]
    await chats.follow("5150", payload)
    await chats.follow("6660", payload)
    assert await linked(chats) == []


async def test_the_groups_link_followed_in_the_group_links_nobody(chats: Chats) -> None:
    group = await chats.let_in()
    await chats.add_person("5150")
    assert await chats.write("5150", "/start", payload=group_token(chats.runtime.key, group, 0)) == []
    assert await linked(chats) == []


@pytest.mark.parametrize("way", ["the group's link", "their own link"])
async def test_what_they_answered_in_the_group_before_counts_from_then_on(chats: Chats, way: str) -> None:
    ledger = chats.ledger
    group = await chats.let_in()
    campaign = await ledger.launch_and_route(groups=["all"], texts=YES)
    await ledger.execute("UPDATE delivery SET status = 'sent' WHERE campaign_id = :id", id=campaign)
    [row] = await ledger.rows(campaign)
    [member] = await ledger.add_members(1)
    await chats.write("5150", "YES", button=True, delivery=chats.ref(row))
    assert await chats.rows("action", "member_id, kind") == []
    if way == "their own link":
        await chats.follow("5150", join_token(chats.runtime.key, member, ledger.clock() + timedelta(days=1)))
    else:
        await chats.follow("5150", group_token(chats.runtime.key, group, campaign))
        [(_, member, _)] = await linked(chats)
    assert await chats.rows("action", "member_id, campaign_id, kind") == [(member, campaign, "yes")]
    assert [row[1] for row in await linked(chats)] == [member]


YES = {"en": {"default": {"text": "Dinner?", "buttons": [{"label": "I come", "reply": "YES"}]}}}
