"""DONE, NO ANSWER and NO: what became of a call."""

from __future__ import annotations

from datetime import timedelta

from router.community.call_book import (
    HOLDING,
    CallStatus,
    count_called,
    open_door,
    read_call,
    settle,
    write_result,
)
from router.community.call_talk import About, Step, caller_of, keep, their_line, told_next
from router.community.turn import Answer, Dialog, Turn
from router.core.calling import MOST_WORDS
from router.core.content_render import clean
from router.store.recent import Recent

HOW_LASTS = timedelta(days=1)
"""So long after DONE their words are taken for how the call went."""

_called: Recent[int] = Recent(timedelta(seconds=2))


async def finish(turn: Turn, about: About, words: str) -> Answer:
    """They called. It counts once, also where we had given them no slot."""
    row = await read_call(turn.connection, about.campaign_id, turn.owner.member_id)
    before = row is not None and row.status == CallStatus.CALLED
    if not before:
        await open_door(turn.connection, about.campaign_id)
        line_id = row.line_id if row is not None else await their_line(turn, about)
        await settle(turn.connection, caller_of(turn, about), CallStatus.CALLED, line_id=line_id, now=turn.now)
        await keep(turn, about, "called")
    if words:
        await write_result(turn.connection, about.campaign_id, turn.owner.member_id, words)
    elif before:
        return turn.say_once("calls.known")
    if before:
        return Answer(words=turn.say("calls.noted"), next=Dialog())
    count = await _called.get(
        turn.runtime.store, about.campaign_id, lambda: count_called(turn.connection, about.campaign_id), now=turn.now
    )
    thanks = turn.say("calls.thanks", count=max(1, count))
    if words:
        return Answer(words=thanks, next=Dialog())
    waits = Dialog(step=Step.WORDS, campaign_id=about.campaign_id)
    return Answer(words=f"{thanks} {turn.say('calls.how')}", next=waits, lasts=HOW_LASTS)


async def note_words(turn: Turn, about: About) -> Answer:
    words = clean(turn.event.text.strip(), MOST_WORDS)
    await write_result(turn.connection, about.campaign_id, turn.owner.member_id, words)
    return Answer(words=turn.say("calls.noted"), next=Dialog())


async def nobody_answered(turn: Turn, about: About) -> Answer:
    row = await read_call(turn.connection, about.campaign_id, turn.owner.member_id)
    if row is not None and row.status == CallStatus.CALLED:
        return turn.say_once("calls.known")
    await open_door(turn.connection, about.campaign_id)
    line_id = row.line_id if row is not None else await their_line(turn, about)
    await settle(turn.connection, caller_of(turn, about), CallStatus.UNREACHED, line_id=line_id, now=turn.now)
    return told_next(turn, about, turn.say("calls.unreached"))


async def give_up(turn: Turn, about: About) -> Answer | None:
    """NO of somebody who has a slot: others get it. Without one it is an answer like any other."""
    row = await read_call(turn.connection, about.campaign_id, turn.owner.member_id)
    if row is None or row.status not in HOLDING:
        return None
    await open_door(turn.connection, about.campaign_id)
    await settle(turn.connection, caller_of(turn, about), CallStatus.RELEASED, now=turn.now)
    await keep(turn, about, "no")
    return Answer(words=turn.say("calls.released"), next=Dialog())
