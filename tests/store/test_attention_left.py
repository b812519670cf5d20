"""The attention that is left: who can be asked once more, who cannot, and a sample where there are many."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.attention_left import attention_left
from router.core.audience import Members
from router.store.audience import compile_audience
from router.store.engine import Store
from tests.support.ledger import Ledger


async def counts(ledger: Ledger) -> tuple[int, int, int]:
    """(looked at, can be asked in a day, in a week)."""
    found = await attention_left(ledger.runtime, now=ledger.clock())
    assert found.is_all
    return found.people, found.in_a_day, found.in_a_week


async def test_what_was_asked_is_gone_until_its_window_ends(store: Store) -> None:
    ledger = Ledger(store)
    await ledger.add_members(4)
    assert await counts(ledger) == (4, 4, 4)
    for _ in range(3):  # the tests' budget: three in seven days
        await ledger.launch_and_route()
        await ledger.send()
    assert await counts(ledger) == (4, 0, 0)
    ledger.clock.advance(days=1)
    assert await counts(ledger) == (4, 0, 4)
    ledger.clock.advance(days=5, hours=1)
    assert await counts(ledger) == (4, 4, 4)


async def test_who_wants_less_or_cannot_be_written_to(store: Store) -> None:
    ledger = Ledger(store)
    paused, stopped, urgent, resting, _ = await ledger.add_members(5)
    await ledger.execute("UPDATE member SET dial = 'paused' WHERE id = :id", id=paused)
    await ledger.execute("UPDATE member SET dial = 'urgent_only' WHERE id = :id", id=urgent)
    await ledger.execute("UPDATE address SET consent = 'revoked' WHERE member_id = :id", id=stopped)
    soon = int((ledger.clock() + timedelta(days=3)).timestamp() * 1000)
    await ledger.execute("UPDATE member SET paused_until = :at WHERE id = :id", at=soon, id=resting)
    assert await counts(ledger) == (4, 1, 2)


async def test_a_household_shares_one_purse(store: Store) -> None:
    ledger = Ledger(store)
    first, second = await ledger.add_members(2)
    await ledger.execute("UPDATE member SET household_id = :first", first=first)
    for _ in range(3):
        await ledger.launch_and_route(audience={"op": "members", "ids": [second]})
    assert await counts(ledger) == (2, 0, 0)


async def test_a_part_of_the_members(store: Store) -> None:
    ledger = Ledger(store)
    first, *_ = await ledger.add_members(3)
    seen = compile_audience(Members(op="members", ids=[first]), dialect=store.dialect)
    assert (await attention_left(ledger.runtime, seen=seen, now=ledger.clock())).people == 1


async def test_of_many_a_sample_from_all_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.attention_left.SAMPLE", 40)
    ledger = Ledger(store)
    early = await ledger.add_members(100)
    await ledger.execute("UPDATE member SET dial = 'paused'")
    await store.take_ids(1_000)  # what else the ledger numbers: deliveries, addresses …
    await ledger.add_members(100)
    found = await attention_left(ledger.runtime, now=ledger.clock())
    assert not found.is_all
    assert 0 < found.people <= 40
    assert 0 < found.in_a_week < found.people, "the sample is of both halves"
    await ledger.execute("UPDATE member SET erased_at = 1 WHERE id <= :last", last=early[-1])
    found = await attention_left(ledger.runtime, now=ledger.clock())
    assert found.people == found.in_a_week > 0


async def test_gaps_in_the_numbers_leave_a_sample_from_all_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other things are numbered in between: after a large blast most numbers are those of deliveries."""
    monkeypatch.setattr("router.attention_left.SAMPLE", 40)
    ledger = Ledger(store)
    await ledger.add_members(10)
    await store.take_ids(1_000_000)
    late = await ledger.add_members(100)
    await ledger.execute("UPDATE member SET dial = 'paused' WHERE id >= :half", half=late[50])
    found = await attention_left(ledger.runtime, now=ledger.clock())
    assert 20 <= found.people <= 40
    assert 0.3 * found.people <= found.in_a_week <= 0.7 * found.people


async def test_nobody_at_all(store: Store) -> None:
    assert await counts(Ledger(store)) == (0, 0, 0)
