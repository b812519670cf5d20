"""Route: walk a campaign's audience and write one delivery, or one held row, for each member.

The audience is cut into ranges of member numbers when the campaign starts. A range is one transaction: lock the
campaign and the range, read its members, ask ``core.routing.route`` for each, claim the ask for person and address,
write the rows, reserve the budget, mark the range as routed. A crash leaves the range as it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import budget
from router.core.ask import Ask
from router.core.attention import BudgetAsk
from router.core.model import AskKind, CampaignStatus, DeliveryStatus, Lane, Member, Reason
from router.core.purse import EMPTY, Purse
from router.core.routing import Deliver, Hold, House, Plan, recipient_of, route
from router.runtime import Runtime
from router.store.audience import audience_of
from router.store.batches import BATCH_COLUMNS
from router.store.budgets import lock_budgets, write_budgets
from router.store.bulk import for_update, insert_new_rows, insert_rows
from router.store.campaigns import CampaignRow, lock_campaign, read_ask
from router.store.people import read_members
from router.store.tables import ask_claim, batch, delivery, route_range, to_ms
from router.store.tallies import Moves

RANGE = 1_000
"""Member numbers in a range: long enough to write in bulk, short enough for SQLite's one writer (under 50 ms)."""

BATCH = 500
"""Most deliveries in a batch (DESIGN.md 2)."""

_DELIVERY_COLUMNS = (
    "month", "id", "campaign_id", "member_id", "channel", "hop", "address_id", "status", "reason", "not_before",
    "costs",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A campaign made ready for routing: what `core.routing.route` must know, and whom to ask about."""

    campaign: CampaignRow
    plan: Plan
    where: ColumnElement[bool]
    lane: Lane


def plan_of(runtime: Runtime, ask: Ask, campaign_id: int, *, earliest: datetime, expires_at: datetime) -> Plan:
    """The plan of an ask on the channels of this installation. `campaign_id` is 0 where it is not saved yet."""
    open_channels = set(runtime.channels)
    allowed = open_channels & set(ask.channels) if ask.channels else open_channels
    worded = {channel: runtime.specs[channel] for channel in allowed if ask.words(ask.default_locale, channel)}
    return Plan(
        kind=ask.kind,
        budget=BudgetAsk(
            campaign=campaign_id,
            priority=ask.priority,
            deadline=ask.deadline,
            urgent=ask.urgent,
            answerable=ask.is_answerable,
            free=ask.kind.is_service,
        ),
        channels=frozenset(name for name, spec in worded.items() if spec.people),
        group_channels=frozenset(name for name, spec in worded.items() if spec.groups),
        windows={
            name: timedelta(seconds=spec.window_seconds)
            for name, spec in worded.items()
            if spec.templates and not _has_templates(ask, name)
        },
        barred={name: tuple(rules.no_asks_to) for name in worded if (rules := runtime.rules_of(name)).no_asks_to},
        earliest=earliest,
        expires_at=expires_at,
        starts_at_local=ask.starts_at_local,
    )


def _has_templates(ask: Ask, channel: str) -> bool:
    """Whether everybody's words on this channel name an approved text."""
    found = [ask.words(locale, channel) for locale in ask.texts]
    return all(words is not None and words[1].template for words in found)


def house_of(runtime: Runtime) -> House:
    """The rules that routing obeys."""
    return House(budget=runtime.policy.budget_rules, quiet_hours=runtime.quiet_hours)


def lane_of(ask: Ask) -> Lane:
    """Which queue an ask waits in."""
    if ask.kind is AskKind.REPLY:
        return Lane.REPLY
    return Lane.URGENT if ask.urgent or ask.kind.is_service else Lane.NORMAL


async def cut_ranges(connection: AsyncConnection, campaign_id: int) -> int:
    """Cut the members there are now into ranges; who joins later is not in this campaign."""
    first, last = (await connection.execute(text("SELECT min(id), max(id) FROM member"))).one()
    if first is None:
        return 0
    rows = [(campaign_id, low, min(low + RANGE - 1, last), 1) for low in range(first, last + 1, RANGE)]
    await insert_rows(connection, route_range, ("campaign_id", "first_member", "last_member", "epoch"), rows)
    return len(rows)


async def next_route(runtime: Runtime) -> Route | None:
    """The running campaign whose audience is to be walked next, or None."""
    async with runtime.store.read() as connection:
        found = await connection.scalar(
            text(
                "SELECT c.id FROM campaign c WHERE c.status = 'running' AND EXISTS (SELECT 1 FROM route_range r"
                " WHERE r.campaign_id = c.id AND r.routed_at IS NULL) ORDER BY c.starts_at, c.id LIMIT 1"
            )
        )
        if found is None:
            return None
        campaign = await lock_campaign(connection, found)
        if campaign is None or campaign.expires_at is None or campaign.starts_at is None:
            return None
        ask = await read_ask(connection, found, campaign.text_version)
    plan = plan_of(runtime, ask, found, earliest=campaign.starts_at, expires_at=campaign.expires_at)
    where = audience_of(ask, dialect=runtime.store.dialect)
    return Route(campaign=campaign, plan=plan, where=where, lane=lane_of(ask))


async def route_range_of(runtime: Runtime, prepared: Route, *, now: datetime) -> int | None:
    """Route one range of this campaign. Returns how many members it had; None with nothing left to route here."""
    ids = await runtime.store.take_ids(2 * RANGE)
    house = house_of(runtime)

    async def work(connection: AsyncConnection) -> int | None:
        span = await _lock_range(connection, prepared)
        if span is None:
            return None
        first, last = span
        members = await read_members(connection, prepared.where, first=first, last=last)
        await _write_range(connection, prepared, members, house, ids, now)
        await connection.execute(
            text("UPDATE route_range SET routed_at = :now WHERE campaign_id = :campaign AND first_member = :first"),
            {"now": to_ms(now), "campaign": prepared.campaign.id, "first": first},
        )
        return len(members)

    return await runtime.store.transact(work)


async def _lock_range(connection: AsyncConnection, prepared: Route) -> tuple[int, int] | None:
    """Rule 1: the campaign must still be running, in the epoch this plan was made for, and the range unrouted."""
    campaign = await lock_campaign(connection, prepared.campaign.id)
    if campaign is None or campaign.status is not CampaignStatus.RUNNING or campaign.epoch != prepared.campaign.epoch:
        return None
    row = (
        await connection.execute(
            text(
                "SELECT first_member, last_member FROM route_range"
                " WHERE campaign_id = :campaign AND routed_at IS NULL ORDER BY first_member LIMIT 1"
                f"{for_update(connection, skip_locked=True)}"
            ),
            {"campaign": prepared.campaign.id},
        )
    ).one_or_none()
    return None if row is None else (row[0], row[1])


async def _write_range(
    connection: AsyncConnection, prepared: Route, members: list[Member], house: House, ids: range, now: datetime
) -> None:
    costs = not prepared.plan.kind.is_service
    holders = {person.id: person.household_id or person.id for person in members}
    purses = await lock_budgets(connection, holders.values()) if costs else {}
    decided = _decide(members, prepared.plan, house, holders, purses, now)
    winners = await _claim(connection, prepared.campaign.id, decided)
    rows = _Rows(prepared, ids, costs=costs)
    for person, verdict in decided:
        if isinstance(verdict, Deliver) and person.id not in winners:
            rows.hold(person, Reason.DUPLICATE, verdict)
        elif isinstance(verdict, Deliver):
            rows.send(person, verdict)
        else:
            rows.hold(person, verdict.reason)
    rows.number()
    await insert_rows(connection, delivery, _DELIVERY_COLUMNS, rows.deliveries)
    await insert_rows(connection, batch, BATCH_COLUMNS, rows.batches)
    if costs:
        changed: dict[int, Purse] = {}
        for person, verdict, number in rows.numbered:
            holder = holders[person.id]
            purse = changed.get(holder) or purses.get(holder, EMPTY)
            changed[holder] = _booked(prepared.plan, house, person, purse, verdict, number, now)
        await write_budgets(connection, changed)
    await rows.moves.write(connection)


def _decide(
    members: Iterable[Member],
    plan: Plan,
    house: House,
    holders: dict[int, int],
    purses: dict[int, Purse],
    now: datetime,
) -> list[tuple[Member, Deliver | Hold]]:
    """Ask the one decision for each member; people of one household see each other's slots."""
    decided: list[tuple[Member, Deliver | Hold]] = []
    spent = dict(purses)
    shared = {holder for person, holder in holders.items() if holder != person}
    for person in members:
        holder = holders[person.id]
        purse = spent.get(holder, EMPTY)
        known = person if purse is EMPTY else replace(person, purse=purse)
        verdict = route(known, plan, house, now=now)
        if isinstance(verdict, Deliver) and holder in shared:
            spent[holder] = _booked(plan, house, person, purse, verdict, 0, now)
        decided.append((person, verdict))
    return decided


def _booked(
    plan: Plan, house: House, person: Member, purse: Purse, verdict: Deliver, number: int, now: datetime
) -> Purse:
    """The purse with this delivery in it."""
    return budget.book(
        purse,
        plan.budget,
        house.budget,
        delivery=number,
        channel=verdict.address.channel,
        at=verdict.not_before,
        now=now,
        recipient=recipient_of(person, house, now),
    )


async def _claim(
    connection: AsyncConnection, campaign_id: int, decided: list[tuple[Member, Deliver | Hold]]
) -> set[int]:
    """Rule 2: one ask per person and per address; returns the members who won theirs."""
    rows = sorted(
        ((campaign_id, person.id, verdict.address.hash) for person, verdict in decided if isinstance(verdict, Deliver)),
        key=lambda row: row[2],
    )
    won = await insert_new_rows(
        connection, ask_claim, ("campaign_id", "member_id", "address_hash"), rows, returning="member_id"
    )
    return set(won)


class _Rows:
    """The rows of one range, sorted into batches and then numbered so that each batch is an unbroken run."""

    def __init__(self, prepared: Route, ids: range, *, costs: bool) -> None:
        self._campaign = prepared.campaign
        self._lane = prepared.lane
        self._ids = iter(ids)
        self._costs = costs
        self._held: list[tuple[Member, str, int | None, Reason]] = []
        self._sent: dict[tuple[str, str, datetime], list[tuple[Member, Deliver]]] = defaultdict(list)
        self.deliveries: list[tuple[Any, ...]] = []
        self.batches: list[tuple[Any, ...]] = []
        self.numbered: list[tuple[Member, Deliver, int]] = []
        """Those that cost, with their numbers."""
        self.moves = Moves()

    def hold(self, person: Member, reason: Reason, wanted: Deliver | None = None) -> None:
        address = wanted.address if wanted else None
        self._held.append((person, address.channel if address else "", address.id if address else None, reason))

    def send(self, person: Member, verdict: Deliver) -> None:
        address = verdict.address
        self._sent[address.channel, address.account, verdict.not_before].append((person, verdict))

    def number(self) -> None:
        """Give every row its number and build the tuples."""
        month, campaign = self._campaign.month, self._campaign.id
        for (channel, account, not_before), chosen in sorted(self._sent.items(), key=lambda item: item[0]):
            at = to_ms(not_before)
            for start in range(0, len(chosen), BATCH):
                part = chosen[start : start + BATCH]
                numbers = [next(self._ids) for _ in part]
                for number, (person, verdict) in zip(numbers, part, strict=True):
                    self.deliveries.append(
                        (month, number, campaign, person.id, channel, 0, verdict.address.id,
                         DeliveryStatus.QUEUED.value, None, at, self._costs)
                    )  # fmt: skip
                    if self._costs:
                        self.numbered.append((person, verdict, number))
                self.batches.append(
                    (
                        next(self._ids),
                        month,
                        campaign,
                        channel,
                        account,
                        int(self._lane),
                        numbers[0],
                        numbers[-1],
                        True,
                        at,
                        0,
                        0,
                    )
                )
                self.moves.add(campaign, channel, DeliveryStatus.QUEUED, n=len(part))
        for person, channel, address_id, reason in self._held:
            self.deliveries.append(
                (month, next(self._ids), campaign, person.id, channel, 0, address_id,
                 DeliveryStatus.HELD.value, reason.value, 0, False)
            )  # fmt: skip
            self.moves.add(campaign, channel, DeliveryStatus.HELD, reason)
