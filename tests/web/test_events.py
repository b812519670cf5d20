"""Events over HTTP: made, seen, moved, called off; guests; what cannot be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import insert

from router.community.event_model import EventIn
from router.community.events import create_in
from router.community.seats import take_seat
from router.runtime import Runtime
from router.store.tables import member
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders

DINNER: dict[str, Any] = {
    "title": "Dinner  at\nAna's", "starts_at_local": "2026-12-03T19:00", "area": "Camden", "address": "12 High Street",
    "country": "GB", "postcode": "nw1 8ab", "seats": 2,
}  # fmt: skip


async def call(
    client: TestClient, headers: dict[str, str], method: str, path: str, body: Any = None, status: int = 200
) -> Any:
    async with client.request(method, f"/api/v1{path}", headers=headers, json=body) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


@pytest.fixture
async def guest(runtime: Runtime, clock: Clock) -> int:
    """A member."""
    async with runtime.store.write() as connection:
        await connection.execute(
            insert(member).values(
                id=501, first_name="Ben", last_name="Roe", attributes={}, joined_at=clock(), created_at=clock(),
                updated_at=clock(),
            )
        )  # fmt: skip
    return 501


async def seat(runtime: Runtime, event_id: int, member_id: int, clock: Clock) -> None:
    await runtime.store.transact(
        lambda connection: take_seat(connection, event_id=event_id, member_id=member_id, seats=1, now=clock())
    )


async def test_an_event_is_made_and_shown(client: TestClient, bearer: MakeHeaders) -> None:
    made = await call(client, await bearer("campaigns:write"), "POST", "/events", DINNER, 201)
    assert (made["number"], made["status"], made["title"]) == (1, "open", "Dinner at Ana's")
    assert (made["starts_at"], made["zone"], made["postcode"]) == ("2026-12-03T19:00:00Z", "Europe/London", "NW18AB")
    reader, keeper = await bearer("campaigns:read"), await bearer("members:write")
    seen = await call(client, reader, "GET", f"/events/{made['id']}")
    assert (seen["area"], seen["seats_left"], seen["address"], seen["postcode"]) == ("Camden", 2, "", "")
    assert (await call(client, reader, "GET", "/events"))["events"] == [seen]
    details = await call(client, keeper, "GET", f"/events/{made['id']}/details")
    assert details["address"] == "12 High Street"
    assert (await call(client, keeper, "GET", "/events/details?status=open"))["events"] == [details]
    assert (await call(client, keeper, "GET", f"/events/details?after={made['id']}"))["events"] == []
    await call(client, reader, "GET", f"/events/{made['id']}/details", status=403)
    await call(client, reader, "GET", f"/events/{made['id']}/guests", status=403)
    await call(client, reader, "GET", "/events/4711", status=404)


async def test_guests_and_the_door(
    client: TestClient, admin: dict[str, str], runtime: Runtime, clock: Clock, guest: int
) -> None:
    dinner = (await call(client, admin, "POST", "/events", DINNER, 201))["id"]
    await seat(runtime, dinner, guest, clock)
    [shown] = (await call(client, admin, "GET", f"/events/{dinner}/guests"))["guests"]
    assert shown == {
        "member_id": guest, "first_name": "Ben", "last_name": "Roe", "number": 1, "status": "confirmed", "seats": 1,
        "side": "", "rating": None, "comment": "",
    }  # fmt: skip
    door, ben = f"/events/{dinner}/check-in", {"member_id": guest}
    await call(client, admin, "POST", door, ben, 409)
    clock.advance(days=13, hours=2)
    assert await call(client, admin, "POST", door, ben) == {"new": True}
    assert await call(client, admin, "POST", door, ben) == {"new": False}
    assert await call(client, admin, "POST", door, ben | {"came": False}) == {"new": False}
    await call(client, admin, "POST", door, {"member_id": 4711}, 404)
    await call(client, admin, "POST", door, {}, 422)


async def test_it_is_moved_and_called_off(client: TestClient, admin: dict[str, str]) -> None:
    dinner = (await call(client, admin, "POST", "/events", DINNER, 201))["id"]
    moved = await call(client, admin, "POST", f"/events/{dinner}/move", {"starts_at": "2026-12-04T20:00:00+01:00"})
    assert (moved["starts_at"], moved["version"]) == ("2026-12-04T19:00:00Z", 2)
    off = await call(client, admin, "POST", f"/events/{dinner}/cancel", {"reason": "ill"})
    assert (off["status"], off["reason"]) == ("cancelled", "ill")
    await call(client, admin, "POST", f"/events/{dinner}/cancel", status=409)
    await call(client, admin, "POST", f"/events/{dinner}/move", {"seats": 3}, 409)
    await call(client, admin, "POST", "/events/4711/cancel", status=404)


async def test_an_offer_is_approved_or_refused_by_who_may_launch(
    client: TestClient, bearer: MakeHeaders, runtime: Runtime, clock: Clock, guest: int
) -> None:
    offers = []
    for number in (601, 602):
        async with runtime.store.write() as connection:
            body = EventIn(country="GB", starts_at=clock() + timedelta(days=2))
            offers.append(
                await create_in(connection, runtime, body, number=number, by="member", host_id=guest, now=clock())
            )
    assert {one.status for one in offers} == {"proposed"}
    launcher, reader = await bearer("campaigns:launch"), await bearer("campaigns:read")
    await call(client, reader, "GET", "/events/601", status=404)
    await call(client, reader, "POST", "/events/601/approve", status=403)
    assert (await call(client, launcher, "POST", "/events/601/approve"))["status"] == "open"
    assert (await call(client, launcher, "POST", "/events/602/refuse", {"reason": "late"}))["status"] == "refused"
    assert (await call(client, reader, "GET", "/events/601"))["status"] == "open"


async def test_a_host_is_trusted(client: TestClient, bearer: MakeHeaders, guest: int) -> None:
    launcher = await bearer("campaigns:launch")
    assert await call(client, launcher, "PUT", f"/hosts/{guest}/trust") == {"new": True}
    assert await call(client, launcher, "PUT", f"/hosts/{guest}/trust", {}) == {"new": False}
    assert await call(client, launcher, "DELETE", f"/hosts/{guest}/trust") == {"new": True}
    await call(client, launcher, "PUT", "/hosts/4711/trust", status=404)
    await call(client, await bearer("members:write"), "PUT", f"/hosts/{guest}/trust", status=403)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"starts_at_local": "2020-01-01T19:00"}, "starts_at"),
        ({"starts_at_local": None}, "starts_at_local"),
        ({"starts_at_local": "tomorrow"}, "starts_at_local"),
        ({"starts_at_local": "2026-12-03T19:00Z"}, "starts_at_local"),
        ({"starts_at": "2026-12-03T19:00:00Z"}, ""),
        ({"seats": 0}, "seats"),
        ({"seats": "8"}, "seats"),
        ({"seats": 10_001}, "seats"),
        ({"minutes": 5}, "minutes"),
        ({"latitude": 51.5}, ""),
        ({"latitude": 91, "longitude": 0}, "latitude"),
        ({"country": "GBR"}, "country"),
        ({"country": "XX"}, "country"),
        ({"zone": "Mars/Base"}, "zone"),
        ({"title": "x" * 201}, "title"),
        ({"address": "x" * 401}, "address"),
        ({"colour": "red"}, "colour"),
        ({"host_id": -1}, "host_id"),
    ],
)
async def test_what_cannot_be_an_event(
    client: TestClient, admin: dict[str, str], changes: dict[str, Any], field: str
) -> None:
    problem = await call(client, admin, "POST", "/events", DINNER | changes, 422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert (await call(client, admin, "GET", "/events"))["events"] == []


async def test_a_host_or_ask_that_there_is_not(client: TestClient, admin: dict[str, str]) -> None:
    await call(client, admin, "POST", "/events", DINNER | {"host_id": 4711}, 404)
    await call(client, admin, "POST", "/events", DINNER | {"campaign_id": 4711}, 404)
