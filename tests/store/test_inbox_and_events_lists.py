"""What organizers' lists read and undo, on both databases."""

from __future__ import annotations

import pytest

from router.community.attendance import check_in, miss, undo
from router.core.errors import NotFound
from router.core.roles import Role
from router.office.conversations import list_conversations
from router.office.gatherings import check_guest, list_gatherings, parties, seen_event, whom_it_tells
from tests.store.test_coming import dinner
from tests.support.desk import wrote
from tests.support.gatherings import STARTS, actions_of, the_event, the_rsvp, write
from tests.support.ledger import Ledger
from tests.support.office import come_in


async def test_a_slip_of_the_finger_at_the_door_is_undone(ledger: Ledger) -> None:
    _, event, [guest] = await dinner(ledger)
    await write(ledger, guest, "RSVP 1")
    ledger.clock.now = STARTS
    for told, kept in ((check_in, True), (miss, False), (check_in, True)):
        await told(ledger.runtime, event, guest, by="Ada", now=STARTS)
        assert ("came" in await actions_of(ledger, guest)) is kept
        for news in (True, False):
            assert await undo(ledger.runtime, event, guest, by="Ada", now=STARTS) is news
        assert "came" not in await actions_of(ledger, guest)
        assert (await the_rsvp(ledger, event, guest)).status == "confirmed"
    assert (await the_event(ledger, event)).taken == 1
    with pytest.raises(NotFound):
        await undo(ledger.runtime, event, 4711, by="Ada", now=STARTS)


async def test_lists_are_read(ledger: Ledger) -> None:
    _, event, guests = await dinner(ledger, 2)
    await write(ledger, guests[0], "RSVP 1")
    for guest in guests:
        await wrote(ledger, guest)
    runtime, now = ledger.runtime, ledger.clock()
    me = (await come_in(runtime, Role.ADMIN, name="Ada", now=now)).organizer
    page = await list_conversations(runtime, me, limit=1)
    rest = await list_conversations(runtime, me, limit=1, after=page.next)
    assert sorted(line.member_id for line in [*page.lines, *rest.lines]) == guests
    assert rest.next == ""
    for shelf in ("open", "mine", "claimed", "done"):
        assert len((await list_conversations(runtime, me, shelf=shelf)).lines) == (2 if shelf == "open" else 0)
    assert [one.id for one in (await list_gatherings(runtime, me, now=now)).events] == [event]
    for shelf in ("proposed", "past", "off"):
        assert (await list_gatherings(runtime, me, shelf=shelf, near="SW1", after="1-1", now=now)).events == []
    assert [one.member_id for one in await parties(runtime, me, event, name="a")] in ([], [guests[0]])
    await check_guest(runtime, me, event, guests[0])
    assert (await whom_it_tells(runtime, await seen_event(runtime, me, event))).guests == 1
