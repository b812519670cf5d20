"""An organizer answers a thread, or closes it: as done, or by doing what its suggestion says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE, Saying, To, tell
from router.community.inbox import CLAIMED, DONE, NOTICE, check_free, lock_thread, write_thread
from router.community.inbox_rules import IDS_PER_RULE, After, do_as_meant
from router.core import consent
from router.core.consent import Allow
from router.core.errors import BadInput, NotAllowed
from router.core.model import Address, Reason
from router.runtime import Runtime
from router.signals import Wake
from router.store.campaigns import write_audit
from router.store.notices import clear
from router.store.people import read_addresses
from router.store.tables import from_ms
from router.store.tallies import Moves

Along = Callable[[AsyncConnection, int], Awaitable[None]]
"""What is written in the same transaction; it gets the member's number."""

LONGEST = 1_600
"""Characters of an answer: the longest text that Twilio takes (error 21617)."""


async def answer(
    runtime: Runtime,
    member_id: int,
    words: str,
    *,
    by: str,
    now: datetime,
    read: int | None = None,
    along: Along | None = None,
) -> None:
    """Write to a member where they wrote last; the thread is `by`'s from now on.

    `read` is how many messages of theirs `by` had read (`ThreadView.messages`; all, where None): what came since stays
    waiting. `along` is written with it. Raises `BadInput` for words that cannot be, `NotAllowed` where somebody else
    has the thread or the member may not be written to any more, `NotFound`.
    """
    if not words.strip():
        raise BadInput("write something", place="text")
    if len(words) > LONGEST:
        raise BadInput(f"{len(words):,} characters are too many; {LONGEST:,} is the most", place="text")
    numbers = await runtime.store.take_ids(1 + IDS_PER_MESSAGE)

    async def work(connection: AsyncConnection) -> None:
        ids, moves = iter(numbers), Moves()
        await _answer(runtime, connection, member_id, words, ids, moves, by=by, now=now, read=read)
        await moves.write(connection)
        if along is not None:
            await along(connection, member_id)

    await runtime.store.transact(work)
    runtime.signals.wake(Wake.SEND)


async def _answer(
    runtime: Runtime,
    connection: AsyncConnection,
    member_id: int,
    words: str,
    ids: Iterator[int],
    moves: Moves,
    *,
    by: str,
    now: datetime,
    read: int | None,
) -> None:
    row = await lock_thread(connection, member_id)
    check_free(runtime, row, by=by, now=now)
    to = await _where(runtime, connection, row, now)
    audit = next(ids)
    await tell(connection, to, ids, words, moves, saying=Saying.PERSON, now=now, by=by)
    left = 0 if read is None else min(row.waiting, max(0, row.messages - read))
    values = {"status": CLAIMED, "claimed_by": by, "claimed_at": now, "last_out_at": now} | _still_waiting(row, left)
    await write_thread(connection, member_id, values)
    if not left:
        await clear(connection, NOTICE, str(member_id), now=now)
    await write_audit(
        connection, audit, who=by, what="thread.answer", subject=str(member_id), detail={"channel": to.channel}, now=now
    )


def _still_waiting(row: Any, left: int) -> dict[str, Any]:
    """What a thread says of its waiting once all but the `left` latest messages are answered."""
    if left == 0:
        return {"waiting": 0, "waiting_since": None, "alarmed_at": None}
    if left == row.waiting:
        return {}
    return {"waiting": left, "waiting_since": from_ms(row.last_in_at), "alarmed_at": None}


async def _where(runtime: Runtime, connection: AsyncConnection, row: Any, now: datetime) -> To:
    """Where somebody is answered: where they wrote last, else where they like it best of what still works.

    A STOP there is a STOP: it is not got round by another channel.
    """
    places = (await read_addresses(connection, [row.member_id])).get(row.member_id, [])
    places.sort(key=lambda place: place.id != row.address_id)
    for place in places:
        verdict = _may_write(runtime, place, now)
        if isinstance(verdict, Allow):
            return To(row.member_id, place.channel, place.id, place.account)
        if place.id == row.address_id and verdict is Reason.SUPPRESSED:
            raise NotAllowed("they said STOP there; only a START of theirs lets you write to them again")
    raise NotAllowed("none of their addresses can be written to; call them, or close the thread")


def _may_write(runtime: Runtime, place: Address, now: datetime) -> Allow | Reason:
    if place.channel not in runtime.channels:
        return Reason.NO_ADDRESS
    return consent.check_conversation(place, now=now)


async def close(
    runtime: Runtime,
    member_id: int,
    *,
    by: str,
    now: datetime,
    as_suggested: bool = False,
    along: Along | None = None,
) -> None:
    """The thread is done; it opens again when they write. With `as_suggested` what its suggestion says is done first,
    as if they had written just that. `along` is written with it.

    Raises `NotAllowed` where somebody else has it, or nothing can be done by its suggestion; `NotFound`.
    """
    numbers = await runtime.store.take_ids(1 + (IDS_PER_RULE if as_suggested else 0))

    async def work(connection: AsyncConnection) -> After | None:
        ids, moves = iter(numbers), Moves()
        row = await lock_thread(connection, member_id)
        check_free(runtime, row, by=by, now=now)
        audit = next(ids)
        after = None
        if as_suggested:
            after = await do_as_meant(runtime, connection, row, ids, moves, by=by, now=now)
        values = {"status": DONE, "claimed_by": None, "claimed_at": None} | _still_waiting(row, 0)
        await write_thread(connection, member_id, values)
        await clear(connection, NOTICE, str(member_id), now=now)
        detail = {"as": row.suggestion} if as_suggested else {}
        await write_audit(connection, audit, who=by, what="thread.done", subject=str(member_id), detail=detail, now=now)
        await moves.write(connection)
        if along is not None:
            await along(connection, member_id)
        return after

    after = await runtime.store.transact(work)
    if after is not None:
        await after()
    if as_suggested:
        runtime.signals.wake(Wake.SEND)
