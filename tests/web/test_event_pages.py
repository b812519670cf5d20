"""Pages of events: what everybody may see, what guests may, and that a title is only text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from router.community.event_model import EventIn
from router.community.events import create_in
from router.community.seats import give_seat_back, take_seat
from router.core.event_links import guest_token
from router.runtime import Runtime
from tests.core.test_calendar_file import read_back
from tests.support.runtime import Clock

HOST, GUEST, LATE = 1, 2, 3


@pytest.fixture(autouse=True)
async def people(runtime: Runtime, clock: Clock) -> None:
    """A host and two guests."""
    async with runtime.store.write() as connection:
        for number, name in ((HOST, "Yasmin"), (GUEST, "Ana"), (LATE, "Bo")):
            await connection.exec_driver_sql(
                "INSERT INTO member (id, first_name, last_name, joined_at, created_at, updated_at)"
                f" VALUES ({number}, '{name}', 'Secret', 0, 0, 0)"
            )


async def dinner(runtime: Runtime, clock: Clock, **body: Any) -> int:
    """An open dinner of one seat; its number."""
    [number] = await runtime.store.take_ids(1)
    trusted = body.pop("trusted", True)
    values = {
        "title": "Dinner", "area": "Camden", "address": "12 High Street", "notes": "Ring twice", "country": "GB",
        "postcode": "NW17JR", "zone": "Europe/London", "seats": 1,
        "starts_at_local": datetime.fromisoformat("2026-12-03T19:00"),
        **body,
    }  # fmt: skip
    async with runtime.store.write() as connection:
        made = await create_in(
            connection, runtime, EventIn(**values), number=number, by="ana", host_id=HOST, trusted=trusted, now=clock()
        )
    return made.id


async def seat(runtime: Runtime, clock: Clock, event: int, member: int) -> None:
    async with runtime.store.write() as connection:
        await take_seat(connection, event_id=event, member_id=member, seats=1, now=clock())


async def text_of(client: TestClient, path: str, status: int = 200) -> str:
    async with client.get(path) as response:
        assert response.status == status
        assert "script-src" not in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"
        return await response.text()


def own(runtime: Runtime, event: int, member: int) -> str:
    return f"/e/{event}/{guest_token(runtime.key, event, member)}"


PRIVATE = ("12 High Street", "Ring twice", "Yasmin", "NW17JR", "Secret", "Ana")


async def test_everybody_sees_the_area_and_nothing_that_leads_to_the_door(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    event = await dinner(runtime, clock)
    await seat(runtime, clock, event, GUEST)
    for path in (f"/e/{event}", f"/e/{event}.ics"):
        words = await text_of(client, path)
        assert "Camden" in words
        assert not any(private in words for private in PRIVATE), path
    page = await text_of(client, f"/e/{event}")
    assert "Thu 3 Dec 19:00" in page
    assert "0 of 1" in page
    assert "RSVP 1" in page
    assert "waiting list" in page


async def test_without_an_area_it_is_the_neighbourhood(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    event = await dinner(runtime, clock, area="")
    page = await text_of(client, f"/e/{event}")
    assert "NW1" in page
    assert "NW17JR" not in page


async def test_a_confirmed_guest_sees_the_door(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    event = await dinner(runtime, clock)
    await seat(runtime, clock, event, GUEST)
    page = await text_of(client, own(runtime, event, GUEST))
    for seen in ("12 High Street", "Ring twice", "Yasmin", "CANCEL SEAT"):
        assert seen in page
    assert "Secret" not in page
    read = read_back(await text_of(client, own(runtime, event, GUEST) + ".ics"))
    assert (read["LOCATION"], read["DESCRIPTION"]) == ("12 High Street", "Ring twice")


async def test_who_waits_or_gave_the_seat_back_does_not(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    event = await dinner(runtime, clock)
    await seat(runtime, clock, event, GUEST)
    await seat(runtime, clock, event, LATE)
    page = await text_of(client, own(runtime, event, LATE))
    assert "waiting list" in page
    assert "12 High Street" not in page
    async with runtime.store.write() as connection:
        await give_seat_back(connection, event_id=event, member_id=GUEST, now=clock())
    assert "12 High Street" not in await text_of(client, own(runtime, event, GUEST))
    assert "12 High Street" in await text_of(client, own(runtime, event, LATE)), "who moved up does"


async def test_the_host_sees_first_names(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    event = await dinner(runtime, clock)
    await seat(runtime, clock, event, GUEST)
    page = await text_of(client, own(runtime, event, HOST))
    assert "<bdi>Ana</bdi>: 1 seat" in page
    assert "Secret" not in page


async def test_a_proposed_event_is_seen_by_its_host_alone(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    event = await dinner(runtime, clock, trusted=False)
    for path in (f"/e/{event}", f"/e/{event}.ics", own(runtime, event, GUEST)):
        assert "cannot find this page" in await text_of(client, path, 404)
    assert "only you see this page" in await text_of(client, own(runtime, event, HOST))


@pytest.mark.parametrize("ending", ["", ".ics"])
async def test_a_token_is_good_for_one_event_and_one_person(
    client: TestClient, runtime: Runtime, clock: Clock, ending: str
) -> None:
    event, other = await dinner(runtime, clock), await dinner(runtime, clock)
    await seat(runtime, clock, event, GUEST)
    token = guest_token(runtime.key, event, GUEST)
    await text_of(client, f"/e/{other}/{token}{ending}", 404)
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    await text_of(client, f"/e/{event}/{changed}{ending}", 404)
    await text_of(client, f"/e/{event}/{'A' * 18}{ending}", 404)


@pytest.mark.parametrize("path", ["/e/999999", "/e/999999.ics", "/e/999999999999999999", "/e/x", "/e/1/short", "/e/"])
async def test_what_there_is_not_is_a_page_for_people(client: TestClient, path: str) -> None:
    async with client.get(path) as response:
        assert response.status == 404
        assert response.content_type == "text/html"


async def test_a_title_is_text(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    attack = "<script>alert(1)</script>\"'&{{ 7*7 }}"
    event = await dinner(runtime, clock, title=attack, area=attack, address=attack, notes=attack)
    await seat(runtime, clock, event, GUEST)
    for path in (f"/e/{event}", own(runtime, event, GUEST)):
        page = await text_of(client, path)
        assert "<script" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "{{ 7*7 }}" in page
    read = read_back(await text_of(client, f"/e/{event}.ics"))
    assert read["SUMMARY"] == attack


async def test_a_calendar_follows_an_event_that_is_moved_and_called_off(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    event = await dinner(runtime, clock)
    first = read_back(await text_of(client, f"/e/{event}.ics"))
    assert (first["METHOD"], first["STATUS"], first["SEQUENCE"]) == ("PUBLISH", "CONFIRMED", "1")
    assert (first["DTSTART"], first["DTEND"]) == ("20261203T190000Z", "20261203T210000Z")
    assert first["UID"] == f"event-{event}@outreach.example.org"
    async with runtime.store.write() as connection:
        await connection.exec_driver_sql(
            "UPDATE event SET status = 'cancelled', version = version + 1, reason = 'The boiler broke.'"
        )
    last = read_back(await text_of(client, f"/e/{event}.ics"))
    assert (last["METHOD"], last["STATUS"], last["SEQUENCE"]) == ("CANCEL", "CANCELLED", "2")
    assert last["UID"] == first["UID"]
    page = await text_of(client, f"/e/{event}")
    assert "called off" in page
    assert "The boiler broke." in page


async def test_a_calendar_file_says_what_it_is(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    event = await dinner(runtime, clock)
    async with client.get(f"/e/{event}.ics") as response:
        assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
        assert response.headers["Content-Disposition"] == f'inline; filename="event-{event}.ics"'
        assert (await response.read()).endswith(b"END:VCALENDAR\r\n")


async def test_an_event_that_is_over_asks_for_nothing(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    event = await dinner(runtime, clock)
    clock.advance(days=30)
    page = await text_of(client, f"/e/{event}")
    assert "This event is over." in page
    assert "RSVP" not in page
