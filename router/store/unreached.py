"""Whom an ask did not reach, and who of them may be rung up (`core.phoning`)."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.phoning import MENDABLE, PHONE_CHANNELS, CallResult
from router.store.bulk import is_sqlite

# The words are the program's own, never a caller's.
_MENDABLE = ", ".join(f"'{reason.value}'" for reason in sorted(MENDABLE))
_PHONES = ", ".join(f"'{name}'" for name in PHONE_CHANNELS)
_FINAL = ", ".join(f"'{result.value}'" for result in CallResult if result.is_final)

_STANDING = (
    "SELECT d.member_id,"
    " max(CASE WHEN d.status IN ('queued', 'sending', 'sent', 'delivered', 'read') THEN 1 ELSE 0 END) AS reached,"
    " max(CASE WHEN d.status = 'failed' THEN 1 ELSE 0 END) AS failed,"
    " max(CASE WHEN d.status = 'unknown' THEN 1 ELSE 0 END) AS unsettled,"
    " max(CASE WHEN d.status = 'expired' THEN 1 ELSE 0 END) AS expired,"
    f" max(CASE WHEN d.status = 'held' AND d.reason IN ({_MENDABLE}) THEN 1 ELSE 0 END) AS held"
    " FROM delivery d WHERE d.month = :month AND d.campaign_id = :campaign GROUP BY d.member_id"
)
_NOT_REACHED = (
    f"({_STANDING}) s JOIN member m ON m.id = s.member_id"
    " WHERE s.reached = 0 AND s.failed + s.unsettled + s.expired + s.held > 0"
    " AND m.kind = 'person' AND m.erased_at IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM action x WHERE x.campaign_id = :campaign AND x.member_id = m.id"
    " AND x.kind <> 'click')"
)
_MAY_BE_CALLED = (
    " AND m.dial <> 'paused' AND (m.paused_until IS NULL OR m.paused_until <= :now)"
    " AND EXISTS (SELECT 1 FROM address a WHERE a.member_id = m.id AND a.channel IN"
    f" ({_PHONES}) AND a.state = 'active' AND a.consent = 'granted')"
    " AND NOT EXISTS (SELECT 1 FROM address a JOIN suppression p ON p.address_hash = a.hash AND p.channel = a.channel"
    " WHERE a.member_id = m.id)"
    " AND NOT EXISTS (SELECT 1 FROM address a WHERE a.member_id = m.id AND a.consent = 'revoked')"
    " AND NOT EXISTS (SELECT 1 FROM phoned p WHERE p.campaign_id = :campaign AND p.member_id = m.id"
    f" AND p.result IN ({_FINAL}))"
)


class Unreached(NamedTuple):
    """How many people an ask did not reach, by the first of these that is true of them."""

    failed: int
    unsettled: int
    """Nobody knows whether it reached them."""
    expired: int
    held: int
    """For a reason that was nobody's wish."""


class Callee(NamedTuple):
    """Somebody to ring up."""

    member_id: int
    group: str
    """The branch or building they belong to; "" where it is not known."""
    first_name: str
    last_name: str
    locale: str
    phone: str


async def count_unreached(connection: AsyncConnection, *, month: int, campaign_id: int) -> Unreached:
    """People whom this campaign did not reach. Reads its whole month once: for people who look at it, not for loops."""
    row = (
        await connection.execute(
            text(
                "SELECT coalesce(sum(s.failed), 0),"
                " coalesce(sum((1 - s.failed) * s.unsettled), 0),"
                " coalesce(sum((1 - s.failed) * (1 - s.unsettled) * s.expired), 0),"
                f" coalesce(sum((1 - s.failed) * (1 - s.unsettled) * (1 - s.expired) * s.held), 0) FROM {_NOT_REACHED}"
            ),
            {"month": month, "campaign": campaign_id},
        )
    ).one()
    return Unreached(*map(int, row))


async def count_callees(
    connection: AsyncConnection, *, month: int, campaign_id: int, by: str, now: int
) -> dict[str, int]:
    """branch or building → how many people of it may be rung up."""
    rows = await connection.execute(
        text(
            f"SELECT {_group(connection, by)} AS grouped, count(*) FROM {_NOT_REACHED}{_MAY_BE_CALLED}"
            " GROUP BY 1 ORDER BY 1"
        ),
        {"month": month, "campaign": campaign_id, "now": now, **_named(by)},
    )
    return {str(row[0]): int(row[1]) for row in rows}


async def read_callees(
    connection: AsyncConnection, *, month: int, campaign_id: int, by: str, only: str | None, limit: int, now: int
) -> list[Callee]:
    """Those people, group by group; with `only` those of one."""
    grouped = _group(connection, by)
    wanted = "" if only is None else f" AND {grouped} = :only"
    rows = await connection.execute(
        text(
            f"SELECT m.id, {grouped} AS grouped, m.first_name, m.last_name, m.locale,"
            " (SELECT min(a.value) FROM address a WHERE a.member_id = m.id AND a.channel IN"
            f" ({_PHONES}) AND a.state = 'active' AND a.consent = 'granted') AS phone"
            f" FROM {_NOT_REACHED}{_MAY_BE_CALLED}{wanted} ORDER BY 2, m.last_name, m.first_name, m.id LIMIT :limit"
        ),
        {
            "month": month,
            "campaign": campaign_id,
            "now": now,
            "limit": limit,
            **_named(by),
            **({} if only is None else {"only": only}),
        },
    )
    return [Callee(*row) for row in rows]


def _group(connection: AsyncConnection, by: str) -> str:
    """SQL for the branch or building of a member: their place, or the free attribute of that name."""
    if by == "place":
        return "m.place"
    if is_sqlite(connection):
        return "coalesce((SELECT e.value FROM json_each(m.attributes) e WHERE e.key = :by), '')"
    return "coalesce(m.attributes ->> CAST(:by AS text), '')"


def _named(by: str) -> dict[str, Any]:
    return {} if by == "place" else {"by": by}
