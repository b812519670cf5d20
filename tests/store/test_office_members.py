"""Members as the office looks for them and changes them, on both databases."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, update

from router.core.audience import Tagged
from router.core.errors import NotFound
from router.core.roles import Role
from router.office import member_search
from router.office.member_deeds import merge_two, set_tags, what_moves
from router.office.member_file import read_member_file
from router.office.member_search import MemberPage, Wanted, search_members
from router.store.engine import Store
from router.store.tables import member
from tests.support.ledger import Ledger
from tests.support.office import come_in

NAMES = ["ana", "ana bo", "anab", "anä", "anb", "an", "b", "anaz", "ana\U0001f600"]


def numbers_of(page: MemberPage) -> list[int]:
    return [one.id for one in page.members]


async def test_a_beginning_of_a_name_finds_its_bearers_page_by_page(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_search, "PAGE", 2)
    ledger = Ledger(store)
    who = (await come_in(ledger.runtime, Role.AUTHOR, now=ledger.clock())).organizer
    numbers = await ledger.add_members(len(NAMES))
    async with store.write() as connection:
        for number, name in zip(numbers, NAMES, strict=True):
            await connection.execute(update(member).where(member.c.id == number).values(name_key=name))
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page = await search_members(ledger.runtime, who, Wanted(who="ana"), after=after)
        found += numbers_of(page)
        after = page.after
    assert [NAMES[numbers.index(number)] for number in found] == ["ana", "ana bo", "anab", "anaz", "ana\U0001f600"]


async def test_a_page_looks_through_so_many_and_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_search, "LOOKED_AT", 3)
    ledger = Ledger(store)
    who = (await come_in(ledger.runtime, Role.AUTHOR, now=ledger.clock())).organizer
    numbers = await ledger.add_members(8)
    async with store.write() as connection:
        await connection.execute(update(member).where(member.c.id == numbers[7]).values(place="Lyon"))
    pages = [await search_members(ledger.runtime, who, Wanted(place="lyon"))]
    while pages[-1].after is not None:
        pages.append(await search_members(ledger.runtime, who, Wanted(place="lyon"), after=pages[-1].after))
    assert [numbers_of(page) for page in pages] == [[], [], [numbers[7]]]


async def test_a_captain_neither_tags_nor_joins_those_of_others(store: Store) -> None:
    ledger = Ledger(store)
    mine, other = await ledger.add_members(2)
    admin = (await come_in(ledger.runtime, Role.ADMIN, now=ledger.clock())).organizer
    await set_tags(ledger.runtime, admin, mine, ["Block 3"], now=ledger.clock())
    part = Tagged(op="tag", tag="block 3")
    captain = (await come_in(ledger.runtime, Role.AUTHOR, audience=part, now=ledger.clock())).organizer
    for keep, lose in ((mine, other), (other, mine)):
        with pytest.raises(NotFound):
            await merge_two(ledger.runtime, captain, keep=keep, lose=lose, now=ledger.clock())
    with pytest.raises(NotFound):
        await set_tags(ledger.runtime, captain, other, ["block 3"], now=ledger.clock())
    assert (await read_member_file(ledger.runtime, captain, mine)).tags == ["block 3"]
    assert numbers_of(await search_members(ledger.runtime, captain, Wanted(who=str(other)))) == []


async def test_two_click_to_join_the_same_records(store: Store) -> None:
    ledger = Ledger(store)
    one, two = await ledger.add_members(2)
    who = (await come_in(ledger.runtime, Role.ADMIN, now=ledger.clock())).organizer
    await set_tags(ledger.runtime, who, two, ["tenants"], now=ledger.clock())
    async with store.write() as connection:
        await connection.execute(update(member).where(member.c.id == two).values(dial="weekly"))
    assert [(move.what, move.many) for move in await what_moves(ledger.runtime, two)] == [("addresses", 1)]
    both = await asyncio.gather(
        merge_two(ledger.runtime, who, keep=one, lose=two, now=ledger.clock()),
        merge_two(ledger.runtime, who, keep=two, lose=one, now=ledger.clock()),
        return_exceptions=True,
    )
    assert sorted(type(said) for said in both if said is not None) == [NotFound]
    async with store.read() as connection:
        [row] = (await connection.execute(select(member.c.id, member.c.dial))).all()
    file = await read_member_file(ledger.runtime, who, row.id)
    assert (row.dial, file.tags, len(file.addresses)) == ("weekly", ["tenants"], 2)
