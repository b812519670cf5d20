"""Asks that compete for the same people: which is routed next, and who gives way (DESIGN.md 6, rule 16)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import budget
from router.core.fairness import Contender, next_turn
from router.core.giving_way import ROOM_WOULD_HELP, Contest, Rival
from router.core.model import DeliveryStatus, Member, Reason
from router.core.purse import EMPTY, Purse
from router.core.routing import Deliver, Hold, House, Plan
from router.plans import Route, plan_of, prepare
from router.runtime import Runtime
from router.store.budgets import write_budgets
from router.store.bulk import in_numbers, numbers
from router.store.campaigns import lock_campaign, read_ask
from router.store.people import read_members_by_id
from router.store.slots import Reserved, give_up, lock_reserved, put_off
from router.store.tables import from_ms
from router.store.tallies import Moves

TURNS = 20
"""Where organizers compete, an audience is routed in about so many turns: they share it to within one of them."""

UNCONTESTED = 1 << 62
"""Member numbers of a turn that nobody else waits for: as many as a transaction bears (`router.ranges`)."""

_RUNNING = text(
    "SELECT c.id, c.epoch, c.text_version, c.created_by, c.expires_at, c.raised_until,"
    " EXISTS (SELECT 1 FROM route_range r WHERE r.campaign_id = c.id AND r.routed_at IS NULL) AS waiting,"
    " (SELECT coalesce(sum(t.count), 0) FROM tally t WHERE t.campaign_id = c.id AND t.status <> 'held') AS reached"
    " FROM campaign c WHERE c.status = 'running' AND c.kind <> 'reply' AND c.expires_at IS NOT NULL"
)

_LENGTH = text(
    "SELECT (SELECT last_member FROM route_range WHERE campaign_id = :id ORDER BY first_member DESC LIMIT 1)"
    " - min(first_member) + 1 FROM route_range WHERE campaign_id = :id"
)


# ── whose turn it is ──────────────────────────────────────────────────────────────────────────────────────────────


async def next_route(
    runtime: Runtime, known: dict[int, Route] | None = None, *, without: Container[int] = ()
) -> Route | None:
    """The campaign of which a part is to be routed now (`core.fairness`), or None where nothing waits.

    To be asked again after every part. `known` keeps campaigns that were made ready, so that a turn costs one small
    query; whatever changes one of them raises its epoch. `without` names campaigns whose last parts others are at.
    """
    ready = {} if known is None else known
    async with runtime.store.read() as connection:
        rows = (await connection.execute(_RUNNING)).all()
        if not any(row.waiting for row in rows if row.id not in without):
            return None
        for number in ready.keys() - {row.id for row in rows}:
            del ready[number]
        now = runtime.clock()
        for row in rows:
            if row.id not in ready or not _is_as_known(ready[row.id], row, now):
                await _make_ready(runtime, connection, ready, row.id)
        turn = next_turn([_contender(ready[row.id], row, without) for row in rows if row.id in ready])
        if turn is None:
            return None
        if ready[turn.campaign].ask.follows is not None:
            # Its thread ends with the campaign that it follows, which may have been edited.
            await _make_ready(runtime, connection, ready, turn.campaign)
        prepared = ready.get(turn.campaign)
        if prepared is None or not turn.contested:
            return prepared
        length = await connection.scalar(_LENGTH, {"id": turn.campaign})
        return replace(prepared, most=max(1, int(length or 0) // TURNS))


async def _make_ready(runtime: Runtime, connection: AsyncConnection, ready: dict[int, Route], number: int) -> None:
    campaign = await lock_campaign(connection, number)
    prepared = None if campaign is None else await prepare(runtime, connection, campaign)
    ready.pop(number, None)
    if prepared is not None:
        ready[number] = replace(prepared, most=UNCONTESTED)


def _is_as_known(prepared: Route, row: Any, now: datetime) -> bool:
    raised_until = None if row.raised_until is None else from_ms(row.raised_until)
    seen = prepared.campaign
    return (
        (seen.epoch, seen.text_version, seen.raised_until) == (row.epoch, row.text_version, raised_until)
        and prepared.plan.budget.override == (raised_until is not None and now < raised_until)
    )  # fmt: skip


def _contender(prepared: Route, row: Any, without: Container[int]) -> Contender:
    return Contender(
        campaign=row.id,
        organizer=row.created_by,
        lane=int(prepared.lane),
        priority=prepared.ask.priority,
        expires_at=from_ms(row.expires_at),
        reached=int(row.reached),
        waiting=bool(row.waiting) and row.id not in without,
    )


# ── who gives way ─────────────────────────────────────────────────────────────────────────────────────────────────


async def make_room(
    runtime: Runtime,
    connection: AsyncConnection,
    prepared: Route,
    house: House,
    decided: Sequence[tuple[Member, Deliver | Hold]],
    holders: Mapping[int, int],
    purses: dict[int, Purse],
    moves: Moves,
    *,
    decide: Callable[[Member, Purse], Deliver | Hold],
    now: datetime,
) -> list[tuple[Member, Deliver | Hold]]:
    """Let a more important ask take slots that lesser ones reserved and have not used.

    `decided` as routing decided; returned with those who now have room, as `decide` finds once more. `purses`, which
    are locked, are brought along and written, and so are the rows of those that gave way: deferred to their next free
    slot before their own ask runs out, else held.

    This locks deliveries after budgets, against the order that holds elsewhere, and yet nobody deadlocks by it: it
    takes only rows that nobody else holds (SKIP LOCKED), so it never waits for a delivery. Whoever waits for one of
    these rows or purses waits for this transaction, which from here on wants only the claims of its own campaign and,
    last, the tally; and who holds rows of the tally wants nothing but the tally. SQLite has one writer. A delivery
    that is being sent, or was, is not queued, so its ask keeps the slot.
    """
    wanted: dict[int, set[int]] = {}
    for place, (person, verdict) in enumerate(decided):
        if isinstance(verdict, Hold) and verdict.reason in ROOM_WOULD_HELP:
            purse = purses.get(holders[person.id], EMPTY)
            slots = budget.lesser(purse, prepared.plan.budget, house.budget)
            if slots:
                wanted[place] = {slot.delivery for slot in slots}
    if not wanted:
        return list(decided)
    rows = await lock_reserved(connection, set().union(*wanted.values()), but=prepared.campaign.id)
    rivals = await _rivals(runtime, connection, rows, {person.id: person for person, _ in decided}, now)
    result = list(decided)
    contest = Contest(prepared.plan, house, purses, decide, now)
    shared = {holder for person, holder in holders.items() if holder != person}
    for person, verdict in decided:
        if isinstance(verdict, Deliver) and holders[person.id] in shared:
            contest.fill(person, holders[person.id], verdict)
    for place, slots_of in wanted.items():
        person = decided[place][0]
        if not slots_of.isdisjoint(rivals):
            result[place] = (person, contest.take(person, holders[person.id], rivals) or decided[place][1])
    contest.settle()
    await put_off(connection, [(rows[number], at) for number, at in contest.deferred.items()])
    await give_up(connection, [rows[number] for number in contest.outranked], Reason.OUTRANKED, now=now)
    for number in contest.outranked:
        moves.take(rows[number].campaign_id, rows[number].channel, DeliveryStatus.QUEUED)
        moves.add(rows[number].campaign_id, rows[number].channel, DeliveryStatus.HELD, Reason.OUTRANKED)
    await write_budgets(connection, contest.changed)
    purses.update(contest.changed)
    return result


async def _rivals(
    runtime: Runtime,
    connection: AsyncConnection,
    rows: Mapping[int, Reserved],
    people: Mapping[int, Member],
    now: datetime,
) -> dict[int, Rival]:
    """Those of these locked deliveries that can give way, by number. Alerts do not: they reach several devices."""
    plans = await _plans_of(runtime, connection, {row.campaign_id for row in rows.values()}, now)
    others = {row.member_id for row in rows.values()} - people.keys()
    elsewhere = await read_members_by_id(connection, others) if others else {}
    rivals: dict[int, Rival] = {}
    for number, row in rows.items():
        person, plan = people.get(row.member_id) or elsewhere.get(row.member_id), plans[row.campaign_id]
        if person is None or plan.alert:
            continue
        addresses = tuple(address for address in person.addresses if address.id == row.address_id)
        alone = replace(person, addresses=addresses, said_yes=False)
        rivals[number] = Rival(delivery=number, plan=plan, person=alone, not_before=row.not_before)
    return rivals


async def _plans_of(
    runtime: Runtime, connection: AsyncConnection, campaigns: Iterable[int], now: datetime
) -> dict[int, Plan]:
    """What the decision must know of these campaigns, which are not locked: a dispatcher looks at the rows again."""
    rows = await connection.execute(
        text(
            "SELECT id, text_version, starts_at, expires_at, raised_until FROM campaign"
            f" WHERE id {in_numbers(connection, 'ids')}"
        ),
        {"ids": numbers(connection, sorted(campaigns))},
    )
    return {
        row.id: plan_of(
            runtime,
            await read_ask(connection, row.id, row.text_version),
            row.id,
            earliest=from_ms(row.starts_at),
            expires_at=from_ms(row.expires_at),
            raised=row.raised_until is not None and now < from_ms(row.raised_until),
        )
        for row in rows.all()
    }
