"""What no rule understood: one thread per member across channels, for organizers to claim and answer.

    open ⇄ claimed ⇄ done; whoever writes again opens theirs

inbox           a message is kept, and who has a thread: claim, release, assign
inbox_answers   answered, closed, or treated as what the suggestion says (inbox_rules)
inbox_threads   read: the list, and one with all that was said
inbox_watch     claims that went stale, people who wait too long
suggestions     what was probably meant, and a ready answer

``router.smoothing`` lets an ask go out only as fast as the inbox can bear.

A change of a thread locks its row first, so that of two organizers who reach for it at once one has it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import MAY_ANSWER, fold, organizers
from router.community.suggestions import suggested
from router.community.turn import Turn
from router.core.errors import BadInput, NotAllowed, NotFound
from router.runtime import Runtime
from router.store.bulk import for_update
from router.store.campaigns import write_audit
from router.store.spendings import month_of
from router.store.tables import from_ms, thread, to_ms

OPEN, CLAIMED, DONE = "open", "claimed", "done"

NOTICE = "inbox"
"""The kind of the notices about people who wait too long."""

_MOST_WAITING = 30_000
"""Nobody counts any further; the column has 15 bits."""


class ThreadTaken(NotAllowed):
    """Another organizer has a thread. `on_a_page` says it where a form to assign it stands beside."""

    def __init__(self, who: str, member_id: int, since: datetime, until: datetime) -> None:
        waits = f"{who} has had this thread since {since:%H:%M} UTC; ask them, wait until {until:%H:%M} UTC, or"
        self.on_a_page = f"{waits} give it to yourself below"
        super().__init__(
            f"{waits} assign it: outreach inbox assign {member_id} NAME, or POST /api/v1/inbox/{member_id}/assign"
        )


async def keep_for_people(turn: Turn) -> None:
    """A message that is nobody's business goes to its member's thread. A suggestion stays until it is answered."""
    kind, value = suggested(turn.intent, turn.event.text)
    fresh = "thread.waiting = 0 OR excluded.suggestion <> ''"
    await turn.connection.execute(
        text(
            "INSERT INTO thread (member_id, status, channel, address_id, campaign_id, suggestion, value, inbound_id,"
            " inbound_month, messages, waiting, waiting_since, last_in_at)"
            " VALUES (:member, 'open', :channel, :address, :campaign, :kind, :value, :inbound, :month, 1, 1, :at, :at)"
            " ON CONFLICT (member_id) DO UPDATE SET channel = excluded.channel, address_id = excluded.address_id,"
            " status = CASE WHEN thread.status = 'done' THEN 'open' ELSE thread.status END,"
            " claimed_by = CASE WHEN thread.status = 'done' THEN NULL ELSE thread.claimed_by END,"
            " claimed_at = CASE WHEN thread.status = 'done' THEN NULL ELSE thread.claimed_at END,"
            " campaign_id = CASE WHEN excluded.campaign_id = 0 THEN thread.campaign_id ELSE excluded.campaign_id END,"
            f" suggestion = CASE WHEN {fresh} THEN excluded.suggestion ELSE thread.suggestion END,"
            f" value = CASE WHEN {fresh} THEN excluded.value ELSE thread.value END,"
            f" inbound_id = CASE WHEN {fresh} THEN excluded.inbound_id ELSE thread.inbound_id END,"
            f" inbound_month = CASE WHEN {fresh} THEN excluded.inbound_month ELSE thread.inbound_month END,"
            " messages = thread.messages + 1, last_in_at = excluded.last_in_at,"
            f" waiting = CASE WHEN thread.waiting < {_MOST_WAITING} THEN thread.waiting + 1 ELSE thread.waiting END,"
            " waiting_since = CASE WHEN thread.waiting = 0 THEN excluded.waiting_since ELSE thread.waiting_since END,"
            " alarmed_at = CASE WHEN thread.waiting = 0 THEN NULL ELSE thread.alarmed_at END"
        ),
        {
            "member": turn.owner.member_id, "channel": turn.channel, "address": turn.owner.address_id,
            "campaign": 0 if turn.asked is None else turn.asked.campaign_id, "kind": kind, "value": value,
            "inbound": turn.inbound_id, "month": month_of(turn.now), "at": to_ms(min(turn.event.at, turn.now)),
        },
    )  # fmt: skip


async def claim(runtime: Runtime, member_id: int, *, by: str, now: datetime) -> None:
    """From now on `by` has the thread. Raises `NotAllowed`, naming who has it already; `NotFound`."""

    def take(row: Any) -> dict[str, Any]:
        check_free(runtime, row, by=by, now=now)
        return {"status": CLAIMED, "claimed_by": by, "claimed_at": now}

    await _change(runtime, member_id, "thread.claim", take, by=by, now=now)


async def release(runtime: Runtime, member_id: int, *, by: str, now: datetime) -> None:
    """Whoever has the thread gives it back to all. Raises `NotAllowed` where that is somebody else."""

    def give_back(row: Any) -> dict[str, Any]:
        check_free(runtime, row, by=by, now=now)
        return {"status": OPEN if row.status == CLAIMED else row.status, "claimed_by": None, "claimed_at": None}

    await _change(runtime, member_id, "thread.release", give_back, by=by, now=now)


async def assign(runtime: Runtime, member_id: int, *, to: str, by: str, now: datetime) -> None:
    """Give the thread to organizer `to`, whoever has it now: they may be away. Raises `BadInput` for a stranger."""
    async with runtime.store.read() as connection:
        name = await _organizer(connection, to)

    def give(row: Any) -> dict[str, Any]:
        return {"status": CLAIMED, "claimed_by": name, "claimed_at": now}

    await _change(runtime, member_id, "thread.assign", give, by=by, now=now, to=name)


async def lock_thread(connection: AsyncConnection, member_id: int) -> Any:
    """A member's thread, held until the transaction ends. Raises `NotFound`."""
    row = (
        await connection.execute(
            text(f"SELECT * FROM thread WHERE member_id = :id{for_update(connection)}"), {"id": member_id}
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"member {member_id} has no thread in the inbox; GET /api/v1/inbox lists those there are")
    return row


def check_free(runtime: Runtime, row: Any, *, by: str, now: datetime) -> None:
    """Whether `by` may have a thread that is locked: nobody else has it, or has not used it for too long."""
    if row.status != CLAIMED or fold(row.claimed_by or "") == fold(by):
        return
    since = from_ms(row.claimed_at)
    until = since + runtime.policy.inbox.claim_lasts
    if now < until:
        raise ThreadTaken(row.claimed_by, row.member_id, since, until)


async def _change(
    runtime: Runtime,
    member_id: int,
    what: str,
    values_of: Callable[[Any], dict[str, Any]],
    *,
    by: str,
    now: datetime,
    **detail: Any,
) -> None:
    """Lock a thread, write what `values_of` its row says, and keep who did it."""
    [number] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        row = await lock_thread(connection, member_id)
        await write_thread(connection, member_id, values_of(row))
        await write_audit(connection, number, who=by, what=what, subject=str(member_id), detail=detail, now=now)

    await runtime.store.transact(work)


async def write_thread(connection: AsyncConnection, member_id: int, values: dict[str, Any]) -> None:
    """Write columns of a thread that is locked."""
    await connection.execute(update(thread).where(thread.c.member_id == member_id).values(**values))


async def _organizer(connection: AsyncConnection, name: str) -> str:
    """An organizer's name as it is written. Where nobody has a token all use the command line: any name will do."""
    if not 1 <= len(name.strip()) <= 200:
        raise BadInput("name the organizer, in 1 to 200 characters", place="to")
    known = {fold(one): one for one in await organizers(connection, MAY_ANSWER)}
    if known and fold(name) not in known:
        raise BadInput(f"there is no such organizer; there are {', '.join(known.values())}", place="to")
    return known.get(fold(name), name.strip())
