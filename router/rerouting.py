"""What waits for members whose wishes changed is decided anew: it goes elsewhere, at another time, or not at all.

Each message is a transaction of its own, so that locks come in the house's order. Only messages that nobody has
claimed yet can change; what a worker claims meanwhile gets its last look in ``intent.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import budget, consent
from router.core import purse as purses
from router.core.model import Address, DeliveryStatus, Member, Reason
from router.core.purse import EMPTY, Purse
from router.core.routing import Deliver, Hold, Plan, recipient_of, route
from router.plans import asked_groups, house_of, plan_of, thread_of
from router.runtime import Runtime
from router.signals import Wake
from router.stops import Queued, cancel_rows
from router.store.batches import queue_alone, reopen
from router.store.budgets import lock_budgets, write_budgets
from router.store.bulk import for_update, in_numbers, insert_new_rows, numbers
from router.store.campaigns import CampaignRow, lock_campaign, read_ask
from router.store.months import months_with
from router.store.people import read_members_by_id, who_said_yes
from router.store.tables import ask_claim, to_ms
from router.store.tallies import Moves

_THEIR_WISH = frozenset({Reason.DIAL, Reason.PAUSED, Reason.SUPPRESSED, Reason.NO_CONSENT})
"""Reasons that a change of wishes can bring about. With any other the message stays where it is."""


async def follow_wishes(runtime: Runtime, members: Sequence[int], *, channels: bool, now: datetime) -> int:
    """Let what waits for these members follow their new wishes; returns how many messages changed.

    With `channels` messages may go to another channel: to one that the member likes better, or away from one where
    they want nothing any more. Without, only their time may change, or they are cancelled. Answers to keywords and
    alerts keep their places.
    """
    async with runtime.store.read() as connection:
        waiting = await _waiting(connection, members)
    changed = 0
    for one in waiting:
        ids = await runtime.store.take_ids(2)
        change = _Change(runtime, one, ids, channels=channels, now=now)
        changed += await runtime.store.transact(change.make)
    if changed:
        runtime.signals.wake(Wake.SEND)
    return changed


class _One(NamedTuple):
    month: int
    id: int
    campaign_id: int
    member_id: int


async def _waiting(connection: AsyncConnection, members: Sequence[int]) -> list[_One]:
    """What waits for them, the least important first, and of equals the last to come: these give way to the others."""
    rows = await connection.execute(
        text(
            "SELECT d.month, d.id, d.campaign_id, d.member_id FROM delivery d JOIN campaign c ON c.id = d.campaign_id"
            f" WHERE d.member_id {in_numbers(connection, 'ids')} AND d.status = 'queued'"
            f" AND d.month {in_numbers(connection, 'months')}"
            " AND c.status IN ('running', 'paused') AND c.kind <> 'reply'"
        ),
        {"ids": numbers(connection, members), "months": numbers(connection, await months_with(connection, "queued"))},
    )
    waiting = [_One(*row) for row in rows]
    asks = {number: await read_ask(connection, number) for number in {one.campaign_id for one in waiting}}
    worth = {number: (ask.priority, ask.is_urgent, -number) for number, ask in asks.items()}
    return sorted(waiting, key=lambda one: (worth[one.campaign_id], one.id))


class _Found(NamedTuple):
    """All that the new decision must know, locked where it may change."""

    campaign: CampaignRow
    batch: Any
    row: Any
    person: Member
    plan: Plan
    purse: Purse
    """Without the slot of this message."""


class _Change:
    """One message, decided anew."""

    def __init__(self, runtime: Runtime, one: _One, ids: range, *, channels: bool, now: datetime) -> None:
        self._runtime = runtime
        self._one = one
        self._ids = ids
        self._channels = channels
        self._now = now
        self._house = house_of(runtime)

    async def make(self, connection: AsyncConnection) -> bool:
        """Do what the member wishes by now; whether anything is different afterwards."""
        found = await self._find(connection)
        if found is None:
            return False
        row, moves = found.row, Moves()
        person = replace(found.person, purse=found.purse)
        tried = await self._tried(connection, row.address_id)
        verdict = route(person, found.plan, self._house, now=self._now, without=tried)
        if isinstance(verdict, Hold):
            if verdict.reason not in _THEIR_WISH:
                return False
            await self._cancel(connection, row, verdict.reason, moves)
        elif verdict.address.id == row.address_id:
            if not _shifts(row, verdict, self._now):
                return False
            await self._shift(connection, found, verdict)
        else:
            wanted = self._channels and _is_better(found.person, row.address_id, verdict.address)
            if not wanted or not await self._claim(connection, verdict.address):
                return False
            await self._cancel(connection, row, Reason.SUPERSEDED, moves)
            await self._queue(connection, found, verdict, moves)
        await moves.write(connection)
        return True

    async def _find(self, connection: AsyncConnection) -> _Found | None:
        """Everything of this message, None where it waits no more or follows no wishes."""
        one, campaign = self._one, await lock_campaign(connection, self._one.campaign_id)
        if campaign is None or not campaign.is_alive or campaign.expires_at is None:
            return None
        batch = await self._lock(
            connection,
            "SELECT id, lane, stage FROM batch WHERE campaign_id = :campaign AND :id BETWEEN first_id AND last_id",
        )
        row = await self._lock(
            connection,
            "SELECT address_id, channel, attempts, not_before, costs, variant FROM delivery"
            " WHERE month = :month AND id = :id AND status = 'queued'",
        )
        person = (await read_members_by_id(connection, [one.member_id])).get(one.member_id)
        ask = await read_ask(connection, one.campaign_id, campaign.text_version)
        if batch is None or row is None or person is None or ask.alert:
            return None
        plan = plan_of(
            self._runtime,
            ask,
            campaign.id,
            earliest=campaign.starts_at or self._now,
            expires_at=campaign.expires_at,
            thread=await thread_of(connection, ask),
            raised=campaign.raised_until is not None,
        )
        if (groups := asked_groups(self._runtime, ask, plan, campaign)) is not None:
            person = (await groups.tell(connection, {person.id: person}, now=self._now))[person.id]
        if (thread := plan.budget.thread) is not None:
            yes = await who_said_yes(connection, [person.id], thread.campaign)
            person = replace(person, said_yes=person.id in yes)
        held = await lock_budgets(connection, [_holder(person), person.id]) if row.costs else {}
        purse = purses.refund(held.get(_holder(person), EMPTY), [one.id])
        return _Found(campaign, batch, row, person, plan, purse)

    async def _lock(self, connection: AsyncConnection, query: str) -> Any:
        one = self._one
        names = {"month": one.month, "id": one.id, "campaign": one.campaign_id}
        wanted = {name: value for name, value in names.items() if f":{name}" in query}
        return (await connection.execute(text(query + for_update(connection)), wanted)).one_or_none()

    async def _tried(self, connection: AsyncConnection, own: int) -> set[int]:
        """Addresses that this ask was sent to, or that failed; not those it left before anything was sent."""
        one = self._one
        rows = await connection.execute(
            text(
                "SELECT address_id FROM delivery WHERE month = :month AND member_id = :member"
                " AND campaign_id = :campaign AND address_id IS NOT NULL AND address_id <> :own"
                " AND NOT (status = 'cancelled' AND reason = 'superseded')"
            ),
            {"month": one.month, "member": one.member_id, "campaign": one.campaign_id, "own": own},
        )
        return set(rows.scalars())

    async def _claim(self, connection: AsyncConnection, address: Address) -> bool:
        """Rule 2: the ask goes to this address once; whether that is ours to do."""
        one = self._one
        columns = ("campaign_id", "member_id", "address_hash")
        claim = (one.campaign_id, None, address.hash)
        if await insert_new_rows(connection, ask_claim, columns, [claim], returning="campaign_id"):
            return True
        # Somebody holds it: we do ourselves, where the member has changed their mind before.
        mine = await connection.scalar(
            text(
                "SELECT 1 FROM delivery d JOIN address a ON a.id = d.address_id WHERE d.month = :month"
                " AND d.member_id = :member AND d.campaign_id = :campaign AND a.hash = :hash LIMIT 1"
            ),
            {"month": one.month, "member": one.member_id, "campaign": one.campaign_id, "hash": address.hash},
        )
        return mine is not None

    async def _cancel(self, connection: AsyncConnection, row: Any, reason: Reason, moves: Moves) -> None:
        one = self._one
        queued = Queued(one.month, one.id, one.campaign_id, one.member_id, row.channel, bool(row.costs))
        await cancel_rows(connection, [queued], reason, moves, now=self._now)

    async def _shift(self, connection: AsyncConnection, found: _Found, verdict: Deliver) -> None:
        at = to_ms(verdict.not_before)
        await connection.execute(
            text("UPDATE delivery SET not_before = :at WHERE month = :month AND id = :id AND status = 'queued'"),
            {"at": at, "month": self._one.month, "id": self._one.id},
        )
        await reopen(connection, found.batch.id, not_before=at)
        await self._book(connection, found, verdict, self._one.id)

    async def _queue(self, connection: AsyncConnection, found: _Found, verdict: Deliver, moves: Moves) -> None:
        one, address = self._one, verdict.address
        hop = await connection.scalar(
            text(
                "SELECT max(hop) + 1 FROM delivery WHERE month = :month AND member_id = :member"
                " AND campaign_id = :campaign"
            ),
            {"month": one.month, "member": one.member_id, "campaign": one.campaign_id},
        )
        number = await queue_alone(
            connection,
            self._ids,
            month=one.month,
            campaign_id=one.campaign_id,
            member_id=one.member_id,
            channel=address.channel,
            account=address.account,
            address_id=address.id,
            hop=int(hop or 1),
            lane=found.batch.lane,
            at=to_ms(verdict.not_before),
            costs=bool(found.row.costs),
            trace=verdict.trace,
            variant=found.row.variant,
            stage=found.batch.stage,
        )
        await self._book(connection, found, verdict, number)
        moves.add(one.campaign_id, address.channel, DeliveryStatus.QUEUED)

    async def _book(self, connection: AsyncConnection, found: _Found, verdict: Deliver, number: int) -> None:
        if not found.row.costs:
            return
        booked = budget.book(
            found.purse,
            found.plan.budget,
            self._house.budget,
            delivery=number,
            channel=verdict.address.channel,
            at=verdict.not_before,
            now=self._now,
            recipient=recipient_of(found.person, self._house, self._now),
        )
        await write_budgets(connection, {_holder(found.person): booked})


def _holder(person: Member) -> int:
    """Whose contact budget it is."""
    return person.household_id or person.id


def _shifts(row: Any, verdict: Deliver, now: datetime) -> bool:
    """Whether the new moment differs; a message that was tried before keeps the time of its next try."""
    return not row.attempts and max(int(row.not_before), to_ms(now)) != to_ms(verdict.not_before)


def _is_better(person: Member, own: int, other: Address) -> bool:
    """Whether the member likes the other address better, or wants nothing at the one where the message waits."""
    mine = next((address for address in person.addresses if address.id == own), None)
    return mine is None or other.rank < mine.rank or not isinstance(consent.check(mine), consent.Allow)
