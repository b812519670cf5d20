"""A further hop: a retry after acceptance, or a fallback to another channel, is a new delivery row (rule 12).

It is inserted in the transaction whose guarded update moved the old row to ``failed``, unique per hop, after consent
and budget were checked again. An unknown outcome never comes here. Nothing follows once the member acted, said STOP
where the ask went, is left in peace by a goal, or may have the ask by another of its deliveries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import budget
from router.core.ask import Ask
from router.core.delivery import Next, Step
from router.core.goals import Peace
from router.core.model import CampaignStatus, DeliveryStatus, Lane, Member
from router.core.purse import EMPTY, Purse
from router.core.routing import Deliver, House, Plan, recipient_of, route
from router.core.waterfall import Hop, has_ended, may_go_on, may_remind
from router.goals import peace_in
from router.hop_rows import Further, Row, queue_hops, read_kinds, read_rows
from router.plans import house_of, plan_of, thread_of
from router.runtime import Runtime
from router.store.budgets import lock_budgets, write_budgets
from router.store.bulk import insert_new_rows
from router.store.campaigns import CampaignRow, lock_campaign, move_campaign
from router.store.people import read_members_by_id, who_said_yes
from router.store.running import read_known_ask
from router.store.tables import ask_claim
from router.store.tallies import Moves

IDS_PER_HOP = 2
"""A delivery and its batch."""

MOST_HOPS = 500
"""So many at once fit into one batch (DESIGN.md 2)."""


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
    unanswered: bool = False
    """It did not fail: nobody acted on it in time, and the member is asked once more (`core.waterfall`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a campaign and of those whose next hop is looked for."""

    campaign: CampaignRow
    ask: Ask
    plan: Plan
    house: House
    peace: Peace
    people: Mapping[int, Member]
    rows: Mapping[int, Sequence[Row]]
    kinds: Mapping[int, Sequence[str]]
    """member → what they did on this campaign."""


async def take_next_hop(
    runtime: Runtime, connection: AsyncConnection, failed: Failed, ids: range, moves: Moves, *, now: datetime
) -> bool:
    """Insert the next hop of a failed delivery where there is one to take; returns whether there was."""
    return bool(await take_next_hops(runtime, connection, failed.campaign_id, [failed], ids, moves, now=now))


async def take_next_hops(
    runtime: Runtime,
    connection: AsyncConnection,
    campaign_id: int,
    failed: Iterable[Failed],
    ids: range,
    moves: Moves,
    *,
    now: datetime,
) -> set[int]:
    """The same for at most `MOST_HOPS` deliveries of one campaign, `IDS_PER_HOP` numbers each.

    Returns which of the deliveries have a next hop now.
    """
    wanted = [one for one in failed if one.next.step in (Step.RETRY, Step.FALLBACK)]
    campaign = await lock_campaign(connection, campaign_id) if wanted else None
    if campaign is None or campaign.expires_at is None or not campaign.is_alive or campaign.goal_met_at is not None:
        return set()
    people = await read_members_by_id(connection, {one.member_id for one in wanted})
    holders = {person.id: person.household_id or person.id for person in people.values()}
    # Whoever writes an action holds this row as well (`waterfall.withdraw_asks`): either they see the hop, or we the
    # action.
    purses = await lock_budgets(connection, holders.values())
    known = await _look_up(runtime, connection, campaign, people, now)
    costs = not known.plan.kind.is_service
    decided: list[tuple[Failed, Deliver]] = []
    spent = dict(purses)
    for one in wanted:
        holder = holders.get(one.member_id, 0)
        purse = spent.get(holder, EMPTY) if costs else EMPTY
        verdict = _decide(known, one, purse, now)
        if verdict is not None:
            decided.append((one, verdict))
            spent[holder] = _booked(known, one, verdict, 0, purse, now)
    chosen = await _claim(connection, known, decided)
    further = [_further(known, one, verdict) for one, verdict in chosen]
    queued = await queue_hops(connection, campaign, further, ids, moves, costs=costs)
    if costs:
        changed: dict[int, Purse] = {}
        for one, verdict in chosen:
            holder = holders[one.member_id]
            purse = changed.get(holder, purses.get(holder, EMPTY))
            changed[holder] = _booked(known, one, verdict, queued[one.delivery_id], purse, now)
        await write_budgets(connection, changed)
    if chosen and campaign.status is CampaignStatus.FINISHED:
        await move_campaign(
            connection, campaign.id, [CampaignStatus.FINISHED], CampaignStatus.RUNNING, finished_at=None
        )
    return set(queued)


async def _look_up(
    runtime: Runtime, connection: AsyncConnection, campaign: CampaignRow, people: Mapping[int, Member], now: datetime
) -> _Known:
    assert campaign.expires_at is not None
    ask = await read_known_ask(runtime.store, connection, campaign.id, campaign.text_version)
    thread = await thread_of(connection, ask)
    if thread is not None:
        yes = await who_said_yes(connection, list(people), thread.campaign)
        people = {number: replace(person, said_yes=number in yes) for number, person in people.items()}
    plan = plan_of(
        runtime,
        ask,
        campaign.id,
        earliest=now,
        expires_at=campaign.expires_at,
        thread=thread,
        raised=campaign.raised_until is not None and now < campaign.raised_until,
    )
    return _Known(
        campaign=campaign,
        ask=ask,
        plan=plan,
        house=house_of(runtime),
        peace=await peace_in(connection, campaign, ask),
        people=people,
        rows=await read_rows(connection, campaign, people),
        kinds=await read_kinds(connection, campaign, people),
    )


def _decide(known: _Known, failed: Failed, purse: Purse, now: datetime) -> Deliver | None:
    """Where the ask goes next, if anywhere."""
    person = known.people.get(failed.member_id)
    if person is None or known.peace.covers(person.place):
        return None
    rows = known.rows.get(person.id, ())
    hops = [row.hop for row in rows]
    may = may_remind if failed.unanswered else may_go_on
    acted = any(has_ended(kind, reminder=failed.unanswered) for kind in known.kinds.get(person.id, ()))
    if acted or not may(failed.delivery_id, hops) or _is_silenced(failed, person, hops):
        return None
    plan = known.plan
    if failed.next.step is Step.RETRY:
        without = {address.id for address in person.addresses if address.id != failed.address_id}
        plan = replace(plan, earliest=failed.next.at or now)
    else:
        without, hashes = _tried(known, failed)
        if failed.unanswered:  # once more means elsewhere: not on the same telephone by another app
            without |= {address.id for address in person.addresses if address.hash in hashes}
    verdict = route(replace(person, purse=purse), plan, known.house, now=now, without=without)
    return verdict if isinstance(verdict, Deliver) else None


def _is_silenced(failed: Failed, person: Member, hops: Sequence[Hop]) -> bool:
    """Whether a STOP answered this delivery: that is an answer on every channel. What never left was not answered."""
    left = any(hop.delivery == failed.delivery_id and hop.status is not DeliveryStatus.CANCELLED for hop in hops)
    return left and any(address.id == failed.address_id and address.suppressed for address in person.addresses)


def _tried(known: _Known, failed: Failed) -> tuple[set[int], set[str]]:
    """The addresses that this ask went to, or was to go to, for this member, and their hashes: these are claimed."""
    ids = {row.address_id for row in known.rows.get(failed.member_id, ()) if row.address_id is not None}
    return ids, {address.hash for address in known.people[failed.member_id].addresses if address.id in ids}


async def _claim(
    connection: AsyncConnection, known: _Known, decided: Sequence[tuple[Failed, Deliver]]
) -> list[tuple[Failed, Deliver]]:
    """Rule 2: one ask per address; those who go where nobody else's goes."""
    ours = {one.delivery_id for one, verdict in decided if verdict.address.hash in _tried(known, one)[1]}
    wanted = {verdict.address.hash for one, verdict in decided if one.delivery_id not in ours}
    rows = [(known.campaign.id, None, hash_) for hash_ in sorted(wanted)]
    columns = ("campaign_id", "member_id", "address_hash")
    free = set(await insert_new_rows(connection, ask_claim, columns, rows, returning="address_hash"))
    chosen: list[tuple[Failed, Deliver]] = []
    for one, verdict in decided:
        if one.delivery_id in ours or verdict.address.hash in free:
            free.discard(verdict.address.hash)
            chosen.append((one, verdict))
    return chosen


def _booked(known: _Known, failed: Failed, verdict: Deliver, number: int, purse: Purse, now: datetime) -> Purse:
    return budget.book(
        purse,
        known.plan.budget,
        known.house.budget,
        delivery=number,
        channel=verdict.address.channel,
        at=verdict.not_before,
        now=now,
        recipient=recipient_of(known.people[failed.member_id], known.house, now),
    )


def _further(known: _Known, failed: Failed, verdict: Deliver) -> Further:
    """The next hop, with the one of two texts that the member was to get first."""
    rows = known.rows.get(failed.member_id, ())
    variant = next((row.variant for row in rows if row.hop.delivery == failed.delivery_id), 0)
    return Further(failed.delivery_id, failed.member_id, failed.hop + 1, failed.lane, variant, verdict)
