"""What came of ringing people up: told row by row, each once, with the effect that writing it to us would have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotFound
from router.core.phoning import PHONE_CHANNELS, CallResult
from router.deeds import Deed, keep_deed
from router.owners import owners_of, revoke_consent
from router.runtime import Runtime
from router.steps import keep_audit
from router.stops import cancel_queued, covered
from router.store.budgets import note_answers
from router.store.bulk import insert_new_rows
from router.store.campaigns import lock_campaign
from router.store.tables import phoned, to_ms
from router.store.tallies import Moves

MOST_ROWS = 1_000
"""In one request: an afternoon's calls of a whole office."""

_OWNERS, _NUMBERS = 10, 20
"""So many people of one number (`owners_of`), so many numbers of one person, each with a consent row at a STOP."""

_PHONED = ("campaign_id", "external_id", "member_id", "result", "by", "at")


class CallRow(BaseModel):
    """What came of one call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    member: Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)]
    """Their number on the list."""
    result: CallResult
    external_id: Annotated[str, Field(max_length=180)] = ""
    """Your own key for this call: the same one told twice counts once. Left out, a result counts once a member."""


class CallsTold(BaseModel):
    """What the rows came to."""

    model_config = ConfigDict(frozen=True)

    new: int
    known: int
    """Told before, so nothing was done."""
    results: dict[str, int]
    """result → how many of the new ones."""


async def tell_results(
    runtime: Runtime, campaign_id: int, rows: Sequence[CallRow], *, by: str, now: datetime
) -> CallsTold:
    """Keep what came of calls. Each row is a transaction of its own, so that a mistake in one loses none before it.

    Raises `NotFound` for a campaign or a member that there is not, before anything is written.
    """
    async with runtime.store.read() as connection:
        if await lock_campaign(connection, campaign_id) is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        for row in rows:
            known = await connection.scalar(
                text("SELECT 1 FROM member WHERE id = :id AND kind = 'person' AND erased_at IS NULL"),
                {"id": row.member},
            )
            if known is None:
                raise NotFound(f"there is no member {row.member}; the number stands on the call list")
    told: dict[str, int] = {}
    for row in rows:
        if await _tell(runtime, campaign_id, row, by=by, now=now):
            told[row.result.value] = told.get(row.result.value, 0) + 1
    if told:
        [audit] = await runtime.store.take_ids(1)

        async def keep(connection: AsyncConnection) -> None:
            await keep_audit(connection, audit, campaign_id, "call_list", by, now, **told)

        await runtime.store.transact(keep)
    new = sum(told.values())
    return CallsTold(new=new, known=len(rows) - new, results=told)


async def _tell(runtime: Runtime, campaign_id: int, row: CallRow, *, by: str, now: datetime) -> bool:
    ids = await runtime.store.take_ids(_OWNERS * _NUMBERS if row.result is CallResult.STOP else 1)
    external_id = row.external_id or f"{row.member}:{row.result.value}"

    async def work(connection: AsyncConnection) -> bool:
        await lock_campaign(connection, campaign_id)
        moves = Moves()
        if row.result.deed:
            await note_answers(connection, {row.member: now})
        one = (campaign_id, external_id, row.member, row.result.value, by[:200], to_ms(now))
        if not await insert_new_rows(connection, phoned, _PHONED, [one], returning="member_id"):
            return False
        if row.result.deed:
            deed = Deed(row.member, campaign_id, row.result.deed, "phone", f"{campaign_id}:{external_id}", now)
            await keep_deed(connection, ids[0], deed, moves, now=now)
        if row.result is CallResult.WRONG_NUMBER:
            await _bury(connection, row.member)
        if row.result is CallResult.STOP:
            await _stop(runtime, connection, row.member, ids, moves, now=now)
        await moves.write(connection)
        return True

    return await runtime.store.transact(work)


async def _bury(connection: AsyncConnection, member_id: int) -> None:
    """Their number is somebody else's. Others of their household who gave the same one keep it until they are asked."""
    for channel in PHONE_CHANNELS:
        await connection.execute(
            text("UPDATE address SET state = 'dead' WHERE member_id = :member AND channel = :channel"),
            {"member": member_id, "channel": channel},
        )


async def _stop(
    runtime: Runtime, connection: AsyncConnection, member_id: int, ids: range, moves: Moves, *, now: datetime
) -> None:
    """As if they had written STOP from each of their telephones."""
    names = ", ".join(f"'{name}'" for name in PHONE_CHANNELS)
    rows = await connection.execute(
        text(
            "SELECT hash, channel FROM address WHERE member_id = :member"
            f" AND channel IN ({names}) ORDER BY hash, channel LIMIT {_NUMBERS}"
        ),
        {"member": member_id},
    )
    for place, (hash_, channel) in enumerate(rows.all()):
        own = iter(ids[place * _OWNERS : (place + 1) * _OWNERS])
        owners = await owners_of(connection, hash_, channel)
        await revoke_consent(
            runtime, connection, hash_, channel, owners, own, moves, "stop", "said so on the telephone", now
        )
        await cancel_queued(connection, hash_, covered(runtime, channel), moves, now=now)
