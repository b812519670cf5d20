"""Events' pages: listed and looked for, decided, moved, called off, and the door."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from aiohttp.test_utils import TestClient

from router.community.event_desk import create_event
from router.community.event_model import EventIn
from router.community.seats import take_seat
from router.core.audience import Members
from router.core.roles import Role
from router.runtime import Runtime
from tests.support.desk import offered
from tests.support.ledger import Ledger
from tests.support.office import Entered, come_in, entered
from tests.support.runtime import Clock
from tests.web.office.test_asks import HOSTILE, SHOWN, read
from tests.web.office.test_house import post
from tests.web.office.test_inbox import count


@pytest.fixture
def ledger(runtime: Runtime, clock: Clock) -> Ledger:
    return Ledger(runtime.store, clock=clock)


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.APPROVER, name="Ada", now=clock())


async def dinner(runtime: Runtime, *, host: int = 0, title: str = "Dinner", days: int = 3, seats: int = 2) -> int:
    """An event that is open, in London."""
    now = runtime.clock()
    body = EventIn(
        title=title, starts_at=now + timedelta(days=days), country="GB", postcode="NW1 8AB", area="Camden", seats=seats,
        address="12 High Street",
    )  # fmt: skip
    return (await create_event(runtime, body, by="Bo", host_id=host, now=now)).id


async def seat(runtime: Runtime, event: int, member: int) -> None:
    await runtime.store.transact(
        lambda connection: take_seat(connection, event_id=event, member_id=member, seats=1, now=runtime.clock())
    )


async def test_the_list_by_state_ask_and_place(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered
) -> None:
    [member] = await ledger.add_members(1)
    near = await dinner(runtime, title="Near")
    await offered(ledger, member, 5, "Offered")
    page = await read(client, ada, "/office/events")
    assert page.index("Offered</a>") < page.index("Near</a>"), "the next first"
    assert "0 of 2" in page
    assert "12 High Street" not in page
    proposed = await read(client, ada, "/office/events?show=proposed")
    assert "Offered" in proposed
    assert f"/office/events/{near}" not in proposed
    assert "Near</a>" in await read(client, ada, "/office/events?near=nw1&country=GB")
    assert "Near</a>" not in await read(client, ada, "/office/events?near=se1&country=GB")
    assert "There is none here" in await read(client, ada, "/office/events?ask=4711")
    await read(client, ada, "/office/events?after=zz", status=422)
    await read(client, ada, "/office/events/4711", status=404)


async def test_the_list_goes_on_page_by_page(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    numbers = [await dinner(runtime) for _ in range(53)]
    page = await read(client, ada, "/office/events")
    assert page.count('<th scope="row">') == 50
    after = page.split("after=")[1].split('"')[0]
    page = await read(client, ada, f"/office/events?after={after}")
    assert [f'/office/events/{number}"' in page for number in numbers[49:]] == [False, True, True, True]


async def test_an_offer_is_approved_or_refused_once(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered, clock: Clock
) -> None:
    [member] = await ledger.add_members(1)
    for number in (5, 6):
        await offered(ledger, member, number, f"Offer {number}")
    for _ in range(2):
        await post(client, "/office/events/5/approve", ada, {})
        await post(client, "/office/events/6/refuse", ada, {"reason": "too far away"})
    assert await count(ledger, "SELECT count(*) FROM audit WHERE what IN ('event.approve', 'event.refuse')") == 2
    assert "Approved by</dt><dd>Ada" in await read(client, ada, "/office/events/5")
    assert "because: too far away" in await read(client, ada, "/office/events/6")
    page = await post(client, "/office/events/5/refuse", ada, {}, status=409)
    assert "This event is open." in page
    author = await come_in(runtime, Role.AUTHOR, name="Cy", now=clock())
    await post(client, "/office/events/5/approve", author, {}, status=403)


async def test_it_is_moved_and_called_off_and_says_first_whom_that_tells(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered
) -> None:
    members = await ledger.add_members(3)
    event = await dinner(runtime)
    for member in members:
        await seat(runtime, event, member)
    path = f"/office/events/{event}"
    page = await read(client, ada, f"{path}/move")
    assert "<strong>2</strong> guests and <strong>1</strong> who waits" in page
    assert 'value="2026-11-23T18:00"' in page
    form: dict[str, str | list[str]] = {"starts_at_local": "2026-11-24T19:30", "seats": "3"}
    for _ in range(2):
        await post(client, f"{path}/move", ada, form)
    assert await count(ledger, "SELECT version FROM event") == 2, "moved once"
    page = await read(client, ada, path)
    assert "24.11.2026, 19:30 by the clocks there (Europe/London)" in page
    assert "3 of 3 taken" in page
    page = await post(client, f"{path}/move", ada, {"seats": "many", "area": "Soho"}, status=422)
    assert "Write a whole number" in page
    assert 'value="Soho"' in page
    page = await post(client, f"{path}/move", ada, {"starts_at_local": "2020-01-01T10:00"}, status=422)
    assert 'id="starts_at_local-wrong"' in page
    assert 'id="seats-wrong"' in await post(client, f"{path}/move", ada, {"seats": "0"}, status=422)
    assert "<strong>3</strong> guests" in await read(client, ada, f"{path}/cancel")
    for _ in range(2):
        await post(client, f"{path}/cancel", ada, {"reason": "a burst pipe"})
    assert "because: a burst pipe" in await read(client, ada, path)
    async with client.get(f"{path}/move", headers=ada.headers, allow_redirects=False) as response:
        assert response.headers["Location"] == path


async def test_the_door(client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered, clock: Clock) -> None:
    ana, ben = await ledger.add_members(2)
    await ledger.execute("UPDATE member SET first_name = 'Ben', last_name = 'Roe' WHERE id = :id", id=ben)
    event = await dinner(runtime)
    for member in (ana, ben):
        await seat(runtime, event, member)
    path = f"/office/events/{event}/check-in"
    page = await post(client, path, ada, {"guest": str(ben), "do": "came"}, status=409)
    assert "check guests in when they are there" in page
    clock.advance(days=3, minutes=5)
    ada = await entered(runtime, ada.organizer, now=clock())
    page = await read(client, ada, f"{path}?name=ben+r")
    assert "<strong>Ben R.</strong>" in page
    assert f'id="guest-{ana}"' not in page
    came: dict[str, str | list[str]] = {"guest": str(ben), "do": "came"}
    bo = await come_in(runtime, Role.AUTHOR, name="Bo", now=clock())
    await asyncio.gather(post(client, path, ada, came), post(client, path, bo, came))
    assert await count(ledger, "SELECT count(*) FROM action WHERE kind = 'came'") == 1, "two at the door, one guest"
    assert "1 are here" in await read(client, ada, path)
    for _ in range(2):
        await post(client, path, ada, {"guest": str(ben), "do": "undo"})
    assert await count(ledger, "SELECT count(*) FROM action WHERE kind = 'came'") == 0
    assert await count(ledger, "SELECT taken FROM event") == 2
    await post(client, path, ada, came)
    assert await count(ledger, "SELECT count(*) FROM action WHERE kind = 'came'") == 1
    await post(client, path, ada, {"guest": str(ana), "do": "missed"})
    assert "did not come" in await read(client, ada, path)
    await post(client, path, ada, {"guest": "4711", "do": "came"}, status=404)
    await post(client, path, ada, {"guest": "x", "do": "came"}, status=422)


async def test_who_sees_a_part_of_the_members_sees_their_events_and_guests_only(
    client: TestClient, runtime: Runtime, ledger: Ledger, clock: Clock
) -> None:
    mine, other = await ledger.add_members(2)
    eve = await come_in(runtime, Role.APPROVER, name="Eve", audience=Members(op="members", ids=[mine]), now=clock())
    ours, theirs = await dinner(runtime, host=mine, title="Ours"), await dinner(runtime, host=other, title="Theirs")
    for member in (mine, other):
        await seat(runtime, ours, member)
    page = await read(client, eve, "/office/events")
    assert "Ours" in page
    assert "Theirs" not in page
    assert (await read(client, eve, f"/office/events/{ours}/check-in")).count('id="guest-') == 1
    await post(client, f"/office/events/{ours}/check-in", eve, {"guest": str(other), "do": "undo"}, status=404)
    for page in ("", "/move", "/cancel", "/check-in"):
        await read(client, eve, f"/office/events/{theirs}{page}", status=404)
    for step in ("approve", "refuse", "move", "cancel"):
        await post(client, f"/office/events/{theirs}/{step}", eve, {}, status=404)


async def test_all_that_people_wrote_is_text(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered
) -> None:
    [member] = await ledger.add_members(1)
    event = await dinner(runtime, title=HOSTILE)
    await seat(runtime, event, member)
    await ledger.execute("UPDATE member SET first_name = :words", words=HOSTILE)
    await ledger.execute(
        "UPDATE event SET area = :words, address = :words, notes = :words, reason = :words", words=HOSTILE
    )
    await ledger.execute("UPDATE rsvp SET comment = :words, side = :words", words=HOSTILE[:20])
    for path in ("", f"/{event}", f"/{event}/move", f"/{event}/cancel", f"/{event}/check-in"):
        page = await read(client, ada, f"/office/events{path}")
        assert SHOWN in page
        for tag in ("<script>alert", "<img", ">49<"):
            assert tag not in page
