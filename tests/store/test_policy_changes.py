"""Rules that let us message more come into force a week after they were announced, in all processes alike."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from router.core.errors import NotAllowed
from router.plans import house_of
from router.policy_changes.keeping import Keeper
from router.policy_changes.voices import Stance, count_voices, speak
from router.records.merge import merge_records
from router.runtime import Runtime
from router.store.engine import Store
from tests.support.ledger import Ledger
from tests.support.runtime import Clock, build_runtime
from tests.support.settling import policy_with

KEY = "policy.launch.approval_above"
UNDO = "policy.launch.undo_seconds"


class House:
    """One installation whose files change, and the processes that are started with them."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.clock = Clock()
        self.ledger = Ledger(store, clock=self.clock)
        self.store, self.folder = store, folder

    def process(self, store: Store | None = None, **files: Any) -> tuple[Runtime, Keeper]:
        """A process with these values in its files."""
        folder = self.folder / str(len(list(self.folder.iterdir())))
        folder.mkdir()
        runtime = build_runtime(store or self.store, clock=self.clock, config=policy_with(folder, **files))
        return runtime, Keeper(runtime)

    async def start(self, **files: Any) -> tuple[Runtime, Keeper]:
        runtime, keeper = self.process(**files)
        await keeper.begin(now=self.clock())
        return runtime, keeper

    async def asked(self) -> None:
        """An ask was launched: from now on a change may surprise somebody."""
        await self.ledger.launch()

    async def changes(self) -> list[tuple[str, str]]:
        return [tuple(row) for row in await self.ledger.execute("SELECT key, status FROM policy_change ORDER BY id")]

    async def told(self) -> list[str]:
        rows = await self.ledger.execute("SELECT what FROM audit WHERE what LIKE 'policy.%' ORDER BY id")
        return [row.what for row in rows]

    async def notices(self) -> dict[str, str]:
        rows = await self.ledger.execute(
            "SELECT subject, sentence FROM notice WHERE kind = 'policy' AND cleared_at IS NULL"
        )
        return {row.subject: row.sentence for row in rows}


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> House:
    folder = tmp_path / "files"
    folder.mkdir()
    return House(store, folder)


async def test_a_looser_rule_waits_a_week_and_a_stricter_one_holds_at_once(house: House) -> None:
    await house.start()
    runtime, _ = await house.start(approval_above=5_000)
    assert runtime.policy.launch.approval_above == 5_000, "before the first ask there is nobody to surprise"
    await house.asked()

    runtime, keeper = await house.start(approval_above=9_000, undo_seconds=90)
    assert runtime.policy.launch.approval_above == 5_000
    assert runtime.policy.launch.undo_seconds == 90
    assert await house.changes() == [(KEY, "announced")]
    command, own = house.process(approval_above=9_000, undo_seconds=90)
    await own.take()
    assert command.policy.launch.approval_above == 5_000, "a command obeys the ledger as well"

    before = house_of(runtime)
    house.clock.advance(days=7, seconds=-1)
    await keeper.look(now=house.clock())
    assert runtime.policy.launch.approval_above == 5_000
    house.clock.advance(seconds=1)
    await keeper.look(now=house.clock())
    assert runtime.policy.launch.approval_above == 9_000, "and this without a restart"
    assert house_of(runtime).budget is not before.budget
    assert await house.changes() == [(KEY, "in_force")]
    assert await house.told() == [
        "policy.begin", "policy.change", "policy.change", "policy.announce", "policy.effect",
    ]  # fmt: skip
    assert not await house.notices()


async def test_what_is_taken_back_is_withdrawn_and_does_not_come_by_itself(house: House) -> None:
    await house.start()
    await house.asked()
    await house.start(approval_above=9_000)
    house.clock.advance(days=6)
    await house.start()
    runtime, keeper = await house.start(approval_above=9_000)
    assert await house.changes() == [(KEY, "withdrawn"), (KEY, "announced")]
    house.clock.advance(days=6)
    await keeper.look(now=house.clock())
    assert runtime.policy.launch.approval_above == 1_000, "the week begins anew"


async def test_two_processes_that_start_at_once_announce_once(house: House, database_url: str) -> None:
    await house.start()
    await house.asked()
    stores = [Store(database_url) for _ in range(4)]
    try:
        several = [house.process(store, approval_above=9_000, undo_seconds=90) for store in stores]
        await asyncio.gather(*(keeper.begin(now=house.clock()) for _, keeper in several))
        assert await house.changes() == [(KEY, "announced")]
        house.clock.advance(days=7)
        await asyncio.gather(*(keeper.look(now=house.clock()) for _, keeper in several))
    finally:
        for store in stores:
            await store.aclose()
    assert {runtime.policy.launch.approval_above for runtime, _ in several} == {9_000}
    assert await house.told() == ["policy.begin", "policy.change", "policy.announce", "policy.effect"]


async def test_two_machines_with_other_files_both_keep_to_the_stricter(house: House) -> None:
    await house.start()
    await house.asked()
    first, looks = await house.start(approval_above=9_000)
    house.clock.advance(days=7)
    await looks.look(now=house.clock())
    second, also = await house.start()
    await looks.look(now=house.clock())
    assert first.policy.launch.approval_above == second.policy.launch.approval_above == 1_000
    told = await house.notices()
    assert list(told) == [KEY]
    assert "9000 in the files of one process and 1000 by those of another" in told[KEY]
    await also.look(now=house.clock())
    await looks.look(now=house.clock())
    assert (await house.ledger.execute("SELECT count FROM notice WHERE kind = 'policy'"))[0].count == 1
    await house.start(approval_above=1_000)
    assert not await house.notices()


async def test_members_refuse_a_change_and_it_stays_away_until_the_file_says_something_else(house: House) -> None:
    await house.start()
    people = await house.ledger.add_members(12)
    await house.asked()
    house.clock.advance(hours=1)
    runtime, keeper = await house.start(approval_above=9_000, undo_seconds=30)
    [[change], [other]] = await house.ledger.execute("SELECT id FROM policy_change ORDER BY key")
    for member in people[:6]:
        await speak(runtime, member, change, Stance.SECOND, now=house.clock())
    for member in people[:5]:  # they change their minds, so it is five against one
        await speak(runtime, member, change, Stance.OBJECT, now=house.clock())
    for member in people[6:8]:
        await speak(runtime, member, other, Stance.OBJECT, now=house.clock())
    async with house.store.write() as connection:
        await merge_records(connection, keep=people[6], lose=people[7])
        assert (await count_voices(connection))[UNDO] == {"seconds": 0, "objections": 1}, "one person, one word"
    [late] = await house.ledger.add_members(1)
    await house.ledger.execute("UPDATE member SET joined_at = :at WHERE id = :id", id=late, at=2**50)
    with pytest.raises(NotAllowed):
        await speak(runtime, late, change, Stance.OBJECT, now=house.clock())

    house.clock.advance(days=7)
    await keeper.look(now=house.clock())
    assert runtime.policy.launch.approval_above == 1_000
    assert runtime.policy.launch.undo_seconds == 30, "one objection is too few"
    assert await house.changes() == [(KEY, "refused"), (UNDO, "in_force")]
    assert "Members refused" in (await house.notices())[KEY]
    with pytest.raises(NotAllowed):
        await speak(runtime, people[8], change, Stance.SECOND, now=house.clock())

    runtime, keeper = await house.start(approval_above=9_000, undo_seconds=30)
    house.clock.advance(days=30)
    await keeper.look(now=house.clock())
    assert runtime.policy.launch.approval_above == 1_000
    await house.start(approval_above=2_000, undo_seconds=30)
    assert (await house.changes())[-2:] == [(UNDO, "in_force"), (KEY, "announced")]
    await house.start(undo_seconds=30)
    assert (await house.changes())[0] == (KEY, "dropped")
    assert not await house.notices()
