"""CALL and BUSY: whom to call, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from router.community.call_book import CallStatus, assign, open_door, read_call, settle
from router.community.call_talk import About, Step, caller_of, keep, line_of, told_next
from router.community.call_words import say_line, say_time, zone_for
from router.community.calls import CallLine, read_lines
from router.community.turn import Answer, Dialog, Turn, member_of
from router.core.calling import Where, read_wish

SURE_TO_BE_UP = timedelta(hours=1)
"""Whoever writes now, or names a time, is awake for so long from then on."""

_NAMED = 3
"""Places that are named to whoever is asked where they live."""


async def book(turn: Turn, about: About, told: Where | None = None) -> Answer | None:
    """Tell them whom to call and when; ask where they live where that decides it."""
    lines = await read_lines(turn.connection, about.campaign_id)
    if not lines:
        return await _without_line(turn, about)
    person = await member_of(turn.connection, turn.owner.member_id)
    line = await line_of(turn, lines, person, told)
    if line is None:
        return _ask_place(turn, about, lines, again=told is not None)
    if about.cancelled or line.closes_at <= turn.now:
        return turn.say_once("calls.closed")
    zone = zone_for(person)
    wish = read_wish(turn.event.text, zone, turn.now) if told is None else None
    await open_door(turn.connection, about.campaign_id)
    row = await read_call(turn.connection, about.campaign_id, turn.owner.member_id)
    if row is not None and row.status == CallStatus.CALLED:
        return turn.say_once("calls.known")
    start = await assign(
        turn.connection,
        caller_of(turn, about),
        line.id,
        line.hours,
        since=turn.now,
        wish=wish,
        awake=_awake(turn, person, wish),
        now=turn.now,
    )
    if start is None:
        return _no_slot(turn, line, person)
    await keep(turn, about, "yes")
    return told_next(turn, about, say_of(turn, "calls.yours", line, start, person))


async def try_again(turn: Turn, about: About) -> Answer | None:
    """A line that is engaged is what was wanted; they get another slot."""
    lines = await read_lines(turn.connection, about.campaign_id)
    if not lines:
        return told_next(turn, about, turn.say("calls.try_again"))
    person = await member_of(turn.connection, turn.owner.member_id)
    row = await read_call(turn.connection, about.campaign_id, turn.owner.member_id)
    if row is not None and row.status == CallStatus.CALLED:
        return turn.say_once("calls.known")
    mine = None if row is None else next((one for one in lines if one.id == row.line_id), None)
    line = mine or await line_of(turn, lines, person, None)
    if line is None:
        return _ask_place(turn, about, lines, again=False)
    if about.cancelled or line.closes_at <= turn.now:
        return turn.say_once("calls.closed")
    await open_door(turn.connection, about.campaign_id)
    start = await assign(
        turn.connection,
        caller_of(turn, about),
        line.id,
        line.hours,
        status=CallStatus.BUSY,
        since=turn.now + line.hours.slot,
        awake=_awake(turn, person, None),
        now=turn.now,
    )
    if start is None:
        await settle(turn.connection, caller_of(turn, about), CallStatus.UNREACHED, line_id=line.id, now=turn.now)
        return told_next(turn, about, turn.say("calls.busy_last"))
    return told_next(turn, about, say_of(turn, "calls.again", line, start, person))


async def _without_line(turn: Turn, about: About) -> Answer:
    """The ask itself says whom to call."""
    if about.over:
        return turn.say_once("conversation.over")
    await keep(turn, about, "yes")
    return told_next(turn, about, turn.say("calls.without_line"))


def _ask_place(turn: Turn, about: About, lines: Sequence[CallLine], *, again: bool) -> Answer | None:
    """Where do you live? None where a second answer is no place of ours either: a person sees to it."""
    if about.cancelled or all(line.closes_at <= turn.now for line in lines):
        return turn.say_once("calls.closed")
    places = ", ".join(line.place for line in lines[:_NAMED])
    waits = Dialog(step=Step.PLACE, campaign_id=about.campaign_id)
    if not again:
        return Answer(words=turn.say("calls.where", places=places), next=waits)
    said = turn.say_once("calls.where_again", places=places)
    return Answer(words=said.words, next=waits, told=said.told) if said.words else None


def _no_slot(turn: Turn, line: CallLine, person: Any) -> Answer:
    """Every slot that is left is gone, or lies in their night."""
    last = max(line.opens_at, turn.now)
    if line.hours.is_past(line.closes_at - line.hours.slot, turn.now):
        return turn.say_once("calls.closed")
    return Answer(words=turn.say("calls.night", name=line.name, time=say_time(last, person)))


def say_of(turn: Turn, phrase: str, line: CallLine, start: datetime, person: Any) -> str:
    return say_line(turn.say, phrase, line, start, line.hours.end_of(start), person, now=turn.now)


def _awake(turn: Turn, person: Any, wish: datetime | None) -> Callable[[datetime], bool]:
    """Whether somebody may be expected to telephone at a moment."""

    def awake(at: datetime) -> bool:
        if any(since <= at + SURE_TO_BE_UP and at < since + SURE_TO_BE_UP for since in (turn.now, wish) if since):
            return True
        return turn.runtime.quiet_hours.window("call", person.zone, person.country, at).opens_at <= at

    return awake
