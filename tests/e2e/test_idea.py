"""An idea from a Telegram group becomes an ask of its group, of a few by lot, of its region and of all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from router.store.tables import from_ms
from tests.support.movement import Movement, everywhere
from tests.support.settling import jump, policy_with, working

GROUP = "-1000000004711"
PROPOSER, *FRIENDS = [str(number) for number in range(5150, 5156)]
STRANGER = "6660"
NEIGHBOURS = [str(number) for number in range(7000, 7016)]
ABROAD = [str(number) for number in range(8000, 8004)]
WORDS = "A free bus to the hospital on Sundays"
REPORT = "From March on the bus runs on every first Sunday of the month."
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def movement(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Movement]:
    """A movement of members of long standing, in which eight seconds make an idea public and ten people its test."""
    config = policy_with(tmp_path, public_seconds=8, test_members=10)
    async with everywhere(sqlite_url, config=config) as movement:
        await movement.add_members(22, channel="telegram", values=[PROPOSER, *FRIENDS, *NEIGHBOURS])
        await movement.add_members(4, channel="telegram", values=ABROAD, country="DE", zone="Europe/Berlin")
        await movement.execute("UPDATE member SET joined_at = joined_at - :year", year=365 * 86_400_000)
        yield movement


async def idea(movement: Movement) -> Any:
    rows = await movement.execute("SELECT * FROM proposal WHERE number = 1")
    return rows[0] if rows else None


async def stands(movement: Movement, **wanted: object) -> None:
    """Wait until the idea stands so."""

    async def is_so() -> bool:
        row = await idea(movement)
        return row is not None and all(getattr(row, name) == value for name, value in wanted.items())

    await movement.until(is_so, 30)


async def asked(movement: Movement, stage: str) -> set[str]:
    """Let time pass until this stage's ask has left; who got it."""
    await movement.until(lambda: _is_out(movement, stage), 30)
    jump(movement, MINUTE * 5)  # its undo time
    count = "SELECT count(*) FROM delivery WHERE campaign_id = :id AND status IN ('queued', 'sending')"

    async def left() -> bool:
        row = await idea(movement)
        [[status]] = await movement.execute("SELECT status FROM campaign WHERE id = :id", id=row.campaign_id)
        [[routed]] = await movement.execute(
            "SELECT count(*) FROM route_range WHERE campaign_id = :id AND routed_at IS NOT NULL", id=row.campaign_id
        )
        [[waiting]] = await movement.execute(count, id=row.campaign_id)
        return bool(status in ("running", "finished") and routed and (not waiting or stage == "group"))

    await movement.until(left, 30)
    await movement.sandbox.idle()
    return {one.to for one in movement.sandbox.memory.accepted if WORDS in one.text and one.to != GROUP}


async def _is_out(movement: Movement, stage: str) -> bool:
    row = await idea(movement)
    return bool(row.stage == stage and row.campaign_id and row.stage_since)


async def wait_out(movement: Movement) -> None:
    """Let time pass until the idea's next step is due."""

    async def ahead() -> timedelta | None:
        row = await idea(movement)
        left = from_ms(row.next_at) - movement.clock() if row.next_at else timedelta(0)
        return left if left > MINUTE else None

    await movement.until(ahead, 30)
    jump(movement, await ahead() or timedelta(0))


def told(movement: Movement, person: str) -> list[str]:
    return [one.text for one in movement.sandbox.memory.accepted if one.to == person and WORDS not in one.text]


async def test_an_idea_from_a_group_goes_to_everybody_and_its_proposer_reports(movement: Movement) -> None:
    bot = movement.sandbox.telegram
    async with working(movement):
        bot.people.join(GROUP, FRIENDS[0])
        await movement.sandbox.idle()
        bot.people.write(GROUP, PROPOSER, f"/propose {WORDS}")
        await movement.sandbox.idle()
        await stands(movement, status="open", seconds=0)
        for person in FRIENDS:
            bot.people.write(GROUP, person, "/second 1")
        bot.people.write(GROUP, FRIENDS[0], "/second 1")
        bot.people.write(GROUP, STRANGER, "/second 1")
        await movement.sandbox.idle()

        # Its own group, without staff: one post, which three answer there; the others are written to after two hours.
        await asked(movement, "group")
        await movement.until(lambda: any(WORDS in one.text and one.to == GROUP for one in _accepted(movement)), 30)
        assert (await idea(movement)).seconds == len(FRIENDS)
        for person in (FRIENDS[0], FRIENDS[1], STRANGER):
            bot.press(GROUP, person, "YES")
        await movement.sandbox.idle()
        jump(movement, timedelta(hours=2, minutes=1))
        await movement.until(lambda: _got(movement, FRIENDS[2]) and _got(movement, FRIENDS[4]), 30)
        bot.answer(FRIENDS[2], "YES")
        for person in NEIGHBOURS[:3]:
            bot.answer(person, "SECOND 1")
        await stands(movement, seconds=8)
        assert not _got(movement, FRIENDS[0]), "who answered in the group is not asked again"

        # The public has seconded it: after the objection period ten are drawn by lot, then the region, then all.
        await wait_out(movement)
        await stands(movement, stage="group", campaign_id=0)
        before = await asked_so_far(movement)
        for stage in ("test", "region", "all"):
            await wait_out(movement)
            people = await asked(movement, stage) - before
            before |= people
            assert PROPOSER not in people
            assert bool(people & set(ABROAD)) is (stage == "all")
            if stage == "test":
                assert len(people) == 10
                assert not people & set(NEIGHBOURS[:3]), "who seconded it has said so already"
            for person in sorted(people)[:3]:
                bot.press(person, person, "YES")
            await movement.sandbox.idle()
            await wait_out(movement)
            if stage != "all":
                await stands(movement, stage=stage, campaign_id=0)
        await stands(movement, status="done")

        # The proposer hears of it, and their words become drafts.
        await movement.until(lambda: any("Answer with your words" in words for words in told(movement, PROPOSER)), 30)
        bot.answer(PROPOSER, REPORT)
        await movement.until(lambda: any("Organizers read it" in words for words in told(movement, PROPOSER)), 30)
    heard = told(movement, PROPOSER)
    for result in (
        "4 of 6 people said yes, 0 said no",
        "3 of 10 people said yes",
        "26 people were reached, 13 said yes",
    ):
        assert any(result in words for words in heard), heard
    reports = await movement.execute(
        "SELECT c.status, r.text FROM report_back r JOIN campaign c ON c.id = r.sent_as ORDER BY r.id"
    )
    assert [tuple(row) for row in reports] == [("draft", REPORT)] * 4, "for each ask that somebody said yes to"
    asks = await movement.execute("SELECT approved_by FROM campaign WHERE created_by = 'idea 1' AND kind = 'ask'")
    assert [row.approved_by for row in asks] == ["members"] * 4
    got = [one.to for one in _accepted(movement) if WORDS in one.text and one.to != GROUP]
    assert len(got) == len(set(got)), "nobody was asked twice"
    public = [one.text for one in _accepted(movement) if one.to == GROUP]
    assert not any("Ana" in words or PROPOSER in words for words in public), "no person is named in the group"


def _accepted(movement: Movement) -> list[Any]:
    return movement.sandbox.memory.accepted


def _got(movement: Movement, person: str) -> bool:
    return any(one.to == person and WORDS in one.text for one in _accepted(movement))


async def asked_so_far(movement: Movement) -> set[str]:
    await movement.sandbox.idle()
    return {one.to for one in _accepted(movement) if WORDS in one.text and one.to != GROUP}
