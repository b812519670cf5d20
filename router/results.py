"""What came of an ask: whom it reached, what they did, who wanted silence after it; and both as CSV."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.afterwards import ReportOwed, owed_of
from router.core.comparing import Share, share
from router.core.errors import NotFound
from router.core.goals import units
from router.core.model import DeliveryStatus, Reason
from router.records.report import csv_line
from router.runtime import Runtime
from router.store.acts import read_acts
from router.store.audience import WENT_OUT
from router.store.campaigns import lock_campaign
from router.store.tables import action, campaign, member
from router.store.tallies import read_tally

_PAGE = 2_000
_ARRIVED = (DeliveryStatus.DELIVERED, DeliveryStatus.READ)


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class Deeds(_View):
    """What people did, of one kind."""

    kind: str
    """``yes``, ``signed``, ``gave``, ``click`` …"""
    people: int
    amount: float
    """In whole units of `currency`."""
    currency: str
    """"" where it was no money."""


class ChannelResults(_View):
    """What came of the messages on one channel."""

    channel: str
    reached: int
    """Messages that reached somebody, or may have …"""
    arrived: int
    """… and of these, how many surely did."""
    failed: int
    acted: Share
    """Members who acted by this channel."""
    opted_out: Share
    """Wishes for silence that came by it, complaints included."""


class Results(_View):
    """What came of an ask. Somebody who got it on two channels counts as two messages, and acted once."""

    reached: int
    arrived: int
    failed: dict[Reason, int]
    """Why a message failed → how many."""
    people_acted: int
    acted: Share
    opted_out: Share
    did: list[Deeds]
    counted_at: datetime
    """When it was counted what people did: of very many a few minutes ago (`router.store.acts`)."""
    channels: list[ChannelResults]
    report: ReportOwed
    """The report-back that those who acted are owed."""


async def results_of(runtime: Runtime, campaign_id: int, *, now: datetime) -> Results:
    """What came of a campaign so far. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        row = await lock_campaign(connection, campaign_id)
        if row is None:
            raise NotFound(f"there is no campaign {campaign_id}")
    # A transaction of its own: the row of the campaign is not held meanwhile, so that it can be paused.
    async with runtime.store.read() as connection:
        by_status: dict[str, Counter[DeliveryStatus]] = defaultdict(Counter)
        failed: Counter[Reason] = Counter()
        for channel, status, reason, count in await read_tally(connection, campaign_id):
            by_status[channel][DeliveryStatus(status)] += count
            if status == DeliveryStatus.FAILED.value and reason:
                failed[Reason(reason)] += count
        silenced = await _by_channel(
            connection,
            "SELECT channel, CAST(sum(count) AS bigint) FROM reaction WHERE campaign_id = :id GROUP BY channel",
            campaign_id,
        )
        owed = campaign.c.report_due_at, campaign.c.reported_at
        due_at, reported_at = (await connection.execute(select(*owed).where(campaign.c.id == campaign_id))).one()
    acts = await read_acts(runtime.store, campaign_id, now=now)
    acted, people = acts.by_channel, acts.people
    confidence = runtime.policy.comparison.confidence

    def results(channel: str, counts: Counter[DeliveryStatus]) -> ChannelResults:
        reached = sum(counts[status] for status in WENT_OUT)
        return ChannelResults(
            channel=channel,
            reached=reached,
            arrived=sum(counts[status] for status in _ARRIVED),
            failed=counts[DeliveryStatus.FAILED],
            acted=share(acted.get(channel, 0), reached, confidence),
            opted_out=share(silenced.get(channel, 0), reached, confidence),
        )

    channels = [results(name, counts) for name, counts in sorted(by_status.items()) if name]
    reached = sum(one.reached for one in channels)
    return Results(
        reached=reached,
        arrived=sum(one.arrived for one in channels),
        failed=dict(failed.most_common()),
        people_acted=people,
        acted=share(people, reached, confidence),
        opted_out=share(sum(silenced.values()), reached, confidence),
        did=[
            Deeds(
                kind=one.kind,
                people=one.people,
                amount=one.amount / units(one.currency) if one.currency else 0.0,
                currency=one.currency,
            )
            for one in acts.did
        ],
        counted_at=acts.at,
        channels=channels,
        report=owed_of(row, people, due_at, reported_at, now),
    )


async def tally_csv(runtime: Runtime, campaign_id: int) -> bytes:
    """How many messages stand where, as CSV: nobody can be told from it."""
    async with runtime.store.read() as connection:
        rows = await read_tally(connection, campaign_id)
    return b"".join([csv_line("channel", "status", "reason", "messages"), *(csv_line(*row) for row in rows)])


async def acted_csv(runtime: Runtime, campaign_id: int, seen: ColumnElement[bool]) -> AsyncIterator[bytes]:
    """Who did what, as CSV in pieces, by member number; of members whom `seen`, a condition on their table, lets in."""
    yield csv_line("member", "kind", "amount", "currency", "at")
    last = (-1, -1)
    columns = (action.c.member_id, action.c.id, action.c.kind, action.c.amount, action.c.currency, action.c.at)
    while True:
        query = (
            select(*columns)
            .join(member, member.c.id == action.c.member_id)
            .where(action.c.campaign_id == campaign_id, tuple_(action.c.member_id, action.c.id) > last, seen)
            .order_by(action.c.member_id, action.c.id)
            .limit(_PAGE)
        )
        async with runtime.store.read() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return
        yield b"".join(
            csv_line(who, kind, amount / units(currency) if currency else "", currency, at.isoformat())
            for who, _, kind, amount, currency, at in rows
        )
        last = (rows[-1].member_id, rows[-1].id)


async def _by_channel(connection: AsyncConnection, query: str, campaign_id: int) -> dict[str, int]:
    return dict(map(tuple, await connection.execute(text(query), {"id": campaign_id})))
