"""A member is erased: no word of theirs is left in any table, what waits is withdrawn, the counts stay true."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import insert, select, text

from router.community.proposals.deciding import decide
from router.community.seats import take_seat
from router.core.address import address_hash
from router.core.errors import NotFound
from router.core.outgoing import Kind
from router.core.proposal_rules import Decision
from router.core.roles import Role
from router.door import door_link, shut_door, who_enters
from router.erasing import erase_member
from router.office.member_deeds import set_tags
from router.office.organizers import Organizer
from router.own_data import own_data
from router.records.members import MemberRecord, upsert_member
from router.store.hooks import tell_hooks
from router.store.tables import (
    action,
    call,
    consent,
    dialog,
    group_answer,
    group_member,
    hook,
    hook_event,
    inbound,
    joined,
    member_tag,
    metadata,
    phoned,
    proposal,
    proposal_report,
    reply_text,
    rsvp,
    suppression,
    thread,
    to_ms,
)
from router.web.auth import create_token
from router.web.idempotency import once
from router.web.problems import ProblemError
from tests.support.events import add_event, event_row, guests
from tests.support.ledger import Ledger

NAME, WORDS, PHONE = "Zebulonia", "purple giraffe", "+33639980077"
MAIL = "zebulonia@example.org"


async def everything(ledger: Ledger) -> dict[str, str]:
    """Table → all that is in it."""
    async with ledger.store.read() as connection:
        return {table.name: repr((await connection.execute(select(table))).all()) for table in metadata.sorted_tables}


async def plant(ledger: Ledger, ann: int) -> None:
    """Something of Ann's in every table that keeps what people are, say and do."""
    now = ledger.clock()
    at = {"member_id": ann, "at": now}
    hash_ = address_hash(ledger.runtime.key, "phone", PHONE)
    rows = [
        insert(member_tag).values(member_id=ann, tag=WORDS),
        insert(consent).values(
            id=9001, channel="sms", address_hash=hash_, state="granted", source=WORDS, wording=WORDS,
            recorded_at=now, **at,
        ),
        insert(inbound).values(
            id=9002, month=202611, channel="sms", account="main", event_id="e1", sender_hash=hash_, text=WORDS,
            intent="none", **at,
        ),
        insert(inbound).values(
            id=9003, month=202611, channel="sms", account="main", event_id="e2", sender_hash=hash_, text=WORDS,
            intent="none", at=now,
        ),
        insert(thread).values(
            member_id=ann, status="open", channel="sms", value=WORDS, inbound_id=9002, messages=1, last_in_at=now
        ),
        insert(dialog).values(member_id=ann, step="seats", detail={"words": WORDS}, until=now),
        insert(joined).values(channel="sms", **at),
        insert(action).values(
            id=9004, campaign_id=0, kind="gave", source="api", external_id=MAIL, amount=500, currency="EUR", **at
        ),
        insert(phoned).values(campaign_id=1, external_id=MAIL, result="yes", by="ana", **at),
        insert(call).values(
            campaign_id=1, line_id=1, slot_at=now - timedelta(days=1), status="called", result=WORDS, **at
        ),
        insert(group_member).values(group_id=7, source="came", **at),
        insert(group_answer).values(
            campaign_id=1, person_hash=hash_, group_id=7, kind="yes", month=202611, delivery_id=1, **at
        ),
        insert(proposal).values(
            id=9005, number=1, member_id=ann, text=WORDS, place=NAME, status="held", reports=1, created_at=now,
            changed_at=now,
        ),
        insert(proposal_report).values(proposal_id=1, address_hash=hash_, reason=WORDS, **at),
        insert(hook_event).values(
            hook_id=1, member_id=ann, kind="action", body=WORDS, status="told", not_before=now, at=now
        ),
    ]  # fmt: skip
    async with ledger.store.write() as connection:
        for row in rows:
            await connection.execute(row)
        await connection.execute(
            text(
                "UPDATE member SET first_name = :name, last_name = :name, name_key = :name, place = :name,"
                " external_id = :mail, attributes = :attributes WHERE id = :id"
            ),
            {"name": NAME, "mail": MAIL, "attributes": f'{{"likes": "{WORDS}"}}', "id": ann},
        )
        await connection.execute(
            text("UPDATE address SET value = :mail WHERE member_id = :id AND channel = 'email'"),
            {"mail": MAIL, "id": ann},
        )


async def plant_in_passing(ledger: Ledger, ann: int) -> None:
    """Something of Ann's where it only waits, or is a note of something else, in the program's own words."""
    now = ledger.clock()
    async with ledger.store.write() as connection:
        await connection.execute(
            insert(hook).values(
                id=1, url="https://example.org/hook", secret="whsec_", kinds=f" {Kind.OPT_OUT.value} ",
                created_by="ana", created_at=now,
            )
        )  # fmt: skip
        await tell_hooks(connection, Kind.OPT_OUT, {"channels": ["sms"], "source": WORDS}, member_id=ann, now=now)
    ana = Organizer(id=1, name="Ana", role=Role.ADMIN, created_by="", created_at=now)
    await set_tags(ledger.runtime, ana, ann, [WORDS, f"{WORDS}s"], now=now)
    for name in ("Ana", "Bo"):
        await create_token(ledger.store, name, "campaigns:launch", now)
    await decide(ledger.runtime, 1, Decision.KEEP, by="Ana", reason=WORDS, now=now)
    await once(ledger.store, ledger.runtime.ring, now=now, work=answer, **REQUEST)


REQUEST: Any = {"token_id": 1, "key": "a", "request_sha256": "b"}


async def answer() -> web.Response:
    """What a program gets that asks about Ann."""
    return web.Response(body=WORDS.encode())


async def test_no_word_of_theirs_is_left_anywhere(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1, channels=("sms", "email"), phone=PHONE)
    campaign = await ledger.launch_and_route()
    [row] = await ledger.rows(campaign)
    await plant(ledger, ann)
    event_id = (await add_event(ledger, host_id=ann, title=f"Dinner at {NAME}'s", address=WORDS, notes=WORDS)).id
    sat = (await add_event(ledger, seats=2)).id
    async with ledger.store.write() as connection:
        await take_seat(connection, event_id=sat, member_id=ann, seats=2, now=ledger.clock())
        await connection.execute(rsvp.update().where(rsvp.c.member_id == ann).values(comment=WORDS))
        await connection.execute(
            insert(reply_text).values(month=row.month, delivery_id=row.id, text=WORDS, asked_at=ledger.clock())
        )
    await plant_in_passing(ledger, ann)
    before = await everything(ledger)
    held = {name for name, rows in before.items() if any(word in rows for word in (NAME, WORDS, PHONE, MAIL))}
    assert held >= {"member", "address", "inbound", "consent", "proposal", "event", "reply_text", "rsvp", "action"}

    await erase_member(ledger.runtime, ann, by="herself", now=ledger.clock())

    after = await everything(ledger)
    assert {
        name: word for name, rows in after.items() for word in (NAME, "zebulonia", WORDS, PHONE, MAIL) if word in rows
    } == {}
    [[told]] = await ledger.execute("SELECT body FROM hook_event WHERE status = 'waiting' AND kind = 'opt_out'")
    assert json.loads(told)["data"] == {"channels": ["sms"], "member": {"id": ann, "external_id": None}}
    with pytest.raises(ProblemError, match="its answer is not kept any more"):
        await once(ledger.store, ledger.runtime.ring, now=ledger.clock(), work=answer, **REQUEST)
    assert await ledger.statuses(campaign) == ["cancelled"]
    assert [one.reason for one in await ledger.rows(campaign)] == ["erased"]
    await ledger.assert_tally_is_right(campaign)
    assert await ledger.slots(ann) == []
    assert await guests(ledger, sat) == {ann: ("cancelled", 2)}
    assert (await event_row(ledger, event_id)).status == "cancelled"
    [[amount]] = await ledger.execute("SELECT amount FROM action WHERE member_id = :id", id=ann)
    assert amount == 500, "sums stay true"
    [[agreed]] = await ledger.execute("SELECT at FROM consent WHERE id = 9001")
    assert agreed == to_ms(ledger.clock()), "when they agreed is evidence"


async def test_an_old_file_brings_nobody_back_and_a_phone_that_others_have_goes_on(ledger: Ledger) -> None:
    [ann, bob] = await ledger.add_members(2, phone=PHONE)
    [eve] = await ledger.add_members(1)
    [[own]] = await ledger.execute("SELECT value FROM address WHERE member_id = :id", id=eve)
    now = ledger.clock()
    await erase_member(ledger.runtime, ann, by="herself", now=now)
    assert await ledger.execute("SELECT 1 FROM suppression") == []
    await erase_member(ledger.runtime, eve, by="herself", now=now)
    await erase_member(ledger.runtime, eve, by="herself", now=now)
    async with ledger.store.read() as connection:
        rows = (await connection.execute(select(suppression.c.reason, suppression.c.channel))).all()
    assert [tuple(row) for row in rows] == [("erased", "sms")]
    record = MemberRecord.model_validate({"first_name": "Eve", "phone": own})
    again = await upsert_member(ledger.store, ledger.runtime.key, "FR", record, source="crm", now=now)
    assert again.member_id not in (ann, bob, eve)
    campaign = await ledger.launch_and_route()
    statuses = {row.member_id: row.status for row in await ledger.rows(campaign)}
    assert statuses.get(bob) == "queued"
    assert statuses.get(again.member_id) in (None, "held")
    assert ann not in statuses
    assert eve not in statuses


async def test_who_was_erased_has_no_page_and_no_data_and_strangers_cannot_be_erased(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1)
    now = ledger.clock()
    link = await door_link(ledger.runtime, ann, now=now)
    token = link.rpartition("/")[2]
    assert (await own_data(ledger.runtime, ann)).person["first_name"] == f"Ana{ann}"
    await erase_member(ledger.runtime, ann, by="herself", now=now)
    assert await who_enters(ledger.runtime, token, now=now) is None
    for work in (own_data(ledger.runtime, ann), door_link(ledger.runtime, ann, now=now)):
        with pytest.raises(NotFound):
            await work
    with pytest.raises(NotFound):
        await erase_member(ledger.runtime, 10**9, by="nobody", now=now)


async def test_a_lost_phone_is_cut_off(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1)
    now = ledger.clock()
    old = (await door_link(ledger.runtime, ann, days=2, now=now)).rpartition("/")[2]
    found = await who_enters(ledger.runtime, old, now=now)
    assert found is not None
    assert found.id == ann
    assert await who_enters(ledger.runtime, old, now=now + timedelta(days=2)) is None
    await shut_door(ledger.runtime, ann, by="ana", now=now)
    assert await who_enters(ledger.runtime, old, now=now) is None
    new = (await door_link(ledger.runtime, ann, now=now)).rpartition("/")[2]
    assert await who_enters(ledger.runtime, new, now=now) is not None
