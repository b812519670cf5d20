"""Batches: leased, claimed from, released, closed. The rules are DESIGN.md 6, 3 to 11.

A lease is owner, epoch and ``leased_until`` on the database's clock. Whoever takes over a batch raises its epoch, so
a worker that was believed dead finds its claim refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.attention import Dial
from router.core.frozen import frozen
from router.core.model import Address, AddressState, ConsentState, DeliveryStatus, Member
from router.store.bulk import for_update, in_numbers, insert_rows, is_sqlite, numbers, plain_rows, sql
from router.store.engine import now_ms_sql
from router.store.people import read_attributes
from router.store.sealed_addresses import opener
from router.store.tables import batch, delivery, from_ms, to_ms
from router.store.tallies import Moves

LEASE_MS = 30_000
"""How long a lease lasts, where `Settings.lease` says nothing else. Every claim renews it, and its sends end within
11 s (start within 3, answer in 8)."""


BATCH_COLUMNS = (
    "id", "month", "campaign_id", "channel", "account", "lane", "stage", "first_id", "last_id", "open", "not_before",
    "epoch", "leased_until", "waits",
)  # fmt: skip
"""What a new batch is made of; it belongs to nobody yet."""


_QUEUED_COLUMNS = (
    "month", "id", "campaign_id", "member_id", "channel", "hop", "address_id", "status", "not_before", "costs", "trace",
    "variant",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A leased batch: deliveries ``first_id … last_id`` of one campaign on one channel."""

    id: int
    month: int
    campaign_id: int
    channel: str
    account: str
    """The only account that may send it; "" for any."""
    lane: int
    first_id: int
    last_id: int
    owner: str
    epoch: int
    taken_over: bool = False
    """Whether its last owner had let the lease run out."""


@frozen(kw_only=True)
class Waiting:
    """A queued delivery with what is needed to decide once more and to render it.

    Its address is open; where no key here opens it, `core.sealing.is_sealed` says so of its value, and nobody can be
    written to there.
    """

    id: int
    attempts: int
    costs: bool
    hop: int
    variant: int
    member: Member
    address: Address


_MAY_LEAVE = (
    "b.not_before <= :now AND NOT b.waits AND b.stage <= c.stage AND c.status = 'running' AND c.goal_met_at IS NULL"
)
_WITHDRAWN = "(c.status = 'cancelled' OR c.goal_met_at IS NOT NULL)"


async def lease_batch(
    connection: AsyncConnection,
    channels: Sequence[str],
    *,
    owner: str,
    now: datetime,
    withdrawn: bool = False,
    account: str | None = None,
    lanes: tuple[int, int] = (0, 9),
    lasts: int = LEASE_MS,
) -> Batch | None:
    """Lease the most urgent open batch of these channels that may leave, or None.

    With `withdrawn` one, of whatever hour and stage, that must not leave any more: its campaign was cancelled or has
    reached its goal.

    With `account` only batches that this account, or any, may send; `lanes` are the first and the last to look at;
    `lasts` is in ms.

    A batch whose last owner let its lease run out is taken over: its rows in flight become ``unknown`` and are never
    sent again (rule 9).
    """
    clock = now_ms_sql(connection.dialect.name)
    names = {f"channel{place}": name for place, name in enumerate(channels)}
    only = "" if account is None else " AND b.account IN ('', :account)"
    row = (
        await connection.execute(
            sql(
                "SELECT b.id, b.month, b.campaign_id, b.channel, b.account, b.lane, b.first_id, b.last_id, b.epoch,"
                " b.owner"
                " FROM batch b JOIN campaign c ON c.id = b.campaign_id"
                f" WHERE b.open AND b.channel IN ({', '.join(':' + name for name in names)})"
                f" AND b.leased_until < {clock} AND b.lane BETWEEN :first_lane AND :last_lane{only}"
                f" AND {_WITHDRAWN if withdrawn else _MAY_LEAVE}"
                f" ORDER BY b.lane, b.stage, b.not_before, b.id LIMIT 1{for_update(connection, 'b', skip_locked=True)}"
            ),
            {
                **names,
                **({} if withdrawn else {"now": to_ms(now)}),
                "first_lane": lanes[0],
                "last_lane": lanes[1],
                **({} if account is None else {"account": account}),
            },
        )
    ).one_or_none()
    if row is None:
        return None
    leased = Batch(
        id=row.id,
        month=row.month,
        campaign_id=row.campaign_id,
        channel=row.channel,
        account=row.account,
        lane=row.lane,
        first_id=row.first_id,
        last_id=row.last_id,
        owner=owner,
        epoch=row.epoch + 1,
        taken_over=row.owner is not None,
    )
    await connection.execute(
        sql(f"UPDATE batch SET owner = :owner, epoch = :epoch, leased_until = {clock} + {lasts:d} WHERE id = :id"),
        {"owner": owner, "epoch": leased.epoch, "id": leased.id},
    )
    if row.owner is not None:
        await _give_up_in_flight(connection, leased, now)
    return leased


async def is_outranked(connection: AsyncConnection, leased: Batch, *, first_lane: int, now: datetime) -> bool:
    """Whether a batch of a more urgent lane, from `first_lane` on, waits for the same senders."""
    found = await connection.scalar(
        sql(
            "SELECT 1 FROM batch b JOIN campaign c ON c.id = b.campaign_id"
            " WHERE b.open AND b.channel = :channel AND b.lane >= :first AND b.lane < :lane"
            f" AND b.account IN ('', :account) AND {_MAY_LEAVE}"
            f" AND b.leased_until < {now_ms_sql(connection.dialect.name)} LIMIT 1"
        ),
        {
            "channel": leased.channel,
            "first": first_lane,
            "lane": leased.lane,
            "account": leased.account,
            "now": to_ms(now),
        },
    )
    return found is not None


async def _give_up_in_flight(connection: AsyncConnection, leased: Batch, now: datetime) -> None:
    """Rule 9: what the last owner had in flight may have been sent. Nobody will ever know from us."""
    lost = (
        await connection.execute(
            sql(
                "UPDATE delivery SET status = 'unknown' WHERE month = :month AND id BETWEEN :first AND :last"
                " AND status = 'sending' RETURNING id, attempts"
            ),
            {"month": leased.month, "first": leased.first_id, "last": leased.last_id},
        )
    ).all()
    if not lost:
        return
    await write_attempts(
        connection,
        [(leased.month, row.id, row.attempts, "", "unknown", "transport", "takeover", "", to_ms(now)) for row in lost],
    )
    moves = Moves()
    moves.take(leased.campaign_id, leased.channel, DeliveryStatus.SENDING, n=len(lost))
    moves.add(leased.campaign_id, leased.channel, DeliveryStatus.UNKNOWN, n=len(lost))
    await moves.write(connection)


async def queue_alone(
    connection: AsyncConnection,
    ids: Sequence[int],
    *,
    month: int,
    campaign_id: int,
    member_id: int,
    channel: str,
    account: str,
    address_id: int,
    hop: int,
    lane: int,
    at: int,
    costs: bool,
    trace: str = "",
    variant: int = 0,
    stage: int = 0,
) -> int:
    """Queue one delivery in a batch of its own (a further hop, an answer); returns its number. Uses two of `ids`."""
    number, batch_id = ids[0], ids[1]
    await insert_rows(
        connection,
        delivery,
        _QUEUED_COLUMNS,
        [(month, number, campaign_id, member_id, channel, hop, address_id, "queued", at, costs, trace, variant)],
    )
    await insert_rows(
        connection,
        batch,
        BATCH_COLUMNS,
        [(batch_id, month, campaign_id, channel, account, lane, stage, number, number, True, at, 0, 0, False)],
    )
    return number


async def renew(connection: AsyncConnection, leased: Batch, *, lasts: int = LEASE_MS) -> bool:
    """Lengthen the lease to `lasts` ms from now; False where somebody has taken over.

    Locks the batch until the transaction ends.
    """
    clock = now_ms_sql(connection.dialect.name)
    result = await connection.execute(
        sql(
            f"UPDATE batch SET leased_until = {clock} + {lasts:d} WHERE id = :id AND owner = :owner AND epoch = :epoch"
        ),
        {"id": leased.id, "owner": leased.owner, "epoch": leased.epoch},
    )
    return result.rowcount == 1


async def read_waiting(connection: AsyncConnection, leased: Batch, *, limit: int, now: datetime) -> list[Waiting]:
    """The next queued rows of a batch, locked in number order, with all that must be known before sending."""
    found = await connection.execute(
        sql(
            "SELECT d.id, d.attempts, d.costs, d.hop, m.id, m.first_name, m.last_name, m.locale, m.zone, m.country,"
            " m.postcode, m.place, m.attributes, m.erased_at,"
            " a.id, a.value, a.hash, a.state, a.consent, a.rank, s.reason, a.account, a.last_inbound_at, m.kind,"
            " m.dial, m.paused_until, a.alerts, d.variant"
            " FROM delivery d JOIN member m ON m.id = d.member_id JOIN address a ON a.id = d.address_id"
            " LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
            " WHERE d.month = :month AND d.id BETWEEN :first AND :last AND d.status = 'queued' AND d.not_before <= :now"
            f" ORDER BY d.id LIMIT :limit{for_update(connection, 'd')}"
        ),
        {"month": leased.month, "first": leased.first_id, "last": leased.last_id, "now": to_ms(now), "limit": limit},
    )
    rows = plain_rows(found)
    opened = opener(connection, leased.channel)
    if opened is None:
        return [_waiting(row, leased.channel, row[15]) for row in rows]
    return [_waiting(row, leased.channel, opened(row[16], row[15])) for row in rows]


def _waiting(row: Any, channel: str, value: str) -> Waiting:
    address = Address(
        id=row[14],
        channel=channel,
        value=value,
        hash=row[16],
        state=_STATES[row[17]],
        consent=_CONSENTS[row[18]],
        rank=row[19],
        suppressed=row[20] is not None,
        account=row[21],
        last_inbound_at=None if row[22] is None else from_ms(row[22]),
        alerts=bool(row[26]),
    )
    person = Member(
        id=row[4],
        first_name=row[5],
        last_name=row[6],
        locale=row[7],
        zone=row[8],
        country=row[9],
        postcode=row[10],
        place=row[11],
        attributes=_NO_ATTRIBUTES if row[12] in ("{}", None) else read_attributes(row[12]),
        erased=row[13] is not None,
        is_group=row[23] == "group",
        dial=_DIALS[row[24]],
        paused_until=None if row[25] is None else from_ms(row[25]),
    )
    return Waiting(
        id=row[0],
        attempts=row[1],
        costs=bool(row[2]),
        hop=row[3],
        variant=row[27],
        member=person,
        address=address,
    )


_STATES = {state.value: state for state in AddressState}
_CONSENTS = {state.value: state for state in ConsentState}
_DIALS = {dial.value: dial for dial in Dial}
_NO_ATTRIBUTES: dict[str, str] = {}


def among(connection: AsyncConnection) -> str:
    """SQL for "is one of these deliveries"; bind it with `these`.

    The first and the last are named, too: a database that knows nothing yet of a young table would rather read the
    whole month than look up five hundred numbers.
    """
    return f"month = :month AND id BETWEEN :first AND :last AND id {in_numbers(connection, 'ids')}"


def these(connection: AsyncConnection, month: int, ids: Sequence[int]) -> dict[str, Any]:
    """The values to bind for `among`; at least one number."""
    return {"month": month, "first": min(ids), "last": max(ids), "ids": numbers(connection, ids)}


async def mark_sending(
    connection: AsyncConnection, leased: Batch, ids: Sequence[int], *, claim_id: int, text_version: int
) -> None:
    """The intent: after its commit the provider may have these messages at any moment."""
    if not ids:
        return
    await connection.execute(
        sql(
            "UPDATE delivery SET status = 'sending', claim_id = :claim, attempts = attempts + 1,"
            f" claimed_at = {now_ms_sql(connection.dialect.name)}, text_version = :version"
            f" WHERE {among(connection)} AND status = 'queued'"
        ),
        {"claim": claim_id, "version": text_version, **these(connection, leased.month, ids)},
    )


async def rows_of_claim(connection: AsyncConnection, leased: Batch, claim_id: int) -> int:
    """Rule 5: how many rows carry this claim, which tells whether a commit that failed to answer took place."""
    found = await connection.scalar(
        sql("SELECT count(*) FROM delivery WHERE month = :month AND id BETWEEN :first AND :last AND claim_id = :claim"),
        {"month": leased.month, "first": leased.first_id, "last": leased.last_id, "claim": claim_id},
    )
    return int(found or 0)


async def let_go(connection: AsyncConnection, leased: Batch) -> bool:
    """Close the batch where that is proven to be right (rule 11), else give it back for its next `not_before`.

    Returns whether it was closed. Does nothing where somebody has taken over.
    """
    mine = "id = :id AND owner = :owner AND epoch = :epoch"
    span = "d.month = :month AND d.id BETWEEN :first AND :last"
    parameters = {
        "id": leased.id,
        "owner": leased.owner,
        "epoch": leased.epoch,
        "month": leased.month,
        "first": leased.first_id,
        "last": leased.last_id,
    }
    closed = await connection.execute(
        sql(
            f"UPDATE batch SET open = false, owner = NULL, leased_until = 0 WHERE {mine} AND NOT EXISTS"
            f" (SELECT 1 FROM delivery d WHERE {span} AND d.status IN ('queued', 'sending'))"
        ),
        parameters,
    )
    if closed.rowcount == 1:
        return True
    await connection.execute(
        sql(
            "UPDATE batch SET owner = NULL, leased_until = 0, not_before = coalesce("
            f"(SELECT min(d.not_before) FROM delivery d WHERE {span} AND d.status = 'queued'), not_before)"
            f" WHERE {mine}"
        ),
        parameters,
    )
    return False


async def reopen(connection: AsyncConnection, batch_id: int, *, not_before: int) -> None:
    """Rule 10: a row went back to the queue, so its batch must be open again and be looked at no later than that."""
    smaller = "min" if is_sqlite(connection) else "least"
    await connection.execute(
        sql(
            f"UPDATE batch SET not_before = CASE WHEN open THEN {smaller}(not_before, :at) ELSE :at END, open = true"
            " WHERE id = :id"
        ),
        {"id": batch_id, "at": not_before},
    )


_ATTEMPT_COLUMNS = (
    "month", "delivery_id", "number", "account", "outcome", "failure", "code", "provider_id", "at",
)  # fmt: skip
_ATTEMPT_TYPES = ("int", "bigint", "smallint", "text", "text", "text", "text", "text", "bigint")


async def write_attempts(connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Keep what came of each try, in the order of `_ATTEMPT_COLUMNS`. Writing the same try twice changes nothing.

    Only a try whose outcome was unknown may be told once more, by the worker that was believed dead.
    """
    if not rows:
        return
    names = ", ".join(_ATTEMPT_COLUMNS)
    settle = (
        " ON CONFLICT (month, delivery_id, number) DO UPDATE SET outcome = excluded.outcome,"
        " failure = excluded.failure, code = excluded.code, provider_id = excluded.provider_id,"
        " account = excluded.account WHERE attempt.outcome IN ('unknown', 'not_sent')"
    )
    if is_sqlite(connection):
        holes = ", ".join("?" * len(_ATTEMPT_COLUMNS))
        await connection.exec_driver_sql(f"INSERT INTO attempt ({names}) VALUES ({holes}){settle}", list(rows))
        return
    arrays = ", ".join(f"CAST(:c{place} AS {kind}[])" for place, kind in enumerate(_ATTEMPT_TYPES))
    await connection.execute(
        sql(f"INSERT INTO attempt ({names}) SELECT * FROM unnest({arrays}){settle}"),
        {f"c{place}": [row[place] for row in rows] for place in range(len(_ATTEMPT_TYPES))},
    )
