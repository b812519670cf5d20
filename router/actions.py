"""What members do: click a link, act on a page of the movement's own that tells us about it."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash, normalise
from router.core.errors import BadInput, NotFound
from router.core.giving import with_ref
from router.core.goals import REFUND
from router.core.ladder import Rung
from router.core.links import action_token, read_action_token
from router.core.model import DeliveryRef
from router.deeds import Deed, keep_deed
from router.runtime import Runtime
from router.store.budgets import note_answers
from router.store.running import read_known_ask
from router.store.sealed_addresses import seals_of
from router.store.tables import action, from_ms
from router.store.tallies import Moves

SCANNER_HASTE = timedelta(seconds=2)
"""A click so soon after the sending is a mail scanner's, not a person's."""


class ActionResult(BaseModel):
    """An action in the ledger; `new` is False where it had been told before."""

    model_config = ConfigDict(frozen=True)

    id: int
    new: bool


async def follow_link(runtime: Runtime, ref: DeliveryRef, *, now: datetime, prefetch: bool) -> str | None:
    """Where this delivery's link leads now; a person's click is kept as an action. None for a stranger's link.

    A donation page is also told whose gift it will be: it gives `ref` back with ``POST /api/v1/actions``. A link to
    our own ``/host`` leads to the member's own form.
    """
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT c.id, c.link, c.text_version, d.member_id, d.sent_at, d.channel, d.address_id"
                    " FROM delivery d JOIN campaign c ON c.id = d.campaign_id"
                    " WHERE d.month = :month AND d.id = :id"
                ),
                {"month": ref.month, "id": ref.id},
            )
        ).one_or_none()
        if row is None or not row.link:
            return None
        ask = await read_known_ask(runtime.store, connection, row.id, row.text_version)
    hasty = row.sent_at is not None and now - from_ms(row.sent_at) < SCANNER_HASTE
    if not prefetch and not hasty:
        [number] = await runtime.store.take_ids(1)
        click = Deed(row.member_id, row.id, "click", "link", str(ref), now, row.channel, row.address_id)

        async def keep(connection: AsyncConnection) -> None:
            await _keep(connection, number, click, now=now)

        await runtime.store.transact(keep)
    if ask.gathering is not None and str(row.link).rstrip("/") == f"{runtime.settings.public_url.rstrip('/')}/host":
        return f"{str(row.link).rstrip('/')}/{action_token(runtime.key, ref)}"
    return with_ref(row.link, action_token(runtime.key, ref)) if ask.wants is Rung.GIVE else str(row.link)


async def place_of(runtime: Runtime, ref: DeliveryRef) -> tuple[str, str, str] | None:
    """The channel, account and address that a delivery went to; None for a stranger or where it was erased.

    Raises `CannotOpen` where the address is sealed with a key that is not here.
    """
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT a.channel, a.account, a.hash, a.value FROM delivery d JOIN address a ON a.id = d.address_id"
                    " WHERE d.month = :month AND d.id = :id AND a.value <> ''"
                ),
                {"month": ref.month, "id": ref.id},
            )
        ).one_or_none()
        if row is None:
            return None
        return row.channel, row.account, seals_of(connection).open(row.channel, row.hash, row.value)


async def whose_ref(runtime: Runtime, token: str) -> tuple[int, int]:
    """The member and the campaign of a link of ours, as a donation page gives it back. Raises `NotFound`."""
    ref = read_action_token(runtime.key, token)
    if ref is not None:
        async with runtime.store.read() as connection:
            row = (
                await connection.execute(
                    text("SELECT member_id, campaign_id FROM delivery WHERE month = :month AND id = :id"),
                    {"month": ref.month, "id": ref.id},
                )
            ).one_or_none()
        if row is not None:
            return row.member_id, row.campaign_id
    raise NotFound("is no link of ours; give back letter for letter what came as ref with the visitor")


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
    deed = Deed(person, campaign_id or 0, kind, "api", external_id, at, amount=amount, currency=currency)

    async def work(connection: AsyncConnection) -> ActionResult:
        if await _keep(connection, number, deed, now=now):
            return ActionResult(id=number, new=True)
        known = await connection.scalar(
            select(action.c.id).where(action.c.source == "api", action.c.external_id == external_id)
        )
        return ActionResult(id=int(known or 0), new=False)

    return await runtime.store.transact(work)


async def _keep(connection: AsyncConnection, number: int, deed: Deed, *, now: datetime) -> bool:
    """Keep an action; after a new one asks are no longer unanswered, and nothing asks for the same once more."""
    moves = Moves()
    if deed.kind != REFUND:
        await note_answers(connection, {deed.member_id: deed.at})
    new = await keep_deed(connection, number, deed, moves, now=now)
    await moves.write(connection)
    return new


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
