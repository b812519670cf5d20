"""Whom an audience would reach, on both databases: the count, the examples, the tags that there are."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text, true

from router.core.ask import Ask
from router.core.audience import Tagged
from router.core.errors import NotFound
from router.core.roles import Role
from router.drafting import save_campaign
from router.office.limits import members_seen, sees_member
from router.office.once import MadeAlready, made_by, remember
from router.store.bulk import insert_rows
from router.store.engine import Store
from router.store.tables import member_tag
from router.whom import known_tags, look_at
from tests.support.ledger import Ledger
from tests.support.office import come_in

TENANTS = Tagged(op="tag", tag="tenants")


def an_ask(**values: object) -> Ask:
    return Ask.model_validate({"title": "Dinner", "texts": {"en": {"default": {"text": "Dinner?"}}}, **values})


async def tag(ledger: Ledger, name: str, *members: int) -> None:
    async with ledger.store.write() as connection:
        await insert_rows(connection, member_tag, ("tag", "member_id"), [(name, number) for number in members])


async def test_examples_are_of_both_sides_and_like_a_launch(store: Store) -> None:
    ledger = Ledger(store)
    inside = await ledger.add_members(5)
    outside = await ledger.add_members(4)
    await tag(ledger, "tenants", *inside)
    asked = await ledger.launch_and_route(audience={"op": "members", "ids": inside[:1]})
    ask = an_ask(audience=TENANTS.model_dump())
    whom = await look_at(
        ledger.runtime, ask, campaign_id=0, seen=true(), asked=outside[3], now=ledger.clock()
    )  # fmt: skip
    assert whom.people == 5
    assert [one.member for one in whom.examples] == [outside[3], *inside[:3], *outside[:2]]
    assert [one.is_in for one in whom.examples] == [False, True, True, True, False, False]
    assert whom.examples[1].can_be_reached  # one ask of three in seven days
    again = await look_at(
        ledger.runtime, an_ask(follows=asked), campaign_id=0, seen=true(), asked=None, now=ledger.clock()
    )
    assert again.people == 9
    assert [one.is_in for one in again.examples] == [True] * 5  # nobody is outside
    with pytest.raises(NotFound):
        await look_at(ledger.runtime, ask, campaign_id=0, seen=true(), asked=10**12, now=ledger.clock())


async def test_examples_stay_within_ones_part(store: Store) -> None:
    ledger = Ledger(store)
    inside, outside = await ledger.add_members(2), await ledger.add_members(2)
    await tag(ledger, "tenants", *inside)
    captain = (await come_in(ledger.runtime, Role.AUTHOR, audience=TENANTS, now=ledger.clock())).organizer
    seen = members_seen(captain, dialect=store.dialect)
    whom = await look_at(ledger.runtime, an_ask(), campaign_id=0, seen=seen, asked=None, now=ledger.clock())
    assert [one.member for one in whom.examples] == list(inside)
    async with store.read() as connection:
        seen_ones = [
            await sees_member(connection, captain, number, dialect=store.dialect) for number in (*inside, *outside)
        ]
    assert seen_ones == [True, True, False, False]


async def test_a_full_week_and_an_overdue_report_are_told(store: Store) -> None:
    ledger = Ledger(store)
    [ana] = await ledger.add_members(1)
    for _ in range(3):
        await ledger.launch_and_route()
    whom = await look_at(
        ledger.runtime, an_ask(deadline=ledger.clock().replace(hour=23)), campaign_id=0, seen=true(), asked=None,
        now=ledger.clock(),
    )  # fmt: skip
    [one] = whom.examples
    assert (one.member, one.can_be_reached) == (ana, False)
    assert "the contact budget has no room" in one.how[0]


async def test_the_tags_that_there_are(store: Store) -> None:
    ledger = Ledger(store)
    assert await known_tags(ledger.runtime) == []
    members = await ledger.add_members(3)
    for name in ("west", "east", "tenants"):
        await tag(ledger, name, *members)
    assert await known_tags(ledger.runtime) == ["east", "tenants", "west"]


async def test_a_form_makes_one_thing_also_when_it_is_sent_at_once(store: Store) -> None:
    ledger = Ledger(store)
    runtime, now = ledger.runtime, ledger.clock()
    ada = (await come_in(runtime, Role.AUTHOR, now=now)).organizer

    async def make() -> int | None:
        along = remember(ada, "a key", now=now)
        try:
            return (await save_campaign(runtime, an_ask(), by=ada.name, now=now, along=along)).id
        except MadeAlready:
            return None

    made = [number for number in await asyncio.gather(*(make() for _ in range(5))) if number is not None]
    assert len(made) == 1
    assert await made_by(runtime, ada, "a key") == made[0]
    async with store.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM campaign")) == 1
