"""How people and providers react to campaigns: who is to be counted, and what has been counted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.guarding import Count, Matter, Watch
from router.core.model import DeliveryRef, Reason
from router.store.bulk import in_numbers, numbers, sql
from router.store.months import months_sent_since
from router.store.tables import to_ms

ANSWERS_FOR = timedelta(days=14)
"""Who asks for silence so long after an ask is taken to answer it."""

REMEMBERED = timedelta(days=30)
"""Complaints of email come days later, so those of asks that started within so long count against the next one."""

LATE = "email"
"""The channel on which they come late."""

_WATCHED = "IN ('ask', 'report_back')"
"""Kinds of campaign that people did not ask for at that moment, so that their reactions are counted."""

_REACHED = frozenset({"sending", "sent", "delivered", "read", "unknown"})
"""A message that reached somebody, or may have: answers are here before the outcome of a claim is written down."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The ask that somebody got last."""

    campaign_id: int
    variant: int


@dataclass(slots=True)
class Running:
    """A running ask and what is counted of it."""

    id: int
    epoch: int
    starts_at: int
    """Milliseconds."""
    stopped_in: int | None
    """The epoch in which the guard stopped it last."""
    baseline: dict[str, Count] | None
    """What had been counted when somebody resumed it; None where nobody has since."""
    counts: dict[Watch, Count] = field(default_factory=dict)

    def add(self, watch: Watch, *, bad: int = 0, of: int = 0) -> None:
        """Count so much more."""
        known = self.counts.get(watch, Count())
        self.counts[watch] = Count(known.bad + bad, known.of + of)


async def asked_by(connection: AsyncConnection, about: DeliveryRef) -> Asked | None:
    """The ask of a delivery; None for a service message or a stranger's number."""
    row = (
        await connection.execute(
            sql(
                "SELECT d.campaign_id, d.variant FROM delivery d JOIN campaign c ON c.id = d.campaign_id"
                f" WHERE d.month = :month AND d.id = :id AND c.kind {_WATCHED}"
            ),
            {"month": about.month, "id": about.id},
        )
    ).one_or_none()
    return None if row is None else Asked(row.campaign_id, row.variant)


async def last_asked(connection: AsyncConnection, address_hash: str, channel: str, *, now: datetime) -> Asked | None:
    """The ask that was last sent to this address on this channel, within `ANSWERS_FOR`.

    What is being sent right now counts, too: an answer may be here before its outcome is written down.
    """
    since = now - ANSWERS_FOR
    months = await months_sent_since(connection, since, now=now)
    row = (
        await connection.execute(
            sql(
                "SELECT d.campaign_id, d.variant FROM address a"
                " JOIN delivery d ON d.member_id = a.member_id AND d.address_id = a.id"
                f" JOIN campaign c ON c.id = d.campaign_id AND c.kind {_WATCHED}"
                " WHERE a.hash = :hash AND a.channel = :channel"
                f" AND d.month {in_numbers(connection, 'months')}"
                " AND d.status IN ('sending', 'sent', 'delivered', 'read', 'unknown')"
                " AND coalesce(d.sent_at, c.expires_at) >= :since"
                " ORDER BY CASE WHEN d.status = 'sending' THEN 1 ELSE 0 END DESC,"
                " coalesce(d.sent_at, c.starts_at) DESC, d.id DESC LIMIT 1"
            ),
            {
                "hash": address_hash,
                "channel": channel,
                "since": to_ms(since),
                "months": numbers(connection, months),
            },
        )
    ).one_or_none()
    return None if row is None else Asked(row.campaign_id, row.variant)


async def read_running(connection: AsyncConnection, *, now: datetime) -> list[Running]:
    """Every running ask with all that is counted of it."""
    rows = await connection.execute(
        sql(
            "SELECT c.id, c.epoch, c.starts_at, g.epoch AS stopped_in, g.baseline FROM campaign c"
            f" LEFT JOIN guard_stop g ON g.campaign_id = c.id WHERE c.status = 'running' AND c.kind {_WATCHED}"
        )
    )
    running = {row.id: Running(row.id, row.epoch, row.starts_at, row.stopped_in, _read(row.baseline)) for row in rows}
    if not running:
        return []
    await _count(connection, running)
    late = [one for one in running.values() if any(watch.channel == LATE for watch in one.counts)]
    if late:
        await _add_earlier(connection, late, now)
    return list(running.values())


async def _count(connection: AsyncConnection, running: dict[int, Running]) -> None:
    """Everything from the campaigns' own counters.

    Reactions are read before the messages that they answer, so that none is held against too few.
    """
    which = {"ids": numbers(connection, running)}
    reactions = await connection.execute(
        sql(
            "SELECT campaign_id, channel, kind, CAST(sum(count) AS bigint) FROM reaction"
            f" WHERE campaign_id {in_numbers(connection, 'ids')} GROUP BY campaign_id, channel, kind"
        ),
        which,
    )
    for campaign_id, channel, kind, count in reactions:
        running[campaign_id].add(Watch(Matter(kind), channel), bad=count)
    tally = await connection.execute(
        sql(
            "SELECT campaign_id, channel, status, reason, count FROM tally"
            f" WHERE campaign_id {in_numbers(connection, 'ids')} AND channel <> '' AND count > 0"
        ),
        which,
    )
    for campaign_id, channel, status, reason, count in tally:
        one = running[campaign_id]
        reached = count if status in _REACHED else 0
        failed = count if status == "failed" else 0
        one.add(Watch(Matter.OPT_OUT, channel), of=reached)
        one.add(Watch(Matter.COMPLAINT, channel), of=reached)
        # Who had asked the provider for silence is nobody's error.
        erred = 0 if reason == Reason.SUPPRESSED.value else failed
        one.add(Watch(Matter.ERROR, channel), bad=erred, of=reached + failed)


async def _add_earlier(connection: AsyncConnection, late: Iterable[Running], now: datetime) -> None:
    """Complaints about each ask by email together with those about the asks that started before it."""
    rows = await connection.execute(
        sql(
            "SELECT c.id, c.starts_at,"
            " (SELECT CAST(coalesce(sum(t.count), 0) AS bigint) FROM tally t WHERE t.campaign_id = c.id"
            "   AND t.channel = :channel AND t.status IN ('sent', 'delivered', 'read', 'unknown')) AS reached,"
            " (SELECT CAST(coalesce(sum(r.count), 0) AS bigint) FROM reaction r WHERE r.campaign_id = c.id"
            "   AND r.channel = :channel AND r.kind = 'complaint') AS complaints"
            f" FROM campaign c WHERE c.kind {_WATCHED} AND c.starts_at >= :since"
        ),
        {"channel": LATE, "since": to_ms(now - REMEMBERED)},
    )
    asks = [tuple(row) for row in rows]
    for one in late:
        earlier = [ask for ask in asks if (ask[1], ask[0]) < (one.starts_at, one.id)]
        if any(complaints for *_, complaints in earlier):
            own = one.counts.get(Watch(Matter.COMPLAINT, LATE), Count())
            one.add(
                Watch(Matter.COMPLAINT, LATE, with_earlier=True),
                bad=own.bad + sum(ask[3] for ask in earlier),
                of=own.of + sum(ask[2] for ask in earlier),
            )


async def write_stop(connection: AsyncConnection, campaign_id: int, epoch: int, *, now: datetime) -> None:
    """The guard stops this campaign in this epoch; once it runs in a later one, somebody has resumed it."""
    await connection.execute(
        sql(
            "INSERT INTO guard_stop (campaign_id, epoch, baseline, at) VALUES (:id, :epoch, NULL, :now)"
            " ON CONFLICT (campaign_id) DO UPDATE SET epoch = excluded.epoch, baseline = NULL, at = excluded.at"
        ),
        {"id": campaign_id, "epoch": epoch, "now": to_ms(now)},
    )


async def write_baseline(connection: AsyncConnection, one: Running) -> None:
    """From these counts on the guard looks again."""
    counts = {str(watch): [count.bad, count.of] for watch, count in one.counts.items()}
    await connection.execute(
        sql("UPDATE guard_stop SET baseline = :counts WHERE campaign_id = :id AND epoch = :epoch"),
        {"counts": json.dumps(counts), "id": one.id, "epoch": one.stopped_in},
    )


def _read(stored: str | None) -> dict[str, Count] | None:
    return None if stored is None else {name: Count(*pair) for name, pair in json.loads(stored).items()}
