"""YES, a number, a postcode, RSVP 3, EVENTS, NO: what each gets in return, and the one effect that it has."""

from __future__ import annotations

import asyncio

import pytest

from router.community.attendance import check_in
from router.community.reminders import remind_guests
from router.core.channel import Received
from tests.support.gatherings import (
    DAY,
    GATHERING,
    STARTS,
    actions_of,
    invite,
    is_waiting_for_a_person,
    lives,
    load_postcodes,
    message,
    open_event,
    phone_of,
    the_event,
    the_rsvp,
    told_since,
    write,
)
from tests.support.ledger import Ledger


async def dinner(ledger: Ledger, guests: int = 1, **event: object) -> tuple[int, int, list[int]]:
    """An ask with one event: (campaign, event, members)."""
    members = await ledger.add_members(guests)
    campaign = await invite(ledger)
    return campaign, await open_event(ledger, campaign, **event), members


async def test_yes_takes_a_seat_and_tells_where_exactly(ledger: Ledger) -> None:
    [host] = await ledger.add_members(1)
    await lives(ledger, host, first_name="Yasmin")
    _, event, [_, ana] = await dinner_with(ledger, host)
    words = await write(ledger, ana, "Yes")
    assert "Dinner" in words
    assert "Thu 3 Dec 19:00" in words
    assert "12 rue Haute" in words
    assert "Yasmin" in words
    assert f"https://outreach.example.org/e/{event}/" in words
    assert (await the_rsvp(ledger, event, ana)).status == "confirmed"
    assert await actions_of(ledger, ana) == ["yes"]


async def dinner_with(ledger: Ledger, host: int) -> tuple[int, int, list[int]]:
    [ana] = await ledger.add_members(1)
    campaign = await invite(ledger)
    return campaign, await open_event(ledger, campaign, host=host), [host, ana]


@pytest.mark.parametrize(("words", "seats"), [("yes 3", 3), ("3", 3), ("me and 2 friends", 3), ("YES +1", 2), ("1", 1)])
async def test_a_number_is_how_many_they_are(ledger: Ledger, words: str, seats: int) -> None:
    _, event, [ana] = await dinner(ledger)
    assert f"Seats: {seats}" in await write(ledger, ana, words)
    assert (await the_event(ledger, event)).taken == seats


async def test_more_and_fewer_guests_later(ledger: Ledger) -> None:
    _, event, [ana] = await dinner(ledger)
    await write(ledger, ana, "YES")
    assert "seats kept for you: 3" in await write(ledger, ana, "we will be 3")
    assert "seats kept for you: 2" in await write(ledger, ana, "2")
    assert "stay as they were: 2" in await write(ledger, ana, "5")
    assert (await the_event(ledger, event)).taken == 2
    assert await actions_of(ledger, ana) == ["yes"]


async def test_the_same_answer_again_changes_nothing_and_is_answered_once(ledger: Ledger) -> None:
    _, event, [ana] = await dinner(ledger)
    await write(ledger, ana, "YES")
    assert "is kept" in await write(ledger, ana, "YES")
    assert await write(ledger, ana, "yes!") == ""
    assert (await the_event(ledger, event)).taken == 1
    assert await actions_of(ledger, ana) == ["yes"]


async def test_two_webhooks_of_the_same_reply_at_once_have_one_effect(ledger: Ledger) -> None:
    _, event, [ana] = await dinner(ledger)
    twice = Received(events=(await message(ledger, ana, "YES 2", event_id="SM-the-same"),))
    async with ledger.receiver.running():
        submits = (ledger.receiver.submit("sms", "main", twice, ledger.clock()) for _ in range(5))
        await asyncio.gather(*submits)
    assert (await the_event(ledger, event)).taken == 2
    assert len(await told_since(ledger, ana)) == 1
    assert await actions_of(ledger, ana) == ["yes"]


@pytest.mark.parametrize("words", ["NO", "can't come", "CANCEL SEAT", "please cancel my seat", "rsvp no"])
async def test_a_seat_is_given_back(ledger: Ledger, words: str) -> None:
    _, event, [ana] = await dinner(ledger)
    await write(ledger, ana, "YES")
    assert "goes ahead without you" in await write(ledger, ana, words)
    assert (await the_rsvp(ledger, event, ana)).status == "cancelled"
    assert (await the_event(ledger, event)).taken == 0
    assert sorted(await actions_of(ledger, ana)) == ["no", "yes"]


async def test_cancel_alone_is_a_published_stop_word(ledger: Ledger) -> None:
    _, _, [ana] = await dinner(ledger)
    await write(ledger, ana, "YES")
    assert "unsubscribed" in await write(ledger, ana, "CANCEL")


async def test_no_without_a_seat_is_thanked_once(ledger: Ledger) -> None:
    _, _, [ana] = await dinner(ledger)
    assert "Thank you for telling us" in await write(ledger, ana, "no")
    assert await write(ledger, ana, "no") == ""
    assert await actions_of(ledger, ana) == ["no"]


async def test_when_it_is_full_they_wait_and_move_up(ledger: Ledger) -> None:
    _, event, [ana, bo] = await dinner(ledger, guests=2, seats=1)
    await write(ledger, ana, "YES")
    words = await write(ledger, bo, "YES")
    assert "is full" in words
    assert "waiting list" in words
    assert "12 rue Haute" not in words
    await write(ledger, ana, "NO")
    assert (await the_rsvp(ledger, event, bo)).status == "confirmed"


async def test_a_party_larger_than_the_room_is_told_so(ledger: Ledger) -> None:
    _, event, [ana] = await dinner(ledger)
    assert "room for 4 in all" in await write(ledger, ana, "YES 6")
    assert "Seats: 4" in await write(ledger, ana, "4")
    assert (await the_event(ledger, event)).taken == 4


@pytest.mark.parametrize("words", ["99", "YES 99"])
async def test_nobody_brings_ninety_nine(ledger: Ledger, words: str) -> None:
    _, event, [ana] = await dinner(ledger)
    assert "So many?" in await write(ledger, ana, words)
    assert await write(ledger, ana, words) == ""
    assert (await the_event(ledger, event)).taken == 0


async def several(ledger: Ledger) -> tuple[int, dict[str, int], int]:
    """Events in three towns: (campaign, event by postcode, a member of unknown home)."""
    await load_postcodes(ledger)
    [ana] = await ledger.add_members(1)
    campaign = await invite(ledger)
    return (
        campaign,
        {code: await open_event(ledger, campaign, postcode=code) for code in ("75011", "69001", "13001")},
        ana,
    )


async def test_who_lives_somewhere_is_offered_the_nearest_with_room(ledger: Ledger) -> None:
    _, events, ana = await several(ledger)
    await lives(ledger, ana, postcode="75020", country="FR")
    words = await write(ledger, ana, "YES 2")
    assert "Place 75011" in words
    assert "1.6 km" in words
    assert "seats left: 4" in words
    assert "12 rue Haute" not in words
    assert "Seats: 2" in await write(ledger, ana, "YES")
    assert (await the_rsvp(ledger, events["75011"], ana)).seats == 2


async def test_an_unknown_home_is_asked_for_and_a_postcode_answers(ledger: Ledger) -> None:
    _, events, ana = await several(ledger)
    assert "Send your postcode" in await write(ledger, ana, "YES 3")
    assert "Place 69001" in await write(ledger, ana, "69001")
    assert "Place 13001" in await write(ledger, ana, "13001 please")
    assert "Seats: 3" in await write(ledger, ana, "yes")
    assert (await the_rsvp(ledger, events["13001"], ana)).status == "confirmed"


async def test_a_postcode_alone_is_an_answer(ledger: Ledger) -> None:
    _, events, ana = await several(ledger)
    assert "Place 13001" in await write(ledger, ana, "13001")
    await write(ledger, ana, "sure")
    assert (await the_rsvp(ledger, events["13001"], ana)).status == "confirmed"


async def test_the_offer_passes_over_what_is_full(ledger: Ledger) -> None:
    _, events, ana = await several(ledger)
    await ledger.execute("UPDATE event SET taken = capacity WHERE id = :id", id=events["75011"])
    assert "Place 69001" in await write(ledger, ana, "75011")


async def test_events_shows_the_nearest_and_a_number_takes_one(ledger: Ledger) -> None:
    _, events, ana = await several(ledger)
    await lives(ledger, ana, postcode="69001", country="FR")
    words = await write(ledger, ana, "EVENTS")
    lines = words.splitlines()
    assert lines[0].startswith("2: Place 69001, 0 km")
    assert len(lines) == 4
    assert "RSVP 2" in lines[3]
    assert "Address: 12 rue Haute" in await write(ledger, ana, "3")
    assert (await the_rsvp(ledger, events["13001"], ana)).status == "confirmed"


async def test_where_there_are_many_events_asks_where_and_lists_the_nearest(ledger: Ledger) -> None:
    campaign, _, ana = await several(ledger)
    await open_event(ledger, campaign, postcode="75020")
    await write(ledger, ana, "YES 2")
    assert "Send your postcode" in await write(ledger, ana, "EVENTS")
    lines = (await write(ledger, ana, "75011")).splitlines()
    assert [line[:15] for line in lines[:3]] == ["1: Place 75011,", "4: Place 75020,", "2: Place 69001,"]
    assert "Seats: 2" in await write(ledger, ana, "4"), "as many as they said"


async def test_no_to_another_offer_keeps_the_seat_that_they_have(ledger: Ledger) -> None:
    _, events, ana = await several(ledger)
    await write(ledger, ana, "RSVP 1")
    assert "Place 69001" in await write(ledger, ana, "69001")
    assert "is kept" in await write(ledger, ana, "NO")
    assert (await the_rsvp(ledger, events["75011"], ana)).status == "confirmed"


async def test_cancel_seat_finds_the_seat_also_after_another_ask(ledger: Ledger) -> None:
    _, event, [ana] = await dinner(ledger)
    await write(ledger, ana, "YES")
    ledger.clock.advance(hours=20)
    await invite(ledger, title="Another dinner")
    assert "goes ahead without you" in await write(ledger, ana, "CANCEL SEAT")
    assert (await the_rsvp(ledger, event, ana)).status == "cancelled"


async def test_rsvp_and_a_number_needs_no_list(ledger: Ledger) -> None:
    _, events, ana = await several(ledger)
    assert "Seats: 1" in await write(ledger, ana, "rsvp #2")
    assert (await the_rsvp(ledger, events["69001"], ana)).seats == 1


async def test_there_is_no_event_ninety_nine(ledger: Ledger) -> None:
    _, _, ana = await several(ledger)
    assert "no event 99" in await write(ledger, ana, "RSVP 99")
    assert await write(ledger, ana, "RSVP 99") == ""
    assert await actions_of(ledger, ana) == []


async def test_a_postcode_of_another_country_gets_a_sentence_once(ledger: Ledger) -> None:
    _, _, ana = await several(ledger)
    words = await write(ledger, ana, "SW1A 1AA")
    assert "another country" in words
    assert "France" in words
    assert await write(ledger, ana, "SW1A 1AA") == ""
    assert "Place 75011" in await write(ledger, ana, "75011")


async def test_an_event_that_began_is_not_joined(ledger: Ledger) -> None:
    _, _, ana = await several(ledger)
    await ledger.execute("UPDATE event SET starts_at = starts_at - 2000000000 WHERE number = 1")
    assert "has begun or was called off" in await write(ledger, ana, "RSVP 1")
    assert await write(ledger, ana, "RSVP 1") == ""


@pytest.mark.parametrize("words", ["YES", "75011", "EVENTS", "RSVP 1", "HOST"])
async def test_a_reply_to_what_is_over_gets_one_friendly_sentence(ledger: Ledger, words: str) -> None:
    _, event, [ana] = await dinner(ledger)
    ledger.clock.now = STARTS
    assert "this is over now" in await write(ledger, ana, words)
    assert await write(ledger, ana, words) == ""
    assert await the_rsvp(ledger, event, ana) is None


async def test_an_ask_that_was_withdrawn_seats_nobody(ledger: Ledger) -> None:
    campaign, event, [ana] = await dinner(ledger)
    await ledger.execute("UPDATE campaign SET status = 'cancelled' WHERE id = :id", id=campaign)
    assert "this is over now" in await write(ledger, ana, "YES")
    assert await the_rsvp(ledger, event, ana) is None


async def test_a_guest_who_does_not_say_their_side_is_asked(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await invite(ledger, gathering={**GATHERING, "sides": ["NEWCOMER", "NEIGHBOUR"]})
    event = await open_event(ledger, campaign)
    assert "NEWCOMER or NEIGHBOUR" in await write(ledger, ana, "YES 2")
    assert "Seats: 2" in await write(ledger, ana, "Newcomer")
    seat = await the_rsvp(ledger, event, ana)
    assert (seat.side, seat.seats) == ("NEWCOMER", 2)


async def test_who_says_their_side_at_once_is_seated_at_once(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    campaign = await invite(ledger, gathering={**GATHERING, "sides": ["NEWCOMER", "NEIGHBOUR"]})
    event = await open_event(ledger, campaign)
    assert "Seats: 1" in await write(ledger, ana, "NEIGHBOUR")
    assert (await the_rsvp(ledger, event, ana)).side == "NEIGHBOUR"


async def test_one_ask_finds_hosts_and_another_brings_guests_to_their_tables(ledger: Ledger) -> None:
    ana, host = await ledger.add_members(2)
    opened = await invite(ledger, wants="host", audience={"op": "members", "ids": [host]})
    event = await open_event(ledger, opened, host=host)
    ledger.clock.advance(hours=20)
    asked = await invite(ledger, gathering={**GATHERING, "of": opened}, audience={"op": "members", "ids": [ana]})
    assert "Seats: 2" in await write(ledger, ana, "YES 2")
    await remind_guests(ledger.runtime, now=STARTS - DAY)
    ledger.clock.now = STARTS - DAY
    assert "goes ahead without you" in await write(ledger, ana, "NO")
    assert (await the_event(ledger, event)).taken == 0
    rows = await ledger.execute("SELECT campaign_id, kind FROM action WHERE member_id = :id ORDER BY id", id=ana)
    assert [tuple(row) for row in rows] == [(asked, "yes"), (asked, "no")]


async def test_who_came_acted_on_the_ask_that_brought_them(ledger: Ledger) -> None:
    ana, host = await ledger.add_members(2)
    opened = await invite(ledger, wants="host", audience={"op": "members", "ids": [host]})
    event = await open_event(ledger, opened, host=host)
    ledger.clock.advance(hours=20)
    asked = await invite(ledger, gathering={**GATHERING, "of": opened}, audience={"op": "members", "ids": [ana]})
    await write(ledger, ana, "YES")
    assert await check_in(ledger.runtime, event, ana, by="the host", now=STARTS)
    rows = await ledger.execute("SELECT campaign_id, kind FROM action WHERE member_id = :id ORDER BY id", id=ana)
    assert [tuple(row) for row in rows] == [(asked, "yes"), (asked, "came")]


async def test_before_there_is_an_event_a_yes_is_kept(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    await invite(ledger)
    assert "No event with room is open yet" in await write(ledger, ana, "YES")
    assert await actions_of(ledger, ana) == ["yes"]


async def test_yes_to_an_ask_without_events_is_an_action_and_no_more(ledger: Ledger) -> None:
    [ana] = await ledger.add_members(1)
    await invite(ledger, wants="custom", gathering=None)
    assert await write(ledger, ana, "YES") == ""
    assert await actions_of(ledger, ana) == ["yes"]


@pytest.mark.parametrize("words", ["which bus stop is near it?", "🎉" * 800, "Is there parking for 3 cars?"])
async def test_what_is_no_answer_goes_to_a_person(ledger: Ledger, words: str) -> None:
    _, event, [ana] = await dinner(ledger)
    assert await write(ledger, ana, words) == ""
    assert await the_rsvp(ledger, event, ana) is None
    assert await is_waiting_for_a_person(ledger, ana)


async def test_an_ask_that_came_since_has_the_answer(ledger: Ledger) -> None:
    _, events, ana = await several(ledger)
    await write(ledger, ana, "75011")
    ledger.clock.advance(hours=20)
    await invite(ledger, wants="custom", gathering=None, title="Sign")
    assert await write(ledger, ana, "YES") == ""
    assert await the_rsvp(ledger, events["75011"], ana) is None


async def test_the_last_seat_raced_for_by_many_replies_is_given_once(ledger: Ledger) -> None:
    count = 200 if not ledger.store.is_sqlite else 40
    _, event, members = await dinner(ledger, guests=count, seats=1)
    arrived = [await message(ledger, one, "YES") for one in members]
    assert len({await phone_of(ledger, one) for one in members}) == count
    async with ledger.receiver.running():
        submits = (ledger.receiver.submit("sms", "main", Received(events=(one,)), ledger.clock()) for one in arrived)
        await asyncio.gather(*submits)
    rows = await ledger.execute("SELECT status, count(*) AS n FROM rsvp WHERE event_id = :id GROUP BY status", id=event)
    assert dict(rows) == {"confirmed": 1, "waiting": count - 1}
    assert (await the_event(ledger, event)).taken == 1
    addressed = await ledger.execute("SELECT count(*) AS n FROM reply_text WHERE text LIKE '%12 rue Haute%'")
    assert addressed[0].n == 1
