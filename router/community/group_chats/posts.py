"""Posts of ours under which somebody answered: when each is to be brought up to date, and what stands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.group_policy import GroupPolicy
from router.core.model import DeliveryRef
from router.core.tallying import tally_line
from router.store.bulk import for_share, for_update
from router.store.tables import to_ms

_OVER = "(c.status = 'cancelled' OR c.expires_at <= :now)"
_DUE = (
    " FROM group_post p CROSS JOIN campaign c WHERE c.id = p.campaign_id AND NOT p.closed"
    f" AND (p.edit_at <= :now OR (p.edit_at IS NULL AND {_OVER}))"
    " AND (c.status <> 'paused' OR c.expires_at <= :now)"
)
"""Somebody answered since it was last shown, or the ask is over and its buttons still stand. A pause holds it back.

CROSS JOIN: SQLite begins with the few posts that are open.
"""

_SENT = (
    "SELECT t.provider_id FROM attempt t WHERE t.month = p.month AND t.delivery_id = p.delivery_id"
    " AND t.outcome = 'sent' LIMIT 1"
)
"""What it is called by its provider, where the first answer came before the sending was written down."""


class Post(NamedTuple):
    """A post that is to be brought up to date."""

    month: int
    delivery_id: int
    campaign_id: int
    group_id: int
    address_id: int
    channel: str
    account: str
    provider_id: str
    """"" while it is not known."""
    text_version: int
    variant: int
    shown: str
    edits: int
    failures: int
    locale: str
    is_over: bool
    """The ask was cancelled, or its time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of bringing a post up to date."""

    line: str | None = None
    """The tally that stands there now; None where it may not be shown."""
    edited: bool = False
    closed: bool = False
    """It is never edited again."""
    later: datetime | None = None
    """When to try again; None where it is up to date, as far as was known."""
    failed: bool = False


async def note_answer(connection: AsyncConnection, policy: GroupPolicy, post: DeliveryRef, *, now: datetime) -> None:
    """Somebody answered under this post: its tally changes after a pause, in which others may answer too.

    The row is held until the commit, so that whoever takes the tally for up to date has counted this answer.
    """
    row = await _look(connection, post)
    if row is None:
        await _begin(connection, policy, post, now)
    elif row.edit_at is None:
        await _mark(connection, policy, post, row.edits, now)
    held = await _look(connection, post, for_share(connection))
    if held is not None and held.edit_at is None:
        await _mark(connection, policy, post, held.edits, now)


async def accounts_due(connection: AsyncConnection, *, now: datetime) -> list[tuple[str, str]]:
    """(channel, account) of the posts that are to be brought up to date."""
    rows = await connection.execute(text(f"SELECT DISTINCT p.channel, p.account{_DUE}"), {"now": to_ms(now)})
    return sorted((row.channel, row.account) for row in rows)


async def posts_due(
    connection: AsyncConnection, channel: str, account: str, *, limit: int, now: datetime
) -> Sequence[Post]:
    """Those of an account that wait longest."""
    rows = await connection.execute(
        text(
            "SELECT p.month, p.delivery_id, p.campaign_id, p.group_id, p.address_id, p.channel, p.account,"
            f" coalesce(nullif(p.provider_id, ''), ({_SENT}), '') AS provider_id, p.text_version, p.variant, p.shown,"
            " p.edits, p.failures, (SELECT m.locale FROM member m WHERE m.id = p.group_id) AS locale,"
            f" {_OVER} AS is_over{_DUE} AND p.channel = :channel"
            " AND p.account = :account ORDER BY p.edit_at, p.delivery_id LIMIT :most"
        ),
        {"now": to_ms(now), "channel": channel, "account": account, "most": limit},
    )
    return [Post(*row) for row in rows]


async def read_tally_line(connection: AsyncConnection, post: Post) -> str:
    """The tally as it stands now, in the group's language."""
    rows = await connection.execute(
        text(
            "SELECT kind, count(*) FROM group_answer WHERE campaign_id = :campaign AND group_id = :group GROUP BY kind"
        ),
        {"campaign": post.campaign_id, "group": post.group_id},
    )
    return tally_line({row[0]: row[1] for row in rows}, post.locale)


async def settle(
    connection: AsyncConnection, policy: GroupPolicy, post: Post, settled: Settled, *, now: datetime
) -> None:
    """Write down what came of it. Who answered meanwhile is counted by the edit that follows."""
    key = {"month": post.month, "id": post.delivery_id}
    await connection.execute(text(f"SELECT 1{_KEY}{for_update(connection)}"), key)
    edits, later = post.edits + settled.edited, settled.later
    if settled.line is not None and await read_tally_line(connection, post) != settled.line:
        later = now + policy.edit_pause(edits)
    values = {
        "edits": edits,
        "shown": post.shown if settled.line is None else settled.line,
        "failures": post.failures + 1 if settled.failed else 0,
        "closed": settled.closed,
        "at": None if later is None or settled.closed else to_ms(later),
    }
    await connection.execute(
        text(
            "UPDATE group_post SET edits = :edits, shown = :shown, failures = :failures, closed = :closed,"
            " edit_at = CAST(:at AS bigint) WHERE month = :month AND delivery_id = :id"
        ),
        {**values, **key},
    )


_KEY = " FROM group_post WHERE month = :month AND delivery_id = :id"


async def _look(connection: AsyncConnection, post: DeliveryRef, lock: str = "") -> Row[Any] | None:
    """When the post is edited next, and how often it was; None where nobody answered before or it is closed."""
    found = await connection.execute(
        text(f"SELECT edits, edit_at{_KEY} AND NOT closed{lock}"), {"month": post.month, "id": post.id}
    )
    return found.one_or_none()


async def _begin(connection: AsyncConnection, policy: GroupPolicy, post: DeliveryRef, now: datetime) -> None:
    await connection.execute(
        text(
            "INSERT INTO group_post (month, delivery_id, campaign_id, group_id, address_id, channel, account,"
            " provider_id, text_version, variant, edit_at) SELECT d.month, d.id, d.campaign_id, d.member_id,"
            " d.address_id, d.channel, coalesce(t.account, a.account), coalesce(t.provider_id, ''), d.text_version,"
            " d.variant, CAST(:at AS bigint) FROM delivery d JOIN address a ON a.id = d.address_id"
            " LEFT JOIN attempt t ON t.month = d.month AND t.delivery_id = d.id AND t.outcome = 'sent'"
            " WHERE d.month = :month AND d.id = :id AND d.text_version IS NOT NULL ON CONFLICT DO NOTHING"
        ),
        {"month": post.month, "id": post.id, "at": to_ms(now + policy.edit_pause(0))},
    )


async def _mark(connection: AsyncConnection, policy: GroupPolicy, post: DeliveryRef, edits: int, now: datetime) -> None:
    await connection.execute(
        text(
            "UPDATE group_post SET edit_at = :at WHERE month = :month AND delivery_id = :id AND edit_at IS NULL"
            " AND NOT closed"
        ),
        {"month": post.month, "id": post.id, "at": to_ms(now + policy.edit_pause(edits))},
    )
