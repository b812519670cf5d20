"""Where postcodes lie, and the nearest events with room, also among twenty thousand."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from router.community.event_desk import cancel_event
from router.community.nearby import (
    Near,
    candidates_sql,
    country_elsewhere,
    find_place,
    find_point,
    nearest_country,
    nearest_events,
    plain_code,
)
from router.core.seating import Point, box, distance_km
from router.store.bulk import insert_rows
from router.store.tables import event, to_ms
from tests.support.events import BRIGHTON, CAMDEN, LONDON, PARIS, add_event, add_postcodes
from tests.support.ledger import Ledger

MANY = 20_000


async def near(ledger: Ledger, **where: Any) -> list[Near]:
    async with ledger.store.read() as connection:
        return await nearest_events(connection, **{"campaign_id": 0, "now": ledger.clock(), **where})


async def point(ledger: Ledger, country: str, postcode: str) -> Point | None:
    async with ledger.store.read() as connection:
        return await find_point(connection, country, postcode)


async def put(ledger: Ledger, where: Point, **values: Any) -> int:
    made = await add_event(ledger, latitude=where[0], longitude=where[1], **values)
    return made.id


# ── postcodes ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("country", "written", "kept"),
    [
        ("GB", "sw1a 1aa", "SW1A1AA"),
        ("US", "10001-1234", "10001"),
        ("US", "10001", "10001"),
        ("CA", "K1A-0B1", "K1A0B1"),
        ("NL", "1012 ab", "1012AB"),
        ("", "  ", ""),
        ("GB", "A" * 99, "A" * 20),
        ("JP", "〒100-0001", "1000001"),
    ],
)
def test_a_postcode_has_one_form(country: str, written: str, kept: str) -> None:
    assert plain_code(country, written) == kept


async def test_a_postcode_or_its_neighbourhood_is_found(ledger: Ledger) -> None:
    await add_postcodes(ledger)
    assert await point(ledger, "GB", "nw1") == CAMDEN
    assert await point(ledger, "uk", "NW1 8AB") == CAMDEN
    assert await point(ledger, "FR", "75011") == (48.8594, 2.3765)
    middle = await point(ledger, "FR", "75019")
    assert middle is not None
    assert distance_km(middle, PARIS) < 5
    assert await point(ledger, "FR", "33000") is None
    assert await point(ledger, "FR", "NW1 8AB") is None
    assert await point(ledger, "DE", "75011") is None
    assert await point(ledger, "GB", "") is None
    assert await point(ledger, "GB", "!!!") is None
    async with ledger.store.read() as connection:
        named = await find_place(connection, "GB", "NW1 8AB")
        around = await find_place(connection, "FR", "75019")
        elsewhere = [await country_elsewhere(connection, code) for code in ("NW1 8AB", "75011", "ZZ9 9ZZ", "")]
        lands = [await nearest_country(connection, where, within_km=100) for where in (PARIS, LONDON, (50.0, -30.0))]
    assert named is not None
    assert named.name == "Camden"
    assert around is not None
    assert around.name == ""
    assert elsewhere == [["GB"], ["FR"], [], []]
    assert lands == ["FR", "GB", None]


async def test_a_place_at_just_under_and_over_a_hundred_kilometres_from_land(ledger: Ledger) -> None:
    await add_postcodes(ledger)
    async with ledger.store.read() as connection:
        for km, country in ((99.0, "GB"), (101.0, None)):
            south = (BRIGHTON[0] - km / 111.195, BRIGHTON[1])
            assert await nearest_country(connection, south, within_km=100) == country
        # A corner of the box lies farther than its sides.
        corner = (BRIGHTON[0] - 90 / 111.195, BRIGHTON[1] - 90 / 70.0)
        assert await nearest_country(connection, corner, within_km=100) is None


# ── nearest ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_nearest_come_first_with_their_distances(ledger: Ledger) -> None:
    paris, camden, brighton = [await put(ledger, where) for where in (PARIS, CAMDEN, BRIGHTON)]
    found = await near(ledger, point=LONDON)
    assert [one.event.id for one in found] == [camden, brighton, paris]
    assert [round(one.km or 0) for one in found] == [4, 76, 344]
    assert found[0].seats_left == 8
    assert [one.event.id for one in await near(ledger, point=LONDON, limit=1)] == [camden]


async def test_what_lies_in_a_corner_of_the_box_is_not_nearer_than_what_lies_before_its_side(ledger: Ledger) -> None:
    north, east = 1 / 111.195, 1 / 69.2
    corner = await put(ledger, (LONDON[0] + 2.8 * north, LONDON[1] + 2.8 * east))
    ahead = await put(ledger, (LONDON[0] + 3.2 * north, LONDON[1]))
    assert [one.event.id for one in await near(ledger, point=LONDON, limit=1)] == [ahead]
    assert [one.event.id for one in await near(ledger, point=LONDON)] == [ahead, corner]


async def test_only_open_ones_to_come_with_room_and_of_the_ask(ledger: Ledger) -> None:
    campaign = await ledger.launch(start=False, wants="attend")
    full, off, begun, other = [
        await put(ledger, CAMDEN, days=days, campaign_id=of) for days, of in ((3, 0), (3, 0), (1, 0), (3, campaign))
    ]
    good = await put(ledger, BRIGHTON)
    await ledger.execute("UPDATE event SET taken = 7 WHERE id = :id", id=full)
    await cancel_event(ledger.runtime, off, reason="", by="ana", now=ledger.clock())
    ledger.clock.advance(days=1)
    assert begun not in {one.event.id for one in await near(ledger, point=LONDON)}
    assert [one.event.id for one in await near(ledger, point=LONDON)] == [full, good]
    assert [one.event.id for one in await near(ledger, point=LONDON, seats=2)] == [good]
    assert [one.event.id for one in await near(ledger, point=LONDON, campaign_id=campaign)] == [other]


async def test_from_a_postcode(ledger: Ledger) -> None:
    await add_postcodes(ledger)
    camden, brighton = [await put(ledger, where) for where in (CAMDEN, BRIGHTON)]
    found = await near(ledger, country="GB", postcode="BN1 1AA")
    assert [one.event.id for one in found] == [brighton, camden]
    assert found[0].km == pytest.approx(0, abs=0.01)


async def test_without_coordinates_by_the_likeness_of_postcodes_and_then_the_place(ledger: Ledger) -> None:
    camden = (await add_event(ledger, postcode="NW1 8AB")).id
    nearer = (await add_event(ledger, postcode="NW1 8XY", days=4)).id
    leeds = (await add_event(ledger, postcode="LS1 4AP", area="Leeds")).id
    found = await near(ledger, country="GB", postcode="NW1 8XZ")
    assert [(one.event.id, one.km) for one in found] == [(nearer, None), (camden, None)]
    assert [one.event.id for one in await near(ledger, place=" leeds ")] == [leeds]
    assert await near(ledger, country="GB", postcode="EH1 1AA") == []
    assert await near(ledger, country="FR", postcode="NW1 8AB") == []
    assert await near(ledger) == []


async def test_over_the_date_line_and_at_the_pole(ledger: Ledger) -> None:
    taveuni, svalbard = await put(ledger, (-16.85, -179.95)), await put(ledger, (78.22, 15.63))
    await put(ledger, (-16.8, 179.4))  # farther, on this side of the line
    [one] = await near(ledger, point=(-16.8, 179.9), limit=1)
    assert one.event.id == taveuni
    assert one.km == pytest.approx(16.9, rel=0.05)
    [one] = await near(ledger, point=(90.0, 0.0), limit=1)
    assert one.event.id == svalbard


async def test_among_twenty_thousand_the_index_is_used_and_the_answer_is_right(ledger: Ledger) -> None:
    draw = random.Random(5)
    start = to_ms(ledger.clock() + timedelta(days=3))
    places = [(draw.uniform(36, 60), draw.uniform(-9, 25)) for _ in range(MANY)]
    # A third of all is in one city, as it would be.
    places[: MANY // 3] = [(draw.gauss(51.5, 0.1), draw.gauss(-0.12, 0.15)) for _ in range(MANY // 3)]
    columns = (
        "id", "campaign_id", "number", "status", "title", "latitude", "longitude", "zone", "starts_at", "ends_at",
        "capacity", "created_by", "created_at",
    )  # fmt: skip
    rows = [
        (n, 1, n, "open", "Dinner", *places[n - 1], "Europe/London", start, start, 8, "ana", 0)
        for n in range(1, MANY + 1)
    ]
    async with ledger.store.write() as connection:
        for at in range(0, MANY, 5_000):
            await insert_rows(connection, event, columns, rows[at : at + 5_000])
        await connection.execute(text("ANALYZE event"))
    for center in (LONDON, PARIS, (40.0, 20.0), (36.0, -30.0)):
        began = time.monotonic()
        found = await near(ledger, campaign_id=1, point=center)
        assert time.monotonic() - began < 2
        nearest = sorted(range(MANY), key=lambda n: distance_km(center, places[n]))[:3]
        assert [one.event.id for one in found] == [n + 1 for n in nearest]
    explain = "EXPLAIN QUERY PLAN" if ledger.store.is_sqlite else "EXPLAIN"
    for km in (3.0, 12.0):
        area = box(LONDON, km)
        [(west, east)] = area.spans
        plan = await ledger.execute(
            f"{explain} {candidates_sql(area)}",
            south=area.south, north=area.north, west0=west, east0=east, campaign=1, seats=1, now=0,
        )  # fmt: skip
        assert "ix_event_latitude" in str(plan)
