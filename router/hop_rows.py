"""The rows of further hops: what a member's other deliveries of an ask are, and the new ones queued together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import DeliveryStatus, Lane
from router.core.routing import Deliver
from router.core.waterfall import Hop
from router.store.batches import BATCH_COLUMNS
from router.store.bulk import in_numbers, insert_rows, numbers, sql
from router.store.campaigns import CampaignRow
from router.store.tables import batch, delivery, to_ms
from router.store.tallies import Moves

_COLUMNS = (
    "month", "id", "campaign_id", "member_id", "channel", "hop", "address_id", "status", "not_before", "costs", "trace",
    "variant",
)  # fmt: skip


class Row(NamedTuple):
    """A delivery of an ask to a member."""

    hop: Hop
    address_id: int | None
    variant: int
    """Which of two texts."""


class Further(NamedTuple):
    """A hop that is to be queued, after the delivery `after`."""

    after: int
    member_id: int
    hop: int
    lane: Lane
    variant: int
    verdict: Deliver


async def read_rows(
    connection: AsyncConnection, campaign: CampaignRow, members: Iterable[int]
) -> Mapping[int, Sequence[Row]]:
    """member → all deliveries by which this ask went to them, or tried to."""
    found: dict[int, list[Row]] = defaultdict(list)
    rows = await connection.execute(
        sql(
            "SELECT member_id, id, hop, status, address_id, variant FROM delivery WHERE month = :month"
            f" AND member_id {in_numbers(connection, 'members')} AND campaign_id = :campaign"
        ),
        {"month": campaign.month, "members": numbers(connection, sorted(members)), "campaign": campaign.id},
    )
    for row in rows:
        hop = Hop(row.id, row.hop, DeliveryStatus(row.status))
        found[row.member_id].append(Row(hop, row.address_id, row.variant))
    return found


async def read_kinds(
    connection: AsyncConnection, campaign: CampaignRow, members: Iterable[int]
) -> Mapping[int, Sequence[str]]:
    """member → what they did on this campaign."""
    found: dict[int, list[str]] = defaultdict(list)
    rows = await connection.execute(
        sql(
            "SELECT DISTINCT member_id, kind FROM action WHERE campaign_id = :campaign"
            f" AND member_id {in_numbers(connection, 'members')}"
        ),
        {"campaign": campaign.id, "members": numbers(connection, sorted(members))},
    )
    for member_id, kind in rows:
        found[member_id].append(kind)
    return found


async def queue_hops(
    connection: AsyncConnection,
    campaign: CampaignRow,
    wanted: Sequence[Further],
    ids: range,
    moves: Moves,
    *,
    costs: bool,
) -> dict[int, int]:
    """Queue hops, those that leave together in one batch; returns delivery → the number of the one that follows it."""
    fresh = iter(ids)
    together: dict[tuple[str, str, int, int], list[Further]] = defaultdict(list)
    for one in wanted:
        address, at = one.verdict.address, to_ms(one.verdict.not_before)
        together[address.channel, address.account, at, int(one.lane)].append(one)
    deliveries: list[tuple[Any, ...]] = []
    batches: list[tuple[Any, ...]] = []
    queued: dict[int, int] = {}
    for (channel, account, at, lane), some in together.items():
        for one in some:
            number = queued[one.after] = next(fresh)
            deliveries.append(
                (campaign.month, number, campaign.id, one.member_id, channel, one.hop, one.verdict.address.id,
                 DeliveryStatus.QUEUED.value, at, costs, one.verdict.trace, one.variant)
            )  # fmt: skip
        first, last = queued[some[0].after], queued[some[-1].after]
        batches.append(
            (next(fresh), campaign.month, campaign.id, channel, account, lane, 0, first, last, True, at, 0, 0, False)
        )
        moves.add(campaign.id, channel, DeliveryStatus.QUEUED, n=len(some))
    await insert_rows(connection, delivery, _COLUMNS, deliveries)
    await insert_rows(connection, batch, BATCH_COLUMNS, batches)
    return queued
