"""Where and when an event is, found from what its host says; and what cannot be."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.nearby import (
    country_elsewhere,
    find_place,
    is_loaded,
    nearest_country,
    plain_code,
    plain_country,
)
from router.core.errors import BadInput
from router.core.phrases import say
from router.core.seating import Point, distance_km
from router.core.zones import known_zone, zone_of, zones_of_country

LAND_KM = 100.0
"""No event is farther from every known postcode: that is the sea, or a slip in the coordinates."""


class EventRefused(BadInput):
    """An event that cannot be. `phrase` and `values` say it in any language (`router.core.phrases.say`)."""

    def __init__(self, name: str, *, place: str, **values: object) -> None:
        self.phrase = f"event_refusals.{name}"
        self.values = values
        super().__init__(say(self.phrase, "en", **values), place=place)


class Place(NamedTuple):
    """Where an event is."""

    country: str
    postcode: str
    """Capitals without spaces."""
    point: Point | None
    area: str
    """The name of the place, "" where it is not known."""


async def locate(
    connection: AsyncConnection, *, country: str, postcode: str, point: Point | None, elsewhere: str = ""
) -> Place:
    """Where that is. `country` is what is known of it for sure, `elsewhere` what else it may be, "" for neither.

    Raises `EventRefused` for a place in the sea, a postcode of another country or one that there is not.
    """
    told = plain_country(country)
    if told and not zones_of_country(told):
        raise EventRefused("no_country", place="country", country=told)
    code = plain_code(told or plain_country(elsewhere), postcode)
    nearest = await _on_land(connection, told, point) if point is not None else None
    if not code:
        return Place(told or nearest or plain_country(elsewhere), "", point, "")
    there = told or nearest or plain_country(elsewhere)
    known = await find_place(connection, there, code)
    if known is None and (others := await country_elsewhere(connection, code)):
        if told or nearest or len(others) > 1:
            raise EventRefused("other_country", place="postcode", postcode=code, country=others[0], told=there or "?")
        there = others[0]
        known = await find_place(connection, there, code)
    if known is None:
        if await is_loaded(connection, there):
            raise EventRefused("no_postcode", place="postcode", postcode=code)
        return Place(there, code, point, "")
    if point is not None and distance_km(point, known.point) > LAND_KM:
        raise EventRefused("apart", place="latitude", postcode=code)
    return Place(there, code, point or known.point, known.name)


async def _on_land(connection: AsyncConnection, told: str, point: Point) -> str | None:
    """The country that a point lies in, by its postcodes; None where none are known that could tell."""
    if not await is_loaded(connection, told):
        return None
    nearest = await nearest_country(connection, point, within_km=LAND_KM)
    if nearest is None:
        raise EventRefused("in_the_sea", place="latitude")
    return nearest


def zone_there(place: Place, *, told: str, elsewhere: str = "") -> str:
    """The time zone of a place; `told` is what its host says, `elsewhere` where its host lives, "" for neither.

    Raises `EventRefused` where it cannot be known.
    """
    if told and known_zone(told) is None:
        raise EventRefused("no_zone", place="zone")
    zone = told or zone_of(country=place.country, postcode=place.postcode, phone="")[0] or elsewhere
    if known_zone(zone) is None:
        raise EventRefused("no_zone", place="zone")
    return zone


def moment_there(starts_at: datetime | None, local: datetime | None, zone: str) -> datetime:
    """When it begins. Raises `EventRefused` where nobody said. A time that a clock skips is the one after."""
    if starts_at is not None:
        return starts_at
    if local is None:
        raise EventRefused("no_time", place="starts_at_local")
    return local.replace(tzinfo=ZoneInfo(zone))
