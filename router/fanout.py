"""Route: walk a campaign's audience and write one delivery, or one held row, for each member.

The audience is cut into ranges of member numbers when the campaign starts. A range is one transaction: lock the
campaign and the range, read its members, ask ``core.routing.route`` for each, claim the ask for person and address,
write the rows, reserve the budget, mark the range as routed. A crash leaves the range as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from router.alike import telling_channels
from router.competing import make_room
from router.core.lot import draw, is_held_out, variant_of
from router.core.model import AskKind, Reason
from router.core.purse import NOTHING, encode
from router.core.purse_patterns import last_asked
from router.core.routing import Deliver, House
from router.core.staging import Spread
from router.core.turns import Standing, in_turn
from router.fanout_people import Decisions, Person
from router.fanout_rows import DELIVERY_COLUMNS, Rows
from router.overflow import room_for
from router.plans import Route, house_of
from router.ranges import RANGE, end_turn, lock_turn
from router.rulings import ruling_of
from router.runtime import Runtime
from router.store.batches import BATCH_COLUMNS
from router.store.budgets import lock_slots, write_slots
from router.store.bulk import insert_new_rows, insert_rows
from router.store.debts import acted_first, who_is_owed
from router.store.people import HOUSEHOLD, KIND, AddressRow, last_actions, read_plain, who_answered, who_said_yes
from router.store.tables import EPOCH, ask_claim, batch, delivery, to_ms
from router.store.tallies import Moves

ROUTES_AT_ONCE = {"sqlite": 1, "postgresql": 2}
"""Ranges that a process routes side by side: PostgreSQL writes one, for as long again, while the next is decided."""

_MOST_ROWS = 2
"""Numbers for each message to a member of a range: a delivery, and a batch where it is alone in one."""


async def route_range_of(runtime: Runtime, prepared: Route, *, now: datetime) -> int | None:
    """Route one range of this campaign. Returns how many members it had; None with nothing left to route here."""
    each = len(prepared.plan.channels) if prepared.plan.alert else 1
    ids = await runtime.store.take_ids(_MOST_ROWS * RANGE * max(1, each))
    house = house_of(runtime)

    async def work(connection: AsyncConnection) -> tuple[int, Counter[str]] | None:
        span = await lock_turn(connection, prepared, now)
        if span is None:
            return None
        first, last = span
        rows, addresses = await read_plain(
            connection, prepared.where, first=first, last=last, telling=telling_channels(prepared.plan)
        )
        if prepared.ask.kind is AskKind.REPORT_BACK:
            named = {number: [AddressRow(*address) for address in some] for number, some in addresses.items()}
            addresses = await acted_first(connection, named, prepared.ask.about)
        results = await _write_range(runtime, connection, prepared, rows, addresses, house, ids, now)
        await end_turn(connection, prepared.campaign.id, first, last, now)
        return len(rows), results

    with runtime.at("route range", campaign=prepared.campaign.id):
        routed = await runtime.store.transact(work)
    if routed is None:
        return None
    count, results = routed
    runtime.metrics.count(runtime.metrics.routed, (((result,), n) for result, n in results.items()))
    return count


async def _write_range(
    runtime: Runtime,
    connection: AsyncConnection,
    prepared: Route,
    rows: Sequence[Any],
    addresses: Mapping[int, Sequence[Any]],
    house: House,
    ids: range,
    now: datetime,
) -> Counter[str]:
    """Returns how many are ``queued``, and how many are not for which reason."""
    campaign, ask, plan = prepared.campaign, prepared.ask, prepared.plan
    costs = not plan.kind.is_service
    members = list(addresses)
    slots = await lock_slots(connection, [row[HOUSEHOLD] or row[0] for row in rows]) if costs else {}
    thread = plan.budget.thread
    decisions = Decisions(
        plan,
        house,
        peace=prepared.peace,
        owed=await who_is_owed(connection, members, prepared.owed) if prepared.owed else set(),
        left_out=_left_out(runtime, prepared),
        room=await room_for(runtime, connection, prepared, now=now),
        now=now,
        answered=await who_answered(connection, members, campaign.id) if prepared.groups is not None else set(),
    )
    asked_at = await prepared.groups.asked_at(connection, members, now=now) if prepared.groups is not None else {}
    said_yes = await who_said_yes(connection, members, thread.campaign) if thread is not None else set()
    in_order = await _in_turn(runtime, connection, prepared, rows, slots, now)
    people = decisions.decide_all(in_order, addresses, slots, said_yes, asked_at)
    moves = Moves()
    if costs:
        await _compete(runtime, connection, prepared, house, decisions, people, slots, moves, now)
    further = await _claim(connection, campaign.id, people)
    written = Rows(
        campaign,
        prepared.lane,
        ids,
        costs=costs,
        stages=_stages(runtime, prepared, members),
        variant=(lambda member: variant_of(runtime.key, campaign.id, member)) if ask.second else (lambda _: 0),
        paced=ask.paced,
    )
    for person in people:
        _write(written, person, further.get(person.id, ()), groups_first=prepared.groups is not None)
    written.number()
    await insert_rows(connection, delivery, DELIVERY_COLUMNS, written.deliveries)
    await insert_rows(connection, batch, BATCH_COLUMNS, written.batches)
    if costs:
        changed: dict[int, str] = {}
        for person in people:
            number = written.numbers.get(person.id)
            if number is not None:
                purse = changed.get(person.holder) or slots.get(person.holder, NOTHING)
                changed[person.holder] = person.ruling.book(purse, number)
        await write_slots(connection, changed)
    written.moves.update(moves)
    await written.moves.write(connection)
    return Counter("queued" if person.reason is None else person.reason.value for person in people)


def _write(rows: Rows, person: Person, also: Sequence[int], *, groups_first: bool) -> None:
    """One decision as rows; `also` are the places of the further addresses that get an alert."""
    ruling = person.ruling
    trace = ruling.trace(person.addresses)
    if person.reason is None:
        ahead = groups_first and person.row[KIND] == "group"
        others = [person.target(place) for place in also]
        rows.send(person.id, ruling.at, trace, person.target(ruling.place), others, ahead=ahead)
    elif person.reason is Reason.DUPLICATE:
        rows.lose(person.id, trace, person.target(ruling.place))
    else:
        rows.hold(person.id, person.reason, trace)


async def _compete(
    runtime: Runtime,
    connection: AsyncConnection,
    prepared: Route,
    house: House,
    decisions: Decisions,
    people: Sequence[Person],
    slots: dict[int, str],
    moves: Moves,
    now: datetime,
) -> None:
    """Those who have no room for this ask, yet slots of lesser ones, are looked at one by one (`router.competing`)."""
    contested = {person.holder for person in people if person.could_take and person.reason is not None}
    if not contested:
        return
    involved = [
        person for person in people if person.holder in contested and (person.reason is None or person.could_take)
    ]
    members = [person.as_member(slots.get(person.holder, NOTHING)) for person in involved]
    purses = {person.holder: member.purse for person, member in zip(involved, members, strict=True)}
    before = dict(purses)
    decided = await make_room(
        runtime, connection, prepared, house,
        [(member, person.ruling.verdict) for person, member in zip(involved, members, strict=True)],
        {person.id: person.holder for person in involved}, purses, moves, decide=decisions.decide, now=now,
    )  # fmt: skip
    for person, (member, verdict) in zip(involved, decided, strict=True):
        if person.reason is not None and isinstance(verdict, Deliver):
            person.ruling, person.reason = ruling_of(verdict, member, prepared.plan, house, now), None
    slots.update({holder: encode(purse) for holder, purse in purses.items() if purse is not before[holder]})


async def _claim(connection: AsyncConnection, campaign_id: int, people: Sequence[Person]) -> dict[int, tuple[int, ...]]:
    """Rule 2: one ask per person and per address; who loses is marked as a duplicate.

    Returns member → the places of the further addresses that an alert may go to as well.
    """
    wanted = [person for person in people if person.reason is None]
    rows = sorted([(campaign_id, person.id, person.hash) for person in wanted], key=_by_hash)
    columns = ("campaign_id", "member_id", "address_hash")
    won = await insert_new_rows(connection, ask_claim, columns, rows, returning="member_id")
    if len(won) < len(rows):
        winners = set(won)
        for person in wanted:
            if person.id not in winners:
                person.reason = Reason.DUPLICATE
    alarmed = [person for person in wanted if person.reason is None and person.ruling.also]
    more = {hash_ for person in alarmed for hash_, _ in person.also}
    claims = sorted([(campaign_id, None, hash_) for hash_ in more], key=_by_hash)
    free = set(await insert_new_rows(connection, ask_claim, columns, claims, returning="address_hash"))
    further: dict[int, tuple[int, ...]] = {}
    for person in alarmed:
        further[person.id] = tuple(place for hash_, place in person.also if hash_ in free)
        free -= {hash_ for hash_, _ in person.also}
    return further


def _by_hash(row: tuple[int, int | None, str]) -> str:
    return row[2]


def _left_out(runtime: Runtime, prepared: Route) -> Callable[[int], bool] | None:
    """Who is left out by lot, where the author wants to learn what the ask changes."""
    campaign, policy = prepared.campaign, runtime.policy.hold_out
    if not prepared.ask.hold_out or campaign.starts_at is None:
        return None
    year = campaign.starts_at.year
    return lambda member: is_held_out(runtime.key, member, year, policy.share)


def _stages(runtime: Runtime, prepared: Route, members: Sequence[int]) -> Callable[[int], Sequence[int]]:
    """The stage of each of so many people on one channel."""
    shares, ordered = prepared.shares, prepared.scarce
    if not shares and not ordered:
        return lambda count: [0] * count
    place = draw(runtime.key, "stage", prepared.campaign.id, members[0] if members else 0)
    return Spread(shares, place, ordered=ordered)


async def _in_turn(
    runtime: Runtime,
    connection: AsyncConnection,
    prepared: Route,
    rows: Sequence[Any],
    slots: Mapping[int, str],
    now: datetime,
) -> Sequence[Any]:
    """The members in the order in which they should be asked, where not all may be reached."""
    if not prepared.scarce or not rows:
        return rows
    policy = runtime.policy.surge
    lately = to_ms(now - timedelta(days=policy.acted_days))
    acted = await last_actions(connection, [row[0] for row in rows], since=EPOCH)
    standings = [
        Standing(
            row[0],
            acted_at=at if (at := acted.get(row[0], 0)) >= lately else 0,
            asked_at=last_asked(slots.get(row[HOUSEHOLD] or row[0], NOTHING)),
            acted_before=0 < at < lately,
        )
        for row in rows
    ]
    by_id = {row[0]: row for row in rows}
    return [by_id[number] for number in in_turn(standings, policy.newcomers_share, salt=prepared.campaign.id)]
