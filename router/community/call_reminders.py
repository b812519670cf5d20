"""The reminder at the start of a caller's slot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE, Saying, tell, where_to_write
from router.community.call_book import Caller, CallStatus, open_door, settle
from router.community.call_talk import Step
from router.community.call_words import say_line
from router.community.calls import CallLine, read_line
from router.community.turn import ask_somebody, member_of
from router.core.model import CampaignStatus
from router.core.phrases import say
from router.runtime import Runtime
from router.store.campaigns import lock_campaign
from router.store.tables import from_ms, to_ms
from router.store.tallies import Moves

CHUNK = 50
"""Callers who are reminded in one transaction …"""

CHUNKS = 6
"""… and so many times in one run for each line, which the other tasks wait for."""

A_LITTLE = timedelta(minutes=2)
"""So long after the slot's end the reminder is still worth sending."""

CLOSED_LATELY = timedelta(days=1)
"""So long after a line was closed those whose slots begin are told so."""

ANSWERS_LAST = timedelta(days=1)
"""So long after the slot their DONE is waited for."""

_DUE = (
    " FROM call WHERE line_id = :line AND slot_at <= :now AND slot_at > :since AND NOT reminded"
    " AND status IN ('assigned', 'busy') ORDER BY member_id LIMIT :most"
)


async def remind_callers(runtime: Runtime, *, now: datetime) -> int:
    """Write to those whose slot begins and who have not said DONE; returns to how many."""
    async with runtime.store.read() as connection:
        rows = await connection.execute(
            text("SELECT id FROM call_line WHERE opens_at <= :now AND closes_at > :since ORDER BY id"),
            {"now": to_ms(now), "since": to_ms(now - CLOSED_LATELY)},
        )
        lines = [await read_line(connection, number) for number in rows.scalars().all()]
    return sum([await _remind(runtime, line, now=now) for line in lines])


async def _remind(runtime: Runtime, line: CallLine, *, now: datetime) -> int:
    due = {"line": line.id, "now": to_ms(now), "since": to_ms(now - line.hours.slot), "most": CHUNK}
    total = 0
    for _ in range(CHUNKS):
        async with runtime.store.read() as connection:
            waiting = len((await connection.execute(text("SELECT member_id" + _DUE), due)).all())
        if not waiting:
            break
        ids = await runtime.store.take_ids(waiting * IDS_PER_MESSAGE)
        total += await runtime.store.transact(partial(_remind_some, runtime, line, {**due, "most": waiting}, ids, now))
    return total


async def _remind_some(
    runtime: Runtime, line: CallLine, due: dict[str, int], ids: range, now: datetime, connection: AsyncConnection
) -> int:
    campaign = await lock_campaign(connection, line.campaign_id)
    await open_door(connection, line.campaign_id)
    moves, numbers = Moves(), iter(ids)
    rows = (await connection.execute(text("SELECT member_id, slot_at, channel, address_id" + _DUE), due)).all()
    for row in rows:
        caller = Caller(line.campaign_id, row.member_id, row.channel, row.address_id)
        start = from_ms(row.slot_at)
        if campaign is None or campaign.status is CampaignStatus.CANCELLED or start >= line.closes_at:
            await settle(connection, caller, CallStatus.RELEASED, now=now)
            words = None
        else:
            await connection.execute(
                text("UPDATE call SET reminded = true WHERE campaign_id = :campaign AND member_id = :member"),
                {"campaign": line.campaign_id, "member": row.member_id},
            )
            words = line
        await _write(runtime, connection, caller, words, start, numbers, moves, now=now)
    await moves.write(connection)
    return len(rows)


async def _write(
    runtime: Runtime,
    connection: AsyncConnection,
    caller: Caller,
    line: CallLine | None,
    start: datetime,
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
) -> None:
    """Remind somebody of the `line` that they call now; None where it is closed."""
    to = await where_to_write(connection, caller.member_id, prefer=caller.address_id)
    if to is None:
        return
    person: Any = await member_of(connection, caller.member_id)

    def speak(phrase: str, /, **values: object) -> str:
        return say(phrase, person.locale, organization=runtime.settings.organization, **values)

    if line is None:
        until, words = now + ANSWERS_LAST, speak("calls.closed")
    else:
        end = line.hours.end_of(start)
        until, words = end + A_LITTLE, say_line(speak, "calls.reminder", line, start, end, person, now=now)
        await ask_somebody(
            connection, caller.member_id, Step.RESULT, until=end + ANSWERS_LAST, campaign_id=caller.campaign_id
        )
    await tell(connection, to, ids, words, moves, saying=Saying.SERVICE, now=now, until=until)
