"""A further hop: a retry after acceptance, or a fallback to another channel, is a new delivery row (rule 12).

It is inserted in the transaction whose guarded update moved the old row to ``failed``, unique per hop, after consent
and budget were checked again. An unknown outcome never comes here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import budget
from router.core.delivery import Next, Step
from router.core.model import CampaignStatus, DeliveryStatus, Lane
from router.core.purse import EMPTY
from router.core.routing import Deliver, recipient_of, route
from router.plans import house_of, plan_of, thread_of
from router.runtime import Runtime
from router.store.batches import queue_alone
from router.store.budgets import lock_budgets, write_budgets
from router.store.bulk import insert_new_rows
from router.store.campaigns import lock_campaign, move_campaign, read_ask
from router.store.people import read_members_by_id
from router.store.tables import ask_claim, to_ms
from router.store.tallies import Moves

IDS_PER_HOP = 2
"""A delivery and its batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A delivery that was just moved to ``failed`` and what `core.delivery` says to do next."""

    campaign_id: int
    delivery_id: int
    member_id: int
    channel: str
    hop: int
    address_id: int
    lane: Lane
    next: Next


async def take_next_hop(
    runtime: Runtime, connection: AsyncConnection, failed: Failed, ids: range, moves: Moves, *, now: datetime
) -> bool:
    """Insert the next hop of a failed delivery where there is one to take; returns whether there was."""
    if failed.next.step not in (Step.RETRY, Step.FALLBACK):
        return False
    campaign = await lock_campaign(connection, failed.campaign_id)
    if campaign is None or campaign.expires_at is None or not campaign.is_alive:
        return False
    ask = await read_ask(connection, failed.campaign_id, campaign.text_version)
    person = (await read_members_by_id(connection, [failed.member_id])).get(failed.member_id)
    if person is None:
        return False
    tried = await _tried(connection, campaign.month, failed)
    if failed.next.step is Step.RETRY:
        without = {address.id for address in person.addresses if address.id != failed.address_id}
        earliest = failed.next.at or now
    else:
        without = tried
        earliest = now
    plan = plan_of(
        runtime,
        ask,
        campaign.id,
        earliest=earliest,
        expires_at=campaign.expires_at,
        thread=await thread_of(connection, ask),
        raised=campaign.raised_until is not None and now < campaign.raised_until,
    )
    holder = person.household_id or person.id
    costs = not plan.kind.is_service
    purse = (await lock_budgets(connection, [holder])).get(holder, EMPTY) if costs else EMPTY
    house = house_of(runtime)
    verdict = route(replace(person, purse=purse), plan, house, now=now, without=without)
    if not isinstance(verdict, Deliver):
        return False
    if failed.next.step is Step.FALLBACK:
        claim = (failed.campaign_id, None, verdict.address.hash)
        columns = ("campaign_id", "member_id", "address_hash")
        if not await insert_new_rows(connection, ask_claim, columns, [claim], returning="campaign_id"):
            return False
    channel = verdict.address.channel
    number = await queue_alone(
        connection,
        ids,
        month=campaign.month,
        campaign_id=campaign.id,
        member_id=person.id,
        channel=channel,
        account=verdict.address.account,
        address_id=verdict.address.id,
        hop=failed.hop + 1,
        lane=int(failed.lane),
        at=to_ms(verdict.not_before),
        costs=costs,
        trace=verdict.trace,
    )
    if costs:
        booked = budget.book(
            purse,
            plan.budget,
            house.budget,
            delivery=number,
            channel=channel,
            at=verdict.not_before,
            now=now,
            recipient=recipient_of(person, house, now),
        )
        await write_budgets(connection, {holder: booked})
    if campaign.status is CampaignStatus.FINISHED:
        await move_campaign(
            connection, campaign.id, [CampaignStatus.FINISHED], CampaignStatus.RUNNING, finished_at=None
        )
    moves.add(campaign.id, channel, DeliveryStatus.QUEUED)
    return True


async def _tried(connection: AsyncConnection, month: int, failed: Failed) -> set[int]:
    """Addresses this ask has already gone to, or tried."""
    rows = await connection.execute(
        text(
            "SELECT address_id FROM delivery WHERE month = :month AND member_id = :member AND campaign_id = :campaign"
            " AND address_id IS NOT NULL"
        ),
        {"month": month, "member": failed.member_id, "campaign": failed.campaign_id},
    )
    return set(rows.scalars())
