"""A person has found out what somebody meant: it is done by the very functions that a reply of theirs would use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import Saying
from router.community.dialogue import find_asked, follow_rules
from router.community.suggestions import EMPTY
from router.community.turn import Turn, read_dialog
from router.core import consent
from router.core.channel import Inbound
from router.core.consent import Allow
from router.core.errors import NotAllowed
from router.core.keywords_intent import AMOUNT, CHANNEL, HELP, POSTCODE, START, STOP, Intent
from router.core.model import Address, DeliveryRef
from router.dial import TURNS, prefer_channel, turn_dial
from router.owners import Owner, owners_of, revoke_consent
from router.rerouting import follow_wishes
from router.runtime import Runtime
from router.stops import cancel_queued, covered
from router.store.bulk import in_numbers, numbers
from router.store.people import read_addresses
from router.store.tables import from_ms, to_ms
from router.store.tallies import Moves

IDS_PER_RULE = 32
"""Numbers that doing as somebody meant may use: as many as a reply (`replies.IDS_PER_EVENT`)."""

After = Callable[[], Awaitable[object]]
"""What is to be done once the transaction is committed."""


async def do_as_meant(
    runtime: Runtime, connection: AsyncConnection, row: Any, ids: Iterator[int], moves: Moves, *, by: str, now: datetime
) -> After | None:
    """Do what the suggestion of a locked thread says; returns what is to be done once that is committed.

    Raises `NotAllowed` where there is nothing to do by it. Nobody but the member can say START.
    """
    kind = row.suggestion
    if kind in ("", EMPTY, START, HELP):
        raise NotAllowed("nothing can be done by itself here; answer them, or close the thread")
    place = await _place(connection, row)
    owners = await owners_of(connection, place.hash, place.channel)
    owner = next((one for one in owners if one.member_id == row.member_id), None)
    if owner is None:
        raise NotAllowed("they have no address there any more; answer them, or close the thread")
    if kind == STOP:
        source = f"reply by {place.channel}, as {by} understood it"
        await revoke_consent(
            runtime, connection, place.hash, place.channel, owners, ids, moves, "stop", source[:400], now
        )  # fmt: skip
        return partial(_withdraw, runtime, place.hash, covered(runtime, place.channel), now=now)
    if not isinstance(consent.check_conversation(place, now=now), Allow):
        raise NotAllowed("they asked for silence meanwhile; close the thread")
    intent = Intent(kind, value=row.value, guests=_guests(kind, row.value))
    if kind in TURNS:
        await turn_dial(connection, [owner.member_id], intent, now=now)
        return partial(follow_wishes, runtime, [owner.member_id], channels=False, now=now)
    if kind == CHANNEL:
        if not await prefer_channel(connection, [owner.member_id], row.value, now=now):
            raise NotAllowed(f"there is no address of theirs on {row.value} that may be used; ask them for it")
        return partial(follow_wishes, runtime, [owner.member_id], channels=True, now=now)
    turn = await _turn(runtime, connection, row, place, owners, owner, intent, ids, moves, now)
    if not await follow_rules(turn):
        raise NotAllowed(f"no rule knows what to do with {kind}; answer them, or close the thread")
    await _sign(connection, owner.member_id, by=by, now=now)
    return None


async def _withdraw(runtime: Runtime, address_hash: str, channels: Sequence[str], *, now: datetime) -> None:
    """Transaction B of a STOP (DESIGN.md 6, rule 18): what waits for the address is withdrawn."""

    async def work(connection: AsyncConnection) -> None:
        moves = Moves()
        await cancel_queued(connection, address_hash, channels, moves, now=now)
        await moves.write(connection)

    await runtime.store.transact(work)


async def _place(connection: AsyncConnection, row: Any) -> Address:
    """The address that they wrote from."""
    places = (await read_addresses(connection, [row.member_id])).get(row.member_id, [])
    found = next((place for place in places if place.id == row.address_id), None)
    if found is None:
        raise NotAllowed("the address that they wrote from is gone; close the thread")
    return found


def _guests(kind: str, value: str) -> int | None:
    counts = kind not in (POSTCODE, AMOUNT) and value.isascii() and value.isdecimal() and len(value) <= 4
    return int(value) if counts else None


async def _turn(
    runtime: Runtime,
    connection: AsyncConnection,
    row: Any,
    place: Address,
    owners: list[Owner],
    owner: Owner,
    intent: Intent,
    ids: Iterator[int],
    moves: Moves,
    now: datetime,
) -> Turn:
    """The turn that they would have had, had they written what they meant: about the ask that they wrote about."""
    message = (
        await connection.execute(
            text("SELECT account, event_id, text, at FROM inbound WHERE month = :month AND id = :id"),
            {"month": row.inbound_month, "id": row.inbound_id},
        )
    ).one()
    event = Inbound(
        event_id=message.event_id,
        sender=place.value,
        recipient="",
        text=message.text,
        at=from_ms(message.at),
        delivery=await _delivery(connection, row.member_id, row.campaign_id),
    )
    return Turn(
        runtime=runtime,
        connection=connection,
        channel=place.channel,
        account=message.account,
        event=event,
        inbound_id=row.inbound_id,
        owner=owner,
        owners=owners,
        intent=intent,
        asked=await find_asked(runtime, connection, place.channel, owners, event, now=now),
        dialog=await read_dialog(connection, owner.member_id, now=now),
        ids=ids,
        moves=moves,
        now=now,
    )


async def _delivery(connection: AsyncConnection, member_id: int, campaign_id: int) -> DeliveryRef | None:
    """The message by which somebody got an ask."""
    found = (
        await connection.execute(
            text(
                "SELECT d.month, d.id FROM campaign c JOIN delivery d ON d.month = c.month AND d.campaign_id = c.id"
                " WHERE c.id = :campaign AND d.member_id = :member"
                " AND d.status IN ('sent', 'delivered', 'read', 'unknown', 'sending') ORDER BY d.id DESC LIMIT 1"
            ),
            {"campaign": campaign_id, "member": member_id},
        )
    ).one_or_none()
    return None if found is None else DeliveryRef(found.month, found.id)


async def _sign(connection: AsyncConnection, member_id: int, *, by: str, now: datetime) -> None:
    """What a rule has just answered is a person's word, long after the message: whether it may leave is looked at as
    for any other word of a person."""
    month = now.year * 100 + now.month
    queued = await connection.scalars(
        text("SELECT id FROM delivery WHERE month = :month AND member_id = :member AND status = 'queued'"),
        {"month": month, "member": member_id},
    )
    await connection.execute(
        text(
            'UPDATE reply_text SET kind = :person, "by" = :by WHERE month = :month AND kind = :answer'
            f" AND asked_at = :now AND delivery_id {in_numbers(connection, 'ids')}"
        ),
        {
            "person": Saying.PERSON.value, "answer": Saying.ANSWER.value, "by": by, "month": month, "now": to_ms(now),
            "ids": numbers(connection, queued.all()),
        },
    )  # fmt: skip
