"""Two records become one person: seats, calls, what the program was told and what was said, on both databases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, insert

from router.community.seats import give_seat_back, take_seat
from router.records.merge import merge_records
from router.store.tables import (
    call,
    dialog,
    forward,
    forwarded,
    group_answer,
    group_chat,
    group_member,
    joined,
    proposal,
    proposal_report,
    proposal_second,
    trusted_host,
)
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


async def put(ledger: Ledger, table: Table, *rows: dict[str, Any]) -> None:
    async with ledger.store.write() as connection:
        for row in rows:
            await connection.execute(insert(table).values({"at": ledger.clock(), **row}))


async def read(ledger: Ledger, columns: str, table: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await ledger.execute(f"SELECT {columns} FROM {table} ORDER BY {columns}")]


async def test_in_group_chats_both_records_are_one_person(ledger: Ledger) -> None:
    ann, other, bob = await ledger.add_members(3)
    [mine, theirs] = [
        row.hash
        for row in await ledger.execute("SELECT hash FROM address WHERE member_id <> :bob ORDER BY id", bob=bob)
    ]
    here = [(1, ann), (1, other), (2, other), (2, bob)]
    await put(ledger, group_member, *[{"group_id": group, "member_id": who, "source": "spoke"} for group, who in here])
    said = {"group_id": 1, "kind": "yes", "month": 202611, "delivery_id": 1}
    await put(
        ledger, group_answer,
        {"campaign_id": 1, "person_hash": mine, "member_id": ann, **said},
        {"campaign_id": 2, "person_hash": theirs, "member_id": other, **said},
        {"campaign_id": 2, "person_hash": "nobody's", "member_id": None, **said},
    )  # fmt: skip
    await put(ledger, group_chat, {"group_id": 1, "steward_id": other}, {"group_id": 2, "steward_id": bob})
    await merge(ledger, ann, other)
    assert await read(ledger, "group_id, member_id", "group_member") == [(1, ann), (2, ann), (2, bob)]
    assert await read(ledger, "campaign_id, person_hash, member_id", "group_answer WHERE member_id > 0") == [
        (1, mine, ann),
        (2, theirs, ann),
    ]
    assert await read(ledger, "group_id, steward_id", "group_chat") == [(1, ann), (2, bob)]


async def test_one_person_seconds_and_reports_an_idea_once_and_never_their_own(ledger: Ledger) -> None:
    ann, other, bob = await ledger.add_members(3)
    now = ledger.clock()
    for number, by, seconds in ((1, other, 2), (2, bob, 2), (3, bob, 1), (4, ann, 0)):
        row = {"id": number, "number": number, "member_id": by, "text": "An idea", "status": "open"}
        counted = {"seconds": seconds, "reports": 2 if number == 2 else 0, "objections": 2 if number == 2 else 0}
        async with ledger.store.write() as connection:
            await connection.execute(insert(proposal).values(**row, **counted, created_at=now, changed_at=now))
    ideas = [(1, "idea", ann), (1, "idea", bob), (2, "idea", ann), (2, "idea", other), (3, "idea", other)]
    for number, about, who in [*ideas, (2, "refusal", ann), (2, "refusal", other)]:
        row = {"proposal_id": number, "about": about, "member_id": who, "address_hash": f"{about}-{who}"}
        await put(ledger, proposal_second, row)
    for who in (ann, other):
        await put(ledger, proposal_report, {"proposal_id": 2, "member_id": who, "address_hash": str(who)})
    await merge(ledger, ann, other)
    assert await read(ledger, "proposal_id, about, member_id", "proposal_second") == [
        (1, "idea", bob),
        (2, "idea", ann),
        (2, "refusal", ann),
        (3, "idea", ann),
    ]
    assert await read(ledger, "number, member_id, seconds, reports, objections", "proposal") == [
        (1, ann, 1, 0, 0),
        (2, bob, 1, 1, 1),
        (3, bob, 1, 0, 0),
        (4, ann, 0, 0, 0),
    ]


async def test_links_that_were_passed_on_go_on_counting(ledger: Ledger) -> None:
    ann, other, bob, cleo = await ledger.add_members(4)
    links = [(1, ann, 2), (1, other, 3), (2, other, 4), (3, ann, 5), (1, bob, 1)]
    await put(ledger, forward, *[{"campaign_id": c, "member_id": who, "opened": n} for c, who, n in links])
    came = [(1, bob, other), (1, other, ann), (2, ann, other), (2, cleo, other), (3, other, bob), (3, ann, cleo)]
    await put(ledger, forwarded, *[{"campaign_id": c, "brought_id": new, "member_id": by} for c, new, by in came])
    await merge(ledger, ann, other)
    assert await read(ledger, "campaign_id, member_id, opened", "forward") == [
        (1, ann, 5),
        (1, bob, 1),
        (2, ann, 4),
        (3, ann, 5),
    ]
    assert await read(ledger, "campaign_id, brought_id, member_id", "forwarded") == [
        (1, bob, ann),
        (2, cleo, ann),
        (3, ann, cleo),
    ]
