"""Hosts and confirmed guests write to each other through us: each sees the other's first name and words, no more.

``TELL HOST …`` from a guest, ``TELL 3 …`` or ``TELL ALL …`` from the host, by the guests' numbers; ``LEAVE CHAT``
ends it for whoever writes it, until they write to the others themselves. What the words say is theirs to decide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select, update

from router.answering import Saying, tell, where_to_write
from router.community.event_talk import names_of
from router.community.turn import Answer, Turn, member_of
from router.core.event_replies import Telling, leaves_chat, read_telling
from router.core.phrases import say
from router.store.bulk import sql
from router.store.tables import event, rsvp, to_ms

AN_HOUR = 10
"""Messages that somebody may pass on in an hour: enough to find the house, too few to pester anybody."""

AT_ONCE = 25
"""Guests whom TELL ALL reaches; the host of more is no private person, and organizers write to their guests."""

LONGEST = 600
"""Characters that are passed on: with our frame no more than a text message can hold, even in emoji."""

AFTERWARDS = timedelta(days=1)
"""So long after the end people may still write: for the scarf that was left behind."""

_SEATED = ("confirmed", "came")


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else, or from somebody who neither hosts nor has a seat."""
    if leaves_chat(turn.event.text):
        return await _leave(turn)
    said = read_telling(turn.event.text)
    if said is None:
        return None
    row = await (_where_guest(turn) if said.whom == "host" else _where_host(turn))
    if row is None or (said.whom == "host" and not row.host_id):
        return None
    if not said.words:
        return turn.say_once("events.tell_what")
    if await _passed_on(turn) > AN_HOUR:
        return turn.say_once("events.tell_later")
    told = await (_tell_host(turn, row, said) if said.whom == "host" else _tell_guests(turn, row, said))
    if told is None:
        return turn.say_once("events.tell_too_many", most=AT_ONCE)
    return turn.say_once("events.passed_on" if told else "events.tell_nobody")


async def _where_guest(turn: Turn) -> Row[Any] | None:
    """The event where they have a seat, the soonest; with ``guest_number``."""
    found = await turn.connection.execute(
        select(event, rsvp.c.number.label("guest_number"))
        .select_from(rsvp.join(event, event.c.id == rsvp.c.event_id))
        .where(
            rsvp.c.member_id == turn.owner.member_id, rsvp.c.status.in_(_SEATED), event.c.status == "open",
            event.c.ends_at > turn.now - AFTERWARDS,
        )
        .order_by(event.c.starts_at, event.c.id)
        .limit(1)
    )  # fmt: skip
    return found.one_or_none()


async def _where_host(turn: Turn) -> Row[Any] | None:
    """The event that they host, the soonest."""
    found = await turn.connection.execute(
        select(event)
        .where(
            event.c.host_id == turn.owner.member_id, event.c.status == "open",
            event.c.ends_at > turn.now - AFTERWARDS,
        )
        .order_by(event.c.starts_at, event.c.id)
        .limit(1)
    )  # fmt: skip
    return found.one_or_none()


async def _passed_on(turn: Turn) -> int:
    """How many such messages they wrote within the last hour, this one included."""
    count = await turn.connection.scalar(
        sql(
            "SELECT count(*) FROM inbound WHERE member_id = :member AND at > :since AND lower(trim(text)) LIKE 'tell %'"
        ),
        {"member": turn.owner.member_id, "since": to_ms(turn.now - timedelta(hours=1))},
    )
    return int(count or 0)


async def _tell_host(turn: Turn, row: Row[Any], said: Telling) -> int:
    """From a guest to the host; returns how many were written to."""
    me = (rsvp.c.event_id == row.id) & (rsvp.c.member_id == turn.owner.member_id)
    await turn.connection.execute(update(rsvp).where(me).values(masked=True))
    if not row.masked:
        return 0
    return await _pass_on(turn, row, row.host_id, None, "events.from_guest", said.words, number=row.guest_number)


async def _tell_guests(turn: Turn, row: Row[Any], said: Telling) -> int | None:
    """From the host to one guest or to all; returns how many were written to, None where all are too many."""
    await turn.connection.execute(update(event).where(event.c.id == row.id).values(masked=True))
    wanted = [rsvp.c.event_id == row.id, rsvp.c.status.in_(_SEATED), rsvp.c.masked]
    if said.whom != "all":
        wanted.append(rsvp.c.number == min(int(said.whom), 2**31 - 1))
    mine = select(rsvp.c.member_id, rsvp.c.address_id).where(*wanted).order_by(rsvp.c.member_id).limit(AT_ONCE + 1)
    guests = (await turn.connection.execute(mine)).all()
    if len(guests) > AT_ONCE:
        return None
    told = 0
    for guest in guests:
        told += await _pass_on(turn, row, guest.member_id, guest.address_id, "events.from_host", said.words)
    return told


async def _pass_on(
    turn: Turn, row: Row[Any], member_id: int, address_id: int | None, phrase: str, words: str, **values: object
) -> int:
    to = await where_to_write(turn.connection, member_id, address_id)
    if to is None:
        return 0
    names = await names_of(turn.connection, [turn.owner.member_id])
    locale = (await member_of(turn.connection, member_id)).locale
    organization = turn.runtime.settings.organization
    whole = say(
        phrase, locale, name=names.get(turn.owner.member_id) or organization, title=row.title, words=words[:LONGEST],
        **values,
    )  # fmt: skip
    await tell(
        turn.connection, to, turn.ids, whole, turn.moves, saying=Saying.PERSON, now=turn.now,
        until=row.ends_at + AFTERWARDS, by=phrase.rpartition("_")[2],
    )  # fmt: skip
    return 1


async def _leave(turn: Turn) -> Answer | None:
    """No more messages from hosts and guests, at any event of theirs that is not long over."""
    hosts, guest = await _where_host(turn), await _where_guest(turn)
    if hosts is None and guest is None:
        return None
    still = event.c.ends_at > turn.now - AFTERWARDS
    open_still = select(event.c.id).where(still)
    await turn.connection.execute(
        update(event).where(event.c.host_id == turn.owner.member_id, still).values(masked=False)
    )
    await turn.connection.execute(
        update(rsvp)
        .where(rsvp.c.member_id == turn.owner.member_id, rsvp.c.event_id.in_(open_still))
        .values(masked=False)
    )
    left = guest if guest is not None else hosts
    assert left is not None, "one of the two is there"
    return turn.say_once("events.left_chat", title=left.title)
