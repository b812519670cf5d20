"""Hosts and guests write to each other through us, and never learn more than a first name."""

from __future__ import annotations

from typing import Any

import pytest

from router.community.masked import AN_HOUR, AT_ONCE, LONGEST
from tests.support.gatherings import (
    actions_of,
    invite,
    is_waiting_for_a_person,
    lives,
    open_event,
    phone_of,
    the_event,
    the_rsvp,
    told_since,
    write,
)
from tests.support.ledger import Ledger


async def table(ledger: Ledger, guests: int = 2, **body: Any) -> tuple[int, int, list[int]]:
    """An evening with guests who have seats: (event, host, guests)."""
    host, *others = await ledger.add_members(1 + guests)
    await lives(ledger, host, first_name="Yasmin", last_name="Secret")
    campaign = await invite(ledger)
    event = await open_event(ledger, campaign, host=host, seats=max(guests, 2), **body)
    for place, guest in enumerate(others):
        await lives(ledger, guest, first_name=f"Guest{place}")
        await write(ledger, guest, "YES")
    return event, host, others


async def last_to(ledger: Ledger, member_id: int) -> str:
    return (await told_since(ledger, member_id))[-1]


async def test_a_guest_writes_to_the_host_and_the_host_answers(ledger: Ledger) -> None:
    _, host, [ana, bo] = await table(ledger)
    assert "Passed on" in await write(ledger, bo, "TELL HOST we are ten minutes late")
    heard = await last_to(ledger, host)
    assert heard.startswith("Guest1, guest 2 of Dinner: we are ten minutes late")
    assert "TELL 2" in heard
    await write(ledger, host, "TELL 2 no hurry")
    heard = await last_to(ledger, bo)
    assert heard.startswith("Yasmin, your host at Dinner: no hurry")
    assert "no hurry" not in "".join(await told_since(ledger, ana))


async def test_nobody_learns_a_number_or_a_last_name(ledger: Ledger) -> None:
    _, host, [ana, bo] = await table(ledger)
    await write(ledger, ana, "TELL HOST hello")
    await write(ledger, host, "TELL ALL hello everybody")
    secrets = {await phone_of(ledger, one) for one in (host, ana, bo)}
    for one in (host, ana, bo):
        everything = "".join(await told_since(ledger, one))
        assert not any(secret in everything for secret in secrets)
        assert "Secret" not in everything


async def test_the_host_writes_to_all(ledger: Ledger) -> None:
    _, host, guests = await table(ledger, guests=3)
    assert "Passed on" in await write(ledger, host, "tell all: bring bread")
    for guest in guests:
        assert "bring bread" in await last_to(ledger, guest)


async def test_it_leaves_like_any_message_of_a_person(ledger: Ledger) -> None:
    _, host, [ana, _] = await table(ledger)
    await write(ledger, ana, "TELL HOST hello")
    handed = len(ledger.sms.handed)
    await ledger.send()
    sent = [one.text for one in ledger.sms.handed[handed:] if "guest 1 of Dinner: hello" in one.text]
    assert len(sent) == 1
    [row] = await ledger.execute("SELECT kind FROM reply_text WHERE text LIKE '%guest 1 of Dinner%'")
    assert row.kind == "person"
    assert host


@pytest.mark.parametrize("words", ["TELL HOST hi", "TELL ALL hi", "TELL 1 hi", "LEAVE CHAT"])
async def test_who_has_no_seat_and_hosts_nothing_passes_nothing_on(ledger: Ledger, words: str) -> None:
    await table(ledger)
    [stranger] = await ledger.add_members(1)
    assert await write(ledger, stranger, words) == ""
    assert await is_waiting_for_a_person(ledger, stranger)
    assert "hi" not in [row.text for row in await ledger.execute("SELECT text FROM reply_text")]


async def test_who_waits_for_a_seat_does_not_write_to_the_host(ledger: Ledger) -> None:
    _, host, _ = await table(ledger)
    [late] = await ledger.add_members(1)
    await invite(ledger, title="again")
    await ledger.execute("UPDATE delivery SET member_id = member_id")
    heard = len(await told_since(ledger, host))
    await write(ledger, late, "TELL HOST let me in")
    assert len(await told_since(ledger, host)) == heard


async def test_a_guest_may_leave_and_comes_back_by_writing(ledger: Ledger) -> None:
    event, host, [ana, bo] = await table(ledger)
    assert "no more messages from hosts" in await write(ledger, ana, "Leave chat")
    await write(ledger, host, "TELL ALL hello")
    assert "hello" in await last_to(ledger, bo)
    assert "hello" not in await last_to(ledger, ana)
    assert "nobody who takes messages" in await write(ledger, host, "TELL 1 hello")
    assert (await the_rsvp(ledger, event, ana)).status == "confirmed", "the seat stays"
    await write(ledger, ana, "TELL HOST me again")
    await write(ledger, host, "TELL 1 welcome back")
    assert "welcome back" in await last_to(ledger, ana)


async def test_a_host_may_leave(ledger: Ledger) -> None:
    event, host, [ana, _] = await table(ledger)
    await write(ledger, host, "LEAVE CHAT")
    heard = len(await told_since(ledger, host))
    assert "nobody who takes messages" in await write(ledger, ana, "TELL HOST hello")
    assert len(await told_since(ledger, host)) == heard
    assert (await the_event(ledger, event)).status == "open"


async def test_who_said_stop_hears_nothing(ledger: Ledger) -> None:
    _, host, [ana, _] = await table(ledger)
    await write(ledger, host, "STOP")
    heard = len(await told_since(ledger, host))
    assert "nobody who takes messages" in await write(ledger, ana, "TELL HOST hello")
    assert len(await told_since(ledger, host)) == heard


async def test_nobody_passes_on_more_than_so_many_an_hour(ledger: Ledger) -> None:
    _, host, [ana, _] = await table(ledger)
    for place in range(AN_HOUR):
        await write(ledger, ana, f"TELL HOST message {place}")
    heard = len(await told_since(ledger, host))
    assert "as many messages as we pass on" in await write(ledger, ana, "TELL HOST one more")
    assert await write(ledger, ana, "TELL HOST and one more") == ""
    assert len(await told_since(ledger, host)) == heard
    ledger.clock.advance(hours=1, minutes=1)
    await write(ledger, ana, "TELL HOST later")
    assert "later" in await last_to(ledger, host)


async def test_the_host_of_a_hall_leaves_it_to_organizers(ledger: Ledger) -> None:
    event, host, [ana, bo] = await table(ledger, guests=2)
    numbers = await ledger.store.take_ids(AT_ONCE)
    for place, number in enumerate(numbers):
        await ledger.execute(
            "INSERT INTO rsvp (event_id, member_id, status, seats, number, at, changed_at)"
            " VALUES (:event, :member, 'confirmed', 1, :number, 0, 0)",
            event=event, member=number, number=place + 3,
        )  # fmt: skip
    assert f"more than {AT_ONCE} guests" in await write(ledger, host, "TELL ALL hello")
    assert "hello" not in await last_to(ledger, ana)
    assert bo


async def test_as_many_guests_as_may_be_told_at_once_are_told(ledger: Ledger) -> None:
    _, host, guests = await table(ledger, guests=AT_ONCE)
    await write(ledger, host, "TELL ALL hello")
    for guest in guests:
        assert "hello" in await last_to(ledger, guest)


async def test_long_words_are_cut_and_empty_ones_explained(ledger: Ledger) -> None:
    _, host, [ana, _] = await table(ledger)
    assert "Write your words behind it" in await write(ledger, ana, "TELL HOST")
    await write(ledger, ana, "TELL HOST " + "🎉" * 1_590)
    assert (await last_to(ledger, host)).count("🎉") == LONGEST


async def test_words_for_somebody_else_take_no_seat(ledger: Ledger) -> None:
    event, _, [ana, _] = await table(ledger)
    await write(ledger, ana, "TELL HOST we will be 3, yes?")
    assert (await the_rsvp(ledger, event, ana)).seats == 1
    assert await actions_of(ledger, ana) == ["yes"]
