"""Group first: who is in a group that is asked gets a message of their own only if they did not answer there."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import text

from channels.telegram.adapter import TelegramChannel
from router.actions import record_action
from router.community.group_chats.membership import note_member
from router.competing import next_route
from router.core.ask import Ask
from router.core.errors import BadInput
from router.core.launch_policy import GuardPolicy
from router.core.rates import ChannelRules
from router.drafting import save_campaign
from router.fanout import route_range_of
from router.groups import add_group
from router.preview import Preview, preview_campaign
from router.relief import relieve
from router.rerouting import follow_wishes
from router.screens import preview_table
from router.store.budgets import note_answers
from router.store.engine import Store
from router.store.tables import to_ms
from router.why import why
from tests.support.ledger import Ledger, ScriptedChannel
from tests.support.movement import DINNER, Movement, everywhere
from tests.support.runtime import Clock, build_runtime
from tests.support.settling import settle, working

EVENING = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
"""Six in Paris. Mail leaves until nine, texts until eight."""
TWO_HOURS, TWENTY_MINUTES = timedelta(hours=2), timedelta(minutes=20)
CHATS = ("-1001", "-1002", "-1003")


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """With a bot."""
    return with_bot(Ledger(store, clock=Clock(EVENING)))


def with_bot(ledger: Ledger) -> Ledger:
    bot = ScriptedChannel()
    bot.spec = TelegramChannel.spec
    rules = {**ledger.runtime.rules, "telegram": ChannelRules(rate=0, concurrency=2)}
    channels = {**ledger.runtime.channels, "telegram": {"main": bot}}
    ledger.runtime = replace(ledger.runtime, channels=channels, rules=rules)
    return ledger


async def add_groups(ledger: Ledger, *chats: str, tag: str = "rent") -> list[int]:
    about: dict[str, Any] = {"channel": "telegram", "account": "main", "tags": [tag], "by": "ana"}
    return [
        await add_group(ledger.runtime, value=chat, title=f"Block {chat}", now=ledger.clock(), **about)
        for chat in chats
    ]


async def link(holder: Ledger | Movement, group: int, members: Sequence[int]) -> None:
    async with holder.runtime.store.write() as connection:
        for member in members:
            await note_member(connection, group, member, "came", now=holder.clock())


async def people(ledger: Ledger, linked: int, others: int, **more: Any) -> tuple[int, list[int], list[int]]:
    """A group, who is in it, and who is in none."""
    [group] = await add_groups(ledger, CHATS[0])
    found = await ledger.add_members(linked + others, **{"channels": ("email",), **more})
    await link(ledger, group, found[:linked])
    return group, found[:linked], found[linked:]


async def waits(ledger: Ledger, campaign: int) -> dict[int, timedelta]:
    """member → how long they wait from now on; whoever does not is left out."""
    rows = await ledger.rows(campaign)
    now = to_ms(ledger.clock())
    return {
        row.member_id: timedelta(milliseconds=row.not_before - now)
        for row in rows
        if row.status == "queued" and row.not_before > now
    }


async def at_once(ledger: Ledger, campaign: int) -> set[int]:
    """Who is written to without a wait."""
    now = to_ms(ledger.clock())
    rows = await ledger.rows(campaign)
    return {row.member_id for row in rows if row.status == "queued" and row.not_before <= now}


async def answer(ledger: Ledger, member: int, campaign: int, kind: str = "yes") -> None:
    about: dict[str, Any] = {"phone": None, "email": None, "external_id": f"{campaign}:{member}:{kind}"}
    now = ledger.clock()
    await record_action(ledger.runtime, member_id=member, campaign_id=campaign, kind=kind, at=now, now=now, **about)


# ── with the providers ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("urgent", "wait"), [(False, TWO_HOURS), (True, TWENTY_MINUTES)], ids=["normal", "urgent"])
async def test_who_answers_in_the_group_is_never_messaged_and_the_others_are(
    database_url: str, urgent: bool, wait: timedelta
) -> None:
    async with everywhere(database_url) as movement:
        [group] = await movement.add_groups(["-1001"], channel="telegram")
        members = await movement.add_members(4, channel="telegram", values=["5150", "5151", "5152", "6660"])
        await link(movement, group, members[:3])
        async with working(movement):
            campaign = await movement.launch(**DINNER, urgent=urgent)
            await settle(movement, campaign, until=wait - timedelta(minutes=1))
            assert movement.received() == {"-1001": 1, "6660": 1}
            for _ in range(2):
                movement.sandbox.telegram.press("-1001", "5150", "YES")
            movement.sandbox.telegram.people.write("-1001", "5151", "NO", reply=True)
            await movement.sandbox.idle()
            await settle(movement, campaign)
        assert movement.received() == {"-1001": 1, "6660": 1, "5152": 1}
        rows = await movement.execute("SELECT member_id, status, reason FROM delivery WHERE status = 'cancelled'")
        assert sorted(map(tuple, rows)) == [(member, "cancelled", "acted") for member in members[:2]]
        spent = await movement.execute("SELECT holder FROM contact_budget WHERE slots NOT IN ('', '[]')")
        assert {row.holder for row in spent} & set(members) == set(members[2:])
        assert (await movement.view(campaign)).status == "finished"


# ── who waits ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_only_who_is_in_a_group_that_is_asked_waits(ledger: Ledger) -> None:
    _, linked, others = await people(ledger, 3, 2)
    [elsewhere] = await add_groups(ledger, CHATS[1], tag="harbour")
    await link(ledger, elsewhere, others)
    campaign = await ledger.launch_and_route(groups=["rent"])
    assert await waits(ledger, campaign) == dict.fromkeys(linked, TWO_HOURS)
    assert await at_once(ledger, campaign) >= set(others)
    told = await why(ledger.runtime, linked[0], campaign, now=ledger.clock())
    assert told.hops[0].candidates[0].waits == ["group"]
    assert any("a group that the member is in" in sentence for sentence in told.for_organizers)
    await ledger.assert_tally_is_right(campaign)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE address SET state = 'dead' WHERE member_id = :group",
        "UPDATE address SET consent = 'revoked' WHERE member_id = :group",
        "UPDATE member SET erased_at = 0 WHERE id = :group",
        "UPDATE member SET dial = 'paused' WHERE id = :group",
        "DELETE FROM group_member WHERE group_id = :group",
    ],
)
async def test_a_group_that_is_not_asked_delays_nobody(ledger: Ledger, change: str) -> None:
    group, linked, others = await people(ledger, 3, 1)
    await ledger.execute(change, group=group)
    campaign = await ledger.launch_and_route(groups=["rent"])
    assert await at_once(ledger, campaign) - {group} == {*linked, *others}


async def test_a_group_without_room_for_one_more_ask_delays_nobody(ledger: Ledger) -> None:
    group, linked, _ = await people(ledger, 2, 0)
    for _ in range(3):
        await ledger.launch_and_route(groups=["rent"], audience={"op": "tag", "tag": "nobody"})
    campaign = await ledger.launch_and_route(groups=["rent"])
    assert [row.reason for row in await ledger.rows(campaign) if row.member_id == group] == ["cap"]
    assert await at_once(ledger, campaign) == set(linked)


@pytest.mark.parametrize(
    "ask", [{"purpose": "ballot"}, {"purpose": "notice"}, {"alert": True}, {"kind": "welcome"}, {"groups": []}]
)
async def test_what_everybody_is_owed_waits_for_nobody(ledger: Ledger, ask: dict[str, Any]) -> None:
    group, linked, _ = await people(ledger, 2, 0)
    campaign = await ledger.launch_and_route(**{"groups": ["rent"], **ask})
    assert await at_once(ledger, campaign) - {group} == set(linked)


async def test_near_its_deadline_half_of_the_time_is_the_groups(ledger: Ledger) -> None:
    _, linked, _ = await people(ledger, 2, 1)
    campaign = await ledger.launch_and_route(groups=["rent"], deadline=ledger.clock() + timedelta(hours=1))
    assert await waits(ledger, campaign) == dict.fromkeys(linked, timedelta(minutes=30))


async def test_who_would_miss_it_by_waiting_is_asked_at_once(ledger: Ledger) -> None:
    """Texts leave for an hour and a half, and the ask ends tonight."""
    group, linked, _ = await people(ledger, 2, 0, channels=("sms",))
    ledger.clock.advance(minutes=30)
    campaign = await ledger.launch_and_route(groups=["rent"], deadline=ledger.clock() + timedelta(hours=6))
    assert await at_once(ledger, campaign) == {group, *linked}


async def test_who_is_in_two_groups_waits_for_the_one_that_is_asked(ledger: Ledger) -> None:
    groups = await add_groups(ledger, *CHATS[:2])
    members = await ledger.add_members(3, channels=("email",))
    for group, some in zip(groups, (members[:2], members[1:]), strict=True):
        await link(ledger, group, some)
    await ledger.execute("UPDATE address SET state = 'dead' WHERE member_id = :id", id=groups[0])
    campaign = await ledger.launch_and_route(groups=["rent"])
    assert await waits(ledger, campaign) == dict.fromkeys(members[1:], TWO_HOURS)


async def test_a_group_whose_post_failed_delays_nobody_who_is_routed_after_it(ledger: Ledger) -> None:
    group, linked, _ = await people(ledger, 2, 0)
    campaign = await ledger.launch(groups=["rent"])
    prepared = await next_route(ledger.runtime)
    assert prepared is not None
    assert await route_range_of(ledger.runtime, replace(prepared, most=1), now=ledger.clock()) == 1
    assert await ledger.execute("UPDATE delivery SET status = 'failed' WHERE member_id = :id", id=group) == 1
    await ledger.route()
    assert await at_once(ledger, campaign) == set(linked)


async def test_the_groups_go_with_the_first_stage(store: Store) -> None:
    policy = build_runtime(store).policy
    ramp = {"above": 5, "shares": [0.1, 0.4], "wait_seconds": 60, "tonight_wait_seconds": 15}
    guard = GuardPolicy.model_validate({**policy.guard.model_dump(), "ramp": ramp})
    ledger = with_bot(Ledger(store, clock=Clock(EVENING), policy=policy.model_copy(update={"guard": guard})))
    await ledger.add_members(20, channels=("email",))
    await add_groups(ledger, *CHATS)
    campaign = await ledger.launch_and_route(groups=["rent"])
    rows = await ledger.execute(
        "SELECT b.channel, b.stage FROM batch b WHERE b.campaign_id = :id ORDER BY b.channel, b.stage", id=campaign
    )
    assert [tuple(row) for row in rows] == [("email", 0), ("email", 1), ("email", 2), ("telegram", 0)]


# ── who answered ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_answered_before_their_turn_to_be_routed_is_left_in_peace(ledger: Ledger) -> None:
    group, linked, others = await people(ledger, 3, 2)
    campaign = await ledger.launch(groups=["rent"])
    for member, kind in zip((*linked, *others), ("yes", "no", "click", "signed"), strict=False):
        await answer(ledger, member, campaign, kind)
    await ledger.route()
    rows = {row.member_id: (row.status, row.reason) for row in await ledger.rows(campaign)}
    held, queued = ("held", "acted"), ("queued", None)
    assert [rows[member] for member in (*linked, *others)] == [held, held, queued, held, queued]
    assert rows[group] == queued
    assert await ledger.slots(linked[0]) == []
    await ledger.assert_tally_is_right(campaign)


async def test_an_answer_that_is_written_while_its_member_is_routed_is_seen(ledger: Ledger) -> None:
    _, [member], _ = await people(ledger, 1, 0)
    campaign = await ledger.launch(groups=["rent"])
    async with ledger.store.write() as connection:
        await note_answers(connection, {member: ledger.clock()})
        await connection.execute(
            text(
                "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at)"
                " VALUES (1, :member, :campaign, 'yes', 'button', 'x', 0)"
            ),
            {"member": member, "campaign": campaign},
        )
        routing = asyncio.create_task(ledger.route())
        await someone_waits(ledger)
    await routing
    assert [row.reason for row in await ledger.rows(campaign) if row.member_id == member] == ["acted"]


async def someone_waits(ledger: Ledger) -> None:
    """Until another transaction waits for a lock of the one that is open; on SQLite whoever writes waits."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    for _ in range(1_000):
        async with ledger.store.read() as connection:
            if ledger.store.is_sqlite or await connection.scalar(text(waiting)):
                return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_who_is_owed_it_gets_it_whatever_they_answered_in_the_group(ledger: Ledger) -> None:
    _, [member], _ = await people(ledger, 1, 0)
    campaign = await ledger.launch(groups=["rent"], purpose="meeting")
    await answer(ledger, member, campaign)
    await ledger.route()
    assert [row.status for row in await ledger.rows(campaign) if row.member_id == member] == ["queued"]


# ── what is decided anew ──────────────────────────────────────────────────────────────────────────────────────────


async def test_new_wishes_end_no_wait(ledger: Ledger) -> None:
    _, [member], _ = await people(ledger, 1, 0, channels=("email", "sms"))
    campaign = await ledger.launch_and_route(groups=["rent"], urgent=True)
    ledger.clock.advance(minutes=5)
    assert await follow_wishes(ledger.runtime, [member], channels=True, now=ledger.clock()) == 0
    await ledger.execute("UPDATE address SET rank = -1 WHERE member_id = :id AND channel = 'sms'", id=member)
    assert await follow_wishes(ledger.runtime, [member], channels=True, now=ledger.clock()) == 1
    moved = {row.channel: row.status for row in await ledger.rows(campaign) if row.member_id == member}
    assert moved == {"email": "cancelled", "sms": "queued"}
    assert await waits(ledger, campaign) == {member: timedelta(minutes=15)}


async def test_who_overflows_to_another_channel_waits_all_the_same(ledger: Ledger) -> None:
    _, linked, _ = await people(ledger, 200, 200, channels=("sms", "email"))
    deadline = ledger.clock() + timedelta(hours=1)
    campaign = await ledger.launch_and_route(groups=["rent"], deadline=deadline, urgent=True)
    ledger.runtime.rules["sms"] = ChannelRules(rate=0.1, concurrency=4)  # type: ignore[index]
    assert await relieve(ledger.runtime, now=ledger.clock()) > 0
    moved = {row.member_id for row in await ledger.rows(campaign) if row.channel == "email"}
    assert moved & set(linked)
    assert await waits(ledger, campaign) == dict.fromkeys(linked, TWENTY_MINUTES)


# ── what is told beforehand ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_preview_counts_what_is_routed(ledger: Ledger) -> None:
    full, *groups = await add_groups(ledger, *CHATS)
    await ledger.execute(
        "INSERT INTO contact_budget (holder, slots) VALUES (:id, :slots)",
        id=full, slots=str([[to_ms(ledger.clock()) - n, n, "telegram", 1] for n in (3, 2, 1)]).replace("'", '"'),
    )  # fmt: skip
    members = await ledger.add_members(12, channels=("email", "sms"))
    [late] = await ledger.add_members(1, channels=("email",))
    for group, some in zip((full, *groups), (members[:4], members[3:8], [*members[7:10], late]), strict=True):
        await link(ledger, group, some)
    await ledger.execute("UPDATE member SET zone = 'Asia/Tokyo', country = 'JP' WHERE id = :id", id=late)
    values: dict[str, Any] = {"title": "Rent", "texts": {"en": {"default": {"text": "Come"}}}, "groups": ["rent"]}
    saved = await save_campaign(ledger.runtime, Ask.model_validate(values), by="ana", now=ledger.clock())
    await answer(ledger, members[0], saved.id)
    seen = await preview_campaign(ledger.runtime, saved.id, now=ledger.clock())
    assert (seen.members, seen.group_first, seen.deferred) == (16, 7, 1)
    assert "7 are asked in their group" in printed(seen)
    await ledger.execute("UPDATE action SET campaign_id = 0")
    campaign = await ledger.launch(**values)
    await ledger.execute("UPDATE action SET campaign_id = :id", id=campaign)
    await ledger.route()
    rows = await ledger.rows(campaign)
    counts = {row.reason: 0 for row in rows if row.status == "held"}
    for row in rows:
        if row.status == "held":
            counts[row.reason] += 1
    assert seen.by_reason == counts == {"cap": 1, "acted": 1}
    waiting = await waits(ledger, campaign)
    assert set(waiting) == {*members[3:10], late}
    assert {waiting[member] for member in members[3:10]} == {TWO_HOURS}
    channels = [row.channel for row in rows if row.status == "queued"]
    assert seen.by_channel == {name: channels.count(name) for name in set(channels)}


def printed(preview: Preview) -> str:
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(preview_table(preview))
    return console.export_text()


# ── a single group ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_ask_can_name_one_group_by_its_number(ledger: Ledger) -> None:
    one, other = await add_groups(ledger, *CHATS[:2])
    members = await ledger.add_members(2, channels=("email",))
    for group, member in zip((one, other), members, strict=True):
        await link(ledger, group, [member])
    campaign = await ledger.launch_and_route(groups=[f"group:{one}"])
    assert {row.member_id for row in await ledger.rows(campaign)} == {one, *members}
    assert await waits(ledger, campaign) == {members[0]: TWO_HOURS}
    theirs = {"op": "in_group", "group": other}
    campaign = await ledger.launch_and_route(groups=[f"group:{one}"], audience=theirs)
    assert {row.member_id for row in await ledger.rows(campaign)} == {one, members[1]}


@pytest.mark.parametrize("name", ["group:7", "group:", "group:rent", "Group:-1"])
async def test_a_group_that_there_is_not_is_refused_when_the_ask_is_saved(ledger: Ledger, name: str) -> None:
    [member] = await ledger.add_members(1)
    for wrong in (name, f"group:{member}"):
        with pytest.raises(BadInput) as refused:
            await ledger.launch(groups=["rent", wrong])
        assert refused.value.place == "groups"
