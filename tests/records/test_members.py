"""Members one by one: the API's way in, households' budgets, and two records that become one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, insert, select, update

from router.core import purse
from router.core.errors import BadInput
from router.core.purse import Purse, Slot
from router.records.members import ConsentRecord, MemberRecord, UpsertResult, merge_records, upsert_member
from router.records.pages import open_book, read_pages, write_book
from router.records.ready import Reading, prepare, refuse
from router.store.engine import Store
from router.store.tables import (
    action,
    address,
    ask_claim,
    campaign,
    contact_budget,
    delivery,
    member,
    tally,
    to_ms,
)
from tests.records.ledger import KEY, NOW, people

YES = ConsentRecord(channel="sms", source="Picnic form", wording="I agree", at=NOW - timedelta(days=1))


async def put(store: Store, *, region: str = "US", **fields: Any) -> UpsertResult:
    return await upsert_member(store, KEY, region, MemberRecord(**fields), source="POST /api/v1/members", now=NOW)


async def test_a_member_is_made_filled_in_and_left_alone(store: Store) -> None:
    first = await put(store, first_name="ann", last_name="lee", phone="202-555-0123", consents=[YES], tags=["North"])
    assert (first.outcome, first.consents, first.household_id) == ("new", {"sms": "granted"}, None)
    second = await put(store, first_name="Ann", last_name="Lee", phone="+12025550123", email="ann@example.org")
    assert (second.outcome, second.member_id) == ("updated", first.member_id)
    assert second.consents == {"sms": "granted", "email": "unconfirmed"}
    third = await put(store, first_name="Ann", last_name="Lee", phone="+12025550123", consents=[YES])
    assert third.outcome == "unchanged"
    (ann,) = await people(store)
    assert (ann["name"], ann["tags"]) == ("Ann Lee", ["north"])
    assert [c[:5] for c in ann["consents"]] == [
        ("email", "unconfirmed", "consent", "POST /api/v1/members", ""),
        ("sms", "granted", "consent", "Picnic form", "I agree"),
    ]


async def test_the_same_phone_under_another_name_is_a_household(store: Store) -> None:
    ann = await put(store, first_name="Ann", phone="2025550123")
    sam = await put(store, first_name="Sam", phone="2025550123")
    assert sam.member_id != ann.member_id
    assert sam.household_id is not None
    assert {tuple(one["household"]) for one in await people(store)} == {("Ann", "Sam")}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"phone": "12"}, "phone"),
        ({"email": "ann"}, "email"),
        ({"email": "a@example.org", "zone": "Mars/Base"}, "zone"),
        ({"email": "a@example.org", "channel_order": ["pigeon"]}, "channel_order"),
        ({"email": "a@example.org", "consents": [YES]}, "consents"),
        ({"email": "a@example.org", "consents": [ConsentRecord(channel="pigeon")]}, "consents"),
        ({"first_name": "Ann"}, "phone"),
        ({"external_id": "nobody"}, "phone"),
    ],
)
async def test_what_cannot_be_used_refuses_the_whole(ledger: Store, fields: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        await put(ledger, **fields)
    assert caught.value.place == place
    assert await people(ledger) == []


async def test_a_record_without_a_name_cannot_mean_one_of_several(ledger: Store) -> None:
    await put(ledger, first_name="Ann", phone="2025550123")
    await put(ledger, first_name="Sam", phone="2025550123")
    with pytest.raises(BadInput, match="several people share"):
        await put(ledger, phone="2025550123", tags=["x"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"phone": 12},
        {"shoe_size": "42"},
        {"country": "USA"},
        {"locale": "english!"},
        {"joined_at": "2024-01-01T00:00:00"},
        {"consents": [{"channel": "sms", "state": "perhaps"}]},
        {"attributes": {f"a{n}": "x" for n in range(51)}},
    ],
)
def test_records_are_checked_strictly(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MemberRecord.model_validate(wrong)


def asked(number: int) -> Purse:
    return Purse((Slot(to_ms(NOW - timedelta(hours=number)), number, "sms"),))


async def purses(store: Store) -> dict[int, list[int]]:
    async with store.read() as connection:
        rows = await connection.execute(select(contact_budget.c.holder, contact_budget.c.slots))
        return {
            holder: sorted(s.delivery for s in purse.decode(slots).slots) for holder, slots in rows if slots != "[]"
        }


async def test_what_was_asked_of_each_counts_for_the_household(store: Store) -> None:
    ann = await put(store, first_name="Ann", phone="2025550123")
    sam = await put(store, first_name="Sam", email="sam@example.org")
    async with store.write() as connection:
        for holder, number in ((ann.member_id, 1), (sam.member_id, 2)):
            row = {"holder": holder, "slots": purse.encode(asked(number))}
            await connection.execute(insert(contact_budget).values(row))
    house = (await put(store, first_name="Sam", phone="2025550123", email="sam@example.org")).household_id
    assert house is not None
    assert await purses(store) == {house: [1, 2]}


async def two_asked(store: Store) -> tuple[int, int]:
    """Two records of one person, both of whom have deliveries of campaign 7, one also of campaign 8."""
    ann = (await put(store, first_name="Ann", phone="2025550123")).member_id
    other = (await put(store, first_name="Ann", email="ann@example.org")).member_id
    async with store.write() as connection:
        for number in (7, 8):
            await connection.execute(
                insert(campaign).values(
                    id=number, month=202611, title="t", kind="ask", status="running", created_by="Ida", created_at=NOW
                )
            )
        claims = [(7, ann, "a"), (7, other, "b"), (8, other, "c")]
        await connection.execute(
            insert(ask_claim), [dict(zip(("campaign_id", "member_id", "address_hash"), c, strict=True)) for c in claims]
        )
        rows = [(71, 7, ann, "sms", "sent"), (72, 7, other, "email", "queued"), (81, 8, other, "email", "queued")]
        for number, about, owner, channel, status in rows:
            row = {"month": 202611, "id": number, "campaign_id": about, "member_id": owner, "channel": channel}
            await connection.execute(insert(delivery).values(**row, status=status, costs=True))
            tallied = {"campaign_id": about, "channel": channel, "status": status, "reason": "", "count": 1}
            await connection.execute(insert(tally).values(tallied))
        for holder, numbers in ((ann, [71]), (other, [72, 81])):
            slots = purse.encode(Purse(tuple(sorted(slot for n in numbers for slot in asked(n).slots))))
            await connection.execute(insert(contact_budget).values(holder=holder, slots=slots))
        await connection.execute(
            insert(action).values(
                id=9, member_id=other, campaign_id=8, kind="signed", source="api", external_id="9", at=NOW
            )
        )
    return ann, other


async def test_merge_cancels_what_is_queued_twice_and_moves_the_rest(store: Store) -> None:
    ann, other = await two_asked(store)
    async with store.write() as connection:
        await merge_records(connection, keep=ann, lose=other)
    async with store.read() as connection:
        rows = await connection.execute(
            select(delivery.c.id, delivery.c.member_id, delivery.c.status, delivery.c.reason).order_by(delivery.c.id)
        )
        assert [tuple(row) for row in rows] == [
            (71, ann, "sent", None),
            (72, ann, "cancelled", "merged"),
            (81, ann, "queued", None),
        ]
        claims = await connection.execute(select(ask_claim).order_by(ask_claim.c.address_hash))
        assert [tuple(row) for row in claims] == [(7, ann, "a"), (7, None, "b"), (8, ann, "c")]
        counts = await connection.execute(
            select(tally.c.campaign_id, tally.c.status, tally.c.reason).where(tally.c.count == 1)
        )
        assert sorted(map(tuple, counts)) == [(7, "cancelled", "merged"), (7, "sent", ""), (8, "queued", "")]
        assert (await connection.execute(select(member.c.id))).scalars().all() == [ann]
        assert (await connection.execute(select(action.c.member_id))).scalars().all() == [ann]
    assert await purses(store) == {ann: [71, 81]}


async def test_a_record_that_shows_two_to_be_one_merges_them(store: Store) -> None:
    ann, other = await two_asked(store)
    async with store.write() as connection:
        await connection.execute(update(address).where(address.c.member_id == other).values(consent="revoked"))
    result = await put(store, first_name="Ann", phone="2025550123", email="ann@example.org")
    assert (result.member_id, result.consents) == (ann, {"sms": "unconfirmed", "email": "revoked"})
    async with store.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(member)) == 1
        owners = (await connection.execute(select(delivery.c.member_id))).scalars().all()
    assert owners == [ann] * 3
    assert await purses(store) == {ann: [71, 81]}


async def test_a_refusal_on_either_record_counts_for_both(store: Store) -> None:
    ann, other = await two_asked(store)
    async with store.write() as connection:
        row = (await connection.execute(select(address).where(address.c.member_id == ann))).mappings().one()
        await connection.execute(insert(address).values({**row, "id": 999, "member_id": other, "consent": "revoked"}))
        await connection.execute(update(delivery).where(delivery.c.id == 81).values(address_id=999))
        await merge_records(connection, keep=ann, lose=other)
    async with store.read() as connection:
        rows = (await connection.execute(select(address.c.id, address.c.channel, address.c.consent))).all()
        assert sorted(tuple(r)[1:] for r in rows) == [("email", "unconfirmed"), ("sms", "revoked")]
        assert await connection.scalar(select(delivery.c.address_id).where(delivery.c.id == 81)) == row["id"]


async def test_a_no_in_the_ledger_stands_against_the_api_too(store: Store) -> None:
    await put(store, first_name="Ann", phone="2025550123")
    async with store.write() as connection:
        await connection.execute(update(address).values(consent="revoked"))
    assert (await put(store, first_name="Ann", phone="2025550123", consents=[YES])).consents == {"sms": "revoked"}


async def test_a_stop_that_comes_in_between_stands(store: Store) -> None:
    """An import reads "unconfirmed", somebody says STOP, the import writes "granted"."""
    await put(store, first_name="Ann", phone="2025550123")
    record = MemberRecord(first_name="Ann", phone="2025550123", consents=[YES])
    row = prepare(record, Reading(key=KEY, region="US", source="test"), refuse)
    async with store.read() as connection:
        book = open_book(await read_pages(connection, [row]), stamp=to_ms(NOW), ids=iter(range(500, 600)))
    book.tell(row)
    async with store.write() as connection:
        await connection.execute(update(address).values(consent="revoked"))
    async with store.write() as connection:
        await write_book(connection, book)
    async with store.read() as connection:
        assert await connection.scalar(select(address.c.consent)) == "revoked"
