"""Route: walk a campaign's audience and write one delivery, or one held row, for each member.

The audience is cut into ranges of member numbers when the campaign starts. A range is one transaction: lock the
campaign and the range, read its members, ask ``core.routing.route`` for each, claim the ask for person and address,
write the rows, reserve the budget, mark the range as routed. A crash leaves the range as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.competing import make_room
from router.core.giving_way import booked
from router.core.goals import Peace
from router.core.lot import draw, is_held_out, variant_of
from router.core.model import Address, CampaignStatus, Member, Reason
from router.core.purse import EMPTY, Purse
from router.core.routing import Deliver, Hold, House, Plan
from router.core.staging import Spread
from router.core.turns import Standing, in_turn
from router.fanout_rows import DELIVERY_COLUMNS, Rows
from router.overflow import Room, room_for
from router.plans import Route, house_of
from router.runtime import Runtime
from router.store.batches import BATCH_COLUMNS
from router.store.budgets import write_budgets
from router.store.bulk import for_update, insert_new_rows, insert_rows
from router.store.campaigns import lock_campaign
from router.store.people import last_actions, read_members, who_said_yes
from router.store.tables import EPOCH, ask_claim, batch, delivery, route_range, to_ms
from router.store.tallies import Moves

RANGE = 1_000
"""Member numbers in a range: long enough to write in bulk, short enough for SQLite's one writer (under 50 ms)."""


_RANGE_COLUMNS = ("campaign_id", "first_member", "last_member", "epoch")

_MOST_ROWS = 2
"""Numbers for each message to a member of a range: a delivery, and a batch where it is alone in one."""


async def cut_ranges(connection: AsyncConnection, campaign_id: int) -> int:
    """Cut the members there are now into ranges; who joins later is not in this campaign."""
    first, last = (await connection.execute(text("SELECT min(id), max(id) FROM member"))).one()
    if first is None:
        return 0
    rows = [(campaign_id, low, min(low + RANGE - 1, last), 1) for low in range(first, last + 1, RANGE)]
    await insert_rows(connection, route_range, _RANGE_COLUMNS, rows)
    return len(rows)


async def route_range_of(runtime: Runtime, prepared: Route, *, now: datetime) -> int | None:
    """Route one range of this campaign. Returns how many members it had; None with nothing left to route here."""
    each = len(prepared.plan.channels) if prepared.plan.alert else 1
    ids = await runtime.store.take_ids(_MOST_ROWS * RANGE * max(1, each))
    house = house_of(runtime)

    async def work(connection: AsyncConnection) -> int | None:
        span = await _lock_range(connection, prepared, now)
        if span is None:
            return None
        first, last = span
        costs = not prepared.plan.kind.is_service
        members = await read_members(connection, prepared.where, first=first, last=last, lock_purses=costs)
        if (thread := prepared.plan.budget.thread) is not None:
            yes = await who_said_yes(connection, [person.id for person in members], thread.campaign)
            members = [replace(person, said_yes=True) if person.id in yes else person for person in members]
        await _write_range(runtime, connection, prepared, members, house, ids, now)
        await connection.execute(
            text("UPDATE route_range SET routed_at = :now WHERE campaign_id = :campaign AND first_member = :first"),
            {"now": to_ms(now), "campaign": prepared.campaign.id, "first": first},
        )
        return len(members)

    return await runtime.store.transact(work)


async def _lock_range(connection: AsyncConnection, prepared: Route, now: datetime) -> tuple[int, int] | None:
    """Rule 1: the campaign must still be running, in the epoch this plan was made for, and the range unrouted.

    A plan whose raised budget has run out is made anew as well.
    """
    campaign = await lock_campaign(connection, prepared.campaign.id)
    if campaign is None or campaign.status is not CampaignStatus.RUNNING or campaign.epoch != prepared.campaign.epoch:
        return None
    if prepared.plan.budget.override and (campaign.raised_until is None or now >= campaign.raised_until):
        return None
    row = (
        await connection.execute(
            text(
                "SELECT first_member, last_member, epoch FROM route_range"
                " WHERE campaign_id = :campaign AND routed_at IS NULL ORDER BY first_member LIMIT 1"
                f"{for_update(connection, skip_locked=True)}"
            ),
            {"campaign": prepared.campaign.id},
        )
    ).one_or_none()
    if row is None:
        return None
    if row.last_member - row.first_member >= prepared.most:
        return await _cut(connection, prepared, row)
    return row.first_member, row.last_member


async def _cut(connection: AsyncConnection, prepared: Route, row: Any) -> tuple[int, int]:
    """Take only the first part of a range, as much as a turn allows."""
    last = row.first_member + prepared.most - 1
    await connection.execute(
        text("UPDATE route_range SET last_member = :last WHERE campaign_id = :campaign AND first_member = :first"),
        {"last": last, "campaign": prepared.campaign.id, "first": row.first_member},
    )
    rest = (prepared.campaign.id, last + 1, row.last_member, row.epoch)
    await insert_rows(connection, route_range, _RANGE_COLUMNS, [rest])
    return row.first_member, last


async def _write_range(
    runtime: Runtime,
    connection: AsyncConnection,
    prepared: Route,
    members: list[Member],
    house: House,
    ids: range,
    now: datetime,
) -> None:
    campaign, ask = prepared.campaign, prepared.ask
    costs = not prepared.plan.kind.is_service
    holders = {person.id: person.household_id or person.id for person in members}
    purses = {holders[person.id]: person.purse for person in members} if costs else {}
    room = await room_for(runtime, connection, prepared, now=now)
    people = await _in_turn(runtime, connection, prepared, members, purses, now)
    moves = Moves()
    decide = _decision(prepared.plan, house, _left_out(runtime, prepared), prepared.peace, room, now)
    decided = _decide(people, prepared.plan, house, holders, purses, decide, now)
    if costs:
        decided = await make_room(
            runtime, connection, prepared, house, decided, holders, purses, moves, decide=decide, now=now
        )
    winners = await _claim(connection, campaign.id, decided)
    rows = Rows(
        campaign,
        prepared.lane,
        ids,
        costs=costs,
        stages=_stages(runtime, prepared, members),
        variant=(lambda member: variant_of(runtime.key, campaign.id, member)) if ask.second else (lambda _: 0),
    )
    for person, verdict in decided:
        if isinstance(verdict, Hold):
            rows.hold(person, verdict)
        elif person.id in winners:
            rows.send(person, replace(verdict, also=winners[person.id]) if verdict.also else verdict)
        else:
            rows.lose(person, verdict)
    rows.number()
    await insert_rows(connection, delivery, DELIVERY_COLUMNS, rows.deliveries)
    await insert_rows(connection, batch, BATCH_COLUMNS, rows.batches)
    if costs:
        changed: dict[int, Purse] = {}
        for person, verdict in decided:
            number = rows.numbers.get(person.id)
            if isinstance(verdict, Deliver) and number is not None:
                holder = holders[person.id]
                purse = changed.get(holder) or purses.get(holder, EMPTY)
                changed[holder] = booked(prepared.plan, house, person, purse, verdict, number, now)
        await write_budgets(connection, changed)
    rows.moves.update(moves)
    await rows.moves.write(connection)


def _decision(
    plan: Plan, house: House, left_out: Callable[[int], bool], peace: Peace, room: Room, now: datetime
) -> Callable[[Member, Purse], Deliver | Hold]:
    """The one decision of this ask, for a member with a certain purse."""

    def decide(person: Member, purse: Purse) -> Deliver | Hold:
        known = person if purse is person.purse else replace(person, purse=purse)
        verdict = room.route(known, plan, house, now=now)
        if isinstance(verdict, Deliver) and peace.covers(person.place):
            return Hold(Reason.GOAL_MET, verdict.trace)
        if isinstance(verdict, Deliver) and not person.is_group and left_out(person.id):
            return Hold(Reason.HELD_OUT, verdict.trace)
        return verdict

    return decide


def _decide(
    members: Iterable[Member],
    plan: Plan,
    house: House,
    holders: dict[int, int],
    purses: dict[int, Purse],
    decide: Callable[[Member, Purse], Deliver | Hold],
    now: datetime,
) -> list[tuple[Member, Deliver | Hold]]:
    """Decide for each member; people of one household see each other's slots."""
    decided: list[tuple[Member, Deliver | Hold]] = []
    spent = dict(purses)
    shared = {holder for person, holder in holders.items() if holder != person}
    for person in members:
        holder = holders[person.id]
        purse = spent.get(holder, EMPTY)
        verdict = decide(person, purse)
        if isinstance(verdict, Deliver) and holder in shared:
            spent[holder] = booked(plan, house, person, purse, verdict, 0, now)
        decided.append((person, verdict))
    return decided


async def _claim(
    connection: AsyncConnection, campaign_id: int, decided: list[tuple[Member, Deliver | Hold]]
) -> dict[int, tuple[Address, ...]]:
    """Rule 2: one ask per person and per address; returns the members who won theirs, with their further addresses."""
    wanted = [(person, verdict) for person, verdict in decided if isinstance(verdict, Deliver)]
    rows = sorted(((campaign_id, person.id, verdict.address.hash) for person, verdict in wanted), key=_by_hash)
    columns = ("campaign_id", "member_id", "address_hash")
    won = set(await insert_new_rows(connection, ask_claim, columns, rows, returning="member_id"))
    more = [address.hash for person, verdict in wanted if person.id in won for address in verdict.also]
    further = sorted(((campaign_id, None, hash_) for hash_ in set(more)), key=_by_hash)
    free = set(await insert_new_rows(connection, ask_claim, columns, further, returning="address_hash"))
    winners: dict[int, tuple[Address, ...]] = {}
    for person, verdict in wanted:
        if person.id in won:
            winners[person.id] = tuple(address for address in verdict.also if address.hash in free)
            free -= {address.hash for address in verdict.also}
    return winners


def _by_hash(row: tuple[int, int | None, str]) -> str:
    return row[2]


def _left_out(runtime: Runtime, prepared: Route) -> Callable[[int], bool]:
    """Who is left out by lot, where the author wants to learn what the ask changes."""
    campaign, policy = prepared.campaign, runtime.policy.hold_out
    if not prepared.ask.hold_out or campaign.starts_at is None:
        return lambda _: False
    year = campaign.starts_at.year
    return lambda member: is_held_out(runtime.key, member, year, policy.share)


def _stages(runtime: Runtime, prepared: Route, members: list[Member]) -> Callable[[int], Sequence[int]]:
    """The stage of each of so many people on one channel."""
    shares, ordered = prepared.shares, prepared.scarce
    if not shares and not ordered:
        return lambda count: [0] * count
    place = draw(runtime.key, "stage", prepared.campaign.id, members[0].id if members else 0)
    return Spread(shares, place, ordered=ordered)


async def _in_turn(
    runtime: Runtime,
    connection: AsyncConnection,
    prepared: Route,
    members: list[Member],
    purses: Mapping[int, Purse],
    now: datetime,
) -> list[Member]:
    """The members in the order in which they should be asked, where not all may be reached."""
    if not prepared.scarce or not members:
        return members
    policy = runtime.policy.surge
    lately = to_ms(now - timedelta(days=policy.acted_days))
    acted = await last_actions(connection, [person.id for person in members], since=EPOCH)
    standings = [
        Standing(
            person.id,
            acted_at=at if (at := acted.get(person.id, 0)) >= lately else 0,
            asked_at=max((slot.at for slot in purses.get(person.household_id or person.id, EMPTY).slots), default=0),
            acted_before=0 < at < lately,
        )
        for person in members
    ]
    by_id = {person.id: person for person in members}
    return [by_id[number] for number in in_turn(standings, policy.newcomers_share, salt=prepared.campaign.id)]
