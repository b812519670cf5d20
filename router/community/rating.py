"""How an evening was, from 1 to 5: asked the morning after; who liked it is asked for the next rung of the ladder."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select, update

from router.community.attendance import keep_came
from router.community.event_talk import Step, at_step, event_of, step_of
from router.community.rungs import WELL_RATED, asked_of, done_by
from router.community.turn import Answer, Dialog, Turn
from router.core.event_replies import bare_number, read_rating
from router.core.ladder import Rung, next_rung
from router.store.tables import rsvp

INVITATION = timedelta(days=14)
"""How long HOST answers the invitation to host."""


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else; what is no number is read by a person."""
    if step_of(turn) is not Step.RATING:
        return None
    rated = read_rating(turn.event.text)
    if rated is None:
        return turn.say_once("events.rate_again") if bare_number(turn.event.text) is not None else None
    rating, comment = rated
    row = await event_of(turn.connection, turn.dialog.event_id)
    mine = (rsvp.c.event_id == turn.dialog.event_id) & (rsvp.c.member_id == turn.owner.member_id)
    stands = await turn.connection.scalar(select(rsvp.c.status).where(mine))
    if row is None or stands not in ("confirmed", "came", "missed"):
        return None
    await turn.connection.execute(update(rsvp).where(mine).values(rating=rating, comment=comment[:1_000]))
    await keep_came(
        turn.connection, next(turn.ids), event_id=row.id, campaign_id=row.campaign_id, member_id=turn.owner.member_id,
        moves=turn.moves, now=turn.now,
    )  # fmt: skip
    if rating < WELL_RATED:
        return Answer(words=turn.say("events.not_so_good"), next=Dialog())
    return await _invite(turn, row)


async def _invite(turn: Turn, row: Row[Any]) -> Answer:
    """Ask somebody who liked it for the next rung: to host, unless they did or were asked to of late."""
    member_id = turn.owner.member_id
    done = await done_by(turn.runtime, turn.connection, member_id, now=turn.now)
    asked = await asked_of(turn.runtime, turn.connection, member_id, now=turn.now)
    rung = next_rung(done, now=turn.now, asked=asked, ladder=turn.runtime.ladder)
    if rung is Rung.HOST and row.campaign_id:
        invited = at_step(turn, Step.INVITED, row.campaign_id)
        return Answer(words=turn.say("events.liked_it"), next=invited, lasts=INVITATION)
    sentence = "" if rung in (None, Rung.HOST) else " " + turn.say(f"ladder.{rung.value}")
    return Answer(words=turn.say("events.glad") + sentence, next=Dialog())
