"""Hosting by a page of one's own: the same event as by HOST and a few answers, on one form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.event_model import EventIn, EventView, view_of
from router.community.event_talk import events_of, hosted_event, keep_once
from router.community.events import create_in
from router.core.ask import Ask
from router.core.errors import NotAllowed
from router.core.keywords_intent import YES
from router.core.ladder import Rung
from router.core.links import action_token
from router.core.model import CampaignStatus, DeliveryRef
from router.deeds import Deed
from router.runtime import Runtime
from router.store.bulk import for_update
from router.store.running import read_known_ask
from router.store.tallies import Moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Somebody's own form: who they are, what they were asked, and the event that they host already."""

    member_id: int
    campaign_id: int
    channel: str
    address_id: int | None
    ask: Ask
    is_over: bool
    has: EventView | None


def host_page(runtime: Runtime, ref: DeliveryRef) -> str:
    """The address of the form for whoever got this message."""
    return f"{runtime.settings.public_url.rstrip('/')}/host/{action_token(runtime.key, ref)}"


async def read_invitation(runtime: Runtime, ref: DeliveryRef, *, now: datetime) -> Invitation | None:
    """The form of whoever got this message; None where it asked for nothing that one can host."""
    async with runtime.store.read() as connection:
        return await _invitation(runtime, connection, ref, now)


async def host_by_form(
    runtime: Runtime, ref: DeliveryRef, *, seats: int, address: str, postcode: str, starts: datetime | None,
    now: datetime,
) -> EventView:  # fmt: skip
    """Make their event; sent twice it is the same one. `starts` is by the clock of its place, for asks without a day.

    Raises `NotAllowed` where the ask is over, `events.EventRefused` for a place or time that cannot be.
    """
    number, *deeds = await runtime.store.take_ids(3)

    async def work(connection: AsyncConnection) -> EventView:
        moves = Moves()
        invited = await _invitation(runtime, connection, ref, now, lock=True)
        if invited is None or invited.is_over:
            raise NotAllowed("this is over now; we write when there is something new")
        if invited.has is not None:
            return invited.has
        made = await create_in(
            connection, runtime,
            EventIn(
                campaign_id=events_of(invited.ask, invited.campaign_id), seats=seats, address=address,
                postcode=postcode, starts_at_local=starts if invited.ask.gathering is None else None,
            ),
            number=number, by=f"member {invited.member_id}", host_id=invited.member_id, now=now,
        )  # fmt: skip
        fresh = iter(deeds)
        for kind in (YES, "host"):
            name = f"{invited.campaign_id}:{invited.member_id}:{kind}"
            deed = Deed(
                invited.member_id, invited.campaign_id, kind, "page", name, now, invited.channel, invited.address_id
            )
            await keep_once(connection, fresh, deed, moves, now=now)
        await moves.write(connection)
        return made

    return await runtime.store.transact(work)


async def _invitation(
    runtime: Runtime, connection: AsyncConnection, ref: DeliveryRef, now: datetime, *, lock: bool = False
) -> Invitation | None:
    found = (
        await connection.execute(
            text(
                "SELECT d.member_id, d.channel, d.address_id, c.id, c.text_version, c.status FROM delivery d"
                " JOIN campaign c ON c.id = d.campaign_id JOIN member m ON m.id = d.member_id"
                " WHERE d.month = :month AND d.id = :id AND m.erased_at IS NULL"
                + (for_update(connection, "m") if lock else "")
            ),
            {"month": ref.month, "id": ref.id},
        )
    ).one_or_none()
    if found is None:
        return None
    ask = await read_known_ask(runtime.store, connection, found.id, found.text_version)
    if ask.gathering is None and ask.wants not in (Rung.HOST, Rung.ATTEND):
        return None
    past = ask.deadline is not None and now >= ask.deadline
    has = await hosted_event(connection, found.member_id, events_of(ask, found.id), now)
    return Invitation(
        member_id=found.member_id, campaign_id=found.id, channel=found.channel, address_id=found.address_id, ask=ask,
        is_over=past or found.status == CampaignStatus.CANCELLED.value, has=None if has is None else view_of(has),
    )  # fmt: skip
