"""How much of an audience is routed in one transaction: about a thousand people, however scattered their numbers."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

from router.competing import TURNS, next_route
from router.fanout import route_range_of
from router.ranges import RANGE
from router.store.engine import Store
from tests.support.ledger import Ledger


async def scattered(ledger: Ledger, people: int, numbers: int = 1_500) -> None:
    """So many people, a hundred together with `numbers` between them and the next hundred."""
    for _ in range(people // 100):
        await ledger.add_members(100)
        await ledger.store.take_ids(numbers)


async def turns(ledger: Ledger) -> list[tuple[int, int]]:
    """The campaign and how many people of each transaction, in their order."""
    found = []
    while (prepared := await next_route(ledger.runtime)) is not None:
        found.append((prepared.campaign.id, await route_range_of(ledger.runtime, prepared, now=ledger.clock()) or 0))
    return found


async def test_a_thousand_people_far_apart_are_one_turn(ledger: Ledger) -> None:
    await scattered(ledger, 1_300)
    campaign = await ledger.launch()
    first, second = await turns(ledger)
    assert RANGE - 100 <= first[1] <= RANGE
    assert first[1] + second[1] == 1_300
    assert len({row.member_id for row in await ledger.rows(campaign)}) == 1_300
    await ledger.assert_tally_is_right(campaign)


async def test_who_waits_for_a_turn_waits_no_longer_for_that(ledger: Ledger) -> None:
    await scattered(ledger, 2_000)
    mine, theirs = await ledger.launch(by="ana"), await ledger.launch(by="dan")
    found = await turns(ledger)
    assert max(count for campaign, count in found if campaign == mine) <= 2 * 2_000 / TURNS
    firsts = [campaign for campaign, _ in found[: TURNS // 2]]
    assert set(firsts) == {mine, theirs}


async def test_two_routers_leave_no_range_between_them(store: Store, database_url: str) -> None:
    other = Store(database_url)
    one, two = Ledger(store), Ledger(other)
    await scattered(one, 1_500)
    campaign = await one.launch()
    await asyncio.gather(one.route(), two.route(), two.route())
    assert Counter(row.member_id for row in await one.rows(campaign)).total() == 1_500
    ranges = await one.execute("SELECT first_member, last_member, routed_at FROM route_range ORDER BY first_member")
    assert all(row.routed_at is not None for row in ranges)
    assert all(before.last_member + 1 == after.first_member for before, after in pairwise(ranges))
    await other.aclose()


async def test_numbers_that_no_member_has_are_leapt_over(ledger: Ledger) -> None:
    """As many as a restored backup leaves out, or the messages of years take."""
    await ledger.add_members(3)
    await ledger.store.take_ids(100_000_000)
    await ledger.add_members(2)
    campaign = await ledger.launch()
    assert [count for _, count in await turns(ledger)][-1] <= 5
    assert len({row.member_id for row in await ledger.rows(campaign)}) == 5
    ranges = await ledger.execute("SELECT first_member, last_member, routed_at FROM route_range ORDER BY first_member")
    assert all(before.last_member + 1 == after.first_member for before, after in pairwise(ranges))
    assert all(row.routed_at is not None for row in ranges)
    assert len(ranges) <= 4, "a turn may cut a long range once"
