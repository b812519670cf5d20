"""``/events`` and ``/rsvp 3``: what everybody may know is said in the group, the rest to the guest alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, case, or_, select

from router.community.coming import answer as answer_about_seats
from router.community.dialogue import find_asked, give_answer
from router.community.event_talk import Step, events_of, in_words
from router.community.group_chats.speaking import (
    answer,
    answer_once,
    in_private,
    known_member,
    meet_stranger,
)
from router.community.group_chats.turn import GroupTurn
from router.community.turn import member_of
from router.core.bot_commands import Command
from router.owners import Owner, is_silenced
from router.store.tables import event

SHOWN = 5
"""Events in a list: more is a wall in a chat."""

_LOOKED_AT = 50
"""The soonest events of which those are chosen; two asks may both have a number 3."""


async def list_events(turn: GroupTurn, command: Command) -> None:
    """The next open events with their numbers: area, day and time, never an address or a host."""
    found = await _open_events(turn)
    if not found:
        await answer_once(turn, "commands.no_events", turn.say("commands.no_events"))
        return
    lines = [
        turn.say(
            "events.line_near", number=row.number, left=max(0, row.capacity - row.taken),
            **in_words(row, turn.group.locale),
        )
        for row in found[:SHOWN]
    ]  # fmt: skip
    await answer(turn, "\n".join([*lines, turn.say("commands.events_foot", number=found[0].number)]))


async def take_seat(turn: GroupTurn, command: Command) -> None:
    """A seat for a member, by the rules and in the words of a private ``RSVP 3``; they are told in private.

    Without a number the list is shown. Somebody we do not know, or who said STOP, is shown the way to a private chat.
    """
    if command.number is None:
        await list_events(turn, command)
        return
    guest = await known_member(turn)
    if guest is None or await is_silenced(turn.connection, turn.person_hash, turn.channel):
        await meet_stranger(turn)
        return
    wanted = next((row for row in await _open_events(turn) if row.number == command.number), None)
    if wanted is None:
        unknown = turn.say("commands.no_such_event", number=command.number)
        await answer_once(turn, f"no event {command.number}", unknown)
        return
    private = await in_private(turn, guest)
    # As if they had been shown this event there a moment ago, and chosen it.
    shown = replace(private.dialog, step=Step.LIST.value, campaign_id=wanted.campaign_id, event_id=0, detail={})
    chosen = replace(private, dialog=shown, event=replace(private.event, text=f"RSVP {wanted.number}"))
    said = await answer_about_seats(chosen)
    if said is not None:
        await give_answer(chosen, said)


async def _open_events(turn: GroupTurn) -> list[Row[Any]]:
    """Open events to come, those of the ask that the group got last first, then the soonest; each number once.

    Only events of asks: nobody can answer in words for others. Where the group's place is known, those there, if any.
    """
    place = await member_of(turn.connection, turn.group.id)
    here = [event.c.status == "open", event.c.starts_at > turn.now, event.c.campaign_id > 0]
    if place.country:
        here.append(or_(event.c.country == place.country, event.c.country == ""))
    of = await _campaign(turn)
    found = await turn.connection.execute(
        select(event)
        .where(*here)
        .order_by(case((event.c.campaign_id == of, 0), else_=1), event.c.starts_at, event.c.id)
        .limit(_LOOKED_AT)
    )
    rows = {row.number: row for row in reversed(found.all())}
    every = sorted(rows.values(), key=lambda row: (row.campaign_id != of, row.starts_at, row.id))
    near = [row for row in every if place.place and place.place.casefold() in row.area.casefold()]
    return near or every


async def _campaign(turn: GroupTurn) -> int:
    """The ask whose events are meant: that of the post which they answered, else the last one in this group."""
    asked = turn.asked
    if asked is None:
        group = Owner(turn.group.id, turn.group.address_id, turn.group.locale, turn.group.account)
        anything = replace(turn.event, delivery=None, group="", button=False)
        asked = await find_asked(turn.runtime, turn.connection, turn.channel, [group], anything, now=turn.now)
    return events_of(asked.ask, asked.campaign_id) if asked else 0
