"""A member is forgotten: what waits for them is withdrawn, and every word about them goes (DESIGN.md 6, rule 19).

Numbers stay: deliveries, deeds and claims under the member's bare number, so that counts remain true, nobody is asked
twice and a receipt that comes late still finds its message. So do the dates of consents, suppressions, and keyed hashes
of addresses, which nobody can turn back into a phone or a mailbox. Their addresses are suppressed: an old file that is
imported again brings nobody back; a START written from there, and nothing else, lifts that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.call_book import HOLDING, Caller, CallStatus, open_door, settle
from router.community.events import cancel_in
from router.community.seats import give_seat_back
from router.core.errors import NotFound
from router.core.model import Reason
from router.landing import wait_for_member
from router.runtime import Runtime
from router.stops import Queued, cancel_rows
from router.store.bulk import for_update, insert_new_rows
from router.store.campaigns import lock_campaign, write_audit
from router.store.tables import call, event, rsvp, suppression, to_ms
from router.store.tallies import Moves

ERASED = "erased"
"""The reason of the suppressions that stay."""

_WHY_CANCELLED = "its host cannot hold it any more"
_MONTHS = "month IN (SELECT DISTINCT month FROM campaign)"

_FORGET = (
    "DELETE FROM member_tag WHERE member_id = :id",
    "DELETE FROM thread WHERE member_id = :id",
    "DELETE FROM dialog WHERE member_id = :id",
    "DELETE FROM joined WHERE member_id = :id",
    "DELETE FROM trusted_host WHERE member_id = :id",
    "DELETE FROM group_member WHERE member_id = :id",
    "DELETE FROM policy_voice WHERE member_id = :id",
    "DELETE FROM hook_event WHERE member_id = :id AND status <> 'waiting'",
    "UPDATE group_answer SET member_id = NULL WHERE member_id = :id",
    "UPDATE group_chat SET steward_id = NULL, steward_hash = '' WHERE steward_id = :id",
    f"UPDATE reply_text SET text = '' WHERE {_MONTHS} AND delivery_id IN"
    f" (SELECT id FROM delivery WHERE {_MONTHS} AND member_id = :id)",
    "UPDATE inbound SET text = '', sender_hash = '' WHERE member_id = :id",
    "UPDATE inbound SET text = '', sender_hash = '' WHERE member_id IS NULL AND sender_hash IN (SELECT a.hash"
    " FROM address a WHERE a.member_id = :id AND NOT EXISTS"
    " (SELECT 1 FROM address o WHERE o.hash = a.hash AND o.member_id <> :id))",
    "UPDATE consent SET source = '', wording = '' WHERE member_id = :id",
    "UPDATE rsvp SET comment = '' WHERE member_id = :id",
    "UPDATE call SET result = '' WHERE member_id = :id",
    "UPDATE phoned SET external_id = 'erased ' || member_id || ' ' || at WHERE member_id = :id",
    "UPDATE action SET external_id = 'erased ' || id WHERE member_id = :id",
    "UPDATE proposal_report SET reason = '' WHERE member_id = :id",
    "UPDATE proposal_vote SET reason = '' WHERE proposal_id IN (SELECT id FROM proposal WHERE member_id = :id)",
    # Answers to programs' requests, kept for a day, are sealed: any of them may show this member.
    "UPDATE idempotency SET body = '' WHERE status < 400",
    "UPDATE proposal SET text = '', reason = '', place = '', next_at = NULL,"
    " status = CASE WHEN status IN ('open', 'held') THEN 'withdrawn' ELSE status END WHERE member_id = :id",
    "UPDATE event SET title = '#' || number, area = '', address = '', notes = '', reason = '', postcode = '',"
    " latitude = NULL, longitude = NULL WHERE host_id = :id",
    # A hash of its own, so that whoever writes from there later is somebody new.
    "UPDATE address SET value = '', hash = 'erased ' || id, consent = 'revoked', alerts = false,"
    " last_inbound_at = NULL, answered_at = NULL WHERE member_id = :id",
    "UPDATE member SET first_name = '', last_name = '', name_key = '', locale = '', zone = '', zone_source = '',"
    " country = '', postcode = '', place = '', attributes = '{}', household_id = NULL, external_id = NULL,"
    " paused_until = NULL, erased_at = :now, updated_at = :now WHERE id = :id",
)


async def erase_member(runtime: Runtime, member_id: int, *, by: str, now: datetime) -> None:
    """Forget a member for good. Done twice it changes nothing more. Raises `NotFound` where there never was one."""
    async with runtime.store.read() as connection:
        kind = await connection.scalar(text("SELECT kind FROM member WHERE id = :id"), {"id": member_id})
        seats = select(rsvp.c.event_id).where(
            rsvp.c.member_id == member_id, rsvp.c.status.in_(("confirmed", "waiting"))
        )
        seated = list((await connection.execute(seats)).scalars())
        hosts = select(event.c.id).where(
            event.c.host_id == member_id, event.c.status.in_(("open", "proposed")), event.c.starts_at > now
        )
        hosted = list((await connection.execute(hosts)).scalars())
        calls = list((await connection.execute(select(call).where(call.c.member_id == member_id))).all())
    if kind != "person":
        raise NotFound(f"there is no member {member_id}")
    await _leave(runtime, member_id, seated, hosted, now=now)
    await _hang_up(runtime, calls, now=now)
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        moves = await _withdraw(connection, member_id, now=now)
        await _silence(runtime, connection, member_id, now=now)
        await _bare_events(connection, member_id)
        for statement in _FORGET:
            wanted = {"id": member_id} | ({"now": to_ms(now)} if ":now" in statement else {})
            if ":id" not in statement:
                del wanted["id"]
            await connection.execute(text(statement), wanted)
        await write_audit(connection, audit_id, who=by, what="member.erase", subject=str(member_id), detail={}, now=now)
        await moves.write(connection)

    await runtime.store.transact(work)
    await wait_for_member(runtime, member_id)


async def _leave(
    runtime: Runtime, member_id: int, seated: Sequence[int], hosted: Sequence[int], *, now: datetime
) -> None:
    """Seats go to whoever waits, and what they were to host is called off: its guests are told."""
    for event_id in seated:

        async def rise(connection: AsyncConnection, event_id: int = event_id) -> None:
            await give_seat_back(connection, event_id=event_id, member_id=member_id, now=now)

        await runtime.store.transact(rise)
    for event_id in hosted:

        async def call_off(connection: AsyncConnection, event_id: int = event_id) -> None:
            await cancel_in(connection, event_id, reason=_WHY_CANCELLED, now=now)

        await runtime.store.transact(call_off)


async def _hang_up(runtime: Runtime, calls: Sequence[Any], *, now: datetime) -> None:
    """Times at which they were to call go to others."""
    for row in calls:
        if row.status not in HOLDING:
            continue
        caller = Caller(row.campaign_id, row.member_id, row.channel, row.address_id)

        async def release(connection: AsyncConnection, caller: Caller = caller) -> None:
            await open_door(connection, caller.campaign_id)
            await settle(connection, caller, CallStatus.RELEASED, now=now)

        await runtime.store.transact(release)


async def _withdraw(connection: AsyncConnection, member_id: int, *, now: datetime) -> Moves:
    """Cancel what has not left. What a worker holds this moment gets its last look there, and is dropped (rule 6)."""
    waiting = await connection.execute(
        text(
            f"SELECT DISTINCT campaign_id FROM delivery WHERE {_MONTHS} AND member_id = :id AND status = 'queued'"
            " ORDER BY campaign_id"
        ),
        {"id": member_id},
    )
    for campaign_id in waiting.scalars().all():
        await lock_campaign(connection, campaign_id)
    await connection.execute(text(f"SELECT id FROM member WHERE id = :id{for_update(connection)}"), {"id": member_id})
    rows = await connection.execute(
        text(
            f"SELECT month, id, campaign_id, member_id, channel, costs FROM delivery WHERE {_MONTHS}"
            f" AND member_id = :id AND status = 'queued' ORDER BY id{for_update(connection)}"
        ),
        {"id": member_id},
    )
    moves = Moves()
    queued = [Queued(row.month, row.id, row.campaign_id, row.member_id, row.channel, bool(row.costs)) for row in rows]
    await cancel_rows(connection, queued, Reason.ERASED, moves, now=now)
    return moves


async def _bare_events(connection: AsyncConnection, member_id: int) -> None:
    """Other systems are still told what happened, of our own number for the member only."""
    waiting = await connection.execute(
        text("SELECT id, body FROM hook_event WHERE member_id = :id AND status = 'waiting' ORDER BY id"),
        {"id": member_id},
    )
    for row in waiting.all():
        body = json.loads(row.body)
        body["data"] = {name: value for name, value in body["data"].items() if name != "source"}
        body["data"]["member"] = {"id": member_id, "external_id": None}
        await connection.execute(
            text("UPDATE hook_event SET body = :body WHERE id = :id"),
            {"id": row.id, "body": json.dumps(body, ensure_ascii=False)},
        )


async def _silence(runtime: Runtime, connection: AsyncConnection, member_id: int, *, now: datetime) -> None:
    """Their addresses are written to no more, but for those that somebody else has as well."""
    rows = await connection.execute(
        text(
            "SELECT hash, channel FROM address a WHERE member_id = :id AND value <> '' AND NOT EXISTS"
            " (SELECT 1 FROM address o WHERE o.hash = a.hash AND o.member_id <> :id) ORDER BY hash, channel"
        ),
        {"id": member_id},
    )
    found = [(hash_, channel, ERASED, "", to_ms(now)) for hash_, channel in rows]
    if found:
        columns = ("address_hash", "channel", "reason", "source", "at")
        await insert_new_rows(connection, suppression, columns, found, returning="channel")
    for hash_, channel, *_ in found:
        runtime.signals.revoke(hash_, channel)
