"""What members do: click a link, act on a page of the movement's own that tells us about it."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash, normalise
from router.core.errors import BadInput, NotFound
from router.core.model import DeliveryRef
from router.runtime import Runtime
from router.store.answers import count_answer
from router.store.budgets import note_answers
from router.store.bulk import insert_new_rows
from router.store.tables import action, from_ms, to_ms
from router.store.tallies import Moves
from router.waterfall import withdraw_hops

SCANNER_HASTE = timedelta(seconds=2)
"""A click so soon after the sending is a mail scanner's, not a person's."""

_COLUMNS = ("id", "member_id", "campaign_id", "kind", "source", "external_id", "at", "amount", "currency")


class ActionResult(BaseModel):
    """An action in the ledger; `new` is False where it had been told before."""

    model_config = ConfigDict(frozen=True)

    id: int
    new: bool


async def follow_link(runtime: Runtime, ref: DeliveryRef, *, now: datetime, prefetch: bool) -> str | None:
    """Where this delivery's link leads now; a person's click is kept as an action. None for a stranger's link."""
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT c.id, c.link, d.member_id, d.sent_at, d.address_id"
                    " FROM delivery d JOIN campaign c ON c.id = d.campaign_id"
                    " WHERE d.month = :month AND d.id = :id"
                ),
                {"month": ref.month, "id": ref.id},
            )
        ).one_or_none()
    if row is None or not row.link:
        return None
    hasty = row.sent_at is not None and now - from_ms(row.sent_at) < SCANNER_HASTE
    if not prefetch and not hasty:
        [number] = await runtime.store.take_ids(1)
        click = (number, row.member_id, row.id, "click", "link", str(ref), to_ms(now), 0, "")

        async def keep(connection: AsyncConnection) -> None:
            if await insert_new_rows(connection, action, _COLUMNS, [click], returning="id"):
                await count_answer(connection, row.address_id, now)
                await _followed(connection, row.member_id, row.id, "click", now, now=now)

        await runtime.store.transact(keep)
    return str(row.link)


async def place_of(runtime: Runtime, ref: DeliveryRef) -> tuple[str, str, str] | None:
    """The channel, account and address that a delivery went to; None for a stranger or where it was erased."""
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT a.channel, a.account, a.value FROM delivery d JOIN address a ON a.id = d.address_id"
                    " WHERE d.month = :month AND d.id = :id AND a.value <> ''"
                ),
                {"month": ref.month, "id": ref.id},
            )
        ).one_or_none()
    return None if row is None else (row.channel, row.account, row.value)


async def record_action(
    runtime: Runtime,
    *,
    member_id: int | None,
    phone: str | None,
    email: str | None,
    external_id: str,
    kind: str,
    campaign_id: int | None,
    at: datetime,
    now: datetime,
    amount: int = 0,
    currency: str = "",
) -> ActionResult:
    """Keep an action that another system tells of. The same `external_id` counts once.

    `amount` is in minor units (cents) of `currency`.
    """
    person = await _find_member(runtime, member_id, phone, email)
    [number] = await runtime.store.take_ids(1)
    row = (number, person, campaign_id or 0, kind, "api", external_id, to_ms(at), amount, currency)

    async def work(connection: AsyncConnection) -> ActionResult:
        if await insert_new_rows(connection, action, _COLUMNS, [row], returning="id"):
            await _followed(connection, person, campaign_id or 0, kind, at, now=now)
            return ActionResult(id=number, new=True)
        known = await connection.scalar(
            select(action.c.id).where(action.c.source == "api", action.c.external_id == external_id)
        )
        return ActionResult(id=int(known or 0), new=False)

    return await runtime.store.transact(work)


async def _followed(
    connection: AsyncConnection, member_id: int, campaign_id: int, kind: str, at: datetime, *, now: datetime
) -> None:
    """What a new action changes: asks are no longer unanswered, and nothing asks for the same once more."""
    moves = Moves()
    await note_answers(connection, {member_id: at})
    await withdraw_hops(connection, member_id, campaign_id, kind, moves, now=now)
    await moves.write(connection)


async def _find_member(runtime: Runtime, member_id: int | None, phone: str | None, email: str | None) -> int:
    async with runtime.store.read() as connection:
        if member_id is not None:
            found = await connection.scalar(
                text("SELECT id FROM member WHERE id = :id AND erased_at IS NULL"), {"id": member_id}
            )
        elif phone or email:
            kind, raw = ("phone", phone or "") if phone else ("email", email or "")
            value = normalise(kind, raw, runtime.settings.default_region)
            found = await connection.scalar(
                text("SELECT min(member_id) FROM address WHERE hash = :hash"),
                {"hash": address_hash(runtime.key, kind, value)},
            )
        else:
            raise BadInput("name the member by member_id, phone or email", place="member_id")
    if found is None:
        raise NotFound("there is no such member")
    return int(found)
