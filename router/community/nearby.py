"""Where a postcode lies, and the nearest events with room."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, bindparam, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.seating import Box, Point, box, distance_km
from router.core.zones import COUNTRY_ALIASES, all_countries
from router.store.tables import event, to_ms

RINGS = (3.0, 12.0, 50.0, 200.0, 1_000.0, 21_000.0)
"""Kilometres in which events are looked for, one after the other until there are enough. The last is all the earth."""

_SHORTEST = 2
_SHORTEST_OF_DIGITS = 3
"""Characters of a postcode that still tell a place: of five and more digits three (a sectional centre in the United
States), else two (``SW``, or a region of four-digit countries)."""

LONGEST_CODE = 20
"""Characters."""

_MARKS = re.compile(r"[^A-Z0-9]")


class KnownPlace(NamedTuple):
    """Where a postcode lies."""

    point: Point
    name: str
    """Of the place, "" where only the neighbourhood is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """An event with room."""

    event: Row[Any]
    """Its row; moments are aware datetimes."""
    km: float | None
    """As the crow flies; None where its place or theirs is known by postcode only."""
    seats_left: int


def plain_code(country: str, postcode: str) -> str:
    """A postcode as the ledger keeps it: capitals without spaces (``SW1A1AA``), of a US one the first five digits."""
    code = _MARKS.sub("", postcode.upper())[:LONGEST_CODE]
    return code[:5] if country == "US" and code.isdigit() and len(code) == 9 else code


def plain_country(country: str) -> str:
    """The ISO 3166 code of a country as people write it (``uk``)."""
    told = country.strip().upper()
    return COUNTRY_ALIASES.get(told, told)


async def find_point(connection: AsyncConnection, country: str, postcode: str) -> Point | None:
    """Where a postcode lies, or its neighbourhood: the outward part, the first digits. None where it is not known."""
    found = await find_place(connection, country, postcode)
    return None if found is None else found.point


async def find_place(connection: AsyncConnection, country: str, postcode: str) -> KnownPlace | None:
    """The same with the name of the place."""
    country = plain_country(country)
    code = plain_code(country, postcode)
    for part in _prefixes(code):
        exact = await connection.execute(
            text("SELECT name, latitude, longitude FROM postcode WHERE country = :country AND code = :code"),
            {"country": country, "code": part},
        )
        if (row := exact.one_or_none()) is not None:
            return KnownPlace((row.latitude, row.longitude), row.name if _is_whole(part, code) else "")
        around = (
            await connection.execute(
                text(
                    "SELECT count(*) AS n, avg(latitude) AS latitude, avg(longitude) AS longitude FROM postcode"
                    " WHERE country = :country AND code >= :first AND code <= :last"
                ),
                {"country": country, "first": part, "last": part + "Z" * LONGEST_CODE},
            )
        ).one()
        if around.n:
            return KnownPlace((around.latitude, around.longitude), "")
    return None


async def is_loaded(connection: AsyncConnection, country: str = "") -> bool:
    """Whether any postcodes of a country, or of all, were imported."""
    where = " WHERE country = :country" if country else ""
    values = {"country": country} if country else {}
    return await connection.scalar(text(f"SELECT 1 FROM postcode{where} LIMIT 1"), values) is not None


async def country_elsewhere(connection: AsyncConnection, postcode: str) -> list[str]:
    """The countries where this postcode, or its outward part, is known."""
    code = plain_code("", postcode)
    codes = [part for part in _prefixes(code) if len(part) > _SHORTEST] or [code]
    found = await connection.execute(
        # All countries are named so that the primary key finds the codes in each.
        text("SELECT DISTINCT country FROM postcode WHERE country IN :countries AND code IN :codes").bindparams(
            bindparam("countries", expanding=True), bindparam("codes", expanding=True)
        ),
        {"countries": all_countries(), "codes": codes},
    )
    return sorted(found.scalars())


async def nearest_country(connection: AsyncConnection, point: Point, *, within_km: float) -> str | None:
    """The country of a known postcode near a point; None where there is none within so many kilometres."""
    # The corners of a box lie half as far again as its sides, so what is in one of 0.7 is near enough without a look.
    for share in (0.03, 0.15, 0.7):
        area = box(point, within_km * share)
        found = await connection.scalar(
            text(f"SELECT country FROM postcode WHERE {_inside(area)} LIMIT 1"), _edges(area)
        )
        if found is not None:
            return str(found)
    area = box(point, within_km)
    rows = await connection.execute(
        text(f"SELECT country, latitude, longitude FROM postcode WHERE {_inside(area)}"), _edges(area)
    )
    near = (row.country for row in rows if distance_km(point, (row.latitude, row.longitude)) <= within_km)
    return next(near, None)


async def nearest_events(
    connection: AsyncConnection,
    *,
    campaign_id: int,
    point: Point | None = None,
    country: str = "",
    postcode: str = "",
    place: str = "",
    seats: int = 1,
    now: datetime,
    limit: int = 3,
) -> list[Near]:
    """The nearest open events of a campaign that have not begun and have so many seats left; the nearest first.

    From `point`, or from where the postcode lies. Where that is not known: events whose postcode begins like theirs
    (the longest likeness first), then those in an area called `place`.
    """
    country = plain_country(country)
    if point is None and postcode:
        point = await find_point(connection, country, postcode)
    if point is not None and (around := await _within_rings(connection, campaign_id, point, seats, now, limit)):
        return around
    return await _alike(connection, campaign_id, country, plain_code(country, postcode), place, seats, now, limit)


async def _within_rings(
    connection: AsyncConnection, campaign_id: int, point: Point, seats: int, now: datetime, limit: int
) -> list[Near]:
    near: list[tuple[float, int, int]] = []
    for km in RINGS:
        area = box(point, km)
        rows = await connection.execute(
            text(candidates_sql(area)),
            {**_edges(area), "campaign": campaign_id, "seats": seats, "now": to_ms(now)},
        )
        far = ((distance_km(point, (row.latitude, row.longitude)), row.starts_at, row.id) for row in rows)
        near = sorted(one for one in far if one[0] <= km)[:limit]
        if len(near) == limit:
            break
    found = await _rows(connection, [number for *_, number in near])
    return [_near(found[number], km) for km, _, number in near]


def candidates_sql(area: Box) -> str:
    """Which open events with room lie in a box, with their places."""
    return (
        f"SELECT id, latitude, longitude, starts_at FROM event WHERE {_inside(area)}"
        " AND campaign_id = :campaign AND status = 'open' AND starts_at > :now AND capacity - taken >= :seats"
    )


async def _alike(
    connection: AsyncConnection,
    campaign_id: int,
    country: str,
    code: str,
    place: str,
    seats: int,
    now: datetime,
    limit: int,
) -> list[Near]:
    shortest = next(iter(list(_prefixes(code))[-1:]), "")
    likeness = [event.c.country == country, event.c.postcode.startswith(shortest, autoescape=True)] if shortest else []
    named = func.lower(event.c.area) == place.strip().lower() if place.strip() else None
    wanted = [and_(*likeness)] if likeness else []
    if named is not None:
        wanted.append(named)
    if not wanted:
        return []
    rows = await connection.execute(
        select(event).where(
            event.c.campaign_id == campaign_id, event.c.status == "open", event.c.starts_at > now,
            event.c.capacity - event.c.taken >= seats, or_(*wanted),
        )
    )  # fmt: skip
    alike = sorted(rows, key=lambda row: (-_shared(row.postcode, code), row.starts_at, row.id))
    return [_near(row, None) for row in alike[:limit]]


async def _rows(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    rows = await connection.execute(select(event).where(event.c.id.in_(ids)))
    return {row.id: row for row in rows}


def _near(row: Row[Any], km: float | None) -> Near:
    return Near(event=row, km=km, seats_left=row.capacity - row.taken)


def _inside(area: Box) -> str:
    """SQL for "lies in this box"; bind it with `_edges`."""
    spans = " OR ".join(f"longitude BETWEEN :west{n} AND :east{n}" for n in range(len(area.spans)))
    return f"latitude BETWEEN :south AND :north AND ({spans})"


def _edges(area: Box) -> dict[str, float]:
    edges = {"south": area.south, "north": area.north}
    for n, (west, east) in enumerate(area.spans):
        edges |= {f"west{n}": west, f"east{n}": east}
    return edges


def _prefixes(code: str) -> Iterator[str]:
    """A postcode and its beginnings, the longest first, down to what still tells a place."""
    shortest = _SHORTEST_OF_DIGITS if code.isdigit() and len(code) >= 5 else _SHORTEST
    for length in range(len(code), shortest - 1, -1):
        yield code[:length]


def _is_whole(part: str, code: str) -> bool:
    """Whether a beginning is the postcode itself, or of a British one the outward part, which has a name too."""
    return part == code or len(code) - len(part) == 3


def _shared(one: str, other: str) -> int:
    """How many characters two postcodes begin alike."""
    same = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        same += 1
    return same
