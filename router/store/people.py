"""Members as routing and rendering see them, read in bulk."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.attention import Dial
from router.core.model import Address, AddressState, ConsentState, Member
from router.core.purse import EMPTY, Purse
from router.store.budgets import lock_budgets
from router.store.bulk import in_numbers, numbers
from router.store.tables import from_ms, member, to_ms

_STATES = {state.value: state for state in AddressState}
_CONSENTS = {state.value: state for state in ConsentState}
_DIALS = {dial.value: dial for dial in Dial}
_NO_PURSES: Mapping[int, Purse] = {}

_MEMBER_COLUMNS = (
    member.c.id,
    member.c.first_name,
    member.c.last_name,
    member.c.locale,
    member.c.zone,
    member.c.country,
    member.c.postcode,
    member.c.place,
    member.c.household_id,
    member.c.erased_at,
    member.c.kind,
    member.c.joined_at,
    member.c.joined_by,
    member.c.dial,
    member.c.paused_until,
)


async def read_members(
    connection: AsyncConnection, where: ColumnElement[bool], *, first: int, last: int, lock_purses: bool = False
) -> list[Member]:
    """The members with numbers in ``first … last`` that `where` lets in, with their addresses, in number order.

    With `lock_purses` also with their purses, which stay locked until the transaction ends (rule 16).
    """
    rows = (
        await connection.execute(
            select(*_MEMBER_COLUMNS).where(member.c.id.between(first, last), where).order_by(member.c.id)
        )
    ).all()
    purses = await lock_budgets(connection, (row[8] or row[0] for row in rows)) if lock_purses else {}
    return await _with_addresses(connection, rows, purses)


async def read_members_by_id(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, Member]:
    """These members, with their addresses."""
    rows = (await connection.execute(select(*_MEMBER_COLUMNS).where(member.c.id.in_(list(ids))))).all()
    return {found.id: found for found in await _with_addresses(connection, rows)}


async def _with_addresses(
    connection: AsyncConnection, rows: Sequence[Any], purses: Mapping[int, Purse] = _NO_PURSES
) -> list[Member]:
    addresses = await read_addresses(connection, [row[0] for row in rows])
    return [
        Member(
            id=row[0],
            first_name=row[1],
            last_name=row[2],
            locale=row[3],
            zone=row[4],
            country=row[5],
            postcode=row[6],
            place=row[7],
            household_id=row[8],
            erased=row[9] is not None,
            is_group=row[10] == "group",
            joined_at=row[11],
            joined_by=row[12],
            dial=_DIALS[row[13]],
            paused_until=row[14],
            addresses=tuple(addresses.get(row[0], ())),
            purse=purses.get(row[8] or row[0], EMPTY),
        )
        for row in rows
    ]


async def read_addresses(connection: AsyncConnection, member_ids: Sequence[int]) -> dict[int, list[Address]]:
    """Every address of these members in their order of preference, with its suppression."""
    if not member_ids:
        return {}
    found: dict[int, list[Address]] = defaultdict(list)
    rows = (
        await connection.execute(
            text(
                "SELECT a.member_id, a.id, a.channel, a.value, a.hash, a.state, a.consent, a.rank, a.account,"
                " a.last_inbound_at, a.answers, a.failures, a.alerts, s.reason"
                " FROM address a LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
                f" WHERE a.member_id {in_numbers(connection, 'ids')} ORDER BY a.member_id, a.rank, a.id"
            ),
            {"ids": numbers(connection, member_ids)},
        )
    ).all()
    for (
        member_id, number, channel, value, hash_, state, consent, rank, account, wrote, answers, failures, alerts,
        suppressed,
    ) in rows:  # fmt: skip
        found[member_id].append(
            Address(
                id=number,
                channel=channel,
                value=value,
                hash=hash_,
                state=_STATES[state],
                consent=_CONSENTS[consent],
                suppressed=suppressed is not None,
                rank=rank,
                account=account,
                last_inbound_at=None if wrote is None else from_ms(wrote),
                answers=answers,
                failures=failures,
                alerts=bool(alerts),
            )
        )
    return found


def read_attributes(stored: Any) -> dict[str, str]:
    """Free attributes as raw SQL returns them: text on SQLite, text or a dict on PostgreSQL."""
    loaded = json.loads(stored) if isinstance(stored, str) else stored
    return loaded if isinstance(loaded, dict) else {}


async def last_actions(connection: AsyncConnection, member_ids: Sequence[int], *, since: datetime) -> dict[int, int]:
    """When each of these members last acted since then, in ms since 1970 UTC; who only opened a link did not act."""
    rows = await connection.execute(
        text(
            f"SELECT member_id, max(at) FROM action WHERE member_id {in_numbers(connection, 'ids')}"
            " AND at >= :since AND kind NOT IN ('click', 'no') GROUP BY member_id"
        ),
        {"ids": numbers(connection, sorted(member_ids)), "since": to_ms(since)},
    )
    return {member_id: int(at) for member_id, at in rows}


async def who_said_yes(connection: AsyncConnection, member_ids: Sequence[int], campaign_id: int) -> set[int]:
    """Those of these members who said YES to a campaign, or did what it asked."""
    rows = await connection.execute(
        text(
            f"SELECT DISTINCT member_id FROM action WHERE member_id {in_numbers(connection, 'ids')}"
            " AND campaign_id = :campaign AND kind NOT IN ('click', 'no')"
        ),
        {"ids": numbers(connection, sorted(member_ids)), "campaign": campaign_id},
    )
    return set(rows.scalars())
