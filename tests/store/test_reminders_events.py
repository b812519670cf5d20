"""Reminders of events: each once, in waking hours, never after the start; the host's list; how it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from router.community.event_model import EventMove
from router.community.events import cancel_in, move_in
from router.community.reminders import CHUNK, remind_guests
from tests.support.gatherings import (
    GATHERING,
    STARTS,
    invite,
    lives,
    open_event,
    the_event,
    the_rsvp,
    told_since,
    write,
)
from tests.support.ledger import Ledger


async def evening(ledger: Ledger, guests: int = 1, **body: Any) -> tuple[int, int, list[int]]:
    """An event with confirmed guests: (event, host, guests)."""
    host, *others = await ledger.add_members(1 + guests)
    campaign = await invite(ledger, gathering=body.pop("gathering", GATHERING))
    number = await open_event(ledger, campaign, host=host, **{"seats": guests + 1, **body})
    for guest in others:
        await write(ledger, guest, "YES")
    await ledger.send()
    return number, host, others


async def remind(ledger: Ledger, at: datetime) -> int:
    """Let the clock show `at` and run the task."""
    ledger.clock.now = at
    return await remind_guests(ledger.runtime, now=at)


async def new_to(ledger: Ledger, member_id: int, known: list[str]) -> list[str]:
    return (await told_since(ledger, member_id))[len(known) :]


async def test_a_day_and_two_hours_before_each_once_with_the_address(ledger: Ledger) -> None:
    number, _, [ana] = await evening(ledger)
    known = await told_since(ledger, ana)
    assert await remind(ledger, STARTS - timedelta(hours=25)) == 0
    assert await remind(ledger, STARTS - timedelta(hours=24)) == 2, "the guest and the host"
    assert await remind(ledger, STARTS - timedelta(hours=23)) == 0
    [tomorrow] = await new_to(ledger, ana, known)
    assert "A reminder: Dinner, Thu 3 Dec 19:00" in tomorrow
    assert "12 rue Haute" in tomorrow
    assert f"/e/{number}/" in tomorrow
    assert await remind(ledger, STARTS - timedelta(hours=2)) == 2
    assert await remind(ledger, STARTS - timedelta(minutes=1)) == 0
    [_, soon] = await new_to(ledger, ana, known)
    assert "begins at 19:00" in soon
    assert "12 rue Haute" in soon
    assert (await the_rsvp(ledger, number, ana)).reminded == 2


async def test_the_host_gets_first_names_and_seats(ledger: Ledger) -> None:
    _, host, [ana, bo] = await evening(ledger, guests=2)
    await lives(ledger, ana, first_name="Ana", last_name="Secret")
    await lives(ledger, bo, first_name="Bo")
    known = await told_since(ledger, host)
    await remind(ledger, STARTS - timedelta(hours=24))
    [words] = await new_to(ledger, host, known)
    assert "your guests are 1 Ana (1), 2 Bo (1). Seats taken: 2" in words
    assert "Secret" not in words


async def test_a_host_without_guests_is_told_that(ledger: Ledger) -> None:
    number, host, _ = await evening(ledger, guests=0)
    await remind(ledger, STARTS - timedelta(hours=24))
    assert f"/e/{number}" in (await told_since(ledger, host))[-1]


async def test_it_leaves_in_the_guests_waking_hours_only(ledger: Ledger) -> None:
    """An early breakfast: the reminder falls into the night and waits for the morning, the late one never leaves."""
    starts = datetime(2026, 12, 3, 6, 0, tzinfo=UTC)
    _, _, [ana] = await evening(ledger, starts_at=starts, gathering=GATHERING)
    handed = len(ledger.sms.handed)
    await remind(ledger, starts - timedelta(hours=24))
    await ledger.send()
    assert len(ledger.sms.handed) == handed, "it is seven in the morning"
    ledger.clock.now = datetime(2026, 12, 2, 11, 0, tzinfo=UTC)
    await ledger.send()
    assert [one for one in ledger.sms.handed[handed:] if "A reminder" in one.text]
    handed = len(ledger.sms.handed)
    await remind(ledger, starts - timedelta(hours=2))
    await ledger.send()
    ledger.clock.now = starts + timedelta(hours=5)
    await ledger.send()
    assert len(ledger.sms.handed) == handed, "nobody is told to come to what has begun"
    assert ana


async def test_a_day_before_is_a_day_before_also_where_the_clocks_change(ledger: Ledger) -> None:
    """Paris leaves summer time on 25 October 2026 at 3:00; the evening is at 19:00 of the new time."""
    ledger.clock.now = datetime(2026, 10, 20, 12, 0, tzinfo=UTC)
    local = datetime(2026, 10, 25, 19, 0)  # noqa: DTZ001 - by the clock of the place
    gathering = {**GATHERING, "starts_at_local": local.isoformat()}
    number, _, [ana] = await evening(ledger, starts_at_local=local, gathering=gathering)
    starts = datetime(2026, 10, 25, 18, 0, tzinfo=UTC)
    assert (await the_event(ledger, number)).starts_at == starts
    assert await remind(ledger, starts - timedelta(hours=24, seconds=1)) == 0
    assert await remind(ledger, starts - timedelta(hours=24)) == 2
    assert "Sun 25 Oct 19:00" in (await told_since(ledger, ana))[-1]


async def test_at_the_far_side_of_the_date_line_it_is_their_day_that_is_named(ledger: Ledger) -> None:
    """Kiritimati, UTC+14: an evening there is the day before in UTC, and so is the morning after."""
    host, ana = await ledger.add_members(2)
    for one in (host, ana):
        await lives(ledger, one, country="KI", zone="Pacific/Kiritimati")
    ledger.clock.now = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
    campaign = await invite(ledger)
    number = await open_event(ledger, campaign, host=host, country="KI", postcode="", zone="Pacific/Kiritimati")
    await write(ledger, ana, "YES")
    starts = datetime(2026, 12, 3, 5, 0, tzinfo=UTC)
    assert (await the_event(ledger, number)).starts_at == starts
    await remind(ledger, starts - timedelta(hours=24))
    assert "Thu 3 Dec 19:00" in (await told_since(ledger, ana))[-1]
    assert await remind(ledger, datetime(2026, 12, 3, 19, 59, tzinfo=UTC)) == 0
    assert await remind(ledger, datetime(2026, 12, 3, 20, 0, tzinfo=UTC)) == 1
    assert "How was Dinner?" in (await told_since(ledger, ana))[-1]


async def test_who_is_reminded_gives_the_seat_back_by_no(ledger: Ledger) -> None:
    number, _, [ana] = await evening(ledger)
    ledger.clock.advance(hours=20)
    await invite(ledger, wants="custom", gathering=None, title="Another ask")
    await remind(ledger, STARTS - timedelta(hours=24))
    assert "goes ahead without you" in await write(ledger, ana, "NO")
    assert (await the_rsvp(ledger, number, ana)).status == "cancelled"
    known = await told_since(ledger, ana)
    await remind(ledger, STARTS - timedelta(hours=2))
    assert await new_to(ledger, ana, known) == []


async def test_who_waits_or_gave_the_seat_back_is_not_reminded(ledger: Ledger) -> None:
    _, _, [ana, bo, cy] = await evening(ledger, guests=3, seats=2)
    await write(ledger, ana, "NO")
    known = {one: await told_since(ledger, one) for one in (ana, bo, cy)}
    await remind(ledger, STARTS - timedelta(hours=24))
    assert [len(await new_to(ledger, one, known[one])) for one in (ana, bo, cy)] == [0, 1, 1]


async def test_a_moved_event_is_reminded_of_anew_at_its_new_time(ledger: Ledger) -> None:
    number, _, [ana] = await evening(ledger)
    await remind(ledger, STARTS - timedelta(hours=24))
    later = STARTS + timedelta(days=7)
    async with ledger.store.write() as connection:
        await move_in(connection, ledger.runtime, number, EventMove(starts_at=later), now=ledger.clock())
    assert await remind(ledger, STARTS - timedelta(hours=2)) == 0
    known = await told_since(ledger, ana)
    assert await remind(ledger, later - timedelta(hours=24)) == 2
    [words] = await new_to(ledger, ana, known)
    assert "Thu 10 Dec 19:00" in words


async def test_nobody_is_reminded_of_what_was_called_off(ledger: Ledger) -> None:
    number, _, [ana] = await evening(ledger)
    async with ledger.store.write() as connection:
        await cancel_in(connection, number, reason="flood", now=ledger.clock())
    known = await told_since(ledger, ana)
    for hours in (24, 2, -15):
        assert await remind(ledger, STARTS - timedelta(hours=hours)) == 0
    assert await new_to(ledger, ana, known) == []
    assert (await the_event(ledger, number)).remind_at is None


async def test_a_worker_that_was_down_says_what_is_due_now_and_no_more(ledger: Ledger) -> None:
    _, _, [ana] = await evening(ledger)
    known = await told_since(ledger, ana)
    await remind(ledger, STARTS - timedelta(hours=1))
    [words] = await new_to(ledger, ana, known)
    assert "begins at 19:00" in words


async def test_the_morning_after_guests_are_asked_once_and_hosts_are_not(ledger: Ledger) -> None:
    number, host, [ana] = await evening(ledger)
    known = {one: await told_since(ledger, one) for one in (ana, host)}
    morning = datetime(2026, 12, 4, 9, 0, tzinfo=UTC)
    assert await remind(ledger, morning) == 1
    assert await remind(ledger, morning + timedelta(hours=1)) == 0
    assert ["How was Dinner?" in words for words in await new_to(ledger, ana, known[ana])] == [True]
    assert await new_to(ledger, host, known[host]) == []
    assert (await the_event(ledger, number)).remind_at is None


async def test_more_guests_than_one_transaction_holds_are_all_reminded_once(ledger: Ledger) -> None:
    number, host, _ = await evening(ledger, guests=0, seats=500)
    guests = await ledger.add_members(CHUNK + 5)
    for place, guest in enumerate(guests):
        await ledger.execute(
            "INSERT INTO rsvp (event_id, member_id, status, seats, number, at, changed_at)"
            " VALUES (:event, :member, 'confirmed', 1, :number, 0, 0)",
            event=number, member=guest, number=place + 1,
        )  # fmt: skip
    at = STARTS - timedelta(hours=24)
    assert [await remind(ledger, at) for _ in range(3)] == [CHUNK, 6, 0]
    for guest in guests:
        assert len(await told_since(ledger, guest)) == 1
    assert "Seats taken: 55" in (await told_since(ledger, host))[-1]


async def test_who_has_no_address_that_we_may_use_is_passed_over(ledger: Ledger) -> None:
    number, _, [ana, bo] = await evening(ledger, guests=2)
    await write(ledger, ana, "STOP")
    known = await told_since(ledger, bo)
    assert await remind(ledger, STARTS - timedelta(hours=24)) == 2
    assert len(await new_to(ledger, bo, known)) == 1
    assert (await the_rsvp(ledger, number, ana)).reminded == 1


async def test_looking_costs_one_look_into_an_index(ledger: Ledger) -> None:
    await evening(ledger, guests=0)
    explain = "EXPLAIN QUERY PLAN " if ledger.store.is_sqlite else "EXPLAIN "
    if not ledger.store.is_sqlite:
        await ledger.execute("SET enable_seqscan = off")
    plan = await ledger.execute(f"{explain}SELECT id FROM event WHERE remind_at <= 1 ORDER BY remind_at, id LIMIT 200")
    assert "ix_event_remind_at" in " ".join(str(tuple(row)) for row in plan)
