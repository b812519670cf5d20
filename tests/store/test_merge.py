"""Two records become one person: seats, calls, what the program was told and what was said, on both databases."""

from __future__ import annotations

from sqlalchemy import insert

from router.community.seats import give_seat_back, take_seat
from router.records.merge import merge_records
from router.store.tables import call, dialog, joined, trusted_host
from tests.support.events import add_event, event_row, guests
from tests.support.ledger import Ledger


async def merge(ledger: Ledger, keep: int, lose: int) -> None:
    async with ledger.store.write() as connection:
        await merge_records(connection, keep=keep, lose=lose)


async def sit(ledger: Ledger, event_id: int, member: int, seats: int) -> None:
    async with ledger.store.write() as connection:
        await take_seat(connection, event_id=event_id, member_id=member, seats=seats, now=ledger.clock())


async def test_one_person_sits_once_and_a_seat_counts_before_a_word_taken_back(ledger: Ledger) -> None:
    ann, other, bob = await ledger.add_members(3)
    both, only, again = [(await add_event(ledger, seats=8)).id for _ in range(3)]
    await sit(ledger, both, ann, 2)
    await sit(ledger, both, other, 3)
    await sit(ledger, both, bob, 1)
    await sit(ledger, only, other, 4)
    await sit(ledger, again, ann, 5)
    async with ledger.store.write() as connection:
        await give_seat_back(connection, event_id=again, member_id=ann, now=ledger.clock())
    await sit(ledger, again, other, 1)
    await merge(ledger, ann, other)
    assert await guests(ledger, both) == {ann: ("confirmed", 2), bob: ("confirmed", 1)}
    assert await guests(ledger, only) == {ann: ("confirmed", 4)}
    assert await guests(ledger, again) == {ann: ("confirmed", 1)}
    assert [(await event_row(ledger, one)).taken for one in (both, only, again)] == [3, 4, 1]


async def test_what_else_is_known_of_the_other_record_comes_along(ledger: Ledger) -> None:
    ann, other = await ledger.add_members(2)
    now = ledger.clock()
    hosted = await add_event(ledger, host_id=other)
    async with ledger.store.write() as connection:
        for member, campaign in ((ann, 1), (other, 1), (other, 2)):
            row = {"campaign_id": campaign, "member_id": member, "line_id": 1, "slot_at": now, "status": "assigned"}
            await connection.execute(insert(call).values(**row, at=now))
        for member, channel in ((ann, "sms"), (other, "sms"), (other, "email")):
            await connection.execute(insert(joined).values(member_id=member, channel=channel, at=now))
        await connection.execute(insert(dialog).values(member_id=other, step="event.offer", until=now))
        await connection.execute(insert(trusted_host).values(member_id=other, by="ana", at=now))
    await merge(ledger, ann, other)
    assert (await event_row(ledger, hosted.id)).host_id == ann
    for table, count in (("call", 2), ("joined", 2), ("dialog", 1), ("trusted_host", 1)):
        assert await ledger.execute(f"SELECT DISTINCT member_id, (SELECT count(*) FROM {table}) FROM {table}") == [
            (ann, count)
        ]
