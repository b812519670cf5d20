"""What makes a difference to routing, of many members at a time, as plain values that are equal for members alike.

A *profile* is a tuple of columns and its addresses one line of text, both written by the database: so a large audience
can be counted without making an object of each member. `read_person` makes one of a profile.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, func, literal, select, text, type_coerce
from sqlalchemy import Text as SqlText
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.attention import Dial
from router.core.content_syntax import MEMBER_LENGTHS
from router.core.model import Address, AddressState, ConsentState, Member
from router.core.purse_patterns import of_pattern, split
from router.store.bulk import in_numbers, is_sqlite, numbers
from router.store.debts import acted_from
from router.store.people import read_attributes, read_members_by_id
from router.store.tables import from_ms, member

AT_ONCE = 5_000
"""Members that are read at a time."""

KIND, ZONE, LOCALE, WORDS = 0, 5, 8, 9
"""Where these stand in a profile. What comes before `LOCALE` can decide; from `WORDS` on is what the words take."""

_STATES = {state.value: state for state in AddressState}
_CONSENTS = {state.value: state for state in ConsentState}
_DIALS = {dial.value: dial for dial in Dial}
_USUAL = ["active", "granted", "0", "0", "", "", "", ""]
"""What a line of an address ends with where it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What of a member can make a difference with one plan; what cannot is left out of profiles. Moments are in ms."""

    now: int
    joined_since: int
    """Who joined before is no newcomer any more."""
    by_area: bool
    """Whether the postcode decides about quiet hours."""
    barred: Mapping[str, tuple[str, ...]]
    """Channels on which it matters when the owner last wrote → beginnings of addresses that matter there."""
    wrote_since: int
    """What somebody wrote before is as if they had never written."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Some members of an audience."""

    people: Sequence[tuple[int, int | None, tuple[Any, ...]]]
    """(member, household, profile), in the order of the numbers."""
    addresses: Mapping[int, str]
    """member → their addresses in the order of their rank; who has none is left out."""


async def read_crowds(
    connection: AsyncConnection,
    where: ColumnElement[bool],
    telling: Telling,
    words: Sequence[str],
    *,
    acted_on: int | None = None,
) -> AsyncIterator[Crowd]:
    """All members that `where` lets in, `AT_ONCE` at a time. `words` are the columns that the words take.

    With `acted_on` the address from which they acted on that campaign comes first. A name of plain letters and digits
    comes as one of the same length: it makes a text equally long.
    """
    columns = [
        member.c.id,
        member.c.household_id,
        member.c.kind,
        case((member.c.joined_at >= from_ms(telling.joined_since), type_coerce(member.c.joined_at, BigInteger))),
        case((member.c.joined_at >= from_ms(telling.joined_since), member.c.joined_by)),
        member.c.dial,
        case((member.c.paused_until > from_ms(telling.now), type_coerce(member.c.paused_until, BigInteger))),
        member.c.zone,
        member.c.country,
        member.c.postcode if telling.by_area else literal("", SqlText()),
        member.c.locale,
        *[_shape(name, is_sqlite(connection)) for name in words],
    ]
    last = -1
    while True:
        query = select(*columns).where(member.c.id > last, where).order_by(member.c.id).limit(AT_ONCE)
        rows = (await connection.execute(query)).all()
        if not rows:
            return
        last = rows[-1][0]
        ids = [row[0] for row in rows]
        firsts = await acted_from(connection, ids, acted_on) if acted_on is not None else {}
        addresses = await _read_addresses(connection, ids, telling, set(firsts.values()))
        yield Crowd([(row[0], row[1], row[2:]) for row in rows], addresses)
        if len(rows) < AT_ONCE:
            return


def _shape(name: str, sqlite: bool) -> ColumnElement[Any]:
    """A column that goes into words, so that those that make a text equally long are the same where that is easy."""
    column = member.c[name]
    if name not in MEMBER_LENGTHS:
        return type_coerce(column, SqlText()) if sqlite else column.cast(SqlText())
    if sqlite:
        return case(
            (column.op("GLOB")(literal("*[^A-Za-z0-9]*")), column),
            else_=func.substr(literal("a" * 200), 1, func.length(column)),
        )
    return case((column.op("~")(literal("[^A-Za-z0-9]")), column), else_=func.repeat("a", func.length(column)))


async def _read_addresses(
    connection: AsyncConnection, ids: Sequence[int], telling: Telling, firsts: Collection[int]
) -> dict[int, str]:
    """member → one line for each address; most need only their channel and rank in it."""
    usual = (
        "a.state = 'active' AND a.consent = 'granted' AND a.answers = 0 AND a.failures = 0 AND NOT a.alerts"
        " AND s.reason IS NULL"
    )
    rest = (
        "',' || a.state || ',' || a.consent || ',' || a.answers || ',' || a.failures"
        " || CASE WHEN a.alerts THEN ',1' ELSE ',' END || CASE WHEN s.reason IS NULL THEN ',' ELSE ',1' END"
    )
    parameters: dict[str, Any] = {"ids": numbers(connection, ids)}
    rank, told = "a.rank", ""
    if firsts:
        parameters["firsts"] = numbers(connection, firsts)
        rank = f"CASE WHEN a.id {in_numbers(connection, 'firsts')} THEN -1 ELSE a.rank END"
    if telling.barred:
        names, starts = [], []
        for place, (channel, prefixes) in enumerate(sorted(telling.barred.items())):
            parameters[f"c{place}"] = channel
            names.append(f":c{place}")
            for number, prefix in enumerate(prefixes):
                parameters[f"p{place}_{number}"] = prefix
                starts.append(f"(a.channel = :c{place} AND substr(a.value, 1, {len(prefix)}) = :p{place}_{number})")
        usual += f" AND a.channel NOT IN ({', '.join(names)})"
        parameters["wrote"] = telling.wrote_since
        wrote = "CASE WHEN a.last_inbound_at >= :wrote THEN CAST(a.last_inbound_at AS text) ELSE '' END"
        told = f" || ',' || {wrote} || CASE WHEN {' OR '.join(starts) or '1 = 0'} THEN ',1' ELSE ',' END"
    join = "group_concat" if is_sqlite(connection) else "string_agg"
    # Both databases gather the lines of a group in the order of a sorted subquery.
    rows = await connection.execute(
        text(
            f"SELECT member_id, {join}(line, ';') FROM (SELECT a.member_id AS member_id,"
            f" a.channel || ',' || ({rank}) || CASE WHEN {usual} THEN '' ELSE {rest}{told} END AS line"
            " FROM address a LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
            f" WHERE a.member_id {in_numbers(connection, 'ids')} ORDER BY a.member_id, {rank}, a.id) AS l"
            " GROUP BY member_id"
        ),
        parameters,
    )
    return dict(map(tuple, rows.all()))


async def read_slots(connection: AsyncConnection, holders: Iterable[int]) -> dict[int, str]:
    """holder → the pattern of their contact budget (`core.purse_patterns`), where anything is in it."""
    rows = await connection.execute(
        text(
            f"SELECT holder, slots FROM contact_budget WHERE holder {in_numbers(connection, 'ids')} AND slots <> '[]'"
        ),
        {"ids": numbers(connection, holders)},
    )
    return {holder: split(slots)[0] for holder, slots in rows.all()}


async def shared_hashes(connection: AsyncConnection) -> dict[int, list[str]]:
    """Members who share an address with others → the hashes of all their addresses in the order of their rank."""
    rows = await connection.execute(
        text(
            "SELECT member_id, hash FROM address WHERE member_id IN (SELECT member_id FROM address WHERE hash IN"
            " (SELECT hash FROM address WHERE hash IN (SELECT hash FROM address GROUP BY hash HAVING count(*) > 1)"
            " GROUP BY hash HAVING min(member_id) <> max(member_id))) ORDER BY member_id, rank, id"
        )
    )
    found: dict[int, list[str]] = {}
    for number, hash_ in rows.all():
        found.setdefault(number, []).append(hash_)
    return found


async def read_whole_person(connection: AsyncConnection, number: int) -> Member | None:
    """One member as they are; None where they are gone."""
    person = (await read_members_by_id(connection, [number])).get(number)
    attributes = await connection.scalar(select(member.c.attributes).where(member.c.id == number))
    return None if person is None else replace(person, attributes=read_attributes(attributes))


def read_person(
    profile: Sequence[Any], addresses: str, slots: str, said_yes: bool, telling: Telling, words: Sequence[str] = ()
) -> Member:
    """Somebody with this profile, whose columns from `WORDS` on are `words`. Their addresses are numbered from 0."""
    kind, joined_at, joined_by, dial, paused_until, zone, country, postcode = profile[:LOCALE]
    shown = dict(zip(words, profile[WORDS:], strict=True)) if words else {}
    lines = addresses.split(";") if addresses else []
    return Member(
        id=0,
        first_name=shown.get("first_name", ""),
        last_name=shown.get("last_name", ""),
        place=shown.get("place", ""),
        attributes=read_attributes(shown.get("attributes", "{}")),
        locale=profile[LOCALE],
        is_group=kind == "group",
        zone=zone,
        country=country,
        postcode=postcode,
        joined_at=None if joined_at is None else from_ms(joined_at),
        joined_by=joined_by or 0,
        dial=_DIALS[dial],
        paused_until=None if paused_until is None else from_ms(paused_until),
        said_yes=said_yes,
        addresses=tuple(_address(place, line.split(","), telling) for place, line in enumerate(lines)),
        purse=of_pattern(slots),
    )


def _address(place: int, line: Sequence[str], telling: Telling) -> Address:
    channel, rank, *rest = line
    state, consent, answers, failures, alerts, suppressed, wrote, barred = rest + _USUAL[len(rest) :]
    return Address(
        id=place,
        channel=channel,
        value=telling.barred[channel][0] if barred else "",
        hash="",
        state=_STATES[state],
        consent=_CONSENTS[consent],
        suppressed=bool(suppressed),
        rank=int(rank),
        last_inbound_at=from_ms(int(wrote)) if wrote else None,
        answers=int(answers),
        failures=int(failures),
        alerts=bool(alerts),
    )
