"""Members and their addresses as plain rows, for counting a large audience without making an object of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.bulk import in_numbers, numbers
from router.store.tables import member

_DELIVERY = re.compile(r"\[(\d+),\d+,")


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


_COLUMNS = (
    member.c.id,
    member.c.household_id,
    member.c.kind,
    type_coerce(member.c.erased_at, BigInteger).label("erased_at"),
    type_coerce(member.c.joined_at, BigInteger).label("joined_at"),
    member.c.joined_by,
    member.c.dial,
    type_coerce(member.c.paused_until, BigInteger).label("paused_until"),
    member.c.zone,
    member.c.country,
    member.c.postcode,
    member.c.locale,
)
"""What routing looks at, and the language; moments as ms since 1970 UTC."""

ZONE, LOCALE, OWN = 8, 11, len(_COLUMNS)
"""Where these stand in a row, and where what the caller wants besides begins."""


async def read_profiles(
    connection: AsyncConnection,
    where: ColumnElement[bool],
    *,
    first: int,
    last: int,
    also: Sequence[str],
    telling: Iterable[str],
) -> tuple[Sequence[Any], Mapping[int, list[Any]]]:
    """The members from `first` to `last` that `where` lets in, in number order, and member → `AddressRow`s by rank.

    The rows of members have `_COLUMNS` and then the columns named `also`; of addresses on the channels that are
    `telling` value and last word are read as well.
    """
    columns = [*_COLUMNS, *(member.c[name] for name in also)]
    people: Sequence[Any] = (
        await connection.execute(select(*columns).where(member.c.id.between(first, last), where).order_by(member.c.id))
    ).all()
    found: dict[int, list[Any]] = {row[0]: [] for row in people}
    if found:
        names = {f"channel{place}": name for place, name in enumerate(sorted(telling))}
        value, wrote = "''", "NULL"
        if names:
            tells = f"CASE WHEN a.channel IN ({', '.join(':' + name for name in names)}) THEN"
            value, wrote = f"{tells} a.value ELSE '' END", f"{tells} a.last_inbound_at END"
        rows = await connection.execute(
            text(
                f"SELECT a.member_id, a.id, a.hash, {value}, {wrote}, a.channel, a.state, a.consent, a.rank,"
                " a.answers, a.failures, a.alerts, s.reason IS NOT NULL"
                " FROM address a LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
                f" WHERE a.member_id {in_numbers(connection, 'ids')} ORDER BY a.member_id, a.rank, a.id"
            ),
            {**names, "ids": numbers(connection, found)},
        )
        for row in rows.all():
            found[row[0]].append(row)
    return people, found


async def read_slots(connection: AsyncConnection, holders: Iterable[int]) -> dict[int, str]:
    """holder → their contact budget as it is stored, where anything is in it."""
    rows = await connection.execute(
        text(
            f"SELECT holder, slots FROM contact_budget WHERE holder {in_numbers(connection, 'ids')} AND slots <> '[]'"
        ),
        {"ids": numbers(connection, holders)},
    )
    return {row.holder: row.slots for row in rows}


def without_numbers(slots: str) -> str:
    """Stored slots without the numbers of their deliveries, which decide nothing: many people have the same then."""
    return _DELIVERY.sub(r"[\1,0,", slots)


async def shared_hashes(connection: AsyncConnection) -> set[str]:
    """The addresses that more than one member has."""
    rows = await connection.execute(
        text("SELECT hash FROM address GROUP BY hash HAVING min(member_id) <> max(member_id)")
    )
    return set(rows.scalars())
