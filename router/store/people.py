"""Members as routing and rendering see them, read in bulk."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.attention import Dial
from router.core.model import Address, AddressState, ConsentState, Member
from router.store.bulk import in_numbers, numbers, plain_rows
from router.store.tables import ACTED, from_ms, member, to_ms

_STATES = {state.value: state for state in AddressState}
_CONSENTS = {state.value: state for state in ConsentState}
_DIALS = {dial.value: dial for dial in Dial}

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

_PLAIN_COLUMNS = (
    member.c.id,
    member.c.household_id,
    member.c.kind,
    member.c.erased_at,
    member.c.joined_at,
    member.c.joined_by,
    member.c.dial,
    member.c.paused_until,
    member.c.zone,
    member.c.country,
    member.c.postcode,
    member.c.place,
)
"""What routing looks at."""

HOUSEHOLD, KIND, PLACE = 1, 2, 11
"""Where these stand in a plain row of a member."""

ID, HASH, CHANNEL, ACCOUNT = 1, 2, 5, 13
"""Where these stand in a plain row of an address."""


class AddressRow(NamedTuple):
    """One address as it is stored; what decides about it, whoever has it, begins with `channel`."""

    member_id: int
    id: int
    hash: str
    value: str
    """"" where nothing depends on it."""
    last_inbound_at: int | None
    """None where nothing depends on it."""
    channel: str
    state: str
    consent: str
    rank: int
    answers: int
    failures: int
    alerts: bool
    suppressed: bool
    account: str
    """Decides who sends it, not whether it is sent."""


async def read_plain(
    connection: AsyncConnection, where: ColumnElement[bool], *, first: int, last: int, telling: Iterable[str]
) -> tuple[Sequence[Any], dict[int, list[Any]]]:
    """The members with numbers in ``first … last`` that `where` lets in, and member → addresses, as plain rows.

    Members come in number order with `_PLAIN_COLUMNS`, addresses by rank with the columns of `AddressRow`. Of those on
    channels that are `telling` their value (as it is kept) and their owner's last word are read as well.
    """
    query = select(*_PLAIN_COLUMNS).where(member.c.id.between(first, last), where).order_by(member.c.id)
    people = plain_rows(await connection.execute(query))
    found: dict[int, list[Any]] = {row[0]: [] for row in people}
    if not found:
        return people, found
    names = {f"channel{place}": name for place, name in enumerate(sorted(telling))}
    value, wrote = "''", "NULL"
    if names:
        tells = f"CASE WHEN a.channel IN ({', '.join(':' + name for name in names)}) THEN"
        value, wrote = f"{tells} a.value ELSE '' END", f"{tells} a.last_inbound_at END"
    rows = await connection.execute(
        text(
            f"SELECT a.member_id, a.id, a.hash, {value}, {wrote}, a.channel, a.state, a.consent, a.rank,"
            " a.answers, a.failures, a.alerts, s.reason IS NOT NULL, a.account"
            " FROM address a LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
            f" WHERE a.member_id {in_numbers(connection, 'ids')} AND a.member_id BETWEEN :first AND :last"
            " ORDER BY a.member_id, a.rank, a.id"
        ),
        {**names, "ids": numbers(connection, found), "first": min(found), "last": max(found)},
    )
    for row in plain_rows(rows):
        found[row[0]].append(row)
    return people, found


async def read_members_by_id(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, Member]:
    """These members, with their addresses."""
    rows = (await connection.execute(select(*_MEMBER_COLUMNS).where(member.c.id.in_(list(ids))))).all()
    addresses = await read_addresses(connection, [row[0] for row in rows])
    return {
        row[0]: Member(
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
        )
        for row in rows
    }


async def read_addresses(connection: AsyncConnection, member_ids: Sequence[int]) -> dict[int, list[Address]]:
    """Every address of these members in their order of preference, with its suppression.

    Values that are sealed stay so: what decides needs none of them, and who sends reads them anew
    (`store.batches.read_waiting`).
    """
    if not member_ids:
        return {}
    found: dict[int, list[Address]] = defaultdict(list)
    # The bounds say what the list does not: that a narrow stretch of the index holds them all.
    rows = (
        await connection.execute(
            text(
                "SELECT a.member_id, a.id, a.channel, a.value, a.hash, a.state, a.consent, a.rank, a.account,"
                " a.last_inbound_at, a.answers, a.failures, a.alerts, s.reason"
                " FROM address a LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
                f" WHERE a.member_id {in_numbers(connection, 'ids')} AND a.member_id BETWEEN :first AND :last"
                " ORDER BY a.member_id, a.rank, a.id"
            ),
            {"ids": numbers(connection, member_ids), "first": min(member_ids), "last": max(member_ids)},
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
            f" AND at >= :since AND {ACTED} GROUP BY member_id"
        ),
        {"ids": numbers(connection, sorted(member_ids)), "since": to_ms(since)},
    )
    return {member_id: int(at) for member_id, at in rows}


async def who_answered(connection: AsyncConnection, member_ids: Sequence[int], campaign_id: int) -> set[int]:
    """Those of these members who answered a campaign, with a NO too; the kinds are `core.group_first.NO_ANSWERS`."""
    rows = await connection.execute(
        text(
            f"SELECT DISTINCT member_id FROM action WHERE member_id {in_numbers(connection, 'ids')}"
            " AND campaign_id = :campaign AND kind NOT IN ('click', 'refund')"
        ),
        {"ids": numbers(connection, sorted(member_ids)), "campaign": campaign_id},
    )
    return set(rows.scalars())


async def who_said_yes(connection: AsyncConnection, member_ids: Sequence[int], campaign_id: int) -> set[int]:
    """Those of these members who said YES to a campaign, or did what it asked."""
    rows = await connection.execute(
        text(
            f"SELECT DISTINCT member_id FROM action WHERE member_id {in_numbers(connection, 'ids')}"
            f" AND campaign_id = :campaign AND {ACTED}"
        ),
        {"ids": numbers(connection, sorted(member_ids)), "campaign": campaign_id},
    )
    return set(rows.scalars())
