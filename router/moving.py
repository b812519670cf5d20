"""Move people who wait on one channel to another: the old delivery is withdrawn, the next hop is queued."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import purse as purses
from router.core.giving_way import booked
from router.core.lot import variant_of
from router.core.model import CampaignStatus, DeliveryStatus, Member, Reason
from router.core.purse import EMPTY, Purse
from router.core.routing import Deliver
from router.fanout_rows import DELIVERY_COLUMNS, Rows
from router.overflow import Room
from router.plans import Route, house_of
from router.runtime import Runtime
from router.store.batches import BATCH_COLUMNS
from router.store.budgets import lock_budgets, write_budgets
from router.store.bulk import for_update, in_numbers, insert_new_rows, insert_rows, numbers
from router.store.campaigns import lock_campaign
from router.store.people import read_members_by_id, who_said_yes
from router.store.tables import ask_claim, batch, delivery, to_ms
from router.store.tallies import Moves

MOST = 500
"""Members that are moved in one transaction (a batch has no more)."""


class Move:
    """One transaction that moves people out of one batch.

    Locks the campaign, the deliveries that nobody else holds, the budgets, the claims and last the counters. It waits
    for no delivery, so it stands in nobody's way; whom it cannot lock is on their way.
    """

    def __init__(
        self, runtime: Runtime, prepared: Route, from_: Any, room: Room, most: int, ids: range, now: datetime
    ) -> None:
        self._runtime = runtime
        self._prepared = prepared
        self._from = from_
        self._room = room
        self._most = most
        self._ids = ids
        self._now = now
        self._house = house_of(runtime)

    async def run(self) -> int:
        """Move up to `most`; returns how many."""
        return await self._runtime.store.transact(self._work)

    async def _work(self, connection: AsyncConnection) -> int:
        prepared = self._prepared
        campaign = await lock_campaign(connection, prepared.campaign.id)
        if campaign is None or campaign.status is not CampaignStatus.RUNNING or campaign.goal_met_at is not None:
            return 0
        if campaign.epoch != prepared.campaign.epoch:
            return 0
        queued = await self._queued(connection)
        people = await self._people(connection, queued)
        holders = {person.id: person.household_id or person.id for person in people.values()}
        costs = not prepared.plan.kind.is_service
        before = await lock_budgets(connection, holders.values()) if costs else {}
        chosen: list[tuple[Any, Deliver]] = []
        after: dict[int, Purse] = {}
        for row in queued:
            person = people.get(row.member_id)
            if person is None or holders[person.id] in after:
                continue
            holder = holders[person.id]
            purse = purses.refund(before.get(holder, EMPTY), [row.id])
            verdict = self._room.move(
                replace(person, purse=purse), prepared.plan, self._house, self._from.channel, {row.address_id},
                now=self._now,
            )  # fmt: skip
            if verdict is not None:
                chosen.append((row, verdict))
                after[holder] = purse
            if len(chosen) == self._most:
                break
        chosen = await self._claim(connection, chosen)
        if not chosen:
            return 0
        moves = Moves()
        await self._withdraw(connection, [row.id for row, _ in chosen], moves)
        rows = await self._queue(connection, chosen, costs=costs)
        if costs:
            changed = {}
            for row, verdict in chosen:
                person = people[row.member_id]
                number = rows.numbers[person.id]
                purse = after[holders[person.id]]
                changed[holders[person.id]] = booked(
                    prepared.plan, self._house, person, purse, verdict, number, self._now
                )
            await write_budgets(connection, changed)
        moves.update(rows.moves)
        await moves.write(connection)
        return len(chosen)

    async def _queued(self, connection: AsyncConnection) -> list[Any]:
        """The batch's rows that wait, the last ones first: never moved, and the only ones of their member."""
        campaign = self._prepared.campaign
        rows = await connection.execute(
            text(
                "SELECT d.id, d.member_id, d.address_id FROM delivery d"
                " WHERE d.month = :month AND d.id BETWEEN :first AND :last AND d.status = 'queued' AND d.hop = 0"
                " AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.month = d.month AND o.member_id = d.member_id"
                " AND o.campaign_id = d.campaign_id AND o.id <> d.id)"
                f" ORDER BY d.id DESC{for_update(connection, 'd', skip_locked=True)}"
            ),
            {"month": campaign.month, "first": self._from.first_id, "last": self._from.last_id},
        )
        return list(rows.all())

    async def _people(self, connection: AsyncConnection, queued: Iterable[Any]) -> dict[int, Member]:
        """Those who are to be asked still, by number."""
        found = await read_members_by_id(connection, [row.member_id for row in queued])
        groups = self._prepared.groups
        people = found if groups is None else await groups.tell(connection, found, now=self._now)
        peace, thread = self._prepared.peace, self._prepared.plan.budget.thread
        yes = await who_said_yes(connection, list(people), thread.campaign) if thread is not None else set()
        return {
            number: replace(person, said_yes=True) if number in yes else person
            for number, person in people.items()
            if not peace.covers(person.place)
        }

    async def _claim(self, connection: AsyncConnection, chosen: list[tuple[Any, Deliver]]) -> list[tuple[Any, Deliver]]:
        """Rule 2: one ask per address; those whose next address nobody else of this ask has."""
        hashes = sorted({verdict.address.hash for _, verdict in chosen})
        rows = [(self._prepared.campaign.id, None, hash_) for hash_ in hashes]
        columns = ("campaign_id", "member_id", "address_hash")
        free = set(await insert_new_rows(connection, ask_claim, columns, rows, returning="address_hash"))
        won = []
        for row, verdict in chosen:
            if verdict.address.hash in free:
                free.discard(verdict.address.hash)
                won.append((row, verdict))
        return won

    async def _withdraw(self, connection: AsyncConnection, ids: list[int], moves: Moves) -> None:
        """Guarded `queued → cancelled`; the rows are locked, so each moves."""
        campaign = self._prepared.campaign
        await connection.execute(
            text(
                "UPDATE delivery SET status = 'cancelled', reason = :reason, done_at = :now"
                f" WHERE month = :month AND id {in_numbers(connection, 'ids')} AND status = 'queued'"
            ),
            {
                "reason": Reason.SUPERSEDED.value,
                "now": to_ms(self._now),
                "month": campaign.month,
                "ids": numbers(connection, ids),
            },
        )
        channel = self._from.channel
        moves.take(campaign.id, channel, DeliveryStatus.QUEUED, n=len(ids))
        moves.add(campaign.id, channel, DeliveryStatus.CANCELLED, Reason.SUPERSEDED, n=len(ids))

    async def _queue(
        self,
        connection: AsyncConnection,
        chosen: list[tuple[Any, Deliver]],
        *,
        costs: bool,
    ) -> Rows:
        """The next hop of each, in the stage that they had, those whose turn comes first in front."""
        campaign, key, stage = self._prepared.campaign, self._runtime.key, self._from.stage
        has_second = bool(self._prepared.ask.second)
        rows = Rows(
            campaign,
            self._prepared.lane,
            self._ids,
            costs=costs,
            stages=lambda count: [stage] * count,
            variant=lambda member: variant_of(key, campaign.id, member) if has_second else 0,
            hop=1,
            paced=self._prepared.ask.paced,
        )
        for row, verdict in reversed(chosen):
            first = verdict.address
            target = first.channel, first.account, first.id
            rows.send(row.member_id, to_ms(verdict.not_before), verdict.trace, target)
        rows.number()
        await insert_rows(connection, delivery, DELIVERY_COLUMNS, rows.deliveries)
        await insert_rows(connection, batch, BATCH_COLUMNS, rows.batches)
        return rows
