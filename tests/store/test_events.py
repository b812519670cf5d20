"""Events over the ledger: proposed, approved, moved, cancelled; places that cannot be; who is told what."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.community.event_desk import (
    approve_event,
    cancel_event,
    create_event,
    list_guests,
    move_event,
    refuse_event,
    trust_host,
)
from router.community.event_model import EventIn, EventMove, EventView
from router.community.event_notices import AT_ONCE, tell_guests
from router.community.event_places import EventRefused
from router.community.events import create_in, get_event, list_events
from router.community.seats import take_seat
from router.core.errors import NotAllowed, NotFound
from tests.support.events import BRIGHTON, CAMDEN, add_event, add_postcodes, event_row, guests, said
from tests.support.ledger import Ledger

GATHERING: dict[str, Any] = {
    "title": "Dinner", "wants": "host",
    "gathering": {"title": "Dinner for all", "starts_at_local": "2026-12-03T19:00", "minutes": 180, "seats": 6},
}  # fmt: skip


async def offer(ledger: Ledger, host_id: int, **values: Any) -> EventView:
    """A member offers to host."""
    [number] = await ledger.store.take_ids(1)
    body = EventIn.model_validate({"country": "GB", "starts_at": ledger.clock() + timedelta(days=3), **values})
    return await ledger.store.transact(
        lambda connection: create_in(
            connection, ledger.runtime, body, number=number, by=f"member {host_id}", host_id=host_id, now=ledger.clock()
        )
    )


async def take(ledger: Ledger, event_id: int, *members: int) -> None:
    for person in members:
        await ledger.store.transact(
            lambda connection, person=person: take_seat(
                connection, event_id=event_id, member_id=person, seats=1, now=ledger.clock()
            )
        )


async def tell_all(ledger: Ledger) -> int:
    """Tell until nobody has news; how many had."""
    told = 0
    for _ in range(10):
        some = await tell_guests(ledger.runtime, now=ledger.clock())
        told += some
        if not some:
            return told
    raise AssertionError("it tells the same people again and again")


# ── from offer to open ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_offer_waits_for_approval_and_the_host_is_told(ledger: Ledger) -> None:
    [host] = await ledger.add_members(1)
    dinner = await offer(ledger, host, title="Soup")
    assert (dinner.status, dinner.approved_by) == ("proposed", None)
    opened = await approve_event(ledger.runtime, dinner.id, by="bo", now=ledger.clock())
    assert (opened.status, opened.approved_by) == ("open", "bo")
    [(whom, words)] = await said(ledger)
    assert whom == host
    assert "your event is open" in words
    assert "Soup" in words
    with pytest.raises(NotAllowed, match="is open"):
        await approve_event(ledger.runtime, dinner.id, by="bo", now=ledger.clock())
    with pytest.raises(NotAllowed, match="is open"):
        await refuse_event(ledger.runtime, dinner.id, reason="", by="bo", now=ledger.clock())
    assert len(await said(ledger)) == 1


async def test_a_refusal_says_why(ledger: Ledger) -> None:
    [host] = await ledger.add_members(1)
    dinner = await offer(ledger, host)
    refused = await refuse_event(ledger.runtime, dinner.id, reason="two on one\nstreet.", by="bo", now=ledger.clock())
    assert (refused.status, refused.reason) == ("refused", "two on one street.")
    [(_, words)] = await said(ledger)
    assert "We cannot open it: two on one street. Reply" in words


async def test_trusted_hosts_need_no_approval(ledger: Ledger) -> None:
    [host] = await ledger.add_members(1)
    assert await trust_host(ledger.runtime, host, by="bo", now=ledger.clock())
    assert not await trust_host(ledger.runtime, host, by="bo", now=ledger.clock())
    assert (await offer(ledger, host)).status == "open"
    assert await trust_host(ledger.runtime, host, by="bo", now=ledger.clock(), trusted=False)
    assert (await offer(ledger, host)).status == "proposed"
    with pytest.raises(NotFound):
        await trust_host(ledger.runtime, 4711, by="bo", now=ledger.clock())


@pytest.mark.parametrize(("approval", "status"), [(True, "proposed"), (False, "open")])
async def test_what_a_host_leaves_out_comes_from_the_ask(ledger: Ledger, approval: bool, status: str) -> None:
    ask = {**GATHERING, "gathering": {**GATHERING["gathering"], "approval": approval, "sides": ["NEW", "OLD"]}}
    campaign = await ledger.launch(start=False, **ask)
    [host] = await ledger.add_members(1)
    dinner = await offer(ledger, host, campaign_id=campaign, starts_at=None)
    assert dinner.status == status
    assert (dinner.title, dinner.capacity, dinner.two_sided) == ("Dinner for all", 6, True)
    assert dinner.zone == "Europe/London"
    assert dinner.starts_at == datetime(2026, 12, 3, 19, tzinfo=UTC)
    assert dinner.ends_at - dinner.starts_at == timedelta(hours=3)


async def test_events_of_one_ask_made_at_once_have_numbers_of_their_own(ledger: Ledger) -> None:
    campaign = await ledger.launch(start=False, **GATHERING)
    made = await asyncio.gather(*(add_event(ledger, campaign_id=campaign) for _ in range(25)))
    assert sorted(one.number for one in made) == list(range(1, 26))
    assert (await add_event(ledger)).number == 1


# ── where and when ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_postcode_tells_where_it_is(ledger: Ledger) -> None:
    await add_postcodes(ledger)
    [host] = await ledger.add_members(1)
    dinner = await offer(ledger, host, country="uk", postcode="nw1 8ab")
    assert (dinner.country, dinner.postcode, dinner.area, dinner.zone) == ("GB", "NW18AB", "Camden", "Europe/London")
    assert (dinner.latitude, dinner.longitude) == CAMDEN


async def test_a_country_that_nobody_named_is_the_hosts_own_and_then_the_organizations(ledger: Ledger) -> None:
    await add_postcodes(ledger)
    [host] = await ledger.add_members(1)
    assert (await offer(ledger, host, country="", postcode="75011")).country == "FR"
    assert (await add_event(ledger, country="", postcode="BN1", zone="")).country == "GB"


@pytest.mark.parametrize(
    ("values", "phrase"),
    [
        ({"latitude": 50.0, "longitude": -30.0}, "in_the_sea"),
        ({"latitude": 50.0, "longitude": -30.0, "postcode": "NW1"}, "in_the_sea"),
        ({"postcode": "75011"}, "other_country"),
        ({"country": "FR", "postcode": "NW1 8AB"}, "other_country"),
        ({"postcode": "ZZ9 9ZZ"}, "no_postcode"),
        ({"country": "XX"}, "no_country"),
        ({"postcode": "NW1", "latitude": 48.8566, "longitude": 2.3522}, "apart"),
        ({"days": -0.01}, "begun"),
        ({"days": 0}, "begun"),
        ({"zone": "Europe/Atlantis"}, "no_zone"),
        ({"country": "US"}, "no_zone"),
        ({"starts_at": None}, "no_time"),
    ],
)
async def test_an_event_that_cannot_be_is_refused_with_a_sentence(
    ledger: Ledger, values: dict[str, Any], phrase: str
) -> None:
    await add_postcodes(ledger)
    with pytest.raises(EventRefused) as refused:
        await add_event(ledger, **values)
    assert refused.value.phrase == f"event_refusals.{phrase}"
    assert len(refused.value.sentence) > 20
    assert await list_events(ledger.runtime, public=False) == []


async def test_a_refused_event_leaves_the_rest_of_the_transaction_as_it_was(ledger: Ledger) -> None:
    await add_postcodes(ledger)
    body = EventIn(country="GB", postcode="ZZ9", starts_at=ledger.clock() + timedelta(days=1))
    async with ledger.store.write() as connection:
        with pytest.raises(EventRefused):
            await create_in(connection, ledger.runtime, body, number=1, by="x", now=ledger.clock())
        again = body.model_copy(update={"postcode": "NW1"})
        assert (await create_in(connection, ledger.runtime, again, number=1, by="x", now=ledger.clock())).number == 1


async def test_without_postcodes_every_place_is_believed(ledger: Ledger) -> None:
    at_sea = await add_event(ledger, latitude=50.0, longitude=-30.0)
    assert (at_sea.latitude, at_sea.longitude) == (50.0, -30.0)
    assert (await add_event(ledger, postcode="ZZ9 9ZZ")).postcode == "ZZ99ZZ"


async def test_a_place_in_a_country_without_postcodes_is_believed(ledger: Ledger) -> None:
    await add_postcodes(ledger)
    berlin = await add_event(ledger, country="DE", postcode="10115", latitude=52.53, longitude=13.38)
    assert (berlin.country, berlin.postcode, berlin.zone) == ("DE", "10115", "Europe/Berlin")


async def test_a_time_is_that_of_the_place_also_where_the_clocks_change(ledger: Ledger) -> None:
    winter = await add_event(ledger, starts_at=None, starts_at_local="2027-03-27T19:00")
    summer = await add_event(ledger, starts_at=None, starts_at_local="2027-03-28T19:00")
    assert (winter.starts_at.hour, summer.starts_at.hour) == (19, 18)
    island = await add_event(ledger, country="KI", zone="Pacific/Kiritimati", starts_at=None,
                             starts_at_local="2026-12-03T19:00")  # fmt: skip
    assert island.starts_at == datetime(2026, 12, 3, 5, tzinfo=UTC)


# ── moved and cancelled ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_guests_of_a_moved_event_are_told_once_and_keep_their_seats(ledger: Ledger) -> None:
    host, guest, waiting = await ledger.add_members(3)
    dinner = await add_event(ledger, host_id=host, seats=1)
    await take(ledger, dinner.id, guest, waiting)
    await ledger.execute("UPDATE rsvp SET reminded = 1")
    move = EventMove(starts_at=dinner.starts_at + timedelta(hours=2), address="14 High Street")
    moved = await move_event(ledger.runtime, dinner.id, move, by="bo", now=ledger.clock())
    assert moved.version == 2
    assert moved.ends_at - moved.starts_at == dinner.ends_at - dinner.starts_at
    assert await tell_all(ledger) == 2
    assert await tell_all(ledger) == 0
    told = dict(await said(ledger))
    assert "20:00: 14 High Street" in told[guest]
    assert "waiting list" in told[waiting]
    assert "14 High Street" not in told[waiting]
    assert "14 High Street" in told[host]
    assert await guests(ledger, dinner.id) == {guest: ("confirmed", 1), waiting: ("waiting", 1)}
    assert {row.reminded for row in await ledger.execute("SELECT reminded FROM rsvp")} == {0}


async def test_what_is_no_move_is_told_to_no_guest(ledger: Ledger) -> None:
    [guest] = await ledger.add_members(1)
    dinner = await add_event(ledger)
    await take(ledger, dinner.id, guest)
    same = EventMove(starts_at=dinner.starts_at, address=dinner.address, notes="Ring twice")
    moved = await move_event(ledger.runtime, dinner.id, same, by="bo", now=ledger.clock())
    assert (moved.version, moved.notes) == (1, "Ring twice")
    assert await tell_all(ledger) == 0


async def test_more_seats_are_for_those_who_wait_and_fewer_take_none_away(ledger: Ledger) -> None:
    first, second, third = await ledger.add_members(3)
    dinner = await add_event(ledger, seats=1)
    await take(ledger, dinner.id, first, second, third)
    more = await move_event(ledger.runtime, dinner.id, EventMove(seats=2), by="bo", now=ledger.clock())
    assert (more.taken, more.waiting) == (2, 1)
    assert await tell_all(ledger) == 1
    fewer = await move_event(ledger.runtime, dinner.id, EventMove(seats=1), by="bo", now=ledger.clock())
    assert (fewer.taken, fewer.waiting, fewer.seats_left) == (2, 1, 0)


async def test_an_event_moved_to_another_postcode_is_found_there(ledger: Ledger) -> None:
    await add_postcodes(ledger)
    dinner = await add_event(ledger, postcode="NW1")
    moved = await move_event(ledger.runtime, dinner.id, EventMove(postcode="BN1"), by="bo", now=ledger.clock())
    assert (moved.area, moved.postcode) == ("Brighton", "BN1")
    assert (moved.latitude, moved.longitude) == BRIGHTON
    past = EventMove(starts_at=ledger.clock())
    with pytest.raises(EventRefused):
        await move_event(ledger.runtime, dinner.id, past, by="bo", now=ledger.clock())


async def test_a_cancelled_event_is_told_to_everybody_in_their_language(ledger: Ledger) -> None:
    host, guest, waiting, gone = await ledger.add_members(4)
    await ledger.execute("UPDATE member SET locale = 'fr-CA' WHERE id = :id", id=waiting)
    dinner = await add_event(ledger, host_id=host, seats=2)
    await take(ledger, dinner.id, guest, gone, waiting)
    await ledger.execute("UPDATE address SET consent = 'revoked' WHERE member_id = :id", id=gone)
    off = await cancel_event(ledger.runtime, dinner.id, reason="the host is ill", by="bo", now=ledger.clock())
    assert (off.status, off.reason, off.version) == ("cancelled", "the host is ill", 2)
    assert await tell_all(ledger) == 3
    told = dict(await said(ledger))
    assert set(told) == {host, guest, waiting}
    assert "is called off: the host is ill." in told[guest]
    assert "est annulé : the host is ill." in told[waiting]
    assert not (await event_row(ledger, dinner.id)).telling
    with pytest.raises(NotAllowed, match="is cancelled"):
        await cancel_event(ledger.runtime, dinner.id, reason="", by="bo", now=ledger.clock())


async def test_a_large_event_is_told_bit_by_bit_and_nobody_twice_after_a_crash(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await ledger.add_members(AT_ONCE + 10)
    dinner = await add_event(ledger, seats=500)
    await take(ledger, dinner.id, *people)
    await cancel_event(ledger.runtime, dinner.id, reason="", by="bo", now=ledger.clock())
    assert await tell_guests(ledger.runtime, now=ledger.clock()) == AT_ONCE

    async def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr("router.store.tallies.Moves.write", crash)
        with pytest.raises(RuntimeError):
            await tell_guests(ledger.runtime, now=ledger.clock())
    assert len(await said(ledger)) == AT_ONCE
    assert await tell_all(ledger) == 10
    assert sorted(whom for whom, _ in await said(ledger)) == sorted(people)


async def test_nobody_is_told_of_an_event_that_began_meanwhile(ledger: Ledger) -> None:
    [guest] = await ledger.add_members(1)
    dinner = await add_event(ledger, days=1)
    await take(ledger, dinner.id, guest)
    await cancel_event(ledger.runtime, dinner.id, reason="", by="bo", now=ledger.clock())
    ledger.clock.advance(days=1)
    assert await tell_all(ledger) == 1
    assert await said(ledger) == []


async def test_what_has_begun_is_neither_moved_nor_cancelled(ledger: Ledger) -> None:
    dinner = await add_event(ledger, days=1)
    ledger.clock.advance(days=1)
    with pytest.raises(NotAllowed, match="has begun"):
        await cancel_event(ledger.runtime, dinner.id, reason="", by="bo", now=ledger.clock())
    with pytest.raises(NotAllowed, match="has begun"):
        await move_event(ledger.runtime, dinner.id, EventMove(seats=3), by="bo", now=ledger.clock())
    with pytest.raises(NotFound):
        await cancel_event(ledger.runtime, 4711, reason="", by="bo", now=ledger.clock())


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_public_sees_neither_address_nor_host_nor_proposals(ledger: Ledger) -> None:
    [host] = await ledger.add_members(1)
    dinner = await add_event(ledger, host_id=host, postcode="NW1 8AB", notes="Bell 3", latitude=51.5, longitude=0.0)
    proposed = await offer(ledger, host)
    [seen] = await list_events(ledger.runtime, public=True)
    assert seen.id == dinner.id
    hidden = {"host_id": 0, "address": "", "notes": "", "postcode": "", "latitude": None, "longitude": None,
              "created_by": "", "approved_by": None}  # fmt: skip
    mine = await get_event(ledger.runtime, dinner.id, public=False)
    assert seen == mine.model_copy(update=hidden)
    with pytest.raises(NotFound):
        await get_event(ledger.runtime, proposed.id, public=True)
    assert (mine.address, mine.notes, mine.host_id) == ("12 High Street", "Bell 3", host)
    listed = await list_events(ledger.runtime, public=False, status="proposed")
    assert [one.id for one in listed] == [proposed.id]
    assert await list_events(ledger.runtime, public=False, campaign_id=1) == []


async def test_guests_are_listed_by_their_numbers(ledger: Ledger) -> None:
    first, second = await ledger.add_members(2)
    dinner = await add_event(ledger, seats=1)
    await take(ledger, dinner.id, first, second)
    listed = await list_guests(ledger.runtime, dinner.id)
    assert [(one.member_id, one.first_name, one.number, one.status) for one in listed] == [
        (first, f"Ana{first}", 1, "confirmed"),
        (second, f"Ana{second}", 2, "waiting"),
    ]
    assert [one.number for one in await list_guests(ledger.runtime, dinner.id, after=1)] == [2]
    with pytest.raises(NotFound):
        await list_guests(ledger.runtime, 4711)


async def test_an_event_of_no_ask_and_no_member_there_is_not(ledger: Ledger) -> None:
    body = EventIn(country="GB", starts_at=ledger.clock() + timedelta(days=1))
    with pytest.raises(NotFound, match="member"):
        await create_event(ledger.runtime, body, by="ana", host_id=4711, now=ledger.clock())
    missing = body.model_copy(update={"campaign_id": 4711})
    with pytest.raises(NotFound, match="campaign"):
        await create_event(ledger.runtime, missing, by="ana", now=ledger.clock())
